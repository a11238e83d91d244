#include "base/event_loop.h"

#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <csignal>

namespace base {

using std::chrono::milliseconds;

Result<std::unique_ptr<EventLoop>> EventLoop::create() {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return sys_error("epoll_create1");
  return std::unique_ptr<EventLoop>(new EventLoop(std::move(epoll)));
}

Status EventLoop::add(int fd, uint32_t events, FdCallback callback) {
  epoll_event event = {};
  event.events = events;
  event.data.fd = fd;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return sys_error("epoll add");
  watches_[fd] = std::make_shared<Watch>(Watch{fd, std::move(callback)});
  return {};
}

Status EventLoop::modify(int fd, uint32_t events) {
  epoll_event event = {};
  event.events = events;
  event.data.fd = fd;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) return sys_error("epoll modify");
  return {};
}

void EventLoop::remove(int fd) {
  if (watches_.erase(fd) > 0) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

EventLoop::TimerId EventLoop::after(milliseconds delay, Callback callback) {
  TimerId id = next_timer_++;
  timers_.emplace(Clock::now() + delay, std::pair(id, std::move(callback)));
  return id;
}

void EventLoop::cancel(TimerId id) {
  auto it = std::find_if(timers_.begin(), timers_.end(),
                         [id](const auto& timer) { return timer.second.first == id; });
  if (it != timers_.end()) timers_.erase(it);
}

Status EventLoop::on_signals(const std::vector<int>& signals, std::function<void(int)> callback) {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : signals) sigaddset(&set, signal);
  if (sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return sys_error("sigprocmask");
  signals_.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return sys_error("signalfd");
  return add(signals_.get(), EPOLLIN, [this, callback = std::move(callback)](uint32_t) {
    signalfd_siginfo info = {};
    while (read(signals_.get(), &info, sizeof info) == sizeof info)
      callback(static_cast<int>(info.ssi_signo));
  });
}

void EventLoop::fire_timers() {
  auto now = Clock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    Callback callback = std::move(timers_.begin()->second.second);
    timers_.erase(timers_.begin());
    callback();
  }
}

Status EventLoop::run_once(milliseconds timeout) {
  std::array<epoll_event, 64> events;
  if (!timers_.empty()) {
    auto left = std::chrono::ceil<milliseconds>(timers_.begin()->first - Clock::now());
    left = std::max(left, milliseconds(0));
    timeout = timeout.count() < 0 ? left : std::min(timeout, left);
  }
  int n = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                     static_cast<int>(timeout.count()));
  if (n < 0 && errno != EINTR) return sys_error("epoll_wait");
  // A callback may remove a later watch of this round, and a new descriptor may reuse its number:
  // hold what was watched when the round began.
  std::array<std::shared_ptr<Watch>, 64> round;
  for (int i = 0; i < n; ++i) {
    auto it = watches_.find(events.at(static_cast<size_t>(i)).data.fd);
    if (it != watches_.end()) round.at(static_cast<size_t>(i)) = it->second;
  }
  for (int i = 0; i < n; ++i) {
    auto& watch = round.at(static_cast<size_t>(i));
    if (!watch) continue;
    auto it = watches_.find(watch->fd);
    if (it != watches_.end() && it->second == watch)
      watch->callback(events.at(static_cast<size_t>(i)).events);
  }
  fire_timers();
  return {};
}

Status EventLoop::run() {
  stopping_ = false;
  while (!stopping_) TRY(run_once(milliseconds(-1)));
  return {};
}

}  // namespace base
