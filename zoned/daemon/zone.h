// A zone and a pool as the daemon holds them.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "labels/label.h"
#include "zoned/core/keeper_protocol.h"
#include "zoned/core/plan.h"
#include "zoned/core/spec.h"
#include "zoned/daemon/state.h"

namespace zoned {

// One [[admin]] entry with the user resolved.
struct Grant {
  uid_t uid = 0;
  bool login = false;
  bool manage = false;
};

using Callback = std::function<void(base::Status)>;

// What a stop was asked for; kNone: the zone ended by itself.
enum class Intent { kNone, kStop, kReboot };

struct Zone {
  std::string name;
  core::ZoneSpec spec;
  std::string config;  // the TOML text that spec was parsed from
  std::vector<Grant> grants;
  ZoneFile file;
  // file.label decoded, once; unreadable: what only the highest clearance may see.
  labels::Label label = labels::Label::admin_high();
  bool wrong_label = false;  // its configuration, edited by hand, names another one
  uint32_t weight = 0;       // CPU weight that the kernel was told; 0: none
  uint32_t counted = 0;      // cpu-shares that the pool counts for this zone; 0: not counted
  bool consoles = true;      // somebody may be attached to its console (false: surely nobody)
  bool ephemeral = false;    // no file of ours on disk; gone with its end
  State state = State::kConfigured;
  uint32_t boots = 0;
  std::optional<core::ExitStatus> exit;  // of the last end

  // From the lease of the id range until the clean-up is over.
  std::optional<RuntimeRecord> record;
  std::shared_ptr<const core::ZonePlan> plan;  // may be dropped and read again (Registry::plan_of)
  base::UniqueFd output;      // second holder of the log pipe or pty, for when the keeper dies
  base::UniqueFd run_source;  // ephemeral: the tree below the overlay (this daemon's life only)

  // A change under way.
  Intent intent = Intent::kNone;
  bool on_keeper = false;  // counted there
  int last_keeper = -1;    // consoles wait there for the next boot; -1: none
  bool launching = false;  // the keeper has not answered yet
  bool kill_sent = false;
  bool job = false;                    // an install or a removal is running on the tree
  base::Error failure;                 // why a boot is being undone; empty message: none
  std::vector<Callback> waiters;       // called when the zone is down and clean
  base::EventLoop::TimerId timer = 0;  // of the state: boot or stop deadline, clean-up retry
  std::chrono::milliseconds retry{0};
  base::EventLoop::Clock::time_point down_since = {};
  base::EventLoop::TimerId restart_timer = 0;
  std::chrono::milliseconds backoff{0};
  base::EventLoop::Clock::time_point booted_at = {};
};

// Runs a server of ours in a cell (name_service.h): its source is none that can be asked for.
inline constexpr std::string_view kServicePrefix = "cell:";
inline bool is_service(const Zone& zone) { return zone.file.source.starts_with(kServicePrefix); }

struct Pool {
  core::PoolSpec spec;
  std::string config;
  bool file = false;                     // has a file in ETC/pools ("default" may have none)
  bool cgroup = false;                   // made in this daemon's life
  uint32_t weight = 0;                   // what the kernel was told; 0: nothing yet
  std::map<uint32_t, unsigned> active;   // shares -> how many zones with a cgroup have them
  std::map<uint32_t, uint32_t> weights;  // shares -> kernel weight, for the keys of `active`
};

}  // namespace zoned
