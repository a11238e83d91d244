// The zone-keepers of this instance: started when needed, connected to again after our restart,
// replaced when one dies. Zones are spread over them, at most kZonesPerKeeper each.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/event_loop.h"
#include "base/result.h"
#include "zoned/core/keeper_protocol.h"
#include "zoned/daemon/children.h"
#include "zoned/daemon/keeper_client.h"
#include "zoned/daemon/zone.h"

namespace zoned {

inline constexpr unsigned kZonesPerKeeper = 2000;
inline constexpr unsigned kMaxKeepers = 64;

class Keepers {
 public:
  struct Options {
    std::string run;      // RUN, absolute: the keeper's --root-run
    std::string zones;    // LIB/zones, absolute: where logs go
    int run_dir = -1;     // the same as a descriptor, not owned
    std::string program;  // zone-keeper
  };
  struct Events {
    // Connected, with all that the keeper knows. Called again for every new connection.
    std::function<void(unsigned index, std::vector<core::ZoneRecord> zones)> ready;
    std::function<void(unsigned index, const std::string& zone, const std::string& boot_id,
                       const core::ExitStatus& status)>
        exited;
    std::function<void(const std::string& text)> trouble;  // for the log
  };

  Keepers(base::EventLoop* loop, Children* children, Options options, Events events);
  ~Keepers();

  // Makes sure that keepers 0..count-1 are there or on their way.
  void ensure(unsigned count);
  unsigned size() const { return static_cast<unsigned>(slots_.size()); }
  bool all_ready() const;

  // The keeper for a zone: the preferred one (-1: none) while it has room, else the least loaded;
  // starts another when all are full. count: the zone goes there now.
  base::Result<unsigned> choose(int preferred, bool count);
  void count_zone(unsigned index);
  void uncount_zone(unsigned index);

  // Sends, or queues until the keeper is there. fds stay the caller's.
  void request(unsigned index, nlohmann::json body, const std::vector<int>& fds,
               KeeperClient::OnReply on_reply);

  // Cuts off who is attached to the zone's console: it is deleted, or gets another label.
  void hang_up(const Zone& zone);

  // Asks every keeper to end (they refuse while zones run); done when all are gone or refused.
  void quit(std::function<void()> done);
  // Every keeper replaces its program by the one now installed.
  void reexec(std::function<void(base::Status)> done);

 private:
  struct Waiting {
    nlohmann::json body;
    std::vector<base::UniqueFd> fds;
    KeeperClient::OnReply reply;
  };
  struct Slot {
    std::unique_ptr<KeeperClient> client;
    bool ready = false;
    unsigned zones = 0;
    unsigned attempts = 0;  // to connect, since the last success
    bool started = false;   // a program was started in this round of attempts
    bool replaced = false;  // it was asked to run the program of today
    base::EventLoop::TimerId timer = 0;
    std::vector<core::ZoneRecord> hello;
    std::vector<Waiting> waiting;
  };

  void connect(unsigned index);
  void retry(unsigned index);
  void spawn(unsigned index);
  void greet(unsigned index);
  void replace(unsigned index);
  void say_hello(unsigned index, const std::string& after);
  void on_hello(unsigned index, base::Result<KeeperReply> reply);
  void on_event(unsigned index, const nlohmann::json& event);
  void on_broken(unsigned index, const base::Error& error);

  base::EventLoop* loop_;
  Children* children_;
  Options options_;
  Events events_;
  std::vector<std::unique_ptr<Slot>> slots_;
  bool quitting_ = false;
};

}  // namespace zoned
