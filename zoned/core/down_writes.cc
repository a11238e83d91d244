#include "zoned/core/down_writes.h"

#include <utility>

namespace core {

DownWrites::DownWrites(base::EventLoop* loop, Tell tell) : loop_(loop), tell_(std::move(tell)) {}

DownWrites::~DownWrites() {
  if (timer_ != 0) loop_->cancel(timer_);
}

void DownWrites::note(DownWrite write) {
  last_ = std::move(write);
  ++count_;
  tell();
}

void DownWrites::tell() {
  if (count_ == 0 || timer_ != 0) return;
  if (!limit_.take(base::RateLimit::Clock::now())) {
    timer_ = loop_->after(kInterval, [this] {
      timer_ = 0;
      tell();
    });
    return;
  }
  if (tell_(last_, count_)) count_ = 0;
}

}  // namespace core
