// Boots and ends zones: applies plans step by step and takes them back. One object for all zones; what
// is under way for a zone is in the Zone itself, so that recovery can take over at any point.
//
// Boot is a table of steps (runtime_boot.cc); a failed step undoes what the earlier ones did and the
// caller gets the error when nothing is left behind. Every end, asked for or not, takes the same way
// (runtime_halt.cc): kill, exited, cgroup removed, range released, record removed.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "labels/encodings.h"
#include "resource/cgroup.h"
#include "vmzone/plan.h"
#include "zoned/core/host_facts.h"
#include "zoned/core/id_registry.h"
#include "zoned/core/keeper_protocol.h"
#include "zoned/core/mounts.h"
#include "zoned/core/planner.h"
#include "zoned/daemon/authorise.h"
#include "zoned/daemon/events.h"
#include "zoned/daemon/guests.h"
#include "zoned/daemon/keepers.h"
#include "zoned/daemon/networks.h"
#include "zoned/daemon/parsers.h"
#include "zoned/daemon/registry.h"
#include "zoned/daemon/shares.h"
#include "zoned/daemon/tree_labels.h"
#include "zoned/daemon/users.h"

namespace zoned {

class Prepared;
class ReadDown;
class Transfers;

// What the runtime works with; none of it owned.
struct Parts {
  base::EventLoop* loop = nullptr;
  Registry* registry = nullptr;
  resource::CgroupDriver* cgroups = nullptr;
  core::IdRegistry* ids = nullptr;
  Keepers* keepers = nullptr;
  Children* children = nullptr;
  Events* events = nullptr;
  Shares* shares = nullptr;
  Networks* networks = nullptr;
  Guests* guests = nullptr;
  const core::HostFacts* host = nullptr;
  const labels::Encodings* encodings = nullptr;
  Users* users = nullptr;
  AuditSink* audit = nullptr;
  Parsers* parsers = nullptr;
  ReadDown* read_down = nullptr;
  const TreeLabels* trees = nullptr;
  Transfers* transfers = nullptr;
  Prepared* prepared = nullptr;
};

inline bool is_vm(const Zone& zone) { return zone.spec.brand == core::Brand::kVm; }

// stdin, stdout, stderr of a client (zone run, zone exec).
using ClientStdio = std::array<base::UniqueFd, 3>;

struct BootRequest {
  bool run = false;  // in the foreground of a client: its descriptors or, with tty, a pty
  bool tty = false;
  ClientStdio stdio;
};
struct Booted {
  std::vector<std::string> warnings;
  std::vector<base::UniqueFd> fds;  // run: status pipe and, with tty, the pty's master
};
struct ExecRequest {
  std::vector<std::string> argv;  // empty: the user's login shell
  std::vector<std::string> env;
  std::string user;
  std::string workdir;
  bool tty = false;
  uint16_t rows = 24;
  uint16_t columns = 80;
  ClientStdio stdio;
};
struct Entered {
  pid_t pid = 0;
  std::vector<base::UniqueFd> fds;  // status pipe and, with tty, the pty's master
};

class Runtime {
 public:
  using OnBooted = std::function<void(base::Result<Booted>)>;
  using OnEntered = std::function<void(base::Result<Entered>)>;

  explicit Runtime(Parts parts) : parts_(parts) {}

  // Why the zone as it is can't boot, whatever the host could give it.
  base::Status check_bootable(const Zone& zone) const;
  // Called for every zone. booted: it runs; its boot is answered when `then` is called. ended: its
  // record has gone.
  struct LifeHooks {
    std::function<void(const std::string& zone, std::function<void()> then)> booted;
    std::function<void(const std::string& zone)> ended;
  };
  void set_life_hooks(LifeHooks hooks) { life_ = std::move(hooks); }

  // Boots an installed (or ephemeral) zone; done once its first process has exec'd.
  void boot(Zone* zone, BootRequest request, OnBooted done);
  // Asks the zone to end; halts it after the time-out. done when it is down and clean.
  void shutdown(Zone* zone, std::chrono::milliseconds timeout, Intent intent, Callback done);
  // Kills it. Works in every state in which something is there to be killed.
  void halt(Zone* zone, Callback done);
  void exec(Zone* zone, ExecRequest request, OnEntered done);
  // Writes the zone's configuration down and, when it runs, gives it its ports at once; false: they
  // wait for the next boot. All or nothing; after a crash in between, finish_ports() ends it.
  base::Result<bool> configure(Zone* zone, const ZoneConfig& config);
  // Recovery: ports that were being changed become what the configuration says.
  void finish_ports(Zone* zone);
  // A plan for the zone as configured, without effects: for verify and set.
  base::Result<core::Planned> try_plan(const core::ZoneSpec& spec, const Zone* zone);
  // The limits of a running zone by this configuration, of what changes live.
  resource::Limits live_limits(const Zone& zone, const core::ZoneSpec& spec);

  // The keeper's word that a first process has ended.
  void on_exited(const std::string& name, const std::string& boot_id,
                 const core::ExitStatus& status);
  // Recovery: the zone's end is known (or not: unknown); cleans up.
  void finish(Zone* zone, const core::ExitStatus& status);
  // Recovery: a boot that got nowhere.
  void undo(Zone* zone, base::Error why);

  // Recovery: boots a zone that was waiting for its restart.
  void restart_later(Zone* zone);
  // While set nothing boots and no zone starts again by itself.
  void set_stopping(bool stopping) { stopping_ = stopping; }

 private:
  struct Boot;
  struct Step {
    const char* name;
    base::Status (Runtime::*act)(Boot*);
  };
  static const std::array<Step, 9> kSteps;

  // Boot (runtime_boot.cc).
  base::Status run_steps(Boot* boot);
  base::Status run_step(Boot* boot, const Step& step);
  base::Result<base::UniqueFd> tree_of(const Zone& zone) const;
  base::Status step_range(Boot* boot);
  base::Status step_tree(Boot* boot);
  base::Status step_plan(Boot* boot);
  base::Status step_mountpoints(Boot* boot);
  base::Status step_pool(Boot* boot);
  base::Status step_cgroup(Boot* boot);
  base::Status step_ports(Boot* boot);
  base::Status step_rules(Boot* boot);
  base::Status step_record(Boot* boot);
  base::Status step_launch(Boot* boot);
  base::Status collect(Boot* boot);
  base::Status collect_native(Boot* boot);
  void launched(const std::shared_ptr<Boot>& boot, base::Result<KeeperReply> reply);
  void running(const std::shared_ptr<Boot>& boot, KeeperReply reply);
  void failed(const std::shared_ptr<Boot>& boot, base::Error error);
  void write_later(Zone* zone);
  base::Result<std::shared_ptr<const core::ZonePlan>> plan_of(Zone* zone);
  base::Result<int> filter(const std::string& profile);
  base::Status check_pool(const core::ZoneSpec& spec) const;

  // Brand vm (runtime_vm.cc).
  base::Status plan_vm(Boot* boot);
  base::Status collect_vm(Boot* boot);
  void start_guest(const std::shared_ptr<Boot>& boot, KeeperReply reply);
  base::Result<vmzone::PlannedVm> plan_machine(const core::ZoneSpec& spec, const Zone& zone,
                                               core::IdRange ids, const std::string& boot_id,
                                               bool keep);
  base::Result<core::Planned> try_plan_vm(const core::ZoneSpec& spec, const Zone* zone);

  // Ports of running zones (runtime_ports.cc).
  base::Status move_ports(Zone* zone, const std::vector<netns::PortPlan>& ports);
  base::Status apply_ports(Zone* zone, const ZoneConfig& config,
                           const std::vector<netns::PortPlan>& ports);

  // End (runtime_halt.cc).
  void kill_zone(Zone* zone);
  void arm(Zone* zone, std::chrono::milliseconds delay, void (Runtime::*then)(Zone*));
  void disarm(Zone* zone);
  void kill_overdue(Zone* zone);
  void clean_up(Zone* zone);
  base::Status clean_up_once(Zone* zone);
  enum class Next { kNothing, kRestart, kReboot };
  Next next_of(const Zone& zone) const;
  void settle(Zone* zone);
  void restart(const std::string& name);

  Parts parts_;
  LifeHooks life_;
  bool stopping_ = false;
  std::map<std::string, base::UniqueFd> filters_;  // compiled once, sealed
};

}  // namespace zoned
