// How often something may happen: a burst at once, then one each interval (a token bucket).
#pragma once

#include <algorithm>
#include <chrono>

namespace base {

class RateLimit {
 public:
  using Clock = std::chrono::steady_clock;

  // burst: 1 and up. Starts full.
  RateLimit(double burst, std::chrono::milliseconds interval)
      : burst_(burst), interval_(interval), left_(burst) {}

  // Whether it may happen now; if so, it counts as having happened.
  bool take(Clock::time_point now) {
    refill(now);
    if (left_ < 1) return false;
    left_ -= 1;
    return true;
  }
  // It has happened, allowed or not: what is too much is taken from what comes.
  void spend(Clock::time_point now) {
    refill(now);
    left_ -= 1;
  }
  // As good as new.
  bool is_full(Clock::time_point now) const { return left_at(now) >= burst_; }

 private:
  double left_at(Clock::time_point now) const {
    std::chrono::duration<double> passed = now - since_;
    return std::min(burst_, left_ + passed / std::chrono::duration<double>(interval_));
  }
  void refill(Clock::time_point now) {
    left_ = left_at(now);
    since_ = now;
  }

  double burst_;
  std::chrono::milliseconds interval_;
  double left_;
  Clock::time_point since_ = {};
};

}  // namespace base
