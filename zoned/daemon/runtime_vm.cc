// Brand vm: what its boot does differently. The rest of its life is every zone's.
#include <nlohmann/json.hpp>

#include "base/strings.h"
#include "zoned/daemon/boot.h"

namespace zoned {

using base::Result;
using base::Status;

namespace {

// A guest's adapters keep their addresses: those of its hardware.
core::ZoneSpec with_macs(core::ZoneSpec spec, const vmzone::Hardware& hardware) {
  for (size_t i = 0; i < spec.net.size(); ++i)
    for (const vmzone::PinnedNic& nic : hardware.nics)
      if (nic.name == core::port_name(spec, i)) spec.net[i].mac = nic.mac;
  return spec;
}

}  // namespace

Result<vmzone::PlannedVm> Runtime::plan_machine(const core::ZoneSpec& spec, const Zone& zone,
                                                core::IdRange ids, const std::string& boot_id,
                                                bool keep) {
  TRY_AS(vmzone::Accelerator accelerator,
         vmzone::choose_accelerator(spec.vm.accel, parts_.guests->kvm()));
  TRY_AS(vmzone::Hardware hardware, parts_.guests->hardware(zone, spec, keep));
  core::PlanInputs inputs{
      spec,  *parts_.host, {},    ids, boot_id, zone.weight, parts_.cgroups,
      false, false,        false, {},  {},      zone.label,  parts_.encodings->name_of(zone.label)};
  TRY_AS(inputs.ports, parts_.networks->plan(zone, with_macs(spec, hardware), keep));
  TRY_AS(uint64_t largest_file, parts_.guests->largest_file(zone, spec, hardware));
  return vmzone::plan_vm({inputs, hardware, accelerator, largest_file});
}

Status Runtime::plan_vm(Boot* boot) {
  Zone* zone = boot->zone;
  TRY_AS(vmzone::PlannedVm planned,
         plan_machine(zone->spec, *zone, {zone->record->range_base}, boot->boot_id, true));
  boot->planned = std::move(planned.planned);
  boot->machine = std::move(planned.machine);
  zone->record->console = true;
  zone->record->log_size = boot->planned.plan.log_size;
  return {};
}

Status Runtime::collect_vm(Boot* boot) {
  TRY_AS(auto passed, parts_.guests->open(*boot->zone, *boot->machine));
  for (Guests::Passed& item : passed) boot->pass(std::move(item.name), std::move(item.fd));
  return {};
}

// The VMM has exec'd; the zone is running once its guest is.
void Runtime::start_guest(const std::shared_ptr<Boot>& boot, KeeperReply reply) {
  Zone* zone = parts_.registry->find(boot->name);
  zone->record->pid = reply.body.value("pid", 0);
  zone->record->start_time = reply.body.value("start_time", uint64_t{0});
  auto kept = std::make_shared<KeeperReply>(std::move(reply));
  parts_.guests->start(*zone, [this, boot, kept](Status started) {
    const Zone* target = parts_.registry->find(boot->name);
    if (target == nullptr || !target->record || target->record->boot_id != boot->boot_id)
      return boot->done(base::make_error(
          base::Code::kState, "zone " + base::quoted(boot->name) + " was halted while it booted"));
    if (started) return running(boot, std::move(*kept));
    failed(boot, std::move(started).error().context("zone " + base::quoted(boot->name)));
  });
}

Result<core::Planned> Runtime::try_plan_vm(const core::ZoneSpec& spec, const Zone* zone) {
  TRY(check_pool(spec));
  constexpr uint32_t kAnyRange = 524288;
  bool installed = zone != nullptr && zone->file.state == State::kInstalled;
  if (!installed) {  // no hardware yet: only what does not depend on it
    Zone trial;
    trial.name = spec.name;
    if (zone != nullptr) trial.file = zone->file;
    TRY_AS(trial.label, parts_.registry->label_for(spec, zone));
    core::PlanInputs inputs{spec,
                            *parts_.host,
                            {},
                            {kAnyRange},
                            std::string(32, '0'),
                            0,
                            parts_.cgroups,
                            false,
                            false,
                            false,
                            {},
                            {},
                            trial.label,
                            parts_.encodings->name_of(trial.label)};
    TRY_AS(inputs.ports, parts_.networks->plan(trial, spec, false));
    return core::plan_common(inputs);
  }
  TRY_AS(vmzone::PlannedVm planned,
         plan_machine(spec, *zone, {kAnyRange}, std::string(32, '0'), false));
  return std::move(planned.planned);
}

resource::Limits Runtime::live_limits(const Zone& zone, const core::ZoneSpec& spec) {
  if (!is_vm(zone)) return core::limits_of(spec, zone.weight);
  // The machine is the one that runs.
  core::ZoneSpec live = spec;
  live.vm = zone.spec.vm;
  auto planned = plan_machine(live, zone, {}, std::string(32, '0'), false);
  return core::limits_of(planned ? vmzone::with_vm_limits(live, planned->machine) : live,
                         zone.weight);
}

}  // namespace zoned
