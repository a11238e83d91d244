#include "zoned/daemon/disk_sync.h"

#include <linux/aio_abi.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "base/log.h"

namespace zoned {

DiskSync::DiskSync(base::EventLoop* loop) : loop_(loop) {
  ready_ = base::UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!ready_ || syscall(SYS_io_setup, kMaxPending, &context_) != 0) {
    base::log_ignored("asynchronous syncs", base::sys_error("io_setup"));
    context_ = 0;
    return;
  }
  auto added = loop_->add(ready_.get(), EPOLLIN, [this](uint32_t) { reap(); });
  if (added) return;
  base::log_ignored("asynchronous syncs", added);
  syscall(SYS_io_destroy, context_);
  context_ = 0;
}

DiskSync::~DiskSync() {
  if (context_ == 0) return;
  loop_->remove(ready_.get());
  syscall(SYS_io_destroy, context_);
}

bool DiskSync::submit(int fd) {
  if (context_ == 0 || pending_.size() >= kMaxPending) return false;
  iocb request = {};
  request.aio_data = next_;
  request.aio_fildes = static_cast<uint32_t>(fd);
  request.aio_lio_opcode = IOCB_CMD_FDSYNC;
  request.aio_flags = IOCB_FLAG_RESFD;
  request.aio_resfd = static_cast<uint32_t>(ready_.get());
  iocb* list = &request;
  return syscall(SYS_io_submit, context_, 1, &list) == 1;
}

void DiskSync::start(int fd, Done done) {
  if (submit(fd)) {
    pending_.emplace(next_++, std::move(done));
    return;
  }
  done(fdatasync(fd) == 0 ? base::Status() : base::Status(base::sys_error("fdatasync")));
}

void DiskSync::reap() {
  uint64_t count = 0;
  if (read(ready_.get(), &count, sizeof count) < 0) return;
  std::array<io_event, kMaxPending> events = {};
  timespec none = {};
  long got = syscall(SYS_io_getevents, context_, 0, events.size(), events.data(), &none);
  for (long i = 0; i < got; ++i) {
    const io_event& event = events.at(static_cast<size_t>(i));
    auto found = pending_.find(event.data);
    if (found == pending_.end()) continue;
    Done done = std::move(found->second);
    pending_.erase(found);
    done(event.res == 0 ? base::Status()
                        : base::Status(base::sys_error("fdatasync", static_cast<int>(-event.res))));
  }
}

}  // namespace zoned
