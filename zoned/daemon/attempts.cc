#include "zoned/daemon/attempts.h"

#include <utility>

#include "base/log.h"
#include "base/strings.h"

namespace zoned {

Attempts::~Attempts() {
  if (timer_ != 0) loop_->cancel(timer_);
}

void Attempts::note(const std::string& act, const std::string& zone, const std::string& reason,
                    uint64_t count) {
  auto now = base::RateLimit::Clock::now();
  std::erase_if(allowances_, [&](const auto& item) {
    return item.second.left_out == 0 && item.second.limit.is_full(now);
  });
  base::RateLimit fresh(limits_.burst, limits_.interval);
  Allowance& allowance =
      allowances_.try_emplace({zone, act}, Allowance{fresh, 0, {}}).first->second;
  if (allowance.limit.take(now)) return record(act, zone, reason, count);
  allowance.left_out += count;
  allowance.reason = reason;
  if (timer_ == 0)
    timer_ = loop_->after(limits_.interval, [this] {
      timer_ = 0;
      tell();
    });
}

void Attempts::tell() {
  auto now = base::RateLimit::Clock::now();
  for (auto& [of, allowance] : allowances_) {
    uint64_t count = std::exchange(allowance.left_out, 0);
    if (count == 0) continue;
    allowance.limit.spend(now);
    record(of.second, of.first, allowance.reason, count);
  }
}

void Attempts::record(const std::string& act, const std::string& zone, const std::string& reason,
                      uint64_t count) {
  const Zone* object = find_(zone);
  if (object == nullptr) return;
  const std::string whole = count == 1 ? reason : reason + ", the last of " + std::to_string(count);
  base::log_ignored("zone " + base::quoted(zone) + ": " + whole,
                    record_attempt(audit_, act, *object, whole));
}

}  // namespace zoned
