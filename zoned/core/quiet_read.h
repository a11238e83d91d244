// Reading a file so that its owner can't tell.
//
// A plain read(2) leaves the file's pages in the page cache, where the owner finds them (mincore(2)).
// O_DIRECT does not, but writes dirty pages back first, which the owner sees in his counters and in
// how long fsync(2) takes. So: O_DIRECT as long as no page is dirty, and dirty pages, which are in
// memory anyhow, from memory. Kernel: mm/filemap.c (filemap_range_needs_writeback, RWF_NOWAIT).
#pragma once

#include <sys/types.h>

#include <cstddef>

#include "base/result.h"

namespace core {

inline constexpr size_t kReadAlignment = 4096;  // of offsets, sizes and buffers

// Reads like pread(2): less than `size` only at the end of the file. fd: a regular file, open for
// reading with O_DIRECT, whose owner the caller is or may act for (CAP_FOWNER); offset, size and
// buffer aligned. EOPNOTSUPP on file systems that know no RWF_NOWAIT: there is no quiet way there.
//
// Left over: between the look and the read a page may become dirty, or be cleaned and dropped, within
// microseconds.
base::Result<size_t> quiet_read(int fd, off_t offset, char* buffer, size_t size);

}  // namespace core
