// The operations of FUSE that zone-readdown answers, over DownNodes. Whatever would write is EROFS and noted;
// zone-readdown has no code that writes to a file.
#pragma once

#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>

#include <cstddef>

#include "zoned/core/down_nodes.h"
#include "zoned/core/down_writes.h"

namespace core {

struct DownFiles {
  DownNodes nodes;
  DownWrites writes;
};

// The session's user data is a DownFiles*.
const fuse_lowlevel_ops& down_operations();

// True: this request (as read from fuse) made a file without a name, of which libfuse knows nothing, and has
// been refused.
bool refuse_nameless(int fuse, const fuse_buf& request, size_t size, DownFiles* files);

}  // namespace core
