// Links of zones that have ended. A zone's network namespace takes its links along, on both sides, a
// moment after its last process: the kernel does so by itself, many at once. Removing one here would
// hold up whoever asks for 10 to 40 ms (rcu_barrier in the kernel's netdev_run_todo), so only what is
// still there later is removed, by a process apart: caps, and links of a namespace that somebody
// holds. Meanwhile such a link has no elements in the packet filter: what comes by it is dropped.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "netns/links.h"
#include "zoned/daemon/children.h"

namespace zoned {

class LinkRemover {
 public:
  // Both outlive us.
  LinkRemover(base::EventLoop* loop, Children* children) : loop_(loop), children_(children) {}
  LinkRemover(const LinkRemover&) = delete;
  LinkRemover& operator=(const LinkRemover&) = delete;
  ~LinkRemover();

  // The links of these ports go. Their names are not free yet. `host` outlives us.
  void leave(netns::Links* host, const std::vector<netns::PortPlan>& ports);
  // Those that are on their way and in the way of these ports are removed at once.
  base::Status make_way(const std::vector<netns::PortPlan>& ports);
  // All are removed at once.
  base::Status finish();
  // Names of what may still be there.
  const std::set<std::string>& leaving() const { return leaving_; }

 private:
  void look_later(std::chrono::milliseconds delay);
  void look();
  void start_helper();
  base::Status remove(const std::string& name);

  base::EventLoop* loop_;
  Children* children_;
  netns::Links* host_ = nullptr;
  std::set<std::string> leaving_;
  base::EventLoop::TimerId timer_ = 0;
  bool helped_ = false;  // a helper is at work
};

}  // namespace zoned
