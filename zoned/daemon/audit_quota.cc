#include "zoned/daemon/audit_quota.h"

#include <utility>

namespace zoned {

bool AuditQuota::take(uid_t uid, Clock::time_point now) {
  if (!allowances_.contains(uid) && allowances_.size() >= kMaxUids) uid = kOthers;
  Allowance& allowance = allowances_[uid];
  if (allowance.limit.take(now)) return true;
  ++allowance.left_out;
  any_ = true;
  return false;
}

std::vector<AuditQuota::LeftOut> AuditQuota::left_out(Clock::time_point now) {
  std::vector<LeftOut> told;
  for (auto& [uid, allowance] : allowances_)
    if (allowance.left_out > 0) told.push_back({uid, std::exchange(allowance.left_out, 0)});
  std::erase_if(allowances_, [&](const auto& item) { return item.second.limit.is_full(now); });
  any_ = false;
  return told;
}

}  // namespace zoned
