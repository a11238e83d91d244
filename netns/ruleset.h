// The instance's packet filter as nft(8) text. Pure. One table name (Instance::table()) in the
// families inet, arp and, with a network of kind bridge or host-device, bridge. Rules are few and fixed; ports are
// elements of sets keyed by interface name, so adding or removing one costs the same for 10 or
// 10,000 ports. Only a port with a firewall has chains of its own.
//
// What holds (docs of each rule are in ruleset.cc):
// - A link named like a port of ours without elements: everything dropped, both directions.
// - Protections on what a port sends, before any other treatment of the packet (priority -450).
// - Zones of one network and label: yes. Different networks: `peers` only. Different labels: never,
//   but datagrams up to a multilevel port (labels::may_send); nothing comes back.
// - What is outside of a network, and the host's users but root: ports of that label only (`outward`).
// - The host's IP layer tells a zone nothing about addresses of zones that it does not reach: no
//   errors, no answers to ARP. Whether they run does not show.
// - host-device: a port and its macvlan share a bridge that is closed to the host (device.h).
// - isolated: neither host nor outside. nat: out with the host's address (masquerade); in only what
//   is published. routed: both.
// - A network's DHCP and DNS server is asked over its own port; no port may flood it.
// - The host from a zone: ping of the gateway and neighbour discovery; nothing else, but answers.
// - Publications are followed from outside, from the host itself (127.0.0.1 too) and from zones
//   that may reach the target directly (hairpin).
// Not ours: other base chains see the packets too, and a drop there is final (Docker and firewalld
// set the FORWARD policy to drop). Accept interfaces named Instance::prefix() + "*" there; Nft::
// forward_drops() names such chains.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "labels/label.h"
#include "netns/instance.h"
#include "netns/network.h"
#include "netns/port.h"

namespace netns {

// What the numbers of ports stand for. A label that is not in here reaches no multilevel port.
using LabelTable = std::map<uint32_t, labels::Label>;

// The whole table set in one transaction: takes away what is there under our name, counters too.
// log_group: RefusalLog::group(), which is told what ports were refused because of labels; 0: nobody is.
std::string whole_ruleset(const Instance& instance, const std::vector<Network>& networks,
                          const std::vector<PortPlan>& ports, const LabelTable& labels = {},
                          uint16_t log_group = 0);
// Deletes the tables; nothing there is success.
std::string no_ruleset(const Instance& instance);

// One port in or out, or those of a zone changed (counters of unchanged protections go on). The network must be in
// the tables. Removing what is not there fails (kNotFound) and changes nothing; fall back to
// whole_ruleset().
// labels: those that whole_ruleset() was told.
std::string add_port(const Instance& instance, const PortPlan& port, const LabelTable& labels = {});
std::string remove_port(const Instance& instance, const PortPlan& port,
                        const LabelTable& labels = {});
// All ports of a zone at once, so that what one gives up another may take; a port is known by its
// host name.
std::string change_ports(const Instance& instance, const std::vector<PortPlan>& before,
                         const std::vector<PortPlan>& after, const LabelTable& labels = {});

// A new network, or one whose peers or kind changed, needs whole_ruleset(); so does a new label.

// Names of the sets that count what they refused, as Nft::counters() tells them: the five
// protections, and "rate" (packets/s), "denied" (firewall, network or label, from the zone),
// "denied-in" (likewise, towards the zone).
inline constexpr std::string_view kCounterNames[] = {"mac-nospoof", "ip-nospoof", "dhcp-nospoof",
                                                     "ra-guard",    "restricted", "rate",
                                                     "denied",      "denied-in"};
// The set of a counter's name: "mac_nospoof".
std::string set_of_counter(std::string_view name);

}  // namespace netns
