// Configuration of zones: list, info, create, set, export, verify.
#include "base/strings.h"
#include "vmzone/host.h"
#include "vmzone/vm_folder.h"
#include "zoned/core/spec_toml.h"
#include "zoned/daemon/api.h"
#include "zoned/daemon/read_down.h"
#include "zoned/daemon/service_zones.h"

namespace zoned {

using base::Code;
using base::make_error;
using nlohmann::json;

namespace {

std::vector<std::string> strings(const json& value) {
  return value.get<std::vector<std::string>>();
}

bool concerns_ports(const std::string& key) {
  return key.starts_with("net.") || key.starts_with("firewall");
}

std::string file_name(const std::string& zone) { return zone + ".toml"; }

}  // namespace

void Api::list(Request request) {
  base::Status status;
  auto names = visible(request.caller, request.call.parameters["names"], &status);
  if (!status) return request.call.answer.fail(status.error());
  json zones = json::array();
  for (const std::string& name : names)
    zones.push_back(zone_members(*parts_.registry->find(name), request.caller));
  request.call.answer.reply({{"zones", std::move(zones)}});
}

void Api::info(Request request) {
  const Zone& zone = *request.zone;
  json facts = {{"id", zone.file.id}};
  std::string reads;
  for (const std::string& name : parts_.read_down->read_by(zone.name)) {
    const Zone* lower = parts_.registry->find(name);
    if (lower != nullptr && may_see(request.caller, *lower))
      reads += (reads.empty() ? "" : " ") + name;
  }
  if (!reads.empty()) facts["reads"] = reads;
  if (request.caller.root()) {
    facts["source"] = zone.file.source;
    const api::Paths& paths = parts_.registry->paths();
    facts["config-file"] = paths.etc + "/zones/" + file_name(zone.name);
    const std::string files = paths.lib + "/zones/" + zone.name;
    if (is_vm(zone)) {
      auto accelerator = vmzone::choose_accelerator(zone.spec.vm.accel, parts_.guests->kvm());
      bool kvm = accelerator && *accelerator == vmzone::Accelerator::kKvm;
      facts["machine"] = files + "/" + vmzone::kVmFolder;
      facts["accelerator"] = kvm ? "kvm" : "tcg";
    } else {
      facts["tree"] = files + "/root";
    }
    if (zone.record) {
      facts["first-host-id"] = std::to_string(zone.record->range_base);
      facts["keeper"] = std::to_string(zone.record->keeper);
      facts["boot-id"] = zone.record->boot_id;
    }
    facts["cpu-weight"] = std::to_string(zone.weight);
  }
  json reply = {{"zone", zone_members(zone, request.caller)}, {"facts", std::move(facts)}};
  // Paths of the host and secrets of the command: for those who may export it.
  if (request.caller.root()) reply["config"] = zone.config;
  request.call.answer.reply(std::move(reply));
}

void Api::create(Request request) {
  const json& parameters = request.call.parameters;
  const api::Answer& answer = request.call.answer;
  std::string name = parameters["name"].get<std::string>();
  auto make = [&]() -> base::Result<std::vector<std::string>> {
    TRY(base::check_name("zone", name));
    if (name == "global")
      return make_error(Code::kInvalid, "zone 'global' is the host itself", "choose another name");
    if (request.zone != nullptr)
      return make_error(Code::kExists, "zone " + base::quoted(name) + " exists already");
    TRY(check_free_name(name));
    TRY_AS(ZoneConfig config, core::take_config<core::ZoneSpec>(name, request.call.config));
    TRY_AS(core::Planned planned, runtime_->try_plan(config.spec, nullptr));
    TRY(parts_.registry->create_zone(name, config, false));
    return planned.warnings;
  };
  auto warnings = make();
  if (!warnings) return answer.fail(warnings.error());
  parts_.events->emit(name, "created");
  answer.reply({{"warnings", *warnings}});
}

void Api::set(Request request) {
  const std::string name = request.zone->name;
  const std::string before = request.zone->config;
  auto assignments = strings(request.call.parameters["assignments"]);
  auto shared = std::make_shared<Request>(std::move(request));
  parts_.parsers->edit(
      false, name, before, assignments, [this, shared, name, before](base::Result<json> told) {
        const api::Answer& answer = shared->call.answer;
        shared->zone = parts_.registry->find(name);
        if (shared->zone == nullptr) return answer.fail(no_such_zone(name));
        if (shared->zone->config != before)
          return answer.fail(make_error(
              Code::kBusy, "zone " + base::quoted(name) + ": somebody else changes it too",
              "try again"));
        if (!told) return answer.fail(told.error());
        replace_config(*shared, *told);
      });
}

void Api::configure(Request request) { replace_config(request, request.call.config); }

void Api::replace_config(const Request& request, const json& told) {
  Zone* zone = request.zone;
  const api::Answer& answer = request.call.answer;
  json changes = json::array();
  auto change = [&]() -> base::Result<std::vector<std::string>> {
    if (zone->ephemeral)
      return make_error(Code::kState, "zone " + base::quoted(zone->name) +
                                          " is ephemeral: it has no configuration to set");
    TRY_AS(ZoneConfig config, core::take_config<core::ZoneSpec>(zone->name, told));
    const core::ZoneSpec& spec = config.spec;
    TRY_AS(core::Planned planned, runtime_->try_plan(spec, zone));
    const core::ZoneSpec before = zone->spec;
    if (spec.brand != before.brand)
      return make_error(Code::kInvalid, "brand: a zone keeps the one that it was created with",
                        "create another zone");
    resource::Limits limits_before = runtime_->live_limits(*zone, before);
    resource::Limits limits = runtime_->live_limits(*zone, spec);
    bool running = zone->record && zone->state != State::kDown;
    const labels::Label label_before = zone->label;
    TRY_AS(bool ports_live, runtime_->configure(zone, config));
    if (zone->label != label_before) parts_.keepers->hang_up(*zone);
    for (const std::string& key : core::changed_keys(before, spec)) {
      bool live = core::is_live_key(key) && (ports_live || !concerns_ports(key));
      changes.push_back({{"key", key}, {"live", !running || live}});
    }
    if (!running) return planned.warnings;
    TRY(parts_.shares->update(zone));
    limits.cpu_weight = zone->weight;
    TRY_AS(auto writes, parts_.cgroups->plan_change(limits_before, limits, &planned.warnings));
    TRY(parts_.cgroups->apply(zone->record->pool, zone->name, writes));
    return planned.warnings;
  };
  auto warnings = change();
  if (!warnings) return answer.fail(warnings.error());
  parts_.events->emit(zone->name, "set", std::to_string(changes.size()) + " keys");
  answer.reply({{"changes", std::move(changes)}, {"warnings", *warnings}});
}

void Api::export_config(Request request) {
  request.call.answer.reply({{"config", request.zone->config}});
}

void Api::verify(Request request) {
  const json& parameters = request.call.parameters;
  auto check = [&]() -> base::Result<std::vector<std::string>> {
    std::string name = parameters["name"].get<std::string>();
    if (!has_parameter(parameters, "config")) {
      if (request.zone == nullptr) return no_such_zone(name);
      TRY(parts_.registry->check_label_text(*request.zone));
      TRY_AS(core::Planned planned, runtime_->try_plan(request.zone->spec, request.zone));
      return planned.warnings;
    }
    TRY_AS(ZoneConfig config, core::take_config<core::ZoneSpec>(name, request.call.config));
    TRY(resolve_grants(config.spec));
    TRY_AS(core::Planned planned, runtime_->try_plan(config.spec, request.zone));
    return planned.warnings;
  };
  auto warnings = check();
  if (!warnings) return request.call.answer.fail(warnings.error());
  request.call.answer.reply({{"warnings", *warnings}});
}

}  // namespace zoned
