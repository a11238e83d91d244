// Boot: the table of steps and its undo.
#include <fcntl.h>

#include <csignal>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/log.h"
#include "base/strings.h"
#include "zoned/core/exports.h"
#include "zoned/core/plan_json.h"
#include "zoned/core/root_tree.h"
#include "zoned/daemon/boot.h"
#include "zoned/daemon/fault.h"
#include "zoned/daemon/name_service.h"
#include "zoned/daemon/read_down_cell.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;
using nlohmann::json;

namespace {

// The keeper gives its launcher a minute; this is for a keeper that does not answer at all.
constexpr std::chrono::seconds kBootDeadline{90};

std::string subject(const Zone& zone) { return "zone " + base::quoted(zone.name); }

int stop_signal_of(const core::ZonePlan& plan, const core::TreeFacts& tree) {
  if (plan.profile != core::Profile::kOs) return SIGTERM;
  // systemd(1): SIGRTMIN+4 is poweroff.target; busybox init: SIGUSR2 is poweroff.
  return tree.systemd ? SIGRTMIN + 4 : SIGUSR2;
}

// To enter what is there takes a process more, which counts too (core/namespaces.h).
bool takes_prepared(const Zone& zone) {
  constexpr uint64_t kFew = 8;
  return !is_vm(zone) && zone.spec.processes.value_or(kFew) >= kFew;
}

// The launcher makes the ports that the plan has: not the one whose link is there already.
json plan_to_launch(core::ZonePlan* plan, const std::optional<Prepared::Namespaces>& prepared) {
  if (!prepared || prepared->link.empty()) return core::to_json(*plan);
  netns::PortPlan first = std::move(plan->ports.front());
  plan->ports.erase(plan->ports.begin());
  json launched = core::to_json(*plan);
  plan->ports.insert(plan->ports.begin(), std::move(first));
  return launched;
}

Giver giver_to(const Zone* zone) {
  return zone != nullptr && is_service(*zone) ? Giver::kZoned : Giver::kAdministrator;
}

}  // namespace

const std::array<Runtime::Step, 9> Runtime::kSteps = {{
    {"range", &Runtime::step_range},
    {"tree", &Runtime::step_tree},
    {"plan", &Runtime::step_plan},
    {"mountpoints", &Runtime::step_mountpoints},
    {"pool", &Runtime::step_pool},
    {"cgroup", &Runtime::step_cgroup},
    {"ports", &Runtime::step_ports},
    {"record", &Runtime::step_record},
    {"launch", &Runtime::step_launch},
}};

Status Runtime::check_bootable(const Zone& zone) const {
  if (stopping_) return make_error(Code::kBusy, "zoned is stopping");
  if (zone.job) return make_error(Code::kBusy, subject(zone) + " is being installed or removed");
  if (zone.state == State::kInstalled && !zone.record)
    return parts_.registry->check_label_text(zone);
  std::string hint;
  if (zone.state == State::kConfigured) hint = "install it first: zone install NAME --from SOURCE";
  if (zone.state == State::kIncomplete) hint = "uninstall it, or install it again";
  return make_error(Code::kState, subject(zone) + " is " + std::string(state_name(zone.state)),
                    hint);
}

void Runtime::boot(Zone* zone, BootRequest request, OnBooted done) {
  if (Status status = check_bootable(*zone); !status) return done(std::move(status).error());
  if (zone->restart_timer != 0) parts_.loop->cancel(std::exchange(zone->restart_timer, 0));
  auto boot = std::make_shared<Boot>();
  boot->name = zone->name;
  boot->boot_id = random_id();
  boot->zone = zone;
  boot->request = std::move(request);
  boot->done = std::move(done);
  zone->intent = Intent::kNone;
  zone->kill_sent = false;
  zone->failure = {};
  zone->launching = false;
  zone->state = State::kReady;
  if (Status status = run_steps(boot.get()); !status) {
    return failed(boot, std::move(status).error().context(subject(*zone)));
  }
  zone->launching = true;
  arm(zone, kBootDeadline, &Runtime::kill_zone);
  if (Status status = collect(boot.get()); !status)
    return failed(boot, std::move(status).error().context(subject(*zone)));
  json body = {{"op", "launch"},
               {"plan", plan_to_launch(&boot->planned.plan, boot->prepared)},
               {"logged", !boot->request.run},
               {"fds", boot->names}};
  parts_.keepers->request(
      zone->record->keeper, std::move(body), boot->fds,
      [this, boot](Result<KeeperReply> reply) { launched(boot, std::move(reply)); });
  boot->passed.clear();
  // While the keeper works, whose launcher waits for them.
  if (boot->go) {
    boot->rules = run_step(boot.get(), {"rules", &Runtime::step_rules});
    if (boot->rules) base::log_ignored(subject(*zone), base::write_all(boot->go.get(), "g"));
    boot->go.reset();
  }
  boot->prepared.reset();
  boot->zone = nullptr;
  // While the keeper works: exec needs it after our restart, however soon that comes. The
  // configuration of an ephemeral zone can't change, so that its plan can be made again.
  const Zone* sent = parts_.registry->find(boot->name);
  if (sent != nullptr && sent->launching && !sent->ephemeral)
    base::log_ignored(subject(*sent) + ": plan",
                      parts_.registry->write_plan(sent->name, core::to_json(boot->planned.plan)));
}

Status Runtime::run_steps(Boot* boot) {
  for (const Step& step : kSteps) TRY(run_step(boot, step));
  return {};
}

Status Runtime::run_step(Boot* boot, const Step& step) {
  std::string point = std::string("boot.") + step.name;
  TRY(fault_point(point + ".before"));
  TRY((this->*step.act)(boot));
  return fault_point(point + ".after");
}

Status Runtime::step_range(Boot* boot) {
  Zone* zone = boot->zone;
  RuntimeRecord record;
  if (takes_prepared(*zone))
    boot->prepared = parts_.prepared->take(parts_.networks->takes_link(zone->spec));
  if (boot->prepared) {
    record.range_base = boot->prepared->range.base;
    record.link = boot->prepared->link;
  } else {
    TRY_AS(core::IdRange range, parts_.ids->lease());
    record.range_base = range.base;
  }
  record.zone = zone->name;
  record.boot_id = boot->boot_id;
  record.pool = zone->spec.pool;
  record.boots = zone->boots + 1;
  record.ephemeral = zone->ephemeral;
  record.label = zone->label.encode();
  if (zone->ephemeral) {
    record.config = zone->config;
    record.id = zone->file.id;
  }
  zone->record = std::move(record);
  return parts_.shares->enter(zone);
}

Result<UniqueFd> Runtime::tree_of(const Zone& zone) const {
  if (is_name_service(zone)) return name_service_tree(parts_.registry->paths().lib);
  if (is_read_down(zone)) return read_down_tree(parts_.registry->paths().lib);
  TRY_AS(UniqueFd dir, parts_.registry->zone_dir(zone.name, false));
  return base::open_at(dir.get(), "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Status Runtime::step_tree(Boot* boot) {
  Zone* zone = boot->zone;
  if (is_vm(*zone)) return {};  // its cell's tree is the machine's
  if (zone->ephemeral) {
    TRY_AS(boot->tree_dir, base::dup_fd(zone->run_source.get()));
  } else {
    TRY_AS(boot->tree_dir, tree_of(*zone));
  }
  TRY_AS(boot->host_trees, open_host_trees(zone->spec, zone->label, *parts_.trees,
                                           *parts_.encodings, giver_to(zone)));
  core::TreeQuestion question;
  question.command = zone->spec.command;
  question.user = zone->spec.user;
  question.workdir = zone->spec.workdir;
  if (auto path = zone->spec.env.find("PATH"); path != zone->spec.env.end())
    question.path = path->second;
  TRY_AS(boot->tree, core::inspect_tree(boot->tree_dir.get(), question));
  if (!zone->ephemeral)
    boot->tree.exports = core::find_exports(boot->tree_dir.get(), zone->spec, &boot->warnings);
  return core::check_mountpoints(boot->tree_dir.get());
}

Status Runtime::step_plan(Boot* boot) {
  Zone* zone = boot->zone;
  if (is_vm(*zone)) return plan_vm(boot);
  TRY_AS(auto ports, parts_.networks->plan(*zone, zone->spec, true));
  core::PlanInputs inputs{zone->spec,
                          *parts_.host,
                          boot->tree,
                          {zone->record->range_base},
                          boot->boot_id,
                          zone->weight,
                          parts_.cgroups,
                          zone->ephemeral,
                          boot->request.run,
                          boot->request.tty,
                          private_trees(boot->host_trees),
                          std::move(ports),
                          zone->label,
                          parts_.encodings->name_of(zone->label)};
  TRY_AS(boot->planned, core::plan_zone(inputs));
  if (is_name_service(*zone)) TRY(confine_name_service(*parts_.host, &boot->planned.plan));
  if (is_read_down(*zone)) TRY(confine_read_down(&boot->planned.plan));
  for (std::string& warning : boot->warnings) boot->planned.warnings.push_back(std::move(warning));
  const core::ZonePlan& plan = boot->planned.plan;
  zone->record->console = plan.stdio == core::Stdio::kConsole;
  zone->record->log_size = plan.log_size;
  zone->record->os = plan.profile == core::Profile::kOs;
  zone->record->stop_signal = stop_signal_of(plan, boot->tree);
  return {};
}

Status Runtime::step_mountpoints(Boot* boot) {
  if (boot->machine) return {};
  if (boot->zone->ephemeral) return {};  // the launcher makes them on the overlay's upper side
  std::vector<core::MountPoint> points;
  for (const HostTree& tree : boot->host_trees) points.push_back({tree.target, tree.folder()});
  // Elsewhere it is made when it is needed.
  if (boot->zone->spec.read_only_root) points.push_back({core::kReadDownFolder, true});
  for (const auto& [source, path] :
       {std::pair("hosts", core::kHostsFile), std::pair("resolver", core::kResolverFile)})
    if (core::mounts_tree(boot->planned.plan, source)) points.push_back({path, false});
  return core::ensure_mountpoints(boot->tree_dir.get(), points);
}

Status Runtime::step_pool(Boot* boot) {
  return parts_.shares->ensure_pool(boot->zone->record->pool);
}

Status Runtime::step_cgroup(Boot* boot) {
  const core::ZonePlan& plan = boot->planned.plan;
  TRY_AS(boot->cgroup,
         parts_.cgroups->create_zone(plan.cgroup.pool, plan.cgroup.zone, plan.cgroup.writes,
                                     plan.ids.base, plan.ids.base));
  return {};
}

Status Runtime::step_ports(Boot* boot) {
  return parts_.networks->expect(boot->zone->name, boot->planned.plan.ports);
}

Status Runtime::step_rules(Boot* boot) {
  TRY(parts_.networks->connect(*boot->zone));
  if (!boot->prepared || boot->prepared->link.empty()) return {};
  return parts_.networks->finish(boot->planned.plan.ports.front(), boot->prepared->net.get());
}

Status Runtime::step_record(Boot* boot) {
  // The keeper is chosen before the record is written: recovery asks the one that it names.
  TRY_AS(unsigned keeper, parts_.keepers->choose(boot->zone->last_keeper, true));
  boot->zone->on_keeper = true;
  boot->zone->record->keeper = keeper;
  boot->zone->last_keeper = static_cast<int>(keeper);
  TRY(parts_.registry->write_record(*boot->zone));
  // Only a restart has left the mark; it is not looked for on the way of others.
  if (boot->zone->backoff.count() > 0 || boot->zone->boots > 0)
    TRY(parts_.registry->set_waiting(boot->zone->name, false));
  return {};
}

Status Runtime::step_launch(Boot* boot) {
  // From here on only the keeper's answer tells; what is sent is put together in boot().
  boot->zone->launching = true;
  return {};
}

void Runtime::launched(const std::shared_ptr<Boot>& boot, Result<KeeperReply> reply) {
  Zone* zone = parts_.registry->find(boot->name);
  // Cleaned up meanwhile: whoever did so has answered the waiters; we answer our own caller.
  if (zone == nullptr || !zone->record || zone->record->boot_id != boot->boot_id) {
    base::Error gone = make_error(
        Code::kState, "zone " + base::quoted(boot->name) + " was halted while it booted");
    return boot->done(reply ? gone : reply.error());
  }
  // The keeper only knows that they are not there.
  if (!boot->rules) return failed(boot, base::Error(boot->rules.error()).context(subject(*zone)));
  if (!reply) return failed(boot, std::move(reply).error().context(subject(*zone)));
  if (Status shared = parts_.networks->share(boot->name); !shared)
    return failed(boot, std::move(shared).error().context(subject(*zone)));
  if (boot->machine) return start_guest(boot, *std::move(reply));
  running(boot, *std::move(reply));
}

void Runtime::running(const std::shared_ptr<Boot>& boot, KeeperReply reply) {
  Zone* zone = parts_.registry->find(boot->name);
  if (Status status = fault_point("boot.running.before"); !status)
    return failed(boot, std::move(status).error().context(subject(*zone)));
  zone->launching = false;
  disarm(zone);
  zone->record->pid = reply.body.value("pid", 0);
  zone->record->start_time = reply.body.value("start_time", uint64_t{0});
  ++zone->boots;
  zone->booted_at = base::EventLoop::Clock::now();
  Booted booted;
  booted.warnings = boot->planned.warnings;
  if (boot->request.run)
    booted.fds = std::move(reply.fds);
  else if (!reply.fds.empty())
    zone->output = std::move(reply.fds[0]);
  parts_.registry->remember_plan(
      zone, std::make_shared<const core::ZonePlan>(std::move(boot->planned.plan)));
  base::log_ignored(subject(*zone), parts_.networks->hold_devices(*zone));
  bool stop = zone->intent == Intent::kStop;  // asked for while the keeper was at work
  if (!stop) zone->state = State::kRunning;
  // The caller first: what follows is only needed after a crash of both of us. In the foreground the
  // command runs already.
  auto answer = [boot, shared = std::make_shared<Booted>(std::move(booted))] {
    boot->done(std::move(*shared));
  };
  if (boot->request.run) {
    answer();
    life_.booted(boot->name, [] {});
  } else {
    life_.booted(boot->name, answer);
  }
  zone = parts_.registry->find(boot->name);
  if (zone == nullptr || !zone->record || zone->record->boot_id != boot->boot_id) return;
  write_later(zone);
  base::log_ignored(subject(*zone), fault_point("boot.running.after"));
  parts_.events->emit(zone->name, "booted", "pid " + std::to_string(zone->record->pid));
  if (stop) {
    zone->kill_sent = false;
    kill_zone(zone);
  }
}

// The pid is needed when we and the keeper die both.
void Runtime::write_later(Zone* zone) {
  auto write = [this](const Zone& target) {
    base::log_ignored(subject(target) + ": record", parts_.registry->write_record(target));
  };
  if (!zone->ephemeral) return write(*zone);
  // Most runs are over by then.
  constexpr std::chrono::milliseconds kShortRun{100};
  parts_.loop->after(kShortRun, [this, write, name = zone->name, id = zone->record->boot_id] {
    const Zone* target = parts_.registry->find(name);
    if (target != nullptr && target->record && target->record->boot_id == id &&
        target->state != State::kDown)
      write(*target);
  });
}

Result<std::shared_ptr<const core::ZonePlan>> Runtime::plan_of(Zone* zone) {
  if (zone->plan || !zone->ephemeral) return parts_.registry->plan_of(zone);
  core::TreeFacts tree;
  tree.command_path = zone->spec.command.empty() ? "/" : zone->spec.command[0];
  core::PlanInputs inputs{zone->spec,
                          *parts_.host,
                          tree,
                          {zone->record->range_base},
                          zone->record->boot_id,
                          zone->weight,
                          parts_.cgroups,
                          true,
                          true,
                          zone->record->console,
                          std::vector<bool>(zone->spec.fs.size()),
                          {},
                          zone->label,
                          parts_.encodings->name_of(zone->label)};
  if (auto live = parts_.networks->live().find(zone->name); live != parts_.networks->live().end())
    inputs.ports = live->second;
  TRY_AS(core::Planned planned, core::plan_zone(inputs));
  auto plan = std::make_shared<const core::ZonePlan>(std::move(planned.plan));
  parts_.registry->remember_plan(zone, plan);
  return plan;
}

void Runtime::failed(const std::shared_ptr<Boot>& boot, base::Error error) {
  Zone* zone = parts_.registry->find(boot->name);
  zone->launching = false;
  disarm(zone);
  parts_.events->emit(zone->name, "boot-failed", error.message);
  if (!zone->record) {  // before the first step had an effect
    zone->state = zone->file.state;
    if (zone->ephemeral) parts_.registry->drop_zone(boot->name);
    return boot->done(std::move(error));
  }
  // The caller is answered when nothing is left; an ephemeral zone's caller removes it then.
  zone->waiters.insert(zone->waiters.begin(), [boot, error](Status) { boot->done(error); });
  zone->failure = std::move(error);
  base::log_ignored(subject(*zone) + ": kill",
                    parts_.cgroups->kill(zone->record->pool, zone->name));
  finish(zone, {});
}

void Runtime::undo(Zone* zone, base::Error why) {
  zone->failure = std::move(why);
  base::log_ignored(subject(*zone) + ": kill",
                    parts_.cgroups->kill(zone->record->pool, zone->name));
  finish(zone, {});
}

Status Runtime::check_pool(const core::ZoneSpec& spec) const {
  if (parts_.registry->find_pool(spec.pool) != nullptr) return {};
  return make_error(Code::kNotFound, "pool " + base::quoted(spec.pool) + ": no such pool",
                    "'zone pool create' makes one");
}

Result<core::Planned> Runtime::try_plan(const core::ZoneSpec& spec, const Zone* zone) {
  if (spec.brand == core::Brand::kVm) return try_plan_vm(spec, zone);
  core::TreeFacts tree;
  core::TreeQuestion question;
  question.command = spec.command;
  question.user = spec.user;
  question.workdir = spec.workdir;
  if (zone != nullptr && !zone->ephemeral && zone->file.state == State::kInstalled) {
    TRY_AS(UniqueFd root, tree_of(*zone));
    TRY_AS(tree, core::inspect_tree(root.get(), question));
  } else if (!spec.command.empty()) {
    tree.command_path = spec.command[0];  // no tree yet: nothing to compare with
  }
  TRY(check_pool(spec));
  constexpr uint32_t kAnyRange = 524288;
  Zone trial;
  trial.name = spec.name;
  if (zone != nullptr) trial.file = zone->file;
  TRY_AS(trial.label, parts_.registry->label_for(spec, zone));
  TRY_AS(auto host_trees,
         open_host_trees(spec, trial.label, *parts_.trees, *parts_.encodings, giver_to(zone)));
  core::PlanInputs inputs{spec,
                          *parts_.host,
                          tree,
                          {kAnyRange},
                          std::string(32, '0'),
                          0,
                          parts_.cgroups,
                          false,
                          false,
                          false,
                          private_trees(host_trees),
                          {},
                          trial.label,
                          parts_.encodings->name_of(trial.label)};
  TRY_AS(inputs.ports, parts_.networks->plan(trial, spec, false));
  return core::plan_zone(inputs);
}

}  // namespace zoned
