#include "zoned/daemon/audit_quota.h"

#include <algorithm>
#include <utility>

namespace zoned {

bool AuditQuota::take(uid_t uid, Clock::time_point now) {
  if (!allowances_.contains(uid) && allowances_.size() >= kMaxUids) uid = kOthers;
  auto [it, is_new] = allowances_.try_emplace(uid);
  Allowance& allowance = it->second;
  if (!is_new) {
    std::chrono::duration<double> passed = now - allowance.since;
    allowance.left = std::min(kBurst, allowance.left + passed.count() * kPerSecond);
  }
  allowance.since = now;
  if (allowance.left >= 1) {
    allowance.left -= 1;
    return true;
  }
  ++allowance.left_out;
  any_ = true;
  return false;
}

std::vector<AuditQuota::LeftOut> AuditQuota::left_out(Clock::time_point now) {
  std::vector<LeftOut> told;
  constexpr auto kFull = std::chrono::seconds(static_cast<int>(kBurst / kPerSecond));
  for (auto& [uid, allowance] : allowances_)
    if (allowance.left_out > 0) told.push_back({uid, std::exchange(allowance.left_out, 0)});
  // As good as new.
  std::erase_if(allowances_, [&](const auto& item) { return now - item.second.since > kFull; });
  any_ = false;
  return told;
}

}  // namespace zoned
