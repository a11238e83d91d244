// What zones tried against their labels and were refused by the kernel or a helper, for the audit log:
// zoned is told afterwards, and records it as its own observation.
//
// A zone gets a burst of records of each act at once and one each interval; what is above is counted and
// told with the last of it, so that no zone fills the disk by trying, nor hides one act behind another. No
// timer runs when there is nothing to tell.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "base/event_loop.h"
#include "base/rate_limit.h"
#include "zoned/daemon/authorise.h"
#include "zoned/daemon/zone.h"

namespace zoned {

class Attempts {
 public:
  struct Limits {
    double burst = 10;
    std::chrono::milliseconds interval{10000};
  };
  using Find = std::function<const Zone*(const std::string&)>;  // null: no such zone any more

  // Neither owned.
  Attempts(base::EventLoop* loop, AuditSink* audit, Find find) : Attempts(loop, audit, find, {}) {}
  Attempts(base::EventLoop* loop, AuditSink* audit, Find find, Limits limits)
      : loop_(loop), audit_(audit), find_(std::move(find)), limits_(limits) {}
  ~Attempts();

  // act: the record's method, "Packet" or "WriteDown". reason: what was tried, with the other side; the
  // last of `count` (1 and up) such. A record that can't be written is told in zoned's log, as the
  // audit log does.
  void note(const std::string& act, const std::string& zone, const std::string& reason,
            uint64_t count = 1);

 private:
  struct Allowance {
    base::RateLimit limit;
    uint64_t left_out = 0;
    std::string reason;  // of the last that was left out
  };
  void record(const std::string& act, const std::string& zone, const std::string& reason,
              uint64_t count);
  void tell();

  base::EventLoop* loop_;
  AuditSink* audit_;
  Find find_;
  Limits limits_;
  std::map<std::pair<std::string, std::string>, Allowance> allowances_;  // by zone and act
  base::EventLoop::TimerId timer_ = 0;
};

}  // namespace zoned
