// The operations of FUSE that zone-readdown answers, over DownNodes.
#pragma once

#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>

namespace core {

// The session's user data is a DownNodes*.
const fuse_lowlevel_ops& down_operations();

}  // namespace core
