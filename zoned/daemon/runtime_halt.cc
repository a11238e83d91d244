// The end of a zone: one way out for every reason, repeated by timer until nothing is left.
#include <csignal>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/strings.h"
#include "zoned/daemon/fault.h"
#include "zoned/daemon/runtime.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Status;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kKillDeadline{5000};  // then we look for ourselves
constexpr milliseconds kRetryFirst{10};
constexpr milliseconds kRetryLast{1000};
// A caller is told when processes don't die (uninterruptible sleep); the clean-up goes on.
constexpr milliseconds kPatience{30000};
constexpr milliseconds kBackoffFirst{100};
constexpr milliseconds kBackoffLast{30000};
constexpr std::chrono::seconds kLongEnough{30};  // a run of this length resets the back-off

std::string subject(const Zone& zone) { return "zone " + base::quoted(zone.name); }

}  // namespace

void Runtime::arm(Zone* zone, milliseconds delay, void (Runtime::*then)(Zone*)) {
  disarm(zone);
  zone->timer = parts_.loop->after(delay, [this, name = zone->name, then] {
    Zone* target = parts_.registry->find(name);
    if (target == nullptr) return;
    target->timer = 0;
    (this->*then)(target);
  });
}

void Runtime::disarm(Zone* zone) {
  if (zone->timer != 0) parts_.loop->cancel(std::exchange(zone->timer, 0));
}

void Runtime::shutdown(Zone* zone, milliseconds timeout, Intent intent, Callback done) {
  if (zone->state != State::kRunning) {
    if (zone->state == State::kShuttingDown || zone->state == State::kDown) {
      zone->waiters.push_back(std::move(done));
      return;
    }
    return done(make_error(
        Code::kState,
        subject(*zone) + " is " + std::string(state_name(zone->state)) + ", not running"));
  }
  zone->waiters.push_back(std::move(done));
  zone->intent = intent;
  zone->state = State::kShuttingDown;
  parts_.events->emit(zone->name, "shutdown");
  if (timeout.count() == 0) return kill_zone(zone);
  arm(zone, timeout, &Runtime::kill_zone);
  auto asked = [this, name = zone->name, boot_id = zone->record->boot_id](bool told) {
    Zone* target = parts_.registry->find(name);
    if (told || target == nullptr || !target->record || target->record->boot_id != boot_id ||
        target->state != State::kShuttingDown)
      return;
    kill_zone(target);  // it can't be asked
  };
  if (is_vm(*zone))
    return parts_.guests->powerdown(*zone, [asked](const Status& told) { asked(told.ok()); });
  nlohmann::json body = {
      {"op", "signal"}, {"zone", zone->name}, {"signal", zone->record->stop_signal}};
  parts_.keepers->request(zone->record->keeper, std::move(body), {},
                          [asked](const base::Result<KeeperReply>& reply) { asked(reply.ok()); });
}

void Runtime::halt(Zone* zone, Callback done) {
  if (zone->restart_timer != 0) {
    parts_.loop->cancel(std::exchange(zone->restart_timer, 0));
    base::log_ignored(subject(*zone), parts_.registry->set_waiting(zone->name, false));
    if (!zone->record) return done({});
  }
  if (!zone->record)
    return done(make_error(
        Code::kState,
        subject(*zone) + " is " + std::string(state_name(zone->state)) + ", not running"));
  zone->waiters.push_back(std::move(done));
  zone->intent = Intent::kStop;
  if (zone->state == State::kDown) return;  // being cleaned up
  zone->state = State::kShuttingDown;
  zone->kill_sent = false;
  kill_zone(zone);
}

void Runtime::kill_zone(Zone* zone) {
  if (!zone->record || zone->state == State::kDown) return;
  zone->state = State::kShuttingDown;
  if (zone->launching) zone->intent = Intent::kStop;
  Status killed = fault_point("halt.kill.before");
  if (killed) killed = parts_.cgroups->kill(zone->record->pool, zone->name);
  if (killed) killed = fault_point("halt.kill.after");
  base::log_ignored(subject(*zone) + ": kill", killed);
  if (!zone->kill_sent) parts_.events->emit(zone->name, "halted");
  zone->kill_sent = true;
  arm(zone, kKillDeadline, &Runtime::kill_overdue);
}

// Nobody has told us of the end: the keeper is gone, or a process does not die.
void Runtime::kill_overdue(Zone* zone) {
  zone->launching = false;
  finish(zone, {});
}

void Runtime::on_exited(const std::string& name, const std::string& boot_id,
                        const core::ExitStatus& status) {
  Zone* zone = parts_.registry->find(name);
  if (zone == nullptr || !zone->record || zone->record->boot_id != boot_id) return;
  if (zone->state == State::kDown) {  // later than we could wait: the status is still of use
    if (zone->exit && zone->exit->kind == core::ExitStatus::Kind::kUnknown) zone->exit = status;
    return;
  }
  finish(zone, status);
}

void Runtime::finish(Zone* zone, const core::ExitStatus& status) {
  if (!zone->record || zone->state == State::kDown) return;
  // A guest that never ran is a boot that failed, and takes its way through failed().
  if (is_vm(*zone) && parts_.guests->ended(*zone, status)) return;
  disarm(zone);
  zone->state = State::kDown;
  if (zone->failure.message.empty()) {
    zone->exit = status;
    parts_.events->emit(zone->name, "exited", core::to_line(status));
  }
  zone->retry = kRetryFirst;
  zone->down_since = base::EventLoop::Clock::now();
  clean_up(zone);
}

void Runtime::clean_up(Zone* zone) {
  Status cleaned = clean_up_once(zone);
  if (cleaned) return settle(zone);
  if (base::EventLoop::Clock::now() - zone->down_since > kPatience && !zone->waiters.empty()) {
    base::log_warning(subject(*zone) + ": " + cleaned.error().message + ", still trying");
    auto waiters = std::exchange(zone->waiters, {});
    base::Error late = make_error(Code::kTimeout, subject(*zone) + ": " + cleaned.error().message,
                                  "zoned goes on trying");
    for (auto& waiter : waiters) waiter(late);
  }
  arm(zone, zone->retry, &Runtime::clean_up);
  zone->retry = std::min(zone->retry * 2, kRetryLast);
}

Status Runtime::clean_up_once(Zone* zone) {
  const std::string pool = zone->record->pool;
  TRY(fault_point("halt.cgroup.before"));
  Status removed = parts_.cgroups->destroy_zone(pool, zone->name);
  if (!removed) {
    // Something is left in it, such as a process that had just joined.
    base::log_ignored(subject(*zone) + ": kill", parts_.cgroups->kill(pool, zone->name));
    return removed;
  }
  TRY(fault_point("halt.cgroup.after"));
  TRY(fault_point("halt.ports.before"));
  TRY(parts_.networks->disconnect(zone->name));
  TRY(fault_point("halt.ports.after"));
  TRY(fault_point("halt.range.before"));
  parts_.ids->release({zone->record->range_base});
  TRY(fault_point("halt.range.after"));
  // Noted before the record goes: a kill in between must not leave the zone down.
  if (next_of(*zone) != Next::kNothing) TRY(parts_.registry->set_waiting(zone->name, true));
  TRY(fault_point("halt.record.before"));
  parts_.registry->remove_record(zone->name);
  return fault_point("halt.record.after");
}

// What the end of a zone leads to, by what is known of it while its record is still there.
Runtime::Next Runtime::next_of(const Zone& zone) const {
  if (zone.ephemeral || zone.intent != Intent::kNone || stopping_) return Next::kNothing;
  bool booted = zone.failure.message.empty();
  core::ExitStatus status = zone.exit.value_or(core::ExitStatus{});
  // reboot(2) inside a pid namespace: SIGHUP asks for a restart, SIGINT for power off.
  if (booted && zone.record->os && status.kind == core::ExitStatus::Kind::kSignal) {
    if (status.value == SIGHUP) return Next::kReboot;
    if (status.value == SIGINT) return Next::kNothing;
  }
  // A first boot that fails is its caller's to repeat.
  if (!booted && zone.backoff.count() == 0) return Next::kNothing;
  bool well = booted && status.kind == core::ExitStatus::Kind::kExit && status.value == 0;
  bool restart = zone.spec.restart == core::Restart::kAlways ||
                 (zone.spec.restart == core::Restart::kOnFailure && !well);
  return restart ? Next::kRestart : Next::kNothing;
}

// All is gone: answers those who wait and decides what comes next.
void Runtime::settle(Zone* zone) {
  const std::string name = zone->name;
  Next next = next_of(*zone);
  RuntimeRecord record = *std::exchange(zone->record, std::nullopt);
  // After the record, so that a kill in between leaves the status to be asked for again.
  if (std::exchange(zone->on_keeper, false)) {
    parts_.keepers->uncount_zone(record.keeper);
    parts_.keepers->request(record.keeper, {{"op", "forget"}, {"zone", name}}, {},
                            [](base::Result<KeeperReply>) {});
  }
  parts_.shares->leave_pool(zone, record.pool);
  zone->plan.reset();
  zone->output.reset();
  zone->launching = false;
  zone->state = zone->file.state;
  auto waiters = std::exchange(zone->waiters, {});
  zone->failure = {};
  zone->intent = Intent::kNone;
  if (zone->ephemeral) {
    parts_.networks->forget(*zone);
    parts_.keepers->hang_up(*zone);
    parts_.registry->drop_zone(name);
    parts_.events->emit(name, "deleted");
  }
  if (next == Next::kRestart) restart_later(zone);
  for (auto& waiter : waiters) waiter({});
  life_.ended(name);
  if (next == Next::kReboot) restart(name);
}

void Runtime::restart_later(Zone* zone) {
  if (base::EventLoop::Clock::now() - zone->booted_at > kLongEnough) zone->backoff = {};
  zone->backoff = std::clamp(zone->backoff * 2, kBackoffFirst, kBackoffLast);
  zone->restart_timer = parts_.loop->after(zone->backoff, [this, name = zone->name] {
    if (Zone* target = parts_.registry->find(name)) {
      target->restart_timer = 0;
      restart(name);
    }
  });
}

void Runtime::restart(const std::string& name) {
  Zone* zone = parts_.registry->find(name);
  if (zone == nullptr || stopping_) return;
  auto booted = [this, name](const base::Result<Booted>& result) {
    if (result) return;
    base::log_warning("restart: " + result.error().message);
    parts_.events->emit(name, "restart-failed", result.error().message);
    // Refused before there was anything to clean up: nobody else tries again.
    Zone* target = parts_.registry->find(name);
    if (target != nullptr && !target->record && target->restart_timer == 0 &&
        target->state == State::kInstalled && target->spec.restart != core::Restart::kNo)
      restart_later(target);
  };
  record_own(parts_.audit, "Restart", *zone, [this, name, booted](base::Status recorded) {
    if (!recorded) return booted(std::move(recorded).error());
    Zone* target = parts_.registry->find(name);
    if (target == nullptr || target->record || stopping_) return;
    boot(target, {}, booted);
  });
}

}  // namespace zoned
