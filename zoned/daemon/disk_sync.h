// fdatasync(2) that nobody waits for: a slow disk must not stall the event loop. By the kernel's own
// asynchronous I/O (io_submit(2), IOCB_CMD_FDSYNC), so that the daemon stays single-threaded; where the
// kernel has none to give, in place.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace zoned {

class DiskSync {
 public:
  using Done = std::function<void(base::Status)>;
  static constexpr unsigned kMaxPending = 8;

  explicit DiskSync(base::EventLoop* loop);
  ~DiskSync();  // waits for what is under way; calls nobody
  DiskSync(const DiskSync&) = delete;
  DiskSync& operator=(const DiskSync&) = delete;

  // Calls done when all that was written to fd so far is on disk: later from the loop, or at once.
  void start(int fd, Done done);

 private:
  void reap();
  bool submit(int fd);

  base::EventLoop* loop_;
  uint64_t context_ = 0;  // aio_context_t; 0: none
  base::UniqueFd ready_;
  std::map<uint64_t, Done> pending_;
  uint64_t next_ = 1;
};

}  // namespace zoned
