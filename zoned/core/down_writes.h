// What the reader tried to write below /zone, for zoned, which records it: a burst at once, then one event
// each interval with a count, so that zoned has little to do however much is tried. What is tried while
// zoned is away is counted and told when it is back.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/event_loop.h"
#include "base/rate_limit.h"

namespace core {

struct DownWrite {
  std::string act;   // a system call's name or a word like it: "mkdir", "write"
  std::string zone;  // empty: in /zone itself
  std::string path;  // in the zone, hostile: "/export/a"
};

class DownWrites {
 public:
  static constexpr double kBurst = 10;
  static constexpr std::chrono::seconds kInterval{1};

  // The last of `count` attempts. False: it can't be told now.
  using Tell = std::function<bool(const DownWrite& write, uint64_t count)>;

  // The loop is not owned.
  DownWrites(base::EventLoop* loop, Tell tell);
  ~DownWrites();
  DownWrites(const DownWrites&) = delete;
  DownWrites& operator=(const DownWrites&) = delete;

  void note(DownWrite write);
  // Whoever is told is there again.
  void tell();

 private:
  base::EventLoop* loop_;
  Tell tell_;
  base::RateLimit limit_{kBurst, kInterval};
  DownWrite last_;
  uint64_t count_ = 0;  // not yet told
  base::EventLoop::TimerId timer_ = 0;
};

}  // namespace core
