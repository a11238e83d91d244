#include "zoned/core/quiet_read.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace core {
namespace {

using base::Result;
using base::sys_error;

// A piece of the file, mapped but not touched.
class Window {
 public:
  Window(int fd, off_t offset, size_t size) : fd_(fd), offset_(offset), size_(size) {
    void* at = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, offset);
    if (at == MAP_FAILED) return;
    at_ = at;
    // Else a fault on a page with a mark of the read-ahead would fetch more.
    madvise(at_, size, MADV_RANDOM);
  }
  ~Window() {
    if (at_ != nullptr) munmap(at_, size_);
  }
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  // Is any of its pages in memory?
  Result<bool> resident() const {
    if (at_ == nullptr) return sys_error("mmap");
    std::vector<unsigned char> pages((size_ + kReadAlignment - 1) / kReadAlignment);
    if (mincore(at_, size_, pages.data()) != 0) return sys_error("mincore");
    return std::any_of(pages.begin(), pages.end(), [](unsigned char page) { return page & 1; });
  }

  // By a call rather than by a load: the file may get shorter meanwhile.
  ssize_t copy_to(char* buffer) const {
    struct statx info = {};  // the size alone: see DownNodes
    if (statx(fd_, "", AT_EMPTY_PATH, STATX_SIZE, &info) != 0) return -1;
    const auto file_size = static_cast<off_t>(info.stx_size);
    if (file_size <= offset_) return 0;
    size_t wanted = std::min(size_, static_cast<size_t>(file_size - offset_));
    iovec to = {buffer, wanted};
    iovec from = {at_, wanted};
    return process_vm_readv(getpid(), &to, 1, &from, 1, 0);
  }

 private:
  int fd_;
  off_t offset_;
  size_t size_;
  void* at_ = nullptr;
};

// -1 with EAGAIN: try less at once.
ssize_t read_step(int fd, off_t offset, char* buffer, size_t size) {
  iovec to = {buffer, size};
  ssize_t n = preadv2(fd, &to, 1, offset, RWF_NOWAIT);
  if (n >= 0 || errno != EAGAIN) return n;
  Window window(fd, offset, size);
  auto resident = window.resident();
  if (!resident) {
    errno = EIO;
    return -1;
  }
  // What is not in memory is not dirty: the disk alone made it wait.
  if (!*resident) return pread(fd, buffer, size, offset);
  if (size > kReadAlignment) {
    errno = EAGAIN;
    return -1;
  }
  return window.copy_to(buffer);
}

}  // namespace

Result<size_t> quiet_read(int fd, off_t offset, char* buffer, size_t size) {
  size_t done = 0;
  size_t step = size;
  while (done < size) {
    step = std::min(step, size - done);
    ssize_t n = read_step(fd, offset + static_cast<off_t>(done), buffer + done, step);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN && step > kReadAlignment) {
      step = step / 2 / kReadAlignment * kReadAlignment;
      continue;
    }
    if (n < 0) return sys_error("read");
    done += static_cast<size_t>(n);
    if (n == 0 || static_cast<size_t>(n) % kReadAlignment != 0) break;
    step *= 2;
  }
  return done;
}

}  // namespace core
