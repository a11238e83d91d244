// Lifecycle of zones: boot, shutdown, halt, reboot, install, uninstall, delete.
#include "base/strings.h"
#include "zoned/daemon/api.h"

namespace zoned {

using base::Code;
using base::make_error;
using nlohmann::json;

namespace {

constexpr uint64_t kMaxStopMs = uint64_t{3600} * 1000;

}  // namespace

void Api::boot(Request request) {
  // What is his zone's own state he may know.
  if (base::Status ready = runtime_->check_bootable(*request.zone); !ready)
    return request.call.answer.fail(ready.error());
  runtime_->boot(
      request.zone, {},
      [this, answer = request.call.answer, caller = request.caller,
       name = request.zone->name](base::Result<Booted> booted) {
        if (!booted) return answer.fail(told(caller, name, booted.error()));
        Zone* zone = parts_.registry->find(name);
        if (!caller.root()) booted->warnings.clear();  // of the host
        answer.reply({{"zone", zone_members(*zone, caller)}, {"warnings", booted->warnings}});
      });
}

void Api::shutdown(Request request) {
  uint64_t timeout = request.zone->spec.stop_timeout_ms;
  if (has_parameter(request.call.parameters, "timeout_ms")) {
    int64_t given = request.call.parameters["timeout_ms"].get<int64_t>();
    if (given < 0 || static_cast<uint64_t>(given) > kMaxStopMs)
      return request.call.answer.fail(make_error(Code::kInvalid, "timeout_ms: 0 to an hour"));
    timeout = static_cast<uint64_t>(given);
  }
  runtime_->shutdown(request.zone, std::chrono::milliseconds(timeout), Intent::kStop,
                     answer_zone(request));
}

void Api::halt(Request request) {
  if (request.zone->job) return installer_->cancel(request.zone, answer_zone(request));
  runtime_->halt(request.zone, answer_zone(request));
}

void Api::reboot(Request request) {
  std::chrono::milliseconds timeout(request.zone->spec.stop_timeout_ms);
  if (request.zone->ephemeral)
    return request.call.answer.fail(make_error(
        Code::kState, "zone " + base::quoted(request.zone->name) + " is ephemeral: it runs once"));
  runtime_->shutdown(
      request.zone, timeout, Intent::kReboot,
      [this, done = answer_zone(request), name = request.zone->name](base::Status status) {
        if (!status) return done(std::move(status));
        Zone* zone = parts_.registry->find(name);
        if (zone == nullptr) return done(no_such_zone(name));
        runtime_->boot(zone, {}, [done](base::Result<Booted> booted) {
          done(booted ? base::Status() : base::Status(booted.error()));
        });
      });
}

void Api::install(Request request) {
  const api::Answer& answer = request.call.answer;
  std::string source = request.call.parameters["source"].get<std::string>();
  installer_->install(
      request.zone, source,
      [answer](const core::Progress& progress) {
        answer.next(
            {{"stage", progress.stage}, {"done", progress.done}, {"total", progress.total}});
      },
      [answer](base::Result<std::vector<std::string>> warnings) {
        if (!warnings) return answer.fail(warnings.error());
        answer.reply({{"stage", "done"}, {"done", 1}, {"total", 1}, {"warnings", *warnings}});
      });
}

void Api::uninstall(Request request) {
  installer_->uninstall(request.zone, [this, answer = request.call.answer,
                                       name = request.zone->name](base::Status status) {
    if (!status) return answer.fail(status.error());
    parts_.transfers->tree_gone(name);
    answer.reply(json::object());
  });
}

void Api::remove(Request request) {
  Zone* zone = request.zone;
  bool force = request.call.parameters["force"].get<bool>();
  std::string name = zone->name;
  api::Answer answer = request.call.answer;
  if (zone->job)
    return answer.fail(
        make_error(Code::kBusy, "zone " + base::quoted(name) + " is being installed or removed"));
  bool running = zone->record.has_value() || zone->restart_timer != 0;
  if (running && !force)
    return answer.fail(make_error(
        Code::kState, "zone " + base::quoted(name) + " is " + std::string(state_name(zone->state)),
        "halt it first, or delete it by force"));
  if (!running) return remove_now(answer, name);
  runtime_->halt(zone, [this, answer, name](base::Status status) {
    if (!status) return answer.fail(status.error());
    remove_now(answer, name);
  });
}

void Api::remove_now(const api::Answer& answer, const std::string& name) {
  Zone* zone = parts_.registry->find(name);
  if (zone == nullptr) return answer.reply(json::object());  // was ephemeral
  installer_->remove(zone, [this, answer, name](base::Status status) {
    if (!status) return answer.fail(status.error());
    parts_.transfers->tree_gone(name);
    parts_.events->emit(name, "deleted");
    answer.reply(json::object());
  });
}

}  // namespace zoned
