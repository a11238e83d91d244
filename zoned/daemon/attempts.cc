#include "zoned/daemon/attempts.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/strings.h"

namespace zoned {

Attempts::~Attempts() {
  if (timer_ != 0) loop_->cancel(timer_);
}

void Attempts::note(const std::string& act, const std::string& zone, const std::string& reason) {
  auto now = base::EventLoop::Clock::now();
  // As good as new.
  std::erase_if(allowances_, [&](const auto& item) {
    return item.second.left_out == 0 && now - item.second.since > limits_.interval * limits_.burst;
  });
  auto [it, is_new] = allowances_.try_emplace(zone);
  Allowance& allowance = it->second;
  std::chrono::duration<double> passed = now - allowance.since;
  allowance.left =
      is_new ? limits_.burst
             : std::min(limits_.burst,
                        allowance.left + passed / std::chrono::duration<double>(limits_.interval));
  allowance.since = now;
  if (allowance.left >= 1) {
    allowance.left -= 1;
    return record(act, zone, reason);
  }
  ++allowance.left_out;
  allowance.act = act;
  allowance.reason = reason;
  if (timer_ == 0)
    timer_ = loop_->after(limits_.interval, [this] {
      timer_ = 0;
      tell();
    });
}

// What this costs is taken from the allowance, which may be below 0 then.
void Attempts::tell() {
  for (auto& [zone, allowance] : allowances_) {
    uint64_t count = std::exchange(allowance.left_out, 0);
    if (count == 0) continue;
    allowance.left -= 1;
    record(allowance.act, zone,
           count == 1 ? allowance.reason
                      : allowance.reason + ", the last of " + std::to_string(count));
  }
}

void Attempts::record(const std::string& act, const std::string& zone, const std::string& reason) {
  const Zone* object = find_(zone);
  if (object == nullptr) return;
  base::log_ignored("zone " + base::quoted(zone) + ": " + reason,
                    record_attempt(audit_, act, *object, reason));
}

}  // namespace zoned
