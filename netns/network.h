// Networks: what zones are connected to. Pure: parsing, validation, JSON for the daemon's state.
//
// kind        zones of the network   host     outside                      how
// routed      yes                    gateway  both ways                    a /32 or /128 route for
// nat         yes                    gateway  out; in by publishing only   each zone on its own link:
// isolated    yes                    no       no                           no bridge, no port limit
// bridge      yes                    as the bridge is set up               a Linux bridge
// host-device mode=macvlan: yes      no       as the segment of `device`   a macvlan (device.h)
//             mode=move: the zone has the interface `device` itself, and nobody else does
//
// Zones of different networks do not reach each other, unless both networks name each other as
// `peers` (kinds routed and nat); labels must be equal then too.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "labels/label.h"
#include "netns/address.h"

namespace netns {

enum class NetworkKind : uint8_t { kRouted, kIsolated, kNat, kBridge, kHostDevice };
enum class DeviceMode : uint8_t { kMove, kMacvlan };
std::string_view kind_name(NetworkKind kind);  // "routed", ..., "host-device"
base::Result<NetworkKind> parse_kind(std::string_view text);

inline constexpr uint32_t kDefaultMtu = 1500;
inline constexpr uint32_t kMinMtu = 576;    // RFC 791; with an IPv6 subnet 1280 (RFC 8200)
inline constexpr uint32_t kMaxMtu = 65535;  // what a veth takes
// A bandwidth, of a network or of a port.
inline constexpr uint64_t kMinBits = 8'000;            // 1 kB/s
inline constexpr uint64_t kMaxBits = 400'000'000'000;  // 400 Gbit/s
// The gateway of every zone of the kinds routed, nat and isolated: the host's end of its own link.
inline constexpr std::string_view kGateway4 = "169.254.1.1";
inline constexpr std::string_view kGateway6 = "fe80::1";

struct Network {
  std::string name;  // base::check_name
  NetworkKind kind = NetworkKind::kRouted;
  std::vector<Prefix> subnets;          // leases come from these; bridge, host-device: may be none
  std::string bridge;                   // kind bridge: an existing bridge; empty: we make one
  std::string uplink;                   // kind bridge, our own bridge: an interface to attach
  uint16_t vlan = 0;                    // kind bridge: 1..4094; 0: untagged
  std::string device;                   // kind host-device: an interface of the host
  DeviceMode mode = DeviceMode::kMove;  // kind host-device
  // Kinds bridge and host-device: at most one of each family, inside a subnet.
  std::vector<Address> gateways;
  std::vector<std::string> peers;  // names of networks, see above
  std::vector<Address> dns;        // name servers of its zones; empty: the host's own
  uint32_t mtu = kDefaultMtu;      // bytes
  // bits/s that its ports share, each way (share.h); 0: no bound. Not with mode=move.
  uint64_t bandwidth = 0;
  // Of all that lies beyond its ports: other hosts, the host's users, name servers that are asked in
  // turn. Only zones of this label exchange packets with it. None: the encodings' default.
  std::optional<labels::Label> outside_label;
  bool operator==(const Network&) const = default;

  // DHCP and DNS are ours: nobody else is on its links. Elsewhere the segment may have its own.
  bool is_served() const {
    return is_point_to_point() ||
           (kind == NetworkKind::kBridge && bridge.empty() && uplink.empty());
  }
  // Zone-to-host link without a bridge (routed, nat, isolated).
  bool is_point_to_point() const {
    return kind != NetworkKind::kBridge && kind != NetworkKind::kHostDevice;
  }
};

using KeyValues = std::vector<std::pair<std::string, std::string>>;
// Keys: kind, subnet (may come several times, or with commas), bridge, uplink, vlan, device, mode
// (move, macvlan), gateway, peer, dns (these three as subnet), mtu, bandwidth (bits, "100M"), outside-label
// (labels::Label::encode()). Applies them over `base` (for
// `set`): a list key replaces the list; an empty value restores the default. The result has passed
// check().
base::Result<Network> parse_network(std::string_view name, const KeyValues& settings,
                                    const Network& base = {});
// The inverse: what is not at its default, in the order above. parse_network() of it is equal.
KeyValues settings_of(const Network& network);

// One network by itself: exact errors with the key first ("subnet: ...").
base::Status check(const Network& network);
// Against the others: overlapping subnets (names both), the same bridge and VLAN, the same interface
// of the host. `others` may hold
// the network itself (same name), which is skipped.
base::Status check_among(const Network& network, const std::vector<Network>& others);

// {"name", "kind", "subnets": [..], ...}; members at their default are left out.
nlohmann::json network_to_json(const Network& network);
// kInvalid for unknown members and wrong types; the result has passed check().
base::Result<Network> network_from_json(const nlohmann::json& value);

}  // namespace netns
