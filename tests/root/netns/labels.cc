// Labels at ports: what zones of different labels learn of each other, by frames of every sort, and what
// the host tells them.
#include "tests/root/netns/labels.h"

#include <netinet/in.h>

#include <catch2/catch.hpp>
#include <cstdio>

#include "tests/root/netns/frames.h"

namespace {

using frames::Bytes;
using netns::Address;
using netns::Mac;
using netns::PortKind;
using netns::PortRequest;

// With these off, nothing but labels stands between zones; a shared segment needs the others.
const std::vector<std::string> kRelaxed = {"ip-nospoof", "dhcp-nospoof", "ra-guard"};
const Mac kEverybody = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

struct Shot {
  std::string what;
  std::vector<Bytes> frames;
};

// From one zone to another, each with a mark that ends with its name.
std::vector<Shot> unicast(const Zone& from, const Zone& to, bool bridged, const Bytes& mark) {
  Mac own = frames::mac_of(from.port.mac);
  Mac next = frames::mac_of(bridged ? to.port.mac : from.port.host_mac);
  std::vector<Shot> shots;
  auto add = [&](const std::string& what, bool v6, const std::vector<Bytes>& packets) {
    Shot shot{what, {}};
    for (const Bytes& packet : packets)
      shot.frames.push_back(
          frames::ethernet(next, own, v6 ? frames::kIpv6 : frames::kIpv4, packet));
    shots.push_back(std::move(shot));
  };
  const Bytes padding(16, '\0');
  for (bool v6 : {false, true}) {
    Address source = v6 ? from.address6() : from.address4();
    Address target = v6 ? to.address6() : to.address4();
    Address forged = *Address::parse(v6 ? "fd00:1::dead" : "10.1.200.200");
    std::string digit = v6 ? "6" : "4";
    auto marked = [&](const std::string& what) { return mark + what + digit + ";"; };
    Bytes syn = Bytes("\x10\x00\x10\x00\0\0\0\1\0\0\0\0\x50\x02\xff\xff\0\0\0\0", 20);
    add("udp" + digit, v6, {frames::udp(source, target, 4096, 4096, marked("udp"))});
    add("tcp" + digit, v6, {frames::ip(source, target, IPPROTO_TCP, syn + marked("tcp"))});
    add("echo" + digit, v6,
        {v6 ? frames::icmpv6(source, target, 128, Bytes(4, '\1') + marked("echo"))
            : frames::ip(source, target, IPPROTO_ICMP,
                         Bytes("\x08\0\0\0\1\1\1\1", 8) + marked("echo"))});
    add("fragments" + digit, v6,
        frames::fragments(frames::udp(source, target, 4096, 4096, padding + marked("fragments")),
                          16));
    add("forged" + digit, v6, {frames::udp(forged, target, 4096, 4096, marked("forged"))});
    add("dhcp" + digit, v6,
        {frames::udp(source, target, v6 ? 547 : 67, v6 ? 546 : 68, marked("dhcp"))});
    add("unknown" + digit, v6, {frames::ip(source, target, 253, marked("unknown"))});
  }
  return shots;
}

// What only a shared segment carries: to everybody, to groups, to nobody that is known.
std::vector<Shot> to_all(const Zone& from, const Bytes& mark) {
  Mac own = frames::mac_of(from.port.mac);
  Address local = netns::link_local_of(own);
  const Mac nodes = {0x33, 0x33, 0, 0, 0, 1};
  const Mac mdns = {1, 0, 0x5e, 0, 0, 0xfb};
  const Mac nobody = {2, 0xdd, 0, 0, 0, 9};
  Address all4 = *Address::parse("255.255.255.255");
  Address all6 = *Address::parse("ff02::1");
  auto v4 = [&](const std::string& what, const Mac& to, const char* target, uint16_t port) {
    return Shot{what,
                {frames::ethernet(to, own, frames::kIpv4,
                                  frames::udp(from.address4(), *Address::parse(target), port, port,
                                              mark + what + ";"))}};
  };
  auto arp = [&](const std::string& what, uint16_t operation, const Address& target) {
    return Shot{what,
                {frames::ethernet(
                    kEverybody, own, frames::kArp,
                    frames::arp(operation, own, from.address4(), target) + mark + what + ";")}};
  };
  auto v6 = [&](const std::string& what, uint8_t type, const Bytes& body) {
    return Shot{what,
                {frames::ethernet(nodes, own, frames::kIpv6,
                                  frames::icmpv6(local, all6, type, body + mark + what + ";"))}};
  };
  Bytes target = Bytes(4, '\0') + frames::bytes_of(from.address6());
  return {v4("broadcast", kEverybody, "255.255.255.255", 4096),
          v4("mdns", mdns, "224.0.0.251", 5353),
          v4("flooded", nobody, "10.1.200.1", 4096),
          v4("dhcp-to-all", kEverybody, "255.255.255.255", 67),
          arp("arp-request", 1, all4),
          arp("arp-answer", 2, from.address4()),
          v6("solicitation", 135, target),
          v6("advertisement", 136, target),
          v6("router", 134, Bytes("\x40\0\0\0", 4) + Bytes(8, '\0')),
          v6("listener-report", 143, Bytes(4, '\0'))};
}

// Two zones of each label, one to send and one to look.
struct Five {
  explicit Five(const std::string& kind, PortKind port) : bridged(kind == "bridge") {
    world.labels(five_labels());
    world.network("net", {{"kind", kind}, {"subnet", "10.1.0.0/16,fd00:1::/64"}});
    for (const auto& [number, label] : five_labels()) {
      auto tweak = [number = number, port](PortRequest& request) {
        request.kind = port;
        request.label = number;
        request.outward = number == 1;
        request.relax = kRelaxed;
      };
      std::string name = std::to_string(number);
      senders.push_back(&world.zone("s" + name, "net", tweak));
      receivers.push_back(&world.zone("r" + name, "net", tweak));
      from.push_back(std::make_unique<Wire>(*senders.back()));
      seen_by.push_back(std::make_unique<Wire>(*receivers.back()));
    }
  }
  void settle() {
    for (auto& wire : seen_by) wire->settle();
  }
  bool bridged;
  World world;
  std::vector<Zone*> senders;
  std::vector<Zone*> receivers;
  std::vector<std::unique_ptr<Wire>> from;
  std::vector<std::unique_ptr<Wire>> seen_by;
};

}  // namespace

TEST_CASE("of five labels each reaches its own, and no frame of any sort another") {
  std::string kind = GENERATE("routed", "nat", "isolated", "bridge");
  PortKind port = GENERATE(PortKind::kVeth, PortKind::kTap);
  INFO(kind << ", " << netns::port_kind_name(port));
  Five five(kind, port);
  auto compare = [&five](size_t i, size_t j, const std::string& mark, const auto& shots) {
    for (const Shot& shot : shots) {
      INFO("from label " << i + 1 << " to label " << j + 1 << ": " << shot.what);
      CHECK(five.seen_by[j]->seen(mark + shot.what + ";") == (i == j));
    }
  };
  for (size_t i = 0; i < five.senders.size(); ++i) {
    auto mark_of = [&](size_t j) {
      return std::to_string(i + 1) + ">" + std::to_string(j + 1) + ":";
    };
    std::string all = std::to_string(i + 1) + ">*:";
    for (size_t j = 0; j < five.receivers.size(); ++j)
      for (const Shot& shot :
           unicast(*five.senders[i], *five.receivers[j], five.bridged, mark_of(j)))
        for (const Bytes& frame : shot.frames) five.from[i]->send(frame);
    if (five.bridged)
      for (const Shot& shot : to_all(*five.senders[i], all))
        for (const Bytes& frame : shot.frames) five.from[i]->send(frame);
    five.settle();
    for (size_t j = 0; j < five.receivers.size(); ++j) {
      compare(i, j, mark_of(j),
              unicast(*five.senders[i], *five.receivers[j], five.bridged, mark_of(j)));
      if (five.bridged) compare(i, j, all, to_all(*five.senders[i], all));
    }
    CHECK(five.world.count(*five.senders[i], "denied") > 0);
  }
}

TEST_CASE("a label is a wall: refused with it, reached when both have the same", "[walls]") {
  std::string kind = GENERATE("routed", "bridge");
  PortKind port = GENERATE(PortKind::kVeth, PortKind::kTap);
  Five five(kind, port);
  Zone& low = *five.receivers[0];
  auto fire = [&](const std::string& mark) {
    auto shots = unicast(*five.senders[3], low, five.bridged, mark);
    if (five.bridged)
      for (Shot& shot : to_all(*five.senders[3], mark)) shots.push_back(std::move(shot));
    for (const Shot& shot : shots)
      for (const Bytes& frame : shot.frames) five.from[3]->send(frame);
    five.seen_by[0]->settle();
    return shots;
  };
  auto shots = fire("with:");
  five.world.change(low, [](netns::PortPlan& plan) { plan.label = 4; });
  fire("without:");
  std::string place = std::string(netns::port_kind_name(port)) + ", " + kind;
  for (const Shot& shot : shots) {
    INFO(place << ": " << shot.what);
    bool holds = !five.seen_by[0]->seen("with:" + shot.what + ";");
    bool is_needed = five.seen_by[0]->seen("without:" + shot.what + ";");
    CHECK(holds);
    CHECK(is_needed);
    std::printf("%-18s %-12s %-46s %-8s %s\n", place.c_str(), "label",
                ("down to another label: " + shot.what).c_str(), holds ? "refused" : "REACHED",
                is_needed ? "reached" : "REFUSED");
  }
}

TEST_CASE("a stopped zone's next boot under another label belongs there alone") {
  std::string kind = GENERATE("routed", "bridge");
  INFO(kind);
  Five five(kind, PortKind::kVeth);
  Zone& zone = *five.receivers[0];
  CHECK(ping(five.senders[0]->netns.get(), zone.address4()));
  CHECK_FALSE(ping(five.senders[1]->netns.get(), zone.address4()));
  five.world.change(zone, [](netns::PortPlan& plan) { plan.label = 2; });
  CHECK_FALSE(ping(five.senders[0]->netns.get(), zone.address4()));
  CHECK(ping(five.senders[1]->netns.get(), zone.address4()));
  CHECK(ping(five.senders[1]->netns.get(), zone.address6()));
  five.world.rules_anew();  // as after nft flush ruleset
  CHECK_FALSE(ping(five.senders[0]->netns.get(), zone.address4()));
  CHECK(ping(five.senders[1]->netns.get(), zone.address4()));
}

namespace {

// Asks in all ways that make the host's IP layer speak of a zone; what comes back.
class Prober {
 public:
  explicit Prober(Zone& own) : own_(own) {}

  // Empty: silence.
  std::string answers(const Address& to4, const Address& to6) {
    Wire wire(own_);
    std::string mark = "PROBE" + std::to_string(++probes_) + ":";
    for (bool v6 : {false, true}) {
      Address to = v6 ? to6 : to4;
      Address from = v6 ? own_.address6() : own_.address4();
      std::string digit = v6 ? "6" : "4";
      send(wire, v6, frames::udp(from, to, 4096, 4096, mark + "closed" + digit));
      send(wire, v6, short_lived(frames::udp(from, to, 4096, 4096, mark + "hops" + digit)));
      send(wire, v6,
           whole(frames::udp(from, to, 4096, 4096, mark + "size" + digit + Bytes(1340, '.'))));
      send(wire, v6, frames::ip(from, to, 253, mark + "protocol" + digit));
    }
    Mac mac = frames::mac_of(own_.port.mac);
    wire.send(
        frames::ethernet(kEverybody, mac, frames::kArp, frames::arp(1, mac, own_.address4(), to4)));
    wire.settle(std::chrono::milliseconds(200));
    std::string seen;
    for (const char* what :
         {"closed4", "hops4", "size4", "protocol4", "closed6", "hops6", "size6", "protocol6"})
      if (wire.seen(mark + what)) seen += std::string(what) + " ";
    if (wire.seen(frames::bytes_of(to4) + frames::bytes_of(mac))) seen += "arp ";
    return seen;
  }

 private:
  void send(Wire& wire, bool v6, const Bytes& packet) {
    wire.send(frames::ethernet(frames::mac_of(own_.port.host_mac), frames::mac_of(own_.port.mac),
                               v6 ? frames::kIpv6 : frames::kIpv4, packet));
  }
  static Bytes short_lived(Bytes packet) {
    if ((packet[0] & 0xf0) == 0x60) {
      packet[7] = 1;
      return packet;
    }
    return with_checksum(packet, 8, 1);
  }
  static Bytes whole(Bytes packet) {
    if ((packet[0] & 0xf0) == 0x60) return packet;
    return with_checksum(packet, 6, 0x40);
  }
  // RFC 1624: the sum changes by what the byte changes by.
  static Bytes with_checksum(Bytes packet, size_t at, uint8_t value) {
    uint32_t sum = static_cast<uint16_t>(~word(packet, 10));
    sum += static_cast<uint16_t>(~word(packet, at & ~size_t{1}));
    packet[at] = static_cast<char>(value);
    sum += word(packet, at & ~size_t{1});
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    sum = ~sum;
    packet[10] = static_cast<char>(sum >> 8);
    packet[11] = static_cast<char>(sum);
    return packet;
  }
  static uint16_t word(const Bytes& packet, size_t at) {
    return static_cast<uint16_t>(static_cast<uint8_t>(packet[at]) << 8 |
                                 static_cast<uint8_t>(packet[at + 1]));
  }

  Zone& own_;
  int probes_ = 0;
};

void set_down(Zone& zone) {
  auto links = netns::Links::open_in(zone.netns.get());
  REQUIRE(links.ok());
  require(links->set_up("net0", false));
}

void take_away(World& world, Zone& zone) {
  require(netns::remove_port_links(world.host(), zone.port));
  world.forget(zone);
}

}  // namespace

TEST_CASE("the host tells a zone nothing of zones of other labels, not even whether they run",
          "[walls]") {
  std::string kind = GENERATE("routed", "nat", "isolated");
  bool way_out = GENERATE(false, true);  // a default route would answer for what is not there
  PortKind port = GENERATE(PortKind::kVeth, PortKind::kTap);
  INFO(kind << (way_out ? ", with a default route, " : ", ") << netns::port_kind_name(port));
  World world;
  base::UniqueFd outside;
  if (way_out) {
    outside = world.outside();
    set_default_route(world.here(), "192.0.2.2", "fd99::2");
  }
  world.labels(five_labels());
  world.network("net", {{"kind", kind}, {"subnet", "10.1.0.0/16,fd00:1::/64"}});
  auto labelled = [](uint32_t number, uint32_t mtu, PortKind as) {
    return [=](PortRequest& request) {
      request.label = number;
      request.outward = number == 1;
      request.mtu = mtu;
      request.kind = as;
      request.dhcp = true;
      request.dhcp_server = *Address::parse("10.1.77.77");
    };
  };
  Zone& own = world.zone("own", "net", labelled(1, 1500, port));
  Zone& equal = world.zone("equal", "net", labelled(1, 1300, PortKind::kVeth));
  Zone& high = world.zone("high", "net", labelled(4, 1300, PortKind::kVeth));
  for (Zone* zone : {&equal, &high}) add_leased_address(*zone);
  Prober prober(own);
  auto probe = [&](const Zone& zone) { return prober.answers(zone.address4(), zone.address6()); };
  const std::string all = "closed4 hops4 size4 protocol4 closed6 hops6 size6 protocol6 arp ";
  CHECK(probe(equal) == all);
  CHECK(probe(high) == "");
  set_down(high);
  CHECK(probe(high) == "");
  take_away(world, high);
  CHECK(probe(high) == "");
  set_down(equal);
  take_away(world, equal);
  CHECK(probe(equal) == "");
  // Without the walls: absent zones are told of.
  if (way_out) return;
  for (const char* chain : {"inet TABLE hidden", "inet TABLE host_errors"}) {
    std::string name = chain;
    name.replace(name.find("TABLE"), 5, world.instance().table());
    require(world.nft().apply("flush chain " + name));
  }
  CHECK_FALSE(probe(high).empty());
}
