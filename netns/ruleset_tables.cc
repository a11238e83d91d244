#include "netns/ruleset_tables.h"

#include <algorithm>
#include <string_view>

namespace netns {
namespace {

// In the texts below $P is the prefix of our ports, $M of our macvlans, $A of all our links.
std::string filled(std::string_view text, const Instance& instance) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$') {
      result += text[i];
      continue;
    }
    char what = text[++i];
    result += what == 'P'   ? instance.port_prefix()
              : what == 'M' ? instance.macvlan_prefix()
                            : instance.prefix();
  }
  return result;
}

// Sets of both inet and bridge: what a port may send, and what it may not (with counters: a port is
// in the set of a protection exactly when that protection is on).
constexpr std::string_view kSourceSets = R"(
  counter unknown { }
  set ports { type ifname; }
  map entry { type ifname : verdict; }
  set mac_ok { type ifname . ether_addr; }
  set ip4_ok { type ifname . ipv4_addr; }
  set ip6_ok { type ifname . ipv6_addr; }
  set net4_ok { type ifname . ipv4_addr; flags interval; }
  set net6_ok { type ifname . ipv6_addr; flags interval; }
  set nd_ok { typeof iifname . @th,64,128; }
  set chaddr_ok { typeof iifname . @th,288,48; }
  set rate_limit { type ifname; limit rate over 1000000000/second; }
  set mac_nospoof { type ifname; counter; }
  set ip_nospoof { type ifname; counter; }
  set dhcp_nospoof { type ifname; counter; }
  set ra_guard { type ifname; counter; }
  set rate { type ifname; counter; }
  set denied { type ifname; counter; }
  set denied_in { type ifname; counter; }
  map domain { type ifname : verdict; }
  set outward { type ifname; }
)";

// DHCP: a server's answers come from port 67 (547); a client's request carries its hardware address
// 28 bytes into the message (RFC 2131). A fragment may hide what it carries, and neither neighbour
// discovery (RFC 6980) nor DHCPv6 needs fragments: none from or to link-local addresses.
constexpr std::string_view kSourceChains = R"(
  chain from_limited_port {
    iifname @rate_limit iifname @rate drop
    goto from_port
  }
  chain from_ip4 {
    udp sport 67 iifname @dhcp_nospoof drop
    udp dport 67 iifname . @th,288,48 != @chaddr_ok iifname @dhcp_nospoof drop
    ip saddr 0.0.0.0 udp dport 67 return
    iifname . ip saddr @ip4_ok return
    iifname . ip saddr @net4_ok return
    iifname @ip_nospoof drop
  }
  chain from_ip6 {
    udp sport 547 iifname @dhcp_nospoof drop
    ip6 daddr fe80::/10 exthdr frag exists iifname @dhcp_nospoof drop
    ip6 saddr fe80::/10 exthdr frag exists iifname @ra_guard drop
    icmpv6 type { nd-router-advert, nd-redirect } iifname @ra_guard drop
    icmpv6 type nd-neighbor-advert iifname . @th,64,128 != @nd_ok iifname @ip_nospoof drop
    ip6 saddr :: icmpv6 type { nd-neighbor-solicit, mld-listener-report, mld2-listener-report } return
    iifname . ip6 saddr @ip6_ok return
    iifname . ip6 saddr @net6_ok return
    iifname @ip_nospoof drop
  }
  chain deny_from {
    iifname @denied drop
    drop
  }
  chain deny_to {
    oifname @denied_in drop
    drop
  }
)";

// What was refused because of a label; who did it is told to refusal_log.h, at a bounded rate.
constexpr std::string_view kInetRefusals = R"(
  chain deny_label {
    jump tell
    goto deny_from
  }
)";

// What a segment carries to everybody, or to somebody whose place it does not know, passes by all
// ports: tried was what is for the port's own address.
constexpr std::string_view kBridgeRefusals = R"(
  chain deny_label {
    oifname . ip daddr @ip4_ok jump tell
    oifname . ip daddr @net4_ok jump tell
    oifname . ip6 daddr @ip6_ok jump tell
    oifname . ip6 daddr @net6_ok jump tell
    oifname . arp daddr ip @ip4_ok jump tell
    icmpv6 type nd-neighbor-solicit oifname . @th,64,128 @nd_ok jump tell
    oifname != "$P*" meta pkttype != { broadcast, multicast } jump tell
    goto deny_from
  }
)";

// The first limit is each port's, so that one does not take what another needs to be told of.
std::string telling(const Instance& instance, uint16_t log_group) {
  if (log_group == 0) return "  chain tell { }\n";
  return "  set told { type ifname; size 65535; flags dynamic,timeout; timeout 1m; }\n"
         "  chain tell {\n"
         "    update @told { iifname limit rate 5/second burst 10 packets } "
         "limit rate 100/second burst 100 packets log prefix \"" +
         instance.table() + "\" group " + std::to_string(log_group) + " snaplen 128\n  }\n";
}

constexpr std::string_view kInetSets = R"(
  set plain { type ifname; }
  set plain4 { type ipv4_addr; }
  set plain6 { type ipv6_addr; }
  set isolated { type ifname; }
  set nat { type ifname; }
  set self4 { type ipv4_addr . ipv4_addr; }
  set self6 { type ipv6_addr . ipv6_addr; }
  map errors { type ifname : verdict; }
  map firewall_in { type ifname : verdict; }
  map firewall_out { type ifname : verdict; }
  map publish4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
  map publish6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }
  map publish4_any { type inet_proto . inet_service : ipv4_addr . inet_service; }
  map publish6_any { type inet_proto . inet_service : ipv6_addr . inet_service; }
)";

// DHCP over links that share no segment (RFC 2131): what a client sends to everybody goes from its
// leased address to its network's server as an ordinary packet of IP, which then passes where
// packets between zones pass. The server answers to that address, and the neighbour entry of the
// link knows the hardware. An answer to everybody finds its port by the hardware address that it
// carries; a client that asked for it so (the flag in the message) gets it so.
// Router solicitations and DHCPv6 likewise: they leave the link under the leased address, and answers
// come to the client's link-local address from its gateway's, as from a neighbour (RFC 4861: hop limit
// 255), whoever sent them.
constexpr std::string_view kInetDhcp = R"(
  set dhcp_servers { type ifname; }
  map dhcp_source { type ifname : ipv4_addr; }
  map dhcp_server { type ifname : ipv4_addr; }
  map dhcp_hardware { typeof ip saddr . @th,288,48 : ip daddr; }
  set dhcp_rate { type ifname; size 65535; flags dynamic,timeout; timeout 1m; }
  map dhcp6_source { type ifname : ipv6_addr; }
  map dhcp6_server { type ifname : ipv6_addr; }
  map dhcp6_local { type ipv6_addr : ipv6_addr; }
  set ask_rate { type ifname; size 65535; flags dynamic,timeout; timeout 1m; }
  chain dhcp_to_all {
    iifname @dhcp_servers udp sport 67 ip daddr set ip saddr . @th,288,48 map @dhcp_hardware meta pkttype set unicast return
    udp dport != 67 return
    update @dhcp_rate { iifname limit rate over 5/second burst 20 packets } goto deny_from
    ip saddr set iifname map @dhcp_source ip daddr set iifname map @dhcp_server meta pkttype set unicast
  }
  chain guide_to_all {
    icmpv6 type nd-router-solicit goto guide
    udp sport 546 udp dport 547 goto guide
  }
  chain guide {
    update @dhcp_rate { iifname limit rate over 5/second burst 20 packets } goto deny_from
    ip6 saddr set iifname map @dhcp6_source ip6 daddr set iifname map @dhcp6_server ip6 hoplimit set 64 meta pkttype set unicast
  }
  chain ask {
    update @ask_rate { iifname limit rate over 500/second burst 500 packets } goto deny_from
    udp sport 68 udp dport 67 accept
    udp sport 546 udp dport 547 accept
    icmpv6 type nd-router-solicit accept
  }
  chain dhcp_answers {
    type filter hook postrouting priority 300; policy accept;
    iifname @dhcp_servers udp sport 67 udp dport 68 @th,144,1 1 ip daddr set 255.255.255.255
    iifname @dhcp_servers icmpv6 type nd-router-advert jump guide_answer
    iifname @dhcp_servers udp sport 547 udp dport 546 jump guide_answer
  }
  chain guide_answer {
    ip6 daddr set ip6 daddr map @dhcp6_local ip6 saddr set fe80::1 ip6 hoplimit set 255
  }
)";

// -450: before defragmentation (-400) and connection tracking (-200), so that no state is made for
// what is refused. Packets between ports without firewall and publications need no tracking.
// 127.0.0.0/8 is routable on links of published ports (route_localnet): never from a zone.
constexpr std::string_view kInetSources = R"(
  chain prerouting {
    type filter hook prerouting priority -450; policy accept;
    iifname != "$P*" accept
    iifname vmap @entry
    counter name unknown drop
  }
  chain from_port {
    iifname . ether saddr != @mac_ok iifname @mac_nospoof drop
    ip daddr 127.0.0.0/8 goto deny_from
    meta protocol vmap { ip : jump from_ip4, ip6 : jump from_ip6 }
    ip daddr 255.255.255.255 jump dhcp_to_all
    ip6 daddr { ff02::2, ff02::1:2 } jump guide_to_all
    iifname @plain ip daddr @plain4 notrack
    iifname @plain ip6 daddr @plain6 notrack
  }
)";

// A domain's chain lets pass to its members, which are known ports.
constexpr std::string_view kInetForward = R"(
  chain forward {
    type filter hook forward priority 0; policy accept;
    iifname != "$P*" oifname != "$P*" accept
    iifname vmap @domain
    iifname != "$P*" jump to_port
    oifname @dhcp_servers iifname "$P*" jump ask
    iifname @dhcp_servers udp sport 67 udp dport 68 accept
    iifname @dhcp_servers udp sport 547 udp dport 546 accept
    iifname @dhcp_servers icmpv6 type nd-router-advert accept
    ct state established,related accept
    iifname vmap @firewall_out
    oifname vmap @firewall_in
  }
  chain to_port {
    oifname != @ports counter name unknown drop
    oifname @isolated goto deny_to
    oifname != @outward goto deny_to
    oifname != @nat return
    ct state established,related return
    ct status dnat return
    goto deny_to
  }
)";

// Neighbour discovery must pass whatever the kind; errors of the host's IP layer, such as
// "fragmentation needed", belong to traffic between zones of an isolated network too. But an error
// about an address of a zone tells whether that runs. Of the host's users only root is above labels.
constexpr std::string_view kInetHost = R"(
  chain host_errors {
    oifname vmap @errors
    oifname != @outward drop
    jump hidden
    accept
  }
  chain input {
    type filter hook input priority 0; policy accept;
    iifname != "$A*" accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, mld-listener-done, mld2-listener-report } accept
    icmpv6 type nd-router-solicit drop
    iifname @isolated goto deny_from
    ct state established,related accept
    iifname vmap @firewall_out
    ip daddr 169.254.1.1 icmp type echo-request accept
    ip6 daddr fe80::1 icmpv6 type echo-request accept
    goto deny_from
  }
  chain output {
    type filter hook output priority 0; policy accept;
    oifname != "$P*" accept
    oifname != @ports counter name unknown drop
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } goto host_errors
    icmp type { destination-unreachable, time-exceeded, parameter-problem } goto host_errors
    oifname @isolated goto deny_to
    ct state established,related accept
    meta skuid != 0 oifname != @outward goto deny_to
    oifname vmap @firewall_in
  }
)";

// The source stays as it is, but for two that the zone could not answer: the host's loopback, and
// the zone's own address.
constexpr std::string_view kInetNat = R"(
  chain publish {
    dnat ip to ip daddr . meta l4proto . th dport map @publish4
    dnat ip6 to ip6 daddr . meta l4proto . th dport map @publish6
    fib daddr type local dnat ip to meta l4proto . th dport map @publish4_any
    fib daddr type local dnat ip6 to meta l4proto . th dport map @publish6_any
  }
  chain publish_from_outside {
    type nat hook prerouting priority -100; policy accept;
    jump publish
  }
  chain publish_from_host {
    type nat hook output priority -100; policy accept;
    ip6 daddr ::1 accept
    jump publish
  }
  chain sources {
    type nat hook postrouting priority 100; policy accept;
    iifname @nat oifname != "$P*" masquerade
    oifname != "$P*" accept
    ip saddr 127.0.0.0/8 snat ip to 169.254.1.1
    ip saddr . ip daddr @self4 snat ip to 169.254.1.1
    ip6 saddr . ip6 daddr @self6 snat ip6 to fe80::1
  }
)";

// input: what is for the host itself. Replies of the host's ARP go out by the same link anyway.
constexpr std::string_view kArp = R"(
  counter unknown { }
  set ports { type ifname; }
  set mac_ok { type ifname . ether_addr; }
  set ip4_ok { type ifname . ipv4_addr; }
  set net4_ok { type ifname . ipv4_addr; flags interval; }
  set mac_nospoof { type ifname; counter; }
  set ip_nospoof { type ifname; counter; }
  map domain { type ifname : verdict; }
  chain input {
    type filter hook input priority -450; policy accept;
    iifname != "$P*" accept
    iifname != @ports counter name unknown drop
    iifname . ether saddr != @mac_ok iifname @mac_nospoof drop
    iifname . arp saddr ether != @mac_ok iifname @mac_nospoof drop
    iifname vmap @domain
    arp saddr ip 0.0.0.0 accept
    iifname . arp saddr ip @ip4_ok accept
    iifname . arp saddr ip @net4_ok accept
    iifname @ip_nospoof drop
  }
)";

// The bridge's own interface is outside of the network: the host may forward what it gets there.
// What is on a segment (device.h) with the host's interface is no matter of the host's IP.
// VLAN tags are refused like every other kind of frame: the VLAN of a port is the bridge's matter.
constexpr std::string_view kBridge = R"(
  set restricted { type ifname; counter; }
  set segment { type ifname; }
  chain from_arp {
    iifname . arp saddr ether != @mac_ok iifname @mac_nospoof drop
    arp saddr ip 0.0.0.0 return
    iifname . arp saddr ip @ip4_ok return
    iifname . arp saddr ip @net4_ok return
    iifname @ip_nospoof drop
  }
  chain prerouting {
    type filter hook prerouting priority -450; policy accept;
    iifname != "$P*" accept
    iifname vmap @entry
    counter name unknown drop
  }
  chain from_port {
    iifname . ether saddr != @mac_ok iifname @mac_nospoof drop
    ether type != { ip, ip6, arp } iifname @restricted drop
    ether type vmap { ip : jump from_ip4, ip6 : jump from_ip6, arp : jump from_arp }
  }
  chain forward {
    type filter hook forward priority 0; policy accept;
    oifname "$P*" oifname != @ports counter name unknown drop
    iifname vmap @domain
    iifname != "$P*" oifname "$P*" oifname != @outward goto deny_to
  }
  chain output {
    type filter hook output priority 0; policy accept;
    oifname "$P*" oifname != @ports counter name unknown drop
    oifname "$P*" oifname != @outward goto deny_to
  }
  chain input {
    type filter hook input priority 0; policy accept;
    iifname @segment drop
    iifname "$M*" drop
    iifname "$P*" iifname != @outward goto deny_from
  }
)";

std::string table(const char* family, const Instance& instance, const std::string& body) {
  return std::string("table ") + family + " " + instance.table() + " {" + filled(body, instance) +
         "}\n";
}

std::string number(const uint8_t* bytes, size_t size) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text = "0x";
  for (size_t i = 0; i < size; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

}  // namespace

std::string payload_number(const Address& address) {
  return number(address.data(), address.bits() / 8);
}

std::string payload_number(const Mac& mac) { return number(mac.data(), mac.size()); }

std::string inet_table(const Instance& instance, const std::vector<Network>& networks,
                       const std::set<Domain>& domains, uint16_t log_group) {
  std::string body(kSourceSets);
  for (std::string_view part : {kInetSets, kSourceChains, kInetDhcp}) body += part;
  body += telling(instance, log_group);
  body += kInetRefusals;
  body += inet_domains(instance, networks, domains);
  for (std::string_view part : {kInetSources, kInetForward, kInetHost, kInetNat}) body += part;
  return table("inet", instance, body);
}

std::string arp_table(const Instance& instance, const std::vector<Network>& networks,
                      const std::set<Domain>& domains) {
  return table("arp", instance, arp_domains(networks, domains) + std::string(kArp));
}

std::string bridge_table(const Instance& instance, const std::vector<Network>& networks,
                         const std::set<Domain>& domains, uint16_t log_group) {
  std::string body(kSourceSets);
  body += kSourceChains;
  body += telling(instance, log_group);
  body += kBridgeRefusals;
  body += bridge_domains(instance, networks, domains);
  body += kBridge;
  return table("bridge", instance, body);
}

}  // namespace netns
