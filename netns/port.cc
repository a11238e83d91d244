#include "netns/port.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/strings.h"
#include "netns/lease.h"

namespace netns {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;

bool Protections::*const kMembers[] = {&Protections::mac_nospoof, &Protections::ip_nospoof,
                                       &Protections::dhcp_nospoof, &Protections::ra_guard,
                                       &Protections::restricted};

Status invalid(const std::string& text, const std::string& hint = {}) {
  return make_error(Code::kInvalid, text, hint);
}

Status set_name_and_mac(const PortRequest& request, const Instance& instance, PortPlan* plan) {
  plan->name = request.name.empty() ? "net0" : request.name;
  auto named = check_interface_name(plan->name);
  if (!named) return std::move(named).error().context("name");
  if (plan->name == "lo" || plan->name == "all" || plan->name == "default")
    return invalid("name: '" + plan->name + "' is taken by the kernel");
  Mac mac = instance.mac(request.zone, plan->name, "zone");
  if (!request.mac.empty()) {
    auto wanted = parse_mac(request.mac);
    if (!wanted) return std::move(wanted).error().context("mac");
    mac = *wanted;
  }
  bool own = plan->kind == PortKind::kDevice && request.mac.empty();
  plan->mac = own ? "" : mac_text(mac);
  plan->host_mac = mac_text(instance.mac(request.zone, plan->name, "host"));
  return {};
}

Status set_mtu(const PortRequest& request, const Network& network, PortPlan* plan) {
  plan->mtu = request.mtu == 0 ? network.mtu : request.mtu;
  std::string text = "mtu: " + std::to_string(plan->mtu);
  if (plan->mtu > network.mtu)
    return invalid(text + " is more than the " + std::to_string(network.mtu) + " of network '" +
                   network.name + "'");
  if (request.kind == PortKind::kTap && plan->mtu > kMaxTapMtu)
    return invalid(text + " is more than a tap takes, which is " + std::to_string(kMaxTapMtu));
  bool v6 = std::any_of(request.addresses.begin(), request.addresses.end(),
                        [](const Address& address) { return address.is_v6(); });
  if (plan->mtu < kMinMtu) return invalid(text + " is less than " + std::to_string(kMinMtu));
  if (v6 && plan->mtu < 1280) return invalid(text + " is too small for IPv6, which needs 1280");
  return {};
}

Status add_address(const Address& address, const Network& network, PortPlan* plan) {
  auto wanted = check_wanted(network, address);
  if (!wanted) return wanted;
  unsigned length = address.bits();
  for (const Prefix& subnet : network.subnets)
    if (!network.is_point_to_point() && subnet.contains(address)) length = subnet.length;
  for (const Prefix& other : plan->addresses)
    if (other.address == address) return invalid("address " + address.text() + " is given twice");
  plan->addresses.push_back({address, length});
  return {};
}

void add_gateways(const Network& network, PortPlan* plan) {
  for (Family family : {Family::kIpv4, Family::kIpv6}) {
    bool has = std::any_of(plan->addresses.begin(), plan->addresses.end(),
                           [&](const Prefix& own) { return own.address.family() == family; });
    if (!has) continue;
    if (!network.is_point_to_point()) {
      for (const Address& gateway : network.gateways)
        if (gateway.family() == family) plan->gateways.push_back(gateway);
      continue;
    }
    Address gateway = *Address::parse(family == Family::kIpv4 ? kGateway4 : kGateway6);
    plan->gateways.push_back(gateway);
    plan->host_addresses.push_back({gateway, gateway.is_v4() ? 32U : 64U});
  }
}

Status set_addresses(const PortRequest& request, const Network& network, PortPlan* plan) {
  if (request.addresses.empty() && network.is_point_to_point())
    return invalid("address: network '" + network.name + "' needs at least one");
  for (const Address& address : request.addresses) TRY(add_address(address, network, plan));
  add_gateways(network, plan);
  for (const Route& route : request.routes) {
    std::string text = "route " + route.to.text();
    if (!route.to.address.valid() || !route.to.is_network())
      return invalid(text + ": bits set after the prefix");
    if (route.via.valid() && route.via.family() != route.to.address.family())
      return invalid(text + ": gateway " + route.via.text() + " is of the other family");
    plan->routes.push_back(route);
  }
  for (const Prefix& prefix : request.allowed) {
    if (!prefix.address.valid() || !prefix.is_network())
      return invalid("allowed address " + prefix.text() + " has bits set after its prefix");
    // The kernel's sets take no interval inside another one.
    auto within = [&](const Prefix& other) {
      return other.length <= prefix.length && other.contains(prefix.address) && other != prefix;
    };
    bool covered = std::any_of(request.allowed.begin(), request.allowed.end(), within);
    if (!covered && std::count(plan->allowed.begin(), plan->allowed.end(), prefix) == 0)
      plan->allowed.push_back(prefix);
  }
  return {};
}

Status check_rate(const char* key, uint64_t value, uint64_t least, uint64_t most) {
  if (value == 0 || (value >= least && value <= most)) return {};
  return invalid(std::string(key) + ": " + std::to_string(value) + " is not in " +
                 std::to_string(least) + ".." + std::to_string(most));
}

Status set_rates(const PortRequest& request, PortPlan* plan) {
  TRY(check_rate("receive cap", request.receive_bits, kMinBits, kMaxBits));
  TRY(check_rate("send cap", request.send_bits, kMinBits, kMaxBits));
  if (request.share < 1 || request.share > kMaxShare)
    return invalid("bandwidth-share: " + std::to_string(request.share) + " is not in 1.." +
                   std::to_string(kMaxShare));
  TRY(check_rate("packet rate", request.packets, 1, kMaxPackets));
  plan->receive_bits = request.receive_bits;
  plan->send_bits = request.send_bits;
  plan->share = request.share;
  plan->packets = request.packets;
  return {};
}

// What lies outside of a network has one label, whatever is behind it.
base::Error outside_differs(const std::string& what, const Network& network) {
  return make_error(
      Code::kDenied,
      what + ": what is outside of network '" + network.name + "' has another label than the zone",
      "zone net set " + network.name + " outside-label=LABEL");
}

Status set_label(const PortRequest& request, const Network& network, PortPlan* plan) {
  plan->label = request.label;
  plan->outward = request.outward;
  if (!request.outward && network.kind == NetworkKind::kHostDevice)
    return outside_differs("label", network);
  for (const std::string& text : request.multilevel) {
    auto port = parse_multilevel(text);
    if (!port) return std::move(port).error().context("multilevel-port");
    if (!network.is_point_to_point())
      return make_error(Code::kUnsupported,
                        "multilevel-port: network '" + network.name + "' is of kind " +
                            std::string(kind_name(network.kind)) +
                            ", where a sender asks for the receiver's hardware address and the "
                            "answer would flow down",
                        "use a network of kind routed, nat or isolated");
    if (std::count(plan->multilevel.begin(), plan->multilevel.end(), *port) != 0)
      return invalid("multilevel-port: " + text + " is given twice");
    plan->multilevel.push_back(*port);
  }
  return {};
}

Status set_firewall(const PortRequest& request, const Network& network, PortPlan* plan) {
  if (!network.is_point_to_point() && (request.firewall.active() || !request.publish.empty()))
    return make_error(Code::kUnsupported,
                      std::string(request.firewall.active() ? "firewall" : "publish") +
                          ": network '" + network.name + "' is of kind " +
                          std::string(kind_name(network.kind)) +
                          ", whose packets do not pass the host's IP layer",
                      "use a network of kind routed or nat");
  for (size_t i = 0; i < request.firewall.rules.size(); ++i) {
    auto good = check(request.firewall.rules[i]);
    if (!good) return std::move(good).error().context("firewall rule " + std::to_string(i + 1));
  }
  for (size_t i = 0; i < request.publish.size(); ++i) {
    const Publish& publish = request.publish[i];
    std::string text = "publish " + publish_text(publish);
    if (network.kind == NetworkKind::kIsolated)
      return make_error(Code::kInvalid,
                        text + ": network '" + network.name + "' is isolated from the host");
    if (!request.outward) return outside_differs(text, network);
    if (std::none_of(plan->addresses.begin(), plan->addresses.end(), [&](const Prefix& own) {
          return own.address.family() == publish.host.family();
        }))
      return invalid(text + ": the port has no address of that family");
    for (size_t j = 0; j < i; ++j)
      if (clash(request.publish[j], publish))
        return invalid(text + ": clashes with " + publish_text(request.publish[j]));
  }
  plan->firewall = request.firewall;
  plan->publish = request.publish;
  return {};
}

constexpr std::string_view kKindNames[] = {"veth", "macvlan", "tap", "device"};

// An interface inside the zone is root's there: what is not relaxed by name would be missing in
// silence.
Status check_moved(const PortRequest& request, const Network& network) {
  const std::string other_mode = "zone net set " + network.name + " mode=macvlan";
  auto refuse = [&](const std::string& key, const std::string& hint) {
    return make_error(Code::kUnsupported,
                      key + ": network '" + network.name + "' moves interface '" + network.device +
                          "' into the zone, where nothing can be enforced",
                      hint);
  };
  if (request.kind == PortKind::kTap)
    return make_error(
        Code::kUnsupported,
        "network '" + network.name + "' moves an interface, and a guest can have none",
        "zone net set " + network.name + " mode=macvlan");
  if (request.receive_bits != 0 || request.send_bits != 0) return refuse("bandwidth", other_mode);
  if (request.share != 1) return refuse("bandwidth-share", other_mode);
  if (request.packets != 0) return refuse("packets", other_mode);
  std::vector<std::string> missing;
  for (std::string_view name : kProtectionNames)
    if (std::count(request.relax.begin(), request.relax.end(), name) == 0)
      missing.emplace_back(name);
  if (!missing.empty())
    return refuse(base::join(missing, ", "), "name these in relax, or: " + other_mode);
  return {};
}

// Zones on one interface reach each other below our rules: their labels must be equal.
Status check_devices(const std::vector<NamedPort>& ports) {
  std::map<std::string, const NamedPort*> devices;
  for (const NamedPort& port : ports) {
    if (port.plan->device.empty()) continue;
    auto [place, first] = devices.try_emplace(port.plan->device, &port);
    if (first) continue;
    const NamedPort& other = *place->second;
    std::string text = port.owner + ": interface '" + port.plan->device + "' ";
    if (port.plan->kind == PortKind::kDevice || other.plan->kind == PortKind::kDevice)
      return make_error(Code::kBusy, text + "belongs to " + other.owner,
                        "halt that zone first, or set mode=macvlan to share the interface");
    if (port.plan->label != other.plan->label)
      return make_error(Code::kDenied, text + "carries another label for " + other.owner);
  }
  return {};
}

// A bridge learns addresses for all of its ports, whatever their labels.
Status check_bridges(const std::vector<NamedPort>& ports) {
  std::map<std::string, const NamedPort*> first;
  std::map<std::string, const NamedPort*> loose;
  for (const NamedPort& port : ports) {
    const std::string& bridge = port.plan->bridge;
    if (port.plan->network_kind != NetworkKind::kBridge) continue;
    if (!port.plan->protections.mac_nospoof) loose.try_emplace(bridge, &port);
    first.try_emplace(bridge, &port);
  }
  for (const NamedPort& port : ports) {
    auto other = loose.find(port.plan->bridge);
    if (port.plan->network_kind != NetworkKind::kBridge || other == loose.end()) continue;
    const NamedPort& place = *first.at(port.plan->bridge);
    if (port.plan->label != place.plan->label)
      return make_error(Code::kDenied,
                        other->second->owner +
                            ": mac-nospoof is relaxed on a bridge that ports of "
                            "several labels share",
                        "keep it, or give each label a network of its own");
  }
  return {};
}

Status set_kind(const PortRequest& request, const Network& network, PortPlan* plan) {
  if (request.kind != PortKind::kVeth && request.kind != PortKind::kTap)
    return invalid("kind: a port is asked for as veth or tap");
  plan->kind = request.kind;
  plan->network_kind = network.kind;
  if (network.kind == NetworkKind::kBridge) {
    plan->vlan = network.vlan;
    plan->bridge = network.bridge;
  }
  if (network.kind != NetworkKind::kHostDevice) return {};
  plan->device = network.device;
  if (network.mode == DeviceMode::kMove) {
    TRY(check_moved(request, network));
    plan->kind = PortKind::kDevice;
  } else if (request.kind == PortKind::kVeth) {
    plan->kind = PortKind::kMacvlan;
  }
  return {};
}

Status set_dhcp(const PortRequest& request, const Network& network, PortPlan* plan) {
  plan->serves_dhcp = request.serves_dhcp;
  plan->dhcp6_server = request.dhcp6_server;
  if (!request.dhcp) return {};
  if (!network.is_served())
    return make_error(Code::kUnsupported,
                      "dhcp: network '" + network.name + "' is of kind " +
                          std::string(kind_name(network.kind)) +
                          " with others on its segment, which may have its own",
                      "use a network of kind routed, nat or isolated, or a bridge of ours without "
                      "uplink");
  auto first = std::find_if(network.subnets.begin(), network.subnets.end(),
                            [](const Prefix& subnet) { return subnet.address.is_v4(); });
  auto is_v4 = [](const Prefix& own) { return own.address.is_v4(); };
  if (std::count_if(plan->addresses.begin(), plan->addresses.end(), is_v4) != 1)
    return invalid("dhcp: the port needs one IPv4 address");
  auto own = std::find_if(plan->addresses.begin(), plan->addresses.end(), is_v4);
  if (first == network.subnets.end() || !first->contains(own->address))
    return invalid("dhcp: address " + own->address.text() +
                   " is not in the network's first IPv4 subnet");
  plan->dhcp_server = request.dhcp_server;
  return {};
}

void set_bridge(const Network& network, const Instance& instance, PortPlan* plan) {
  if (plan->kind == PortKind::kDevice) return;
  if (network.kind == NetworkKind::kHostDevice) {
    plan->bridge = segment_name(plan->host_name);
  } else if (network.kind == NetworkKind::kBridge && plan->bridge.empty()) {
    plan->bridge = instance.bridge_name(network.name);
  }
}

}  // namespace

std::string_view port_kind_name(PortKind kind) { return kKindNames[static_cast<size_t>(kind)]; }

Result<Protections> relaxed(const std::vector<std::string>& names) {
  Protections result;
  for (const std::string& name : names) {
    auto place = std::find(std::begin(kProtectionNames), std::end(kProtectionNames), name);
    if (place == std::end(kProtectionNames)) {
      std::vector<std::string> offered(std::begin(kProtectionNames), std::end(kProtectionNames));
      std::string near = base::nearest(name, offered);
      return make_error(
          Code::kInvalid, "unknown protection " + base::quoted(name),
          near.empty() ? "one of " + base::join(offered, ", ") : "did you mean '" + near + "'?");
    }
    result.*kMembers[place - std::begin(kProtectionNames)] = false;
  }
  return result;
}

std::vector<std::string> relaxed_names(const Protections& protections) {
  std::vector<std::string> names;
  for (size_t i = 0; i < std::size(kMembers); ++i)
    if (!(protections.*kMembers[i])) names.emplace_back(kProtectionNames[i]);
  return names;
}

Result<PortPlan> plan_port(const PortRequest& request, const Network& network,
                           const Instance& instance,
                           const std::function<bool(const std::string&)>& taken) {
  PortPlan plan;
  plan.network = network.name;
  TRY(set_kind(request, network, &plan));
  TRY(set_label(request, network, &plan));
  plan.metric = request.metric;
  TRY(set_name_and_mac(request, instance, &plan));
  plan.host_name = instance.port_name(request.zone, plan.name, taken);
  set_bridge(network, instance, &plan);
  TRY(set_mtu(request, network, &plan));
  TRY(set_addresses(request, network, &plan));
  TRY(set_rates(request, &plan));
  TRY_AS(plan.protections, relaxed(request.relax));
  TRY(set_firewall(request, network, &plan));
  TRY(set_dhcp(request, network, &plan));
  return plan;
}

bool may_clash(const PortPlan& a, const PortPlan& b) {
  if (a.network == b.network && a.mac == b.mac) return true;
  if (!a.device.empty() && a.device == b.device) return true;
  if (!a.bridge.empty() && a.bridge == b.bridge) return true;
  if (!a.publish.empty() && !b.publish.empty()) return true;
  return std::any_of(a.addresses.begin(), a.addresses.end(), [&b](const Prefix& own) {
    return std::any_of(b.addresses.begin(), b.addresses.end(),
                       [&own](const Prefix& other) { return other.address == own.address; });
  });
}

Status check_ports(const std::vector<NamedPort>& ports) {
  TRY(check_devices(ports));
  TRY(check_bridges(ports));
  std::map<std::tuple<std::string, std::string>, std::string> macs;
  std::map<Address, std::string> addresses;
  std::map<std::tuple<Protocol, uint16_t, Family>, std::vector<std::pair<Publish, std::string>>>
      published;
  for (const NamedPort& port : ports) {
    auto used = [&](const std::string& what, const std::string& other) {
      return make_error(Code::kExists, port.owner + ": " + what + " belongs to " + other);
    };
    auto [mac, new_mac] = macs.try_emplace({port.plan->network, port.plan->mac}, port.owner);
    if (!new_mac && !port.plan->mac.empty()) return used("mac " + port.plan->mac, mac->second);
    for (const Prefix& own : port.plan->addresses) {
      auto [address, new_address] = addresses.try_emplace(own.address, port.owner);
      if (!new_address) return used("address " + own.address.text(), address->second);
    }
    for (const Publish& publish : port.plan->publish) {
      auto& same = published[{publish.protocol, publish.host_port, publish.host.family()}];
      for (const auto& [other, owner] : same)
        if (clash(publish, other))
          return used("the published " + publish_text(publish),
                      owner + " (" + publish_text(other) + ")");
      same.emplace_back(publish, port.owner);
    }
  }
  return {};
}

}  // namespace netns
