// How many records of one kind a caller gets: refusals and looks must not fill the disk nor push out the
// records of others. A burst, then one a second; what is above is counted and told as one record.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

#include "base/rate_limit.h"

namespace zoned {

class AuditQuota {
 public:
  using Clock = base::RateLimit::Clock;
  static constexpr double kBurst = 50;
  static constexpr std::chrono::seconds kInterval{1};
  static constexpr size_t kMaxUids = 256;  // all others share one allowance
  static constexpr uid_t kOthers = static_cast<uid_t>(-1);

  struct LeftOut {
    uid_t uid = 0;  // kOthers: of several
    uint64_t count = 0;
  };

  // Whether one more record may be written for uid; if not, it is counted.
  bool take(uid_t uid, Clock::time_point now);
  // The counts, which begin anew.
  std::vector<LeftOut> left_out(Clock::time_point now);
  bool any_left_out() const { return any_; }

 private:
  struct Allowance {
    base::RateLimit limit{kBurst, kInterval};
    uint64_t left_out = 0;
  };
  std::map<uid_t, Allowance> allowances_;
  bool any_ = false;
};

}  // namespace zoned
