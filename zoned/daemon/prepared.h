// The stock of namespaces that were made ahead of the boots that take them (core/preparer.h), some with the
// link of a port. It is filled when boots have paused, and given back when there was none for a minute: a
// daemon without work keeps none. What is held here goes with us, whatever ends us: descriptors alone keep
// it alive.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/unique_fd.h"
#include "netns/instance.h"
#include "zoned/core/id_registry.h"
#include "zoned/daemon/keepers.h"

namespace zoned {

class Prepared {
 public:
  struct Namespaces {
    core::IdRange range;  // leased
    base::UniqueFd user;
    base::UniqueFd net;
    std::string link;  // host name of its link; empty: none
  };

  // None of these is owned. `each`: how many are held of either kind.
  Prepared(base::EventLoop* loop, Keepers* keepers, core::IdRegistry* ids, netns::Instance instance,
           size_t each)
      : loop_(loop), keepers_(keepers), ids_(ids), instance_(std::move(instance)), each_(each) {}
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;
  ~Prepared();

  // None: nothing is ready, and the boot makes its own. What was taken is made again.
  std::optional<Namespaces> take(bool with_link);
  // There are no networks any more.
  void drop_links() { drop(&kinds_[1]); }
  // No more from now on; done when nothing is being made any more. What was there is ending.
  void clear(std::function<void()> done);

 private:
  struct Kind {
    std::vector<Namespaces> ready;
    size_t under_way = 0;
    bool wanted = false;  // something of it was asked for
  };

  void fill_after(std::chrono::milliseconds delay);
  void fill();
  void make(bool with_link);
  void made(Namespaces item, base::Result<KeeperReply> reply);
  void drop();
  void drop(Kind* kind);

  base::EventLoop* loop_;
  Keepers* keepers_;
  core::IdRegistry* ids_;
  netns::Instance instance_;
  size_t each_;
  std::array<Kind, 2> kinds_;                      // without a link, with one
  base::EventLoop::Clock::time_point not_before_;  // after a failure
  base::EventLoop::TimerId timer_ = 0;
  base::EventLoop::TimerId idle_timer_ = 0;
  std::function<void()> cleared_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace zoned
