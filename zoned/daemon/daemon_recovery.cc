// After our own start, and whenever a keeper came back: what is there meets what should be there.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/log.h"
#include "base/process.h"
#include "base/strings.h"
#include "zoned/core/cell_tree.h"
#include "zoned/daemon/daemon.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;
using Kind = RecoveryAction::Kind;

namespace {

constexpr size_t kBootsAtOnce = 8;

std::string subject(const Zone& zone) { return "zone " + base::quoted(zone.name); }

}  // namespace

void Daemon::on_keeper(unsigned index, const std::vector<core::ZoneRecord>& known) {
  std::vector<RuntimeRecord> records;
  for (auto& [name, zone] : registry_->zones()) {
    if (!zone->record || zone->record->keeper != index) continue;
    // What we are about to launch, or are cleaning up, needs nobody's advice.
    if (zone->launching || zone->state == State::kDown) continue;
    records.push_back(*zone->record);
  }
  for (const RecoveryAction& action : decide_recovery(records, known, process_alive)) {
    Zone* zone = registry_->find(action.zone);
    switch (action.kind) {
      case Kind::kKeep:
        keep(zone, action);
        break;
      case Kind::kFinish:
        runtime_->finish(zone, action.status);
        break;
      case Kind::kAdopt:
        adopt(zone);
        break;
      case Kind::kUndo:
        runtime_->undo(zone, make_error(Code::kIo, "zoned was killed while the zone booted"));
        break;
      case Kind::kForget:
        if (zone == nullptr || !zone->record)
          keepers_->request(index, {{"op", "forget"}, {"zone", action.zone}}, {},
                            [](Result<KeeperReply>) {});
        break;
      case Kind::kKill:
        // Without a record only its cgroup leads to it; before we serve all such are swept. Later
        // it can only be a job or a boot of ours that the keeper knows already.
        break;
    }
  }
  recovered_if_complete();
}

// Also the second handles on zones' outputs are here: from now on a keeper may die.
void Daemon::recovered_if_complete() {
  if (!recovered_ && keepers_->all_ready() && missing_outputs_ == 0) recovered();
}

void Daemon::keep(Zone* zone, const RecoveryAction& action) {
  bool changed = zone->record->pid != action.pid;
  zone->record->pid = action.pid;
  zone->record->start_time = action.start_time;
  if (zone->state == State::kReady) zone->state = State::kRunning;
  if (changed) base::log_ignored(subject(*zone), registry_->write_record(*zone));
  if (is_vm(*zone)) guests_->resume_control(*zone);
  if (zone->output || zone->ephemeral) return;
  // We lost our duplicate of its output when we ended.
  ++missing_outputs_;
  keepers_->request(
      zone->record->keeper, {{"op", "output"}, {"zone", zone->name}}, {},
      [this, name = zone->name, boot_id = zone->record->boot_id](Result<KeeperReply> reply) {
        --missing_outputs_;
        Zone* target = registry_->find(name);
        if (reply && !reply->fds.empty() && target != nullptr && target->record &&
            target->record->boot_id == boot_id)
          target->output = std::move(reply->fds[0]);
        recovered_if_complete();
      });
}

void Daemon::adopt(Zone* zone) {
  auto prepare = [&]() -> Status {
    TRY_AS(UniqueFd pidfd, base::open_pidfd(zone->record->pid));
    // The number may have been used again between the decision and the descriptor.
    if (!process_alive(zone->record->pid, zone->record->start_time))
      return make_error(Code::kNotFound, "its first process has ended");
    std::vector<std::string> names = {"pidfd"};
    std::vector<int> fds = {pidfd.get()};
    if (zone->output) {
      names.push_back("output");
      fds.push_back(zone->output.get());
    }
    core::ZoneRecord record;
    record.zone = zone->name;
    record.boot_id = zone->record->boot_id;
    record.pid = zone->record->pid;
    record.start_time = zone->record->start_time;
    record.console = zone->record->console;
    record.logged = !zone->ephemeral;
    record.log_size = zone->record->log_size;
    keepers_->request(
        zone->record->keeper, {{"op", "adopt"}, {"record", core::to_json(record)}, {"fds", names}},
        fds, [name = zone->name](Result<KeeperReply> reply) {
          if (!reply)
            base::log_warning("zone " + base::quoted(name) + ": adopt: " + reply.error().message);
        });
    return {};
  };
  Status adopted = prepare();
  if (!adopted) return runtime_->finish(zone, {});
  if (zone->state == State::kReady) zone->state = State::kRunning;
  if (is_vm(*zone)) guests_->resume_control(*zone);
  events_.emit(zone->name, "adopted", "its zone-keeper was replaced");
}

// A zone whose keeper died while we live ends as our child. The keeper that adopted it tells of the
// end as well; only we can know the status on kernels before 6.15.
void Daemon::on_stranger(pid_t pid, int status) {
  for (auto& [name, zone] : registry_->zones()) {
    if (!zone->record || zone->record->pid != pid || zone->state == State::kDown) continue;
    core::ExitStatus exit;
    if (WIFEXITED(status)) exit = {core::ExitStatus::Kind::kExit, WEXITSTATUS(status)};
    if (WIFSIGNALED(status)) exit = {core::ExitStatus::Kind::kSignal, WTERMSIG(status)};
    runtime_->finish(zone.get(), exit);
    return;
  }
}

void Daemon::recovered() {
  recovered_ = true;
  if (recovery_timer_ != 0) loop_->cancel(std::exchange(recovery_timer_, 0));
  base::log_ignored("weights", shares_->apply_all());
  std::vector<core::IdRange> live = {parser_ids_};
  for (auto& [name, zone] : registry_->zones())
    if (zone->record) live.push_back({zone->record->range_base});
  if (auto released = ids_->reconcile(live); !released) base::log_error(released.error().message);
  sweep_cgroups();
  base::log_ignored("networks", networks_->recover());
  for (auto& [name, zone] : registry_->zones())
    if (zone->record && zone->state == State::kRunning) runtime_->finish_ports(zone.get());
  installer_->sweep_leftovers();
  if (stop_when_recovered_)
    return stop_all([this](Status status) { outcome_ = std::move(status); });
  if (Status served = serve(); !served) {
    outcome_ = std::move(served);
    loop_->stop();
    return;
  }
  for (const std::string& name : registry_->waiting()) {
    Zone* zone = registry_->find(name);
    if (zone != nullptr && !zone->record && zone->state == State::kInstalled)
      runtime_->restart_later(zone);
    else
      base::log_ignored("restart", registry_->set_waiting(name, false));
  }
  read_down_->recover();
  on_ready_();
  autoboot();
}

// Cgroups without a record: killed in the middle of a boot, a run or an install.
void Daemon::sweep_cgroups() {
  auto found = cgroups_->list();
  if (!found) return base::log_error("list cgroups: " + found.error().message);
  remove_strays(*found, 0);
}

// strays: as found at the start; what is made later is no business of this.
void Daemon::remove_strays(const std::vector<resource::CgroupDriver::Found>& strays,
                           unsigned attempt) {
  constexpr unsigned kAttempts = 10;
  constexpr std::chrono::milliseconds kPause{50};
  std::vector<resource::CgroupDriver::Found> left;
  for (const auto& item : strays) {
    const Zone* zone = registry_->find(item.zone);
    if (zone != nullptr && (zone->job || (zone->record && zone->record->pool == item.pool)))
      continue;
    base::log_ignored("stray cgroup", cgroups_->kill(item.pool, item.zone));
    if (!cgroups_->destroy_zone(item.pool, item.zone)) left.push_back(item);
  }
  if (!left.empty() && attempt < kAttempts) {
    loop_->after(kPause * (attempt + 1),
                 [this, left, attempt] { remove_strays(left, attempt + 1); });
    return;
  }
  // The jobs of copies that were cut short have ended.
  if (!stop_when_recovered_ && !stopping_) transfers_->recover();
}

// Trees of programs that were upgraded since.
void Daemon::remove_old_cells() {
  for (const auto& [name, zone] : registry_->zones())
    if (zone->record) return;
  auto cells = base::open_at(AT_FDCWD, paths_.lib + "/cells", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (cells) base::log_ignored("old cells", core::remove_old_cell_trees(cells->get()));
}

void Daemon::autoboot() {
  auto first = first_since_machine_start(registry_->run_dir());
  if (!first) return base::log_error("autoboot: " + first.error().message);
  if (!*first) return;
  remove_old_cells();
  std::vector<const Zone*> zones;
  for (auto& [name, zone] : registry_->zones())
    if (zone->spec.autoboot && zone->state == State::kInstalled && !zone->record)
      zones.push_back(zone.get());
  std::stable_sort(zones.begin(), zones.end(), [](const Zone* a, const Zone* b) {
    return a->spec.boot_priority < b->spec.boot_priority;
  });
  auto queue = std::make_shared<BootQueue>();
  for (const Zone* zone : zones) queue->zones.emplace_back(zone->spec.boot_priority, zone->name);
  std::reverse(queue->zones.begin(), queue->zones.end());
  boot_next(queue);
}

// Zones of one priority boot together, those of the next when all of these have been started.
void Daemon::boot_next(const std::shared_ptr<BootQueue>& queue) {
  while (!queue->zones.empty() && queue->booting < kBootsAtOnce && !stopping_) {
    auto [priority, name] = queue->zones.back();
    if (queue->booting > 0 && priority != queue->priority) return;
    queue->zones.pop_back();
    Zone* zone = registry_->find(name);
    if (zone == nullptr || zone->state != State::kInstalled) continue;
    queue->priority = priority;
    ++queue->booting;
    auto over = [this, queue](const base::Result<Booted>& booted) {
      if (!booted) base::log_error("autoboot: " + booted.error().message);
      --queue->booting;
      // A boot that is refused at once answers from inside: not deeper into the stack.
      loop_->after(std::chrono::milliseconds(0), [this, queue] { boot_next(queue); });
    };
    record_own(audit_.get(), "Autoboot", *zone,
               [this, name = zone->name, over](base::Status recorded) {
                 if (!recorded) return over(std::move(recorded).error());
                 Zone* target = registry_->find(name);
                 if (target == nullptr) return over(no_such_zone(name));
                 runtime_->boot(target, {}, over);
               });
  }
}

}  // namespace zoned
