// Ends: of everything (StopAll), or of this program alone (upgrade).
#include <unistd.h>

#include "base/log.h"
#include "base/strings.h"
#include "zoned/daemon/daemon.h"

namespace zoned {

using base::Status;
using std::chrono::milliseconds;

void Daemon::stop_soon() {
  // Time for the last answer to leave.
  constexpr milliseconds kFlush{50};
  loop_->after(kFlush, [this] { loop_->stop(); });
}

// Who asks while it is done is told with the others.
void Daemon::stop_all(Callback done) {
  if (stopped_) return done(*stopped_);
  stop_waiters_.push_back(std::move(done));
  if (std::exchange(stopping_, true)) return;
  runtime_->set_stopping(true);
  auto tell = [this](const Status& status) {
    for (const Callback& waiter : std::exchange(stop_waiters_, {})) waiter(status);
  };
  end_zones([this, tell](const Status& status) {
    if (status)
      return end_keepers([this, tell](Status ended) {
        stopped_ = std::move(ended);
        tell(*stopped_);
      });
    stopping_ = false;
    runtime_->set_stopping(false);
    tell(status);
    if (stop_when_recovered_) loop_->stop();
  });
}

void Daemon::end_zones(Callback done) {
  struct Progress {
    size_t left = 1;
    Status outcome;
  };
  auto progress = std::make_shared<Progress>();
  auto one_less = [progress, done = std::move(done)](Status status) {
    if (!status && progress->outcome.ok()) progress->outcome = std::move(status);
    if (--progress->left == 0) done(progress->outcome);
  };
  std::vector<std::string> names;
  for (auto& [name, zone] : registry_->zones()) names.push_back(name);
  for (const std::string& name : names) {
    Zone* zone = registry_->find(name);
    if (zone == nullptr) continue;
    if (zone->job) {
      ++progress->left;
      installer_->cancel(zone, one_less);
    } else if (zone->record && zone->state == State::kRunning) {
      ++progress->left;
      runtime_->shutdown(zone, milliseconds(zone->spec.stop_timeout_ms), Intent::kStop, one_less);
    } else if (zone->record || zone->restart_timer != 0) {
      ++progress->left;
      runtime_->halt(zone, one_less);
    }
  }
  one_less({});
}

void Daemon::end_keepers(const Callback& done) {
  prepared_->clear([this, done] { keepers_->quit([this, done] { remove_traces(0, done); }); });
}

void Daemon::remove_traces(unsigned attempt, const Callback& done) {
  constexpr unsigned kAttempts = 40;
  constexpr milliseconds kPause{50};
  Status removed = cgroups_->destroy_subtree();
  if (!removed && attempt < kAttempts) {
    loop_->after(kPause, [this, attempt, done] { remove_traces(attempt + 1, done); });
    return;
  }
  if (removed) removed = networks_->withdraw();
  if (removed) removed = ids_->release_all();
  forget_machine_start(registry_->run_dir());
  done(std::move(removed));
  stop_soon();
}

void Daemon::upgrade(const Callback& done) {
  if (stopping_) return done(base::make_error(base::Code::kBusy, "zoned is stopping"));
  for (auto& [name, zone] : registry_->zones())
    if (zone->launching || zone->job)
      return done(base::make_error(base::Code::kBusy,
                                   "zone " + base::quoted(name) + " is being started or installed",
                                   "try again"));
  if (transfers_->under_way())
    return done(
        base::make_error(base::Code::kBusy, "a copy between zones is under way", "try again"));
  keepers_->reexec([this, done](Status status) {
    if (!status) return done(std::move(status).error().context("upgrade"));
    done({});
    upgrading_ = true;
    stop_soon();
  });
}

}  // namespace zoned
