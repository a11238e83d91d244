#include "zoned/core/file_copy.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "zoned/core/unpack.h"

namespace core {

using base::Result;
using base::Status;
using base::sys_error;

namespace {

constexpr off_t kPiece = 16 << 20;  // between two reports

// The next extent of data at or after `offset`: [first, second); first == size when there is none.
std::pair<off_t, off_t> next_data(int file, off_t offset, off_t size) {
  off_t data = lseek(file, offset, SEEK_DATA);
  if (data < 0 && errno == ENXIO) return {size, size};  // a hole up to the end
  if (data < 0) data = offset;                          // not known here: all is data
  off_t hole = lseek(file, data, SEEK_HOLE);
  off_t end = hole < 0 || hole > size ? size : std::max(hole, data + 1);
  return {std::min(data, size), end};
}

// [offset, end) of both files; the kernel copies, or we do where it can't.
Status copy_range(int from, int to, off_t offset, off_t end, const OnCopied& on_copied) {
  while (offset < end) {
    loff_t in = offset, out = offset;
    auto want = static_cast<size_t>(std::min(end - offset, kPiece));
    ssize_t n = copy_file_range(from, &in, to, &out, want, 0);
    if (n < 0 && (errno == ENOSPC || errno == EDQUOT)) return write_error("write", errno);
    if (n <= 0) break;
    offset += n;
    if (on_copied) on_copied(offset);
  }
  char buffer[65536];
  while (offset < end) {
    size_t want = std::min<size_t>(sizeof buffer, static_cast<size_t>(end - offset));
    ssize_t n = pread(from, buffer, want, offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return sys_error("read");
    if (n == 0) return {};  // became shorter meanwhile
    for (ssize_t done = 0; done < n;) {
      ssize_t m = pwrite(to, buffer + done, static_cast<size_t>(n - done), offset + done);
      if (m < 0 && errno == EINTR) continue;
      if (m < 0) return write_error("write", errno);
      done += m;
    }
    offset += n;
    if (on_copied) on_copied(offset);
  }
  return {};
}

}  // namespace

uint64_t data_bytes(int file, off_t size) {
  uint64_t bytes = 0;
  for (off_t offset = 0; offset < size;) {
    auto [data, end] = next_data(file, offset, size);
    bytes += static_cast<uint64_t>(end - data);
    offset = end;
  }
  return bytes;
}

bool share_data(int from, int to) { return ioctl(to, FICLONE, from) == 0; }

Status copy_data(int from, int to, off_t size, const OnCopied& on_copied) {
  if (size == 0 || share_data(from, to)) return {};
  for (off_t offset = 0; offset < size;) {
    auto [data, end] = next_data(from, offset, size);
    TRY(copy_range(from, to, data, end, on_copied));
    offset = end;
  }
  if (ftruncate(to, size) != 0) return write_error("set the size", errno);
  return {};
}

}  // namespace core
