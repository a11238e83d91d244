// Networks and the ports of zones.
#include "base/strings.h"
#include "netns/ruleset.h"
#include "zoned/daemon/api.h"
#include "zoned/daemon/name_service.h"
#include "zoned/daemon/prepared.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using nlohmann::json;

namespace {

// "KEY=VALUE": a TOML string may stand quoted, as the shell hands it on from a configuration.
Result<netns::KeyValues> settings_of(const json& assignments) {
  netns::KeyValues settings;
  for (const json& item : assignments) {
    std::string text = item.get<std::string>();
    size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return make_error(Code::kInvalid, base::quoted(text, 200) + " is not KEY=VALUE",
                        "such as subnet=10.1.2.0/24");
    settings.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return settings;
}

// What an administrator should know of this host once it has networks.
std::vector<std::string> host_warnings(const Parts& parts) {
  std::vector<std::string> warnings;
  for (const core::HostCheck& check : parts.networks->checks())
    warnings.push_back(check.detail + "; fix: " + check.fix);
  return warnings;
}

}  // namespace

json Api::network_members(const netns::Network& network, const Caller& caller) const {
  json subnets = json::array();
  for (const netns::Prefix& subnet : network.subnets) subnets.push_back(subnet.text());
  uint64_t connected = 0;
  for (const auto& [zone, ports] : parts_.networks->live()) {
    if (!sees(caller, zone)) continue;
    for (const netns::PortPlan& port : ports) connected += port.network == network.name ? 1 : 0;
  }
  // Leases last as long as their zones, seen or not: others than root learn of live ports alone.
  uint64_t leases = caller.root() ? parts_.networks->leases(network.name) : connected;
  return {{"name", network.name},
          {"kind", netns::kind_name(network.kind)},
          {"subnets", std::move(subnets)},
          {"leases", leases},
          {"ports", connected}};
}

void Api::net_create(Request request) {
  const json& parameters = request.call.parameters;
  std::string name = parameters["name"].get<std::string>();
  auto make = [&]() -> base::Status {
    TRY_AS(auto settings, settings_of(parameters["settings"]));
    return parts_.networks->create(name, settings);
  };
  if (base::Status made = make(); !made) return request.call.answer.fail(made.error());
  parts_.events->emit("", "network", name + " created");
  request.call.answer.reply({{"warnings", host_warnings(parts_)}});
}

void Api::net_set(Request request) {
  const json& parameters = request.call.parameters;
  std::string name = parameters["name"].get<std::string>();
  auto change = [&]() -> base::Status {
    TRY_AS(auto settings, settings_of(parameters["settings"]));
    return parts_.networks->set(name, settings);
  };
  if (base::Status changed = change(); !changed) return request.call.answer.fail(changed.error());
  parts_.events->emit("", "network", name + " set");
  request.call.answer.reply({{"warnings", host_warnings(parts_)}});
}

void Api::net_list(Request request) {
  json networks = json::array();
  for (const netns::Network& network : parts_.networks->all())
    networks.push_back(network_members(network, request.caller));
  request.call.answer.reply({{"networks", std::move(networks)}});
}

void Api::net_info(Request request) {
  std::string name = request.call.parameters["name"].get<std::string>();
  const netns::Network* network = parts_.networks->find(name);
  if (network == nullptr) return request.call.answer.fail(no_such_network(name));
  json settings = json::array();
  for (const auto& [key, value] : parts_.networks->settings_of(*network))
    settings.push_back(key + "=" + value);
  request.call.answer.reply(
      {{"network", network_members(*network, request.caller)}, {"settings", std::move(settings)}});
}

// Its servers go first: zones of ours that nobody else could delete without a gap.
void Api::net_delete(Request request) {
  std::string name = request.call.parameters["name"].get<std::string>();
  auto servers = name_services_of(*parts_.registry, *parts_.networks, name);
  if (base::Status unused = parts_.networks->check_unused(name, servers); !unused)
    return request.call.answer.fail(unused.error());
  delete_network(name, request.call.answer, {});
}

void Api::delete_network(const std::string& name, const api::Answer& answer,
                         const base::Status& so_far) {
  if (!so_far) return answer.fail(so_far.error());
  auto servers = name_services_of(*parts_.registry, *parts_.networks, name);
  if (servers.empty()) {
    if (base::Status removed = parts_.networks->remove(name); !removed)
      return answer.fail(removed.error());
    if (parts_.networks->all().empty()) parts_.prepared->drop_links();
    parts_.events->emit("", "network", name + " deleted");
    return answer.reply(json::object());
  }
  std::string server = servers.front();
  Callback next = [this, name, answer](const base::Status& removed) {
    delete_network(name, answer, removed);
  };
  Callback remove = [this, server, next](const base::Status& halted) {
    Zone* target = parts_.registry->find(server);
    if (!halted || target == nullptr) return next(halted);
    installer_->remove(target, next);
  };
  Zone* zone = parts_.registry->find(server);
  if (!zone->record && zone->restart_timer == 0) return remove({});
  runtime_->halt(zone, remove);
}

void Api::net_ports(Request request) {
  base::Status status;
  auto names = visible(request.caller, request.call.parameters["names"], &status);
  if (!status) return request.call.answer.fail(status.error());
  auto traffic = parts_.networks->traffic();
  if (!traffic) return request.call.answer.fail(traffic.error());
  json ports = json::array();
  for (const std::string& name : names) {
    auto live = parts_.networks->live().find(name);
    if (live == parts_.networks->live().end()) continue;
    for (const netns::PortPlan& port : live->second) {
      json addresses = json::array();
      for (const netns::Prefix& address : port.addresses)
        addresses.push_back(address.address.text());
      json refused = json::object();
      if (auto counters = parts_.networks->refused(port); counters)
        for (const auto& [counter, count] : *counters) refused[counter] = count.packets;
      Networks::Traffic seen = (*traffic)[port.host_name];
      ports.push_back({{"zone", name},
                       {"name", port.name},
                       {"network", port.network},
                       {"mac", port.mac},
                       {"mtu", port.mtu},
                       {"addresses", std::move(addresses)},
                       {"rx_bytes", seen.receive_bytes},
                       {"tx_bytes", seen.send_bytes},
                       {"rx_packets", seen.receive_packets},
                       {"tx_packets", seen.send_packets},
                       {"refused", std::move(refused)}});
      if (request.caller.root()) ports.back()["host_name"] = port.host_name;
    }
  }
  request.call.answer.reply({{"ports", std::move(ports)}});
}

}  // namespace zoned
