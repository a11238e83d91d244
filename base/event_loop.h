// A single-threaded event loop over epoll(7): descriptors, monotonic timers, signals. With nothing
// to do it sleeps without a time-out: no idle wake-ups.
#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace base {

class EventLoop {
 public:
  using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC: setting the clock moves no timer
  using FdCallback = std::function<void(uint32_t events)>;  // EPOLLIN | EPOLLOUT | EPOLLHUP ...
  using Callback = std::function<void()>;
  using TimerId = uint64_t;

  static Result<std::unique_ptr<EventLoop>> create();

  // Watches fd (not owned; remove before closing). One watch per fd. The callback may add and
  // remove watches, its own too.
  Status add(int fd, uint32_t events, FdCallback callback);
  Status modify(int fd, uint32_t events);
  void remove(int fd);

  // Runs callback once, not before delay has passed.
  TimerId after(std::chrono::milliseconds delay, Callback callback);
  void cancel(TimerId id);

  // Blocks the signals and delivers them here. Call once.
  Status on_signals(const std::vector<int>& signals, std::function<void(int signal)> callback);

  // Dispatches until stop().
  Status run();
  // One round: waits at most timeout (-1 ms: no limit), then dispatches. For tests and clients.
  Status run_once(std::chrono::milliseconds timeout);
  void stop() { stopping_ = true; }

 private:
  explicit EventLoop(UniqueFd epoll) : epoll_(std::move(epoll)) {}
  void fire_timers();

  struct Watch {
    int fd;
    FdCallback callback;
  };
  UniqueFd epoll_;
  UniqueFd signals_;
  std::unordered_map<int, std::shared_ptr<Watch>> watches_;
  std::multimap<Clock::time_point, std::pair<TimerId, Callback>> timers_;
  TimerId next_timer_ = 1;
  bool stopping_ = false;
};

}  // namespace base
