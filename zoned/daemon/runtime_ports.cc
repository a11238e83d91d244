// Ports of a running zone, changed. What a crash leaves between the mark and its removal is finished
// at the next start from the configuration; the plan says what there is until then.

#include "base/log.h"
#include "base/strings.h"
#include "zoned/core/plan_json.h"
#include "zoned/daemon/fault.h"
#include "zoned/daemon/runtime.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;

Result<bool> Runtime::configure(Zone* zone, const ZoneConfig& config) {
  const core::ZoneSpec& spec = config.spec;
  const core::ZoneSpec& before = zone->spec;
  bool same = before.net == spec.net && before.firewall == spec.firewall &&
              before.firewall_in == spec.firewall_in && before.firewall_out == spec.firewall_out;
  bool running = zone->state == State::kRunning && zone->record && zone->record->pid != 0;
  if (same || !running) {
    TRY(parts_.registry->set_config(zone, config));
    if (!same) TRY(parts_.networks->release_unused(*zone));
    return same || !zone->record;
  }
  auto ports = parts_.networks->plan_change(*zone, before, spec);
  if (!ports && ports.error().code == Code::kUnsupported) {
    TRY(parts_.networks->lease_again(*zone));
    TRY(parts_.registry->set_config(zone, config));
    return false;
  }
  Status applied = ports ? apply_ports(zone, config, *ports) : Status(ports.error());
  if (!applied) {
    base::log_ignored("zone " + base::quoted(zone->name) + ": leases",
                      parts_.networks->lease_again(*zone));
    return std::move(applied).error().context("zone " + base::quoted(zone->name));
  }
  TRY(parts_.networks->release_unused(*zone));
  return true;
}

Status Runtime::apply_ports(Zone* zone, const ZoneConfig& config,
                            const std::vector<netns::PortPlan>& ports) {
  const ZoneConfig before{zone->config, zone->spec};
  TRY(fault_point("set.mark.before"));
  TRY(parts_.registry->set_changing(zone->name, true));
  auto act = [&]() -> Status {
    TRY(fault_point("set.mark.after"));
    TRY(fault_point("set.config.before"));
    TRY(parts_.registry->set_config(zone, config));
    TRY(fault_point("set.config.after"));
    return move_ports(zone, ports);
  };
  Status done = act();
  if (!done && zone->config != before.text)
    if (Status back = parts_.registry->set_config(zone, before); !back) {
      base::Error error = std::move(done).error();
      error.message += "; " + back.error().message;
      return error;  // stays marked
    }
  TRY(parts_.registry->set_changing(zone->name, false));
  return done;
}

Status Runtime::move_ports(Zone* zone, const std::vector<netns::PortPlan>& ports) {
  TRY_AS(auto plan, plan_of(zone));
  TRY_AS(UniqueFd netns, network_namespace(*zone->record));
  const std::vector<netns::PortPlan> before = plan->ports;
  auto keep = [&](const std::vector<netns::PortPlan>& now) -> Status {
    auto changed = std::make_shared<core::ZonePlan>(*plan);
    changed->ports = now;
    parts_.registry->remember_plan(zone, std::move(changed));
    return parts_.registry->write_plan(zone->name, core::to_json(*zone->plan));
  };
  TRY(fault_point("set.ports.before"));
  TRY(parts_.networks->change(zone->name, ports, netns.get()));
  Status kept = fault_point("set.ports.after");
  if (kept) kept = keep(ports);
  if (kept) return {};
  for (const Status& back :
       {parts_.networks->change(zone->name, before, netns.get()), keep(before)})
    base::log_ignored("zone " + base::quoted(zone->name) + ": ports", back);
  return kept;
}

void Runtime::finish_ports(Zone* zone) {
  if (!parts_.registry->changing(zone->name)) return;
  auto finish = [&]() -> Status {
    // None is taken for unchanged: links may be gone.
    TRY_AS(auto ports, parts_.networks->plan_change(*zone, {}, zone->spec));
    TRY(move_ports(zone, ports));
    TRY(parts_.networks->release_unused(*zone));
    return parts_.registry->set_changing(zone->name, false);
  };
  base::log_ignored("zone " + base::quoted(zone->name) + ": ports", finish());
}

}  // namespace zoned
