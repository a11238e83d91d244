// The smallest tree that a zone can run: Debian's static busybox with a link for each applet,
// /etc/passwd with root and guest (uid 1000), and the usual empty folders.
#pragma once

#include <string>

#include "base/result.h"

namespace harness {

// Makes the tree at path (absolute; made here, or an empty folder). kNotFound with a hint when
// busybox-static is not installed.
base::Status make_busybox_tree(const std::string& path);

}  // namespace harness
