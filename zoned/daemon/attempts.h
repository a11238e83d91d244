// What zones tried against their labels and were refused by the kernel or a helper, for the audit log:
// zoned is told afterwards, and records it as its own observation.
//
// A zone gets a burst of records at once and one each interval; what is above is counted and told with the
// last of it, so that no zone fills the disk by trying. No timer runs when there is nothing to tell.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "base/event_loop.h"
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

  // act: the record's method, "Packet" or "WriteDown". reason: what was tried, with the other side. A
  // record that can't be written is told in zoned's log, as the audit log does.
  void note(const std::string& act, const std::string& zone, const std::string& reason);

 private:
  struct Allowance {
    double left = 0;
    base::EventLoop::Clock::time_point since = {};
    uint64_t left_out = 0;
    std::string act;  // of the last that was left out
    std::string reason;
  };
  void record(const std::string& act, const std::string& zone, const std::string& reason);
  void tell();

  base::EventLoop* loop_;
  AuditSink* audit_;
  Find find_;
  Limits limits_;
  std::map<std::string, Allowance> allowances_;  // by zone
  base::EventLoop::TimerId timer_ = 0;
};

}  // namespace zoned
