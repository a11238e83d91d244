// Ports of running zones, changed.
#include <algorithm>
#include <optional>
#include <set>

#include "base/log.h"
#include "base/strings.h"
#include "netns/ruleset.h"
#include "netns/shape.h"
#include "zoned/daemon/networks.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using netns::PortPlan;

namespace {

template <typename Name>
const PortPlan* find_port(const std::vector<PortPlan>& ports, Name PortPlan::*by,
                          const Name& name) {
  auto place =
      std::find_if(ports.begin(), ports.end(), [&](const PortPlan& p) { return p.*by == name; });
  return place == ports.end() ? nullptr : &*place;
}

// What the plan says now, on the link that is there: what rules, caps and settings of the host's end
// carry out. Nothing when only a new link can.
std::optional<PortPlan> on_link(const PortPlan& link, PortPlan wanted) {
  wanted.host_name = link.host_name;
  wanted.metric = link.metric;
  wanted.routes = link.routes;
  PortPlan same = link;
  same.allowed = wanted.allowed;
  same.protections = wanted.protections;
  same.receive_bits = wanted.receive_bits;
  same.send_bits = wanted.send_bits;
  same.share = wanted.share;
  same.packets = wanted.packets;
  same.firewall = wanted.firewall;
  same.publish = wanted.publish;
  same.multilevel = wanted.multilevel;
  return same == wanted ? std::optional(std::move(wanted)) : std::nullopt;
}

bool same_table(const core::ZoneSpec& before, const core::ZoneSpec& spec, size_t index) {
  std::string name = core::port_name(spec, index);
  for (size_t i = 0; i < before.net.size(); ++i)
    if (core::port_name(before, i) == name) return before.net[i] == spec.net[index];
  return false;
}

// A guest's adapter, and an interface of the host's own.
bool only_at_boot(const PortPlan& port) {
  return port.kind == netns::PortKind::kTap || port.kind == netns::PortKind::kDevice;
}

base::Error waits(const PortPlan& port) {
  return make_error(Code::kUnsupported, "port " + base::quoted(port.name) + " waits for a boot");
}

}  // namespace

Result<std::vector<PortPlan>> Networks::plan_change(const Zone& zone, const core::ZoneSpec& before,
                                                    const core::ZoneSpec& spec) {
  auto it = live_.find(zone.name);
  const std::vector<PortPlan> live = it == live_.end() ? std::vector<PortPlan>() : it->second;
  TRY_AS(std::vector<PortPlan> ports, plan(zone, spec, true));
  std::vector<PortPlan*> anew;
  std::set<uint32_t> metrics;  // of links that stay
  for (size_t i = 0; i < ports.size(); ++i) {
    PortPlan& port = ports[i];
    const PortPlan* twin = find_port(live, &PortPlan::name, port.name);
    if (twin != nullptr && same_table(before, spec, i)) {
      netns::Firewall firewall = std::move(port.firewall);
      port = *twin;
      port.firewall = std::move(firewall);
    }
    auto kept = twin == nullptr ? std::nullopt : on_link(*twin, port);
    if (!kept) {
      if (only_at_boot(port)) return waits(port);
      anew.push_back(&port);
      continue;
    }
    port = *std::move(kept);
    metrics.insert(port.metric);
  }
  for (const PortPlan& port : live)
    if (only_at_boot(port) && !find_port(ports, &PortPlan::name, port.name)) return waits(port);
  for (PortPlan* port : anew) name_anew(zone.name, ports, port);
  uint32_t least = 0;  // behind those that come before it
  for (PortPlan& port : ports) {
    if (std::count(anew.begin(), anew.end(), &port) != 0) {
      port.metric = std::max(port.metric, least);
      while (!metrics.insert(port.metric).second) ++port.metric;
    }
    least = std::max(least, port.metric + 1);
  }
  TRY(write_leases(zone, ports));
  return ports;
}

// Not the name of a link that is there, be it the zone's own.
void Networks::name_anew(const std::string& zone, const std::vector<PortPlan>& ports,
                         PortPlan* port) const {
  auto taken = [this, &ports, port](const std::string& name) {
    for (const auto& [other, list] : live_)
      if (find_port(list, &PortPlan::host_name, name) != nullptr) return true;
    const PortPlan* other = find_port(ports, &PortPlan::host_name, name);
    return other != nullptr && other != port;
  };
  port->host_name = instance_.port_name(zone, port->name, taken);
}

Status Networks::change(const std::string& zone, const std::vector<PortPlan>& ports, int netns) {
  auto it = live_.find(zone);
  const std::vector<PortPlan> before = it == live_.end() ? std::vector<PortPlan>() : it->second;
  Status changed = move_to(zone, before, ports, netns);
  if (changed) return {};
  Status undone = move_to(zone, ports, before, netns);
  if (undone) return changed;
  base::Error error = std::move(changed).error();
  error.message += "; " + undone.error().message;
  return error;
}

// Also from half way between the two: what is gone already is, what is there stays.
Status Networks::move_to(const std::string& zone, const std::vector<PortPlan>& before,
                         const std::vector<PortPlan>& after, int netns) {
  TRY(need_kernel());
  if (after.empty()) {
    live_.erase(zone);
  } else {
    live_[zone] = after;
  }
  write_names_soon();
  bool known = labels_in_rules_ == numbers_.all().size();
  if (!known || !kernel_->nft.change_ports(instance_, before, after, numbers_.all()))
    TRY(apply_whole());
  for (const PortPlan& port : before) {
    if (find_port(after, &PortPlan::host_name, port.host_name) != nullptr) continue;
    TRY(netns::remove_port_links(kernel_->links, port));
  }
  TRY(remover_.make_way(after));
  for (const PortPlan& port : after) {
    if (port.kind == netns::PortKind::kDevice) continue;  // nothing of it is here
    if (!kernel_->links.find(port.host_name)) {
      TRY(netns::make_port(kernel_->links, port, netns));
      continue;
    }
    Status set = kernel_->links.configure_host_end(port);
    if (set && !shares(port))
      set = netns::set_caps(kernel_->links, port.host_name, port.receive_bits, port.send_bits);
    if (!set) return std::move(set).error().context("port " + base::quoted(port.name));
  }
  TRY(share(before));
  return share(after);
}

}  // namespace zoned
