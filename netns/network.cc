#include "netns/network.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/bits.h"
#include "base/strings.h"
#include "netns/instance.h"

namespace netns {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using nlohmann::json;

constexpr std::string_view kKindNames[] = {"routed", "isolated", "nat", "bridge", "host-device"};
constexpr std::string_view kModeNames[] = {"move", "macvlan"};
const std::vector<std::string>& keys() {
  static const std::vector<std::string> kKeys = {
      "kind",    "subnet", "bridge", "uplink", "vlan",      "device",       "mode",
      "gateway", "peer",   "dns",    "mtu",    "bandwidth", "outside-label"};
  return kKeys;
}

base::Error unknown(const std::string& what, std::string_view word,
                    const std::vector<std::string>& candidates) {
  std::string near = base::nearest(word, candidates);
  return make_error(
      Code::kInvalid, "unknown " + what + " " + base::quoted(word),
      near.empty() ? "one of " + base::join(candidates, ", ") : "did you mean '" + near + "'?");
}

Result<DeviceMode> parse_mode(const std::string& text) {
  for (size_t i = 0; i < std::size(kModeNames); ++i)
    if (kModeNames[i] == text) return static_cast<DeviceMode>(i);
  return unknown("mode", text, {std::begin(kModeNames), std::end(kModeNames)});
}

// One list key may come several times; the first occurrence empties the list.
class Settings {
 public:
  explicit Settings(Network* network) : network_(*network) {}

  Status apply(const std::string& key, const std::string& value) {
    Status status = set(key, value);
    if (!status && std::count(keys().begin(), keys().end(), key) != 0)
      return std::move(status).error().context(key);
    return status;
  }

 private:
  bool first(const std::string& key) {
    bool seen = std::count(seen_.begin(), seen_.end(), key) != 0;
    seen_.push_back(key);
    return !seen;
  }

  template <typename T, typename Parse>
  Status list(const std::string& key, const std::string& value, std::vector<T>* into, Parse parse) {
    if (first(key)) into->clear();
    if (value.empty()) return {};
    for (const std::string& part : base::split(value, ',')) {
      TRY_AS(T item, parse(base::trim(part)));
      into->push_back(std::move(item));
    }
    return {};
  }

  Status set(const std::string& key, const std::string& value) {
    const Network kDefault;
    if (key == "subnet") return list(key, value, &network_.subnets, Prefix::parse_network);
    if (key == "gateway") return list(key, value, &network_.gateways, Address::parse);
    if (key == "dns") return list(key, value, &network_.dns, Address::parse);
    if (key == "peer")
      return list(key, value, &network_.peers, [](std::string_view text) -> Result<std::string> {
        TRY(base::check_name("network", text));
        return std::string(text);
      });
    if (std::count(keys().begin(), keys().end(), key) == 0) return unknown("key", key, keys());
    if (!first(key)) return make_error(Code::kInvalid, "given twice");
    if (key == "kind") {
      network_.kind = kDefault.kind;
      if (!value.empty()) {
        TRY_AS(network_.kind, parse_kind(value));
      }
    } else if (key == "bridge") {
      network_.bridge = value;
    } else if (key == "uplink") {
      network_.uplink = value;
    } else if (key == "device") {
      network_.device = value;
    } else if (key == "mode") {
      network_.mode = kDefault.mode;
      if (!value.empty()) {
        TRY_AS(network_.mode, parse_mode(value));
      }
    } else if (key == "vlan") {
      TRY_AS(uint64_t vlan, value.empty() ? uint64_t{0} : base::parse_uint(value, 1, 4094));
      network_.vlan = static_cast<uint16_t>(vlan);
    } else if (key == "outside-label") {
      network_.outside_label.reset();
      if (!value.empty()) {
        TRY_AS(network_.outside_label, labels::Label::decode(value));
      }
    } else if (key == "bandwidth") {
      TRY_AS(network_.bandwidth, value.empty() ? uint64_t{0} : base::parse_bits(value));
      if (network_.bandwidth == 0 && !value.empty())
        return make_error(Code::kInvalid, "0 lets nothing pass",
                          "an empty value takes the bound away");
    } else {
      TRY_AS(uint64_t mtu,
             value.empty() ? uint64_t{kDefaultMtu} : base::parse_uint(value, kMinMtu, kMaxMtu));
      network_.mtu = static_cast<uint32_t>(mtu);
    }
    return {};
  }

  Network& network_;
  std::vector<std::string> seen_;
};

Status check_subnets(const Network& network) {
  for (size_t i = 0; i < network.subnets.size(); ++i) {
    const Prefix& subnet = network.subnets[i];
    auto refuse = [&](const std::string& why) {
      return make_error(Code::kInvalid, "subnet: " + subnet.text() + " " + why);
    };
    if (!subnet.address.valid() || subnet.length > subnet.address.bits() || !subnet.is_network())
      return refuse("has bits set after its prefix");
    if (subnet.length == 0) return refuse("is the whole address space");
    if (subnet.address.is_multicast()) return refuse("is for multicast");
    if (subnet.address.is_loopback() || subnet.overlaps(*Prefix::parse("127.0.0.0/8")))
      return refuse("is for loopback");
    if (subnet.overlaps(*Prefix::parse("169.254.0.0/16")) ||
        subnet.overlaps(*Prefix::parse("fe80::/10")))
      return refuse("is for link-local addresses, where the gateways of zones are");
    if (subnet.address.is_v4() && subnet.address.data()[0] == 0) return refuse("is reserved");
    for (size_t j = 0; j < i; ++j)
      if (subnet.overlaps(network.subnets[j]))
        return refuse("overlaps " + network.subnets[j].text() + " of the same network");
  }
  bool has_v6 = std::any_of(network.subnets.begin(), network.subnets.end(),
                            [](const Prefix& subnet) { return subnet.address.is_v6(); });
  if (has_v6 && network.mtu < 1280)
    return make_error(Code::kInvalid, "mtu: " + std::to_string(network.mtu) +
                                          " is too small for IPv6, which needs 1280");
  return {};
}

Status check_gateways(const Network& network) {
  for (size_t i = 0; i < network.gateways.size(); ++i) {
    const Address& gateway = network.gateways[i];
    auto holds = [&](const Prefix& subnet) { return subnet.contains(gateway); };
    if (std::none_of(network.subnets.begin(), network.subnets.end(), holds) &&
        !(gateway.is_v6() && gateway.is_link_local()))
      return make_error(Code::kInvalid,
                        "gateway: " + gateway.text() + " is in no subnet of the network");
    for (size_t j = 0; j < i; ++j)
      if (network.gateways[j].family() == gateway.family())
        return make_error(Code::kInvalid, "gateway: " + network.gateways[j].text() + " and " +
                                              gateway.text() + " are of one family");
  }
  return {};
}

// Keys that only some kinds have.
Status check_kind_keys(const Network& network) {
  bool bridge = network.kind == NetworkKind::kBridge;
  bool device = network.kind == NetworkKind::kHostDevice;
  auto refuse = [&](const std::string& key, const std::string& hint) {
    return make_error(
        Code::kInvalid,
        key + ": a network of kind " + std::string(kind_name(network.kind)) + " has none", hint);
  };
  for (auto [key, set] :
       {std::pair("bridge", !network.bridge.empty()), std::pair("uplink", !network.uplink.empty()),
        std::pair("vlan", network.vlan != 0)})
    if (set && !bridge) return refuse(key, "set kind=bridge");
  for (auto [key, set] : {std::pair("device", !network.device.empty()),
                          std::pair("mode", network.mode != Network().mode)})
    if (set && !device) return refuse(key, "set kind=host-device");
  if (!network.gateways.empty() && !bridge && !device)
    return refuse("gateway", "the gateway is the host's end of each zone's own link");
  return {};
}

Status check_links(const Network& network) {
  for (const std::string* name : {&network.bridge, &network.uplink, &network.device})
    if (!name->empty()) TRY(check_interface_name(*name));
  if (!network.bridge.empty() && !network.uplink.empty())
    return make_error(Code::kInvalid, "uplink: the bridge '" + network.bridge + "' has its own",
                      "leave out bridge= to have one made, or uplink=");
  if (network.vlan > 4094) return make_error(Code::kInvalid, "vlan: not in 1..4094");
  if (network.kind != NetworkKind::kHostDevice) return {};
  if (network.device.empty())
    return make_error(Code::kInvalid, "device: a network of kind host-device needs one",
                      "set device=eth1: an interface of the host");
  if (network.device == "lo")
    return make_error(Code::kInvalid, "device: 'lo' is in every zone already");
  return {};
}

Status check_bandwidth(const Network& network) {
  if (network.bandwidth == 0) return {};
  if (network.bandwidth < kMinBits || network.bandwidth > kMaxBits)
    return make_error(Code::kInvalid, "bandwidth: " + base::format_bits(network.bandwidth) +
                                          " is not in " + base::format_bits(kMinBits) + ".." +
                                          base::format_bits(kMaxBits));
  if (network.kind == NetworkKind::kHostDevice && network.mode == DeviceMode::kMove)
    return make_error(Code::kUnsupported,
                      "bandwidth: interface '" + network.device +
                          "' moves into a zone, where nothing can be enforced",
                      "set mode=macvlan");
  return {};
}

// What a zone could ask: one that is the host itself answers nobody there.
Status check_name_servers(const Network& network) {
  for (const Address& server : network.dns)
    if (server.is_loopback() || server.is_unspecified() || server.is_multicast() ||
        server.is_link_local())
      return make_error(Code::kInvalid, "dns: zones can't reach " + server.text(),
                        "name a server by an address that is routed");
  return {};
}

}  // namespace

std::string_view kind_name(NetworkKind kind) { return kKindNames[static_cast<size_t>(kind)]; }

Result<NetworkKind> parse_kind(std::string_view text) {
  for (size_t i = 0; i < std::size(kKindNames); ++i)
    if (kKindNames[i] == text) return static_cast<NetworkKind>(i);
  return unknown("kind", text, {std::begin(kKindNames), std::end(kKindNames)});
}

Result<Network> parse_network(std::string_view name, const KeyValues& settings,
                              const Network& base) {
  Network network = base;
  network.name = name;
  Settings apply(&network);
  for (const auto& [key, value] : settings) TRY(apply.apply(key, value));
  TRY(check(network));
  return network;
}

KeyValues settings_of(const Network& network) {
  KeyValues settings;
  if (network.kind != NetworkKind::kRouted) settings.emplace_back("kind", kind_name(network.kind));
  for (const Prefix& subnet : network.subnets) settings.emplace_back("subnet", subnet.text());
  if (!network.bridge.empty()) settings.emplace_back("bridge", network.bridge);
  if (!network.uplink.empty()) settings.emplace_back("uplink", network.uplink);
  if (network.vlan != 0) settings.emplace_back("vlan", std::to_string(network.vlan));
  if (!network.device.empty()) settings.emplace_back("device", network.device);
  if (network.mode != Network().mode)
    settings.emplace_back("mode", kModeNames[static_cast<size_t>(network.mode)]);
  for (const Address& gateway : network.gateways) settings.emplace_back("gateway", gateway.text());
  for (const std::string& peer : network.peers) settings.emplace_back("peer", peer);
  for (const Address& server : network.dns) settings.emplace_back("dns", server.text());
  if (network.mtu != kDefaultMtu) settings.emplace_back("mtu", std::to_string(network.mtu));
  if (network.bandwidth != 0)
    settings.emplace_back("bandwidth", base::format_bits(network.bandwidth));
  if (network.outside_label)
    settings.emplace_back("outside-label", network.outside_label->encode());
  return settings;
}

Status check(const Network& network) {
  TRY(base::check_name("network", network.name));
  if (network.mtu < kMinMtu || network.mtu > kMaxMtu)
    return make_error(Code::kInvalid, "mtu: " + std::to_string(network.mtu) + " is not in " +
                                          std::to_string(kMinMtu) + ".." + std::to_string(kMaxMtu));
  TRY(check_subnets(network));
  TRY(check_kind_keys(network));
  TRY(check_links(network));
  TRY(check_gateways(network));
  TRY(check_name_servers(network));
  TRY(check_bandwidth(network));
  if (network.subnets.empty() && network.is_point_to_point())
    return make_error(
        Code::kInvalid,
        "subnet: a network of kind " + std::string(kind_name(network.kind)) + " needs one",
        "set subnet=10.1.0.0/16, or subnet=fd00:1::/64, or both");
  if (!network.peers.empty() && network.kind != NetworkKind::kRouted &&
      network.kind != NetworkKind::kNat)
    return make_error(
        Code::kInvalid,
        "peer: a network of kind " + std::string(kind_name(network.kind)) + " has none",
        "peers are for the kinds routed and nat");
  for (size_t i = 0; i < network.peers.size(); ++i) {
    TRY(base::check_name("network", network.peers[i]));
    if (network.peers[i] == network.name)
      return make_error(Code::kInvalid, "peer: '" + network.name + "' is the network itself");
    if (std::count(network.peers.begin(), network.peers.end(), network.peers[i]) > 1)
      return make_error(Code::kInvalid, "peer: '" + network.peers[i] + "' is given twice");
  }
  return {};
}

Status check_among(const Network& network, const std::vector<Network>& others) {
  for (const Network& other : others) {
    if (other.name == network.name) continue;
    for (const Prefix& subnet : network.subnets)
      for (const Prefix& theirs : other.subnets)
        if (subnet.overlaps(theirs))
          return make_error(Code::kExists,
                            "subnet: " + subnet.text() + " overlaps " + theirs.text() +
                                " of network '" + other.name + "'",
                            "choose another; 'zone net list' shows all");
    if (network.kind == NetworkKind::kBridge && other.kind == NetworkKind::kBridge &&
        !network.bridge.empty() && network.bridge == other.bridge && network.vlan == other.vlan)
      return make_error(Code::kExists,
                        "bridge: '" + network.bridge +
                            (network.vlan == 0 ? "'" : "' vlan " + std::to_string(network.vlan)) +
                            " belongs to network '" + other.name + "'",
                        "set another vlan=");
    for (auto [key, own] :
         {std::pair("uplink", &network.uplink), std::pair("device", &network.device)})
      if (!own->empty() && (*own == other.uplink || *own == other.device))
        return make_error(Code::kExists, std::string(key) + ": '" + *own +
                                             "' belongs to network '" + other.name + "'");
  }
  return {};
}

json network_to_json(const Network& network) {
  json value = {{"name", network.name}};
  for (const auto& [key, text] : settings_of(network)) {
    if (key == "subnet" || key == "gateway" || key == "peer" || key == "dns") {
      value[key == "dns" ? key : key + "s"].push_back(text);
    } else if (key == "vlan" || key == "mtu") {
      value[key] = key == "vlan" ? network.vlan : network.mtu;
    } else {
      value[key] = text;
    }
  }
  return value;
}

Result<Network> network_from_json(const json& value) {
  auto refuse = [](const std::string& why) {
    return make_error(Code::kInvalid, "network: " + why);
  };
  if (!value.is_object()) return refuse("not an object");
  std::string name;
  KeyValues settings;
  for (const auto& [key, item] : value.items()) {
    if (key == "name" && item.is_string()) {
      name = item.get<std::string>();
    } else if (key == "subnets" || key == "gateways" || key == "peers" || key == "dns") {
      if (!item.is_array()) return refuse("member '" + key + "' is not a list");
      for (const json& part : item) {
        if (!part.is_string()) return refuse("member '" + key + "' does not hold texts");
        settings.emplace_back(key == "dns" ? key : key.substr(0, key.size() - 1),
                              part.get<std::string>());
      }
    } else if ((key == "vlan" || key == "mtu") && item.is_number_unsigned()) {
      settings.emplace_back(key, std::to_string(item.get<uint64_t>()));
    } else if ((key == "kind" || key == "bridge" || key == "uplink" || key == "device" ||
                key == "mode" || key == "bandwidth" || key == "outside-label") &&
               item.is_string()) {
      settings.emplace_back(key, item.get<std::string>());
    } else {
      return refuse("member " + base::quoted(key) + " is unknown or of the wrong type");
    }
  }
  auto network = parse_network(name, settings);
  if (!network) return std::move(network).error().context("network " + base::quoted(name));
  return network;
}

}  // namespace netns
