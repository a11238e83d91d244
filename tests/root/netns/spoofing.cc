// Each trick: with the protection on, the port's counter rises and nothing arrives; with that one
// protection relaxed by name, the same bytes arrive. In a routed network and on a bridge, for each
// kind of port.
#include <netinet/in.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <set>

#include "tests/root/netns/frames.h"
#include "tests/root/netns/world.h"

namespace {

using frames::Bytes;
using netns::Address;
using netns::Mac;
using netns::PortKind;
using netns::Protections;

struct Trick {
  std::string what;
  std::string protection;
  bool Protections::*member;
  std::vector<Bytes> frames;
};

Address at(const char* text) { return *Address::parse(text); }

class Arena {
 public:
  Arena(const std::string& kind, PortKind port) : bridged_(kind != "routed") {
    netns::KeyValues settings = {{"kind", kind}, {"subnet", "10.1.0.0/16,fd00:1::/64"}};
    if (kind == "host-device") {
      segment_ = world.nic();
      settings.insert(settings.end(), {{"device", "nic0"}, {"mode", "macvlan"}});
    }
    world.network("net", settings);
    a = &world.zone("attacker", "net", [port](netns::PortRequest& r) { r.kind = port; });
    b = &world.zone("target", "net");
    from = std::make_unique<Wire>(*a);
    seen_by = std::make_unique<Wire>(*b);
    own = frames::mac_of(a->port.mac);
    next = frames::mac_of(bridged_ ? b->port.mac : a->port.host_mac);
  }

  Bytes to_target(uint16_t type, const Bytes& packet) const {
    return frames::ethernet(next, own, type, packet);
  }
  // Packets go the same way in order: when the control has arrived, the others have or never will.
  void control() {
    std::string text = "control-" + std::to_string(++controls_);
    from->send(
        to_target(frames::kIpv4, frames::udp(a->address4(), b->address4(), 1000, 1000, text)));
    REQUIRE_FALSE(seen_by->await(text).empty());
  }

  World world;
  Zone* a;
  Zone* b;
  std::unique_ptr<Wire> from;
  std::unique_ptr<Wire> seen_by;
  Mac own;
  Mac next;

 private:
  base::UniqueFd segment_;
  bool bridged_;
  int controls_ = 0;
};

const Mac kForged = {2, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb};
constexpr char kFlood = 100;
const char* const kMark = "MARK-OF-THE-TRICK";

// What works in both kinds of network.
std::vector<Trick> common_tricks(const Arena& arena) {
  Address own4 = arena.a->address4();
  Address own6 = arena.a->address6();
  Address to4 = arena.b->address4();
  Address to6 = arena.b->address6();
  Address forged4 = at("10.1.200.200");
  Address forged6 = at("fd00:1::dead");
  const Bytes mark = kMark;
  const Bytes padding(16, '\0');
  auto v4 = [&](const Bytes& packet) { return arena.to_target(frames::kIpv4, packet); };
  auto v6 = [&](const Bytes& packet) { return arena.to_target(frames::kIpv6, packet); };
  auto all = [](const auto& wrap, const std::vector<Bytes>& packets) {
    std::vector<Bytes> result;
    for (const Bytes& packet : packets) result.push_back(wrap(packet));
    return result;
  };
  Bytes discover = Bytes("\x01\x01\x06\x00", 4) + Bytes(24, '\0') + frames::bytes_of(kForged) +
                   Bytes(10, '\0') + mark;
  Bytes forged_target = Bytes("\x60\x00\x00\x00", 4) + frames::bytes_of(to6) + mark;
  Bytes router = Bytes("\x40\x00\x07\x08", 4) + Bytes(8, '\0') + mark;
  Bytes redirect = Bytes(4, '\0') + frames::bytes_of(forged6) + frames::bytes_of(to6) + mark;
  auto mac = &Protections::mac_nospoof;
  auto ip = &Protections::ip_nospoof;
  auto dhcp = &Protections::dhcp_nospoof;
  auto ra = &Protections::ra_guard;
  std::vector<Trick> tricks;
  tricks.push_back({"source MAC of another",
                    "mac-nospoof",
                    mac,
                    {frames::ethernet(arena.next, kForged, frames::kIpv4,
                                      frames::udp(own4, to4, 1000, 1000, mark))}});
  tricks.push_back({"IPv4 source of another",
                    "ip-nospoof",
                    ip,
                    {v4(frames::udp(forged4, to4, 1000, 1000, mark))}});
  tricks.push_back({"IPv6 source of another",
                    "ip-nospoof",
                    ip,
                    {v6(frames::udp(forged6, to6, 1000, 1000, mark))}});
  tricks.push_back(
      {"IPv4 fragments of another's", "ip-nospoof", ip,
       all(v4, frames::fragments(frames::udp(forged4, to4, 1000, 1000, padding + mark), 16))});
  tricks.push_back(
      {"IPv6 fragments of another's", "ip-nospoof", ip,
       all(v6, frames::fragments(frames::udp(forged6, to6, 1000, 1000, padding + mark), 16))});
  tricks.push_back({"neighbour advertisement of another's address",
                    "ip-nospoof",
                    ip,
                    {v6(frames::icmpv6(own6, to6, 136, forged_target))}});
  tricks.push_back({"answer of a DHCP server",
                    "dhcp-nospoof",
                    dhcp,
                    {v4(frames::udp(own4, to4, 67, 68, mark))}});
  tricks.push_back({"answer of a DHCPv6 server",
                    "dhcp-nospoof",
                    dhcp,
                    {v6(frames::udp(own6, to6, 547, 546, mark))}});
  tricks.push_back({"DHCP request for another MAC",
                    "dhcp-nospoof",
                    dhcp,
                    {v4(frames::udp(own4, to4, 68, 67, discover))}});
  std::vector<Bytes> starvation;
  for (char i = 0; i < kFlood; ++i) {
    Bytes request = discover;
    request[33] = i;  // the last byte of the client's hardware address
    starvation.push_back(v4(frames::udp(own4, to4, 68, 67, request)));
  }
  tricks.push_back({"DHCP starvation", "dhcp-nospoof", dhcp, starvation});
  std::vector<Bytes> flood;
  for (char i = 0; i < kFlood; ++i)
    flood.push_back(frames::ethernet(arena.next, {2, 0xbb, 0, 0, 0, static_cast<uint8_t>(i)},
                                     frames::kIpv4, frames::udp(own4, to4, 1000, 1000, mark)));
  tricks.push_back({"flood of MACs", "mac-nospoof", mac, flood});
  tricks.push_back(
      {"router advertisement", "ra-guard", ra, {v6(frames::icmpv6(own6, to6, 134, router))}});
  tricks.push_back({"redirect", "ra-guard", ra, {v6(frames::icmpv6(own6, to6, 137, redirect))}});
  return tricks;
}

// What only a bridge would carry.
std::vector<Trick> bridge_tricks(const Arena& arena) {
  Address own4 = arena.a->address4();
  Address local = netns::link_local_of(arena.own);
  Address all_nodes = at("ff02::1");
  const Mac multicast = {0x33, 0x33, 0, 0, 0, 1};
  const Mac everybody = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  const Bytes mark = kMark;
  auto v6 = [&](const Bytes& packet) {
    return frames::ethernet(multicast, arena.own, frames::kIpv6, packet);
  };
  Bytes router = Bytes("\x40\x00\x07\x08", 4) + Bytes(8, '\0') + mark;
  Bytes packet = frames::udp(own4, arena.b->address4(), 1000, 1000, mark);
  Bytes tagged = Bytes("\x00\x07\x08\x00", 4) + packet;
  auto fragments = frames::fragments(frames::icmpv6(local, all_nodes, 134, router), 8);
  // Destination options first: the first fragment ends before it tells what the packet is.
  auto hidden = [](const Bytes& whole) {
    Bytes options = whole.substr(6, 1) + Bytes("\0\1\4\0\0\0\0", 7);
    Bytes longer = whole.substr(0, 40) + options + whole.substr(40);
    longer[5] = static_cast<char>(longer[5] + 8);
    longer[6] = IPPROTO_DSTOPTS;
    return frames::fragments(longer, 8);
  };
  auto hidden_router = hidden(frames::icmpv6(local, all_nodes, 134, router));
  auto hidden_answer =
      hidden(frames::udp(arena.a->address6(), netns::link_local_of(arena.next), 547, 546, mark));
  auto mac = &Protections::mac_nospoof;
  auto ip = &Protections::ip_nospoof;
  auto dhcp = &Protections::dhcp_nospoof;
  auto ra = &Protections::ra_guard;
  auto restricted = &Protections::restricted;
  Address forged = at("10.1.200.200");
  std::vector<Trick> tricks;
  tricks.push_back({"router advertisement to all",
                    "ra-guard",
                    ra,
                    {v6(frames::icmpv6(local, all_nodes, 134, router))}});
  tricks.push_back(
      {"router advertisement in fragments", "ra-guard", ra, {v6(fragments[0]), v6(fragments[1])}});
  tricks.push_back({"router advertisement hidden by fragments",
                    "ra-guard",
                    ra,
                    {v6(hidden_router[0]), v6(hidden_router[1])}});
  tricks.push_back({"answer of a DHCPv6 server hidden by fragments",
                    "dhcp-nospoof",
                    dhcp,
                    {arena.to_target(frames::kIpv6, hidden_answer[0]),
                     arena.to_target(frames::kIpv6, hidden_answer[1])}});
  tricks.push_back(
      {"VLAN tag", "restricted", restricted, {arena.to_target(frames::kVlan, tagged)}});
  tricks.push_back({"frame of another protocol",
                    "restricted",
                    restricted,
                    {arena.to_target(0x88cc, mark + Bytes(40, '\0'))}});
  tricks.push_back({"ARP of another's address",
                    "ip-nospoof",
                    ip,
                    {frames::ethernet(everybody, arena.own, frames::kArp,
                                      frames::arp(2, arena.own, forged, forged) + mark)}});
  tricks.push_back({"ARP with another's MAC",
                    "mac-nospoof",
                    mac,
                    {frames::ethernet(everybody, arena.own, frames::kArp,
                                      frames::arp(2, kForged, own4, own4) + mark)}});
  return tricks;
}

// A wall is a member of the port's plan: the attack is refused with it, and succeeds without it.
void try_trick(Arena& arena, const Trick& trick, const std::string& place) {
  INFO(place << ": " << trick.what);
  auto perform = [&] {
    for (const Bytes& frame : trick.frames) arena.from->send(frame);
  };
  uint64_t before = arena.world.count(*arena.a, trick.protection);
  arena.control();
  CHECK(arena.world.count(*arena.a, trick.protection) == before);
  perform();
  arena.control();
  bool holds = !arena.seen_by->seen(kMark);
  uint64_t refused = arena.world.count(*arena.a, trick.protection) - before;
  CHECK(holds);
  CHECK(refused == trick.frames.size());

  arena.world.change(*arena.a, [&](netns::PortPlan& p) { p.protections.*trick.member = false; });
  perform();
  bool is_needed = !arena.seen_by->await(kMark).empty();
  CHECK(is_needed);
  std::printf("%-18s %-12s %-46s %-8s %s\n", place.c_str(), trick.protection.c_str(),
              trick.what.c_str(), holds ? "refused" : "REACHED", is_needed ? "reached" : "REFUSED");
  arena.world.change(*arena.a, [&](netns::PortPlan& p) { p.protections.*trick.member = true; });
}

constexpr PortKind kPortKinds[] = {PortKind::kVeth, PortKind::kTap};

using TrickList = std::vector<Trick> (*)(const Arena&);

void try_all(const char* network, const std::vector<TrickList>& lists) {
  std::printf("%-18s %-12s %-46s %-8s %s\n", "PORT", "WALL", "ATTACK", "WITH IT", "WITHOUT IT");
  for (PortKind port : kPortKinds) {
    std::set<std::string> walls;
    for (TrickList make : lists) {
      size_t count = make(Arena(network, port)).size();
      for (size_t i = 0; i < count; ++i) {
        Arena arena(network, port);
        Trick trick = make(arena)[i];
        std::string kind(netns::port_kind_name(arena.a->port.kind));
        try_trick(arena, trick, network == kind ? kind : kind + ", " + network);
        walls.insert(trick.protection);
      }
    }
    // The host takes no other frames from a link of its own: nothing to restrict in a routed network.
    bool routed = std::string(network) == "routed";
    CHECK(walls.size() == std::size(netns::kProtectionNames) - (routed ? 1 : 0));
  }
}

}  // namespace

TEST_CASE("every protection stops its tricks in a routed network, and passes them when relaxed",
          "[walls]") {
  try_all("routed", {common_tricks});
}

TEST_CASE("every protection stops its tricks on a bridge, and passes them when relaxed",
          "[walls]") {
  try_all("bridge", {common_tricks, bridge_tricks});
}

TEST_CASE("every protection stops its tricks on a macvlan, and passes them when relaxed",
          "[walls]") {
  try_all("host-device", {common_tricks, bridge_tricks});
}

TEST_CASE("the host takes ARP of a zone's own address only, unless ip-nospoof is relaxed") {
  PortKind kind = GENERATE(PortKind::kVeth, PortKind::kTap);
  INFO(netns::port_kind_name(kind));
  Arena arena("routed", kind);
  Address gateway = at("169.254.1.1");
  Address forged = at("10.1.200.200");
  auto ask = [&](const Address& sender) {
    arena.from->send(frames::ethernet(arena.next, arena.own, frames::kArp,
                                      frames::arp(1, arena.own, sender, gateway)));
    Bytes answer =
        frames::bytes_of(gateway) + frames::bytes_of(arena.own) + frames::bytes_of(sender);
    return !arena.from->await(answer, std::chrono::milliseconds(300)).empty();
  };
  CHECK(ask(arena.a->address4()));
  CHECK(arena.world.count(*arena.a, "ip-nospoof") == 0);
  CHECK_FALSE(ask(forged));
  CHECK(arena.world.count(*arena.a, "ip-nospoof") == 1);
  auto before = arena.a->port;
  auto after = before;
  after.protections.ip_nospoof = false;
  require(arena.world.nft().apply(netns::change_ports(arena.world.instance(), {before}, {after})));
  CHECK(ask(forged));
  require(arena.world.nft().apply(netns::remove_port(arena.world.instance(), after)));
  CHECK_FALSE(ask(arena.a->address4()));
}

TEST_CASE("allowed addresses may be used as sources, and no others") {
  World world;
  world.network("net", {{"subnet", "10.1.0.0/16,fd00:1::/64"}});
  Zone& a = world.zone("a", "net", [](netns::PortRequest& request) {
    request.allowed = {*netns::Prefix::parse("10.7.0.0/24"), *netns::Prefix::parse("fd77::1")};
  });
  Zone& b = world.zone("b", "net");
  Wire from(a.netns.get(), "net0");
  Wire target(b.netns.get(), "net0");
  auto arrives = [&](const char* source, const Address& to) {
    std::string mark = std::string("from ") + source;
    from.send(frames::ethernet(frames::mac_of(a.port.host_mac), frames::mac_of(a.port.mac),
                               to.is_v4() ? frames::kIpv4 : frames::kIpv6,
                               frames::udp(at(source), to, 1000, 1000, mark)));
    return !target.await(mark, std::chrono::milliseconds(300)).empty();
  };
  CHECK(arrives("10.7.0.99", b.address4()));
  CHECK_FALSE(arrives("10.7.1.99", b.address4()));
  CHECK(arrives("fd77::1", b.address6()));
  CHECK_FALSE(arrives("fd77::2", b.address6()));
}
