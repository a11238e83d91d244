// Copying the content of one file into another: shared where the disk can (FICLONE, ioctl_ficlone(2)),
// else by the kernel (copy_file_range(2)), else by hand. Holes stay holes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>

#include "base/result.h"

namespace core {

// How far a copy has come: an offset in the file.
using OnCopied = std::function<void(off_t offset)>;

// from: open for reading; to: an empty file open for writing; size: of `from`. on_copied may be empty.
// kNoSpace when the disk is full. A source that became shorter meanwhile ends in a hole.
base::Status copy_data(int from, int to, off_t size, const OnCopied& on_copied);

// Lets an empty file have the content of another in common, without taking space. False when the disk
// can't, which is what copy_data tries first.
bool share_data(int from, int to);

// Bytes of [0, size) that are not in holes (lseek(2), SEEK_DATA).
uint64_t data_bytes(int file, off_t size);

}  // namespace core
