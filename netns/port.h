// A port: one end of a link in a zone's network namespace, the other on the host's side, with what
// is enforced there. The plan carries ports as data; a zone without ports has loopback alone.
// plan_port() takes every decision; nothing is computed again when the port is made.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "netns/address.h"
#include "netns/firewall.h"
#include "netns/instance.h"
#include "netns/network.h"

namespace netns {

// kMacvlan: a veth, bridged to a macvlan on an interface of the host (device.h).
// kTap: the port's other end is a guest's, behind a descriptor (links.h, make_tap).
// kDevice: an interface of the host, moved into the zone (device.h). It has no host end: nothing is
// enforced, and the fields below that describe one are empty.
enum class PortKind : uint8_t { kVeth, kMacvlan, kTap, kDevice };
std::string_view port_kind_name(PortKind kind);  // "veth", "macvlan", "tap", "device"
inline constexpr uint32_t kMaxTapMtu = 65521;    // 65,535 less an Ethernet header

struct Route {
  Prefix to;    // "0.0.0.0/0": default
  Address via;  // none: on the link
  bool operator==(const Route&) const = default;
};

// What the zone's side can't do, enforced on the host's side. All on; relaxed one by one by name.
struct Protections {
  bool mac_nospoof = true;   // other source MACs, in frames, in ARP
  bool ip_nospoof = true;    // other source addresses, in packets, in ARP and in ND
  bool dhcp_nospoof = true;  // answers of a DHCP server; a client asking with another MAC
  bool ra_guard = true;      // router advertisements, redirects (IPv6), whole or in fragments
  // Frames other than IPv4, IPv6 and ARP: VLAN tags, STP, LLDP, ... On a bridge; the host takes no
  // others from a link of its own anyway.
  bool restricted = true;
  bool operator==(const Protections&) const = default;
};
inline constexpr std::string_view kProtectionNames[] = {"mac-nospoof", "ip-nospoof", "dhcp-nospoof",
                                                        "ra-guard", "restricted"};
// Protections without the named ones; an unknown name is kInvalid with the nearest as hint.
base::Result<Protections> relaxed(const std::vector<std::string>& names);
// The inverse, in the order of kProtectionNames.
std::vector<std::string> relaxed_names(const Protections& protections);

struct PortPlan {
  std::string name;     // interface name inside the zone, 1..15 bytes (IFNAMSIZ - 1)
  std::string network;  // the network object it belongs to
  std::string mac;      // "02:00:00:00:00:01"; the zone's end. kDevice: may be empty, its own
  uint32_t mtu = 0;     // bytes

  PortKind kind = PortKind::kVeth;
  NetworkKind network_kind = NetworkKind::kRouted;
  std::string host_name;  // interface name on the host's side (Instance::port_name)
  std::string host_mac;   // the host's end
  std::string device;     // kind host-device: the interface of the host
  std::string bridge;     // kinds bridge, host-device: the host end is attached to it
  uint16_t vlan = 0;      // kind bridge: 1..4094; 0: untagged

  std::vector<Prefix> addresses;       // of the zone's end; /32 and /128 on point-to-point links
  std::vector<Address> gateways;       // of the zone: default routes, at most one of each family
  std::vector<Route> routes;           // more routes inside the zone
  uint32_t metric = 0;                 // of the default routes: the lowest of a zone's ports leads
  std::vector<Prefix> allowed;         // further sources, for ip_nospoof; the addresses always are
  std::vector<Prefix> host_addresses;  // of the host's end: the gateway's
  Protections protections;
  uint64_t receive_bits = 0;  // bits/s towards the zone; 0: no cap
  uint64_t send_bits = 0;     // bits/s from the zone; 0: no cap
  uint32_t share = 1;         // 1..65535: of its network's bandwidth, among busy ports (share.h)
  uint64_t packets = 0;       // packets/s from the zone; 0: no limit
  uint32_t label = 0;         // number of the zone's label; only equal numbers exchange packets
  bool outward = false;       // its label is that of the network's outside (Network::outside_label)
  std::vector<uint16_t> multilevel;  // UDP ports that dominated labels may send to, unanswered
  Firewall firewall;
  std::vector<Publish> publish;
  // The server that the zone asks for its IPv4 address; none: the address is set when the port is
  // made. Point-to-point links only.
  Address dhcp_server;
  // The server that tells the zone its first IPv6 address (dhcp6.h); none: nobody.
  Address dhcp6_server;
  bool serves_dhcp = false;  // the port of such servers
  bool operator==(const PortPlan&) const = default;
};

// What the zone's configuration says of one port, with addresses leased already.
struct PortRequest {
  std::string zone;
  std::string name;                 // empty: "net0"
  PortKind kind = PortKind::kVeth;  // kVeth or kTap; what the network makes of it is in the plan
  std::string mac;                  // empty: derived from instance, zone and port
  uint32_t mtu = 0;                 // 0: the network's
  std::vector<Address> addresses;   // leases in this network; bridge, host-device: may be none
  std::vector<Route> routes;
  uint32_t metric = 0;
  std::vector<Prefix> allowed;
  std::vector<std::string> relax;  // names of protections
  uint64_t receive_bits = 0;
  uint64_t send_bits = 0;
  uint32_t share = 1;
  uint64_t packets = 0;
  uint32_t label = 0;
  bool outward = false;
  std::vector<std::string> multilevel;  // "udp:514"
  Firewall firewall;
  std::vector<Publish> publish;
  bool dhcp = false;    // the zone asks for its IPv4 address
  Address dhcp_server;  // with dhcp
  Address dhcp6_server;
  bool serves_dhcp = false;
};

inline constexpr uint32_t kMaxShare = 65535;
inline constexpr uint64_t kMaxPackets = 1'000'000'000;  // per second

// Pure. Refuses with the setting's name first: a name too long, an MTU above the network's or too
// small for IPv6, an address outside of the network, a publication without an address of its
// family, a firewall on a bridge (bridged packets do not pass the host's IP layer), a cap out of
// range; what would join different labels: a publication or an interface of the host without
// `outward`, a multilevel port that needs answers; of an interface that moves into the zone: all that can't be enforced there, unless it is
// relaxed by name. `taken`: host names of other ports (see Instance::port_name).
base::Result<PortPlan> plan_port(const PortRequest& request, const Network& network,
                                 const Instance& instance,
                                 const std::function<bool(const std::string&)>& taken = {});
// Among the ports of one zone: the same name twice.
// Among all ports: duplicate MAC in one network, duplicate address, clashing publications, an
// interface that is moved (kBusy) or shared by different labels, a bridge of different labels where
// one may take another's hardware address (kDenied); names both ("zone 'web' port 'net0'" is the caller's key).
struct NamedPort {
  std::string owner;
  const PortPlan* plan = nullptr;
};
base::Status check_ports(const std::vector<NamedPort>& ports);
// Whether check_ports() compares anything of the two: to pick from many, without allocating.
bool may_clash(const PortPlan& a, const PortPlan& b);

}  // namespace netns
