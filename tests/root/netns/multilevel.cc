// What labels let up, and who is outside: multilevel ports; other hosts, users and bridges.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstring>

#include "tests/root/netns/frames.h"
#include "tests/root/netns/labels.h"

namespace {

using frames::Bytes;
using netns::Action;
using netns::Address;
using netns::Direction;
using netns::FirewallRule;
using netns::Mac;
using netns::PortKind;
using netns::PortRequest;
using netns::Protocol;

constexpr uint16_t kLog = 514;
constexpr uint16_t kClosed = 515;
constexpr uint16_t kSource = 40000;

std::function<void(PortRequest&)> labelled(uint32_t number, PortKind kind = PortKind::kVeth,
                                           const std::vector<std::string>& multilevel = {}) {
  return [=](PortRequest& request) {
    request.label = number;
    request.outward = number == 1;
    request.kind = kind;
    request.multilevel = multilevel;
  };
}

Bytes link(const Zone& from, bool v6, const Bytes& packet) {
  return frames::ethernet(frames::mac_of(from.port.host_mac), frames::mac_of(from.port.mac),
                          v6 ? frames::kIpv6 : frames::kIpv4, packet);
}

Bytes datagram(const Zone& from, const Zone& to, bool v6, uint16_t source, uint16_t target,
               const Bytes& mark) {
  return frames::udp(v6 ? from.address6() : from.address4(), v6 ? to.address6() : to.address4(),
                     source, target, mark);
}

// Two zones with a wire each; marks that one sends and the other sees.
struct Pair {
  Pair(Zone& a, Zone& b) : from(a), to(b), out(a), in(b) {}
  bool passes(bool v6, uint16_t source, uint16_t target, const Bytes& mark) {
    out.send(link(from, v6, datagram(from, to, v6, source, target, mark)));
    in.settle();
    return in.seen(mark);
  }
  Zone& from;
  Zone& to;
  Wire out;
  Wire in;
};

}  // namespace

TEST_CASE("a multilevel port takes datagrams of dominated labels, and nothing goes back") {
  std::string kind = GENERATE("routed", "nat", "isolated");
  PortKind port = GENERATE(PortKind::kVeth, PortKind::kTap);
  bool v6 = GENERATE(false, true);
  INFO(kind << ", " << netns::port_kind_name(port) << (v6 ? ", IPv6" : ", IPv4"));
  World world;
  world.labels(five_labels());
  world.network("net", {{"kind", kind}, {"subnet", "10.1.0.0/16,fd00:1::/64"}});
  Zone& log = world.zone("log", "net", labelled(2, port, {"udp:514"}));
  Zone& equal = world.zone("equal", "net", labelled(2, port));
  Zone& low = world.zone("low", "net", labelled(1, port));
  Zone& incomparable = world.zone("incomparable", "net", labelled(3, port));
  Zone& high = world.zone("high", "net", labelled(5, port));
  CHECK(Pair(low, log).passes(v6, kSource, kLog, "UP"));
  CHECK(Pair(equal, log).passes(v6, kSource, kLog, "EQUAL"));
  CHECK(Pair(equal, log).passes(v6, kSource, kClosed, "EQUAL-OTHER"));
  CHECK_FALSE(Pair(low, log).passes(v6, kSource, kClosed, "OTHER-PORT"));
  CHECK_FALSE(Pair(low, log).passes(v6, kLog, kClosed, "FROM-THE-PORT"));
  CHECK_FALSE(Pair(low, equal).passes(v6, kSource, kLog, "NOT-DECLARED"));
  CHECK_FALSE(Pair(incomparable, log).passes(v6, kSource, kLog, "INCOMPARABLE"));
  CHECK_FALSE(Pair(high, log).passes(v6, kSource, kLog, "DOWN"));

  // The port as TCP's: a SYN that would be answered.
  Address from = v6 ? low.address6() : low.address4();
  Address to = v6 ? log.address6() : log.address4();
  Pair up(low, log);
  Bytes syn = Bytes("\x9c\x40\x02\x02\0\0\0\1\0\0\0\0\x50\x02\xff\xff\0\0\0\0", 20) + "TCP-SYN";
  up.out.send(link(low, v6, frames::ip(from, to, IPPROTO_TCP, syn)));
  // In fragments, and as the error of a packet that was there.
  for (const Bytes& part : frames::fragments(
           datagram(low, log, v6, kSource, kLog, Bytes(1300, '.') + "IN-FRAGMENTS"), 640))
    up.out.send(link(low, v6, part));
  for (const Bytes& part : frames::fragments(
           datagram(low, log, v6, kSource, kClosed, Bytes(1300, '.') + "CLOSED-FRAGMENTS"), 640))
    up.out.send(link(low, v6, part));
  up.in.settle();
  CHECK_FALSE(up.in.seen("TCP-SYN"));
  CHECK(up.in.seen("IN-FRAGMENTS"));
  CHECK_FALSE(up.in.seen("CLOSED-FRAGMENTS"));

  // Answers of every sort, to a packet that has just passed; the same to an equal zone pass.
  for (Zone* asker : {&low, &equal}) {
    bool may = asker == &equal;
    INFO(asker->name);
    Pair there(*asker, log);
    Pair back(log, *asker);
    REQUIRE(there.passes(v6, kSource, kLog, "QUESTION"));
    CHECK(back.passes(v6, kLog, kSource, "ANSWER") == may);
    Bytes question = datagram(*asker, log, v6, kSource, kLog, "QUOTED");
    Address asker_address = v6 ? asker->address6() : asker->address4();
    back.out.send(link(log, v6,
                       v6 ? frames::icmpv6(to, asker_address, 1, Bytes(4, '\0') + question)
                          : frames::ip(to, asker_address, IPPROTO_ICMP,
                                       Bytes("\x03\x03\0\0\0\0\0\0", 8) + question)));
    back.in.settle();
    CHECK(back.in.seen("QUOTED") == may);
  }
}

TEST_CASE(
    "a receiver's own kernel answers nobody below by an error, and its firewall still holds") {
  World world;
  world.labels(five_labels());
  world.network("net", {{"subnet", "10.1.0.0/16,fd00:1::/64"}});
  auto receiver = [](PortRequest& request) {
    labelled(4, PortKind::kVeth, {"udp:514", "udp:600"})(request);
    request.firewall.in = Action::kDrop;
    FirewallRule rule;
    rule.direction = Direction::kIn;
    rule.action = Action::kAccept;
    rule.protocol = Protocol::kUdp;
    rule.ports = {{kLog, kLog}};
    request.firewall.rules = {rule};
  };
  Zone& log = world.zone("log", "net", receiver);
  Zone& equal = world.zone("equal", "net", labelled(4));
  for (uint32_t number : {1U, 2U, 3U, 5U}) {
    INFO("label " << number);
    Zone& low = world.zone("low" + std::to_string(number), "net", labelled(number));
    Pair up(low, log);
    Wire back(low);
    CHECK(up.passes(false, kSource, kLog, "ALLOWED"));
    CHECK_FALSE(up.passes(false, kSource, 600, "FIREWALLED"));
    back.settle();
    CHECK_FALSE(back.seen("ALLOWED"));
  }
  Pair even(equal, log);
  Wire back(equal);
  CHECK(even.passes(false, kSource, kLog, "ALLOWED"));
  back.settle();
  CHECK(back.seen("ALLOWED"));  // ICMP "port unreachable" quotes it
  // Changed live.
  Zone& low = world.zone("low", "net", labelled(1));
  world.change(log, [](netns::PortPlan& plan) { plan.multilevel = {600}; });
  CHECK_FALSE(Pair(low, log).passes(false, kSource, kLog, "NO-MORE"));
  world.change(log, [](netns::PortPlan& plan) { plan.firewall = {}; });
  CHECK(Pair(low, log).passes(false, kSource, 600, "NOW"));
  world.rules_anew();
  CHECK(Pair(low, log).passes(false, kSource, 600, "STILL"));
}

TEST_CASE("a multilevel port of a peer network is one too, and of another network none") {
  World world;
  world.labels(five_labels());
  world.network("one", {{"subnet", "10.1.0.0/16,fd00:1::/64"}, {"peer", "two"}});
  world.network("two", {{"subnet", "10.2.0.0/16,fd00:2::/64"}, {"peer", "one"}});
  world.network("three", {{"subnet", "10.3.0.0/16,fd00:3::/64"}, {"peer", "one"}});
  Zone& log = world.zone("log", "one", labelled(4, PortKind::kVeth, {"udp:514"}));
  Zone& peer = world.zone("peer", "two", labelled(1));
  Zone& stranger = world.zone("stranger", "three", labelled(1));
  CHECK(Pair(peer, log).passes(false, kSource, kLog, "PEER"));
  CHECK_FALSE(Pair(log, peer).passes(false, kLog, kSource, "BACK"));
  CHECK_FALSE(Pair(stranger, log).passes(false, kSource, kLog, "STRANGER"));
}

TEST_CASE("what is outside has one label: others neither reach it nor are reached", "[walls]") {
  std::string kind = GENERATE("routed", "nat");
  bool v6 = GENERATE(false, true);
  INFO(kind << (v6 ? ", IPv6" : ", IPv4"));
  World world;
  auto outside = world.outside();
  world.labels(five_labels());
  world.network("net", {{"kind", kind}, {"subnet", "10.1.0.0/16,fd00:1::/64"}});
  Address host = *Address::parse(v6 ? "fd99::2" : "192.0.2.2");
  Zone& zone = world.zone("zone", "net", labelled(4));
  Address own = v6 ? zone.address6() : zone.address4();
  Wire at_outside(outside.get(), "eth0");
  Wire at_zone(zone);
  auto goes_out = [&](const Bytes& mark) {
    at_zone.send(link(zone, v6, frames::udp(own, host, kSource, kLog, mark)));
    at_outside.settle();
    return at_outside.seen(mark);
  };
  auto comes_in = [&] {
    static_cast<void>(ping(outside.get(), own));
    return at_zone.seen(frames::bytes_of(host)) ||
           !at_zone.await(frames::bytes_of(host), std::chrono::milliseconds(200)).empty();
  };
  bool out = goes_out("WITH");
  CHECK_FALSE(out);
  CHECK_FALSE(comes_in());
  CHECK(world.count(zone, "denied") > 0);
  world.change(zone, [](netns::PortPlan& plan) { plan.outward = true; });
  bool out_without = goes_out("WITHOUT");
  CHECK(out_without);
  if (kind == "routed") CHECK(comes_in());
  std::printf("%-18s %-12s %-46s %-8s %s\n", ("veth, " + kind).c_str(), "outside",
              v6 ? "datagram to another host (IPv6)" : "datagram to another host (IPv4)",
              out ? "REACHED" : "refused", out_without ? "reached" : "REFUSED");
}

namespace {

// Does a process of that user get a connection?
bool connects_as(uid_t uid, int netns, const Address& to, uint16_t port) {
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (setns(netns, CLONE_NEWNET) != 0 || setresuid(uid, uid, uid) != 0) _exit(2);
    sockaddr_in name = {};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    memcpy(&name.sin_addr, to.data(), 4);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    alarm(1);
    _exit(connect(fd, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("users of the host are outside, but root, who is above all labels") {
  constexpr uid_t kNobody = 65534;
  World world;
  world.labels(five_labels());
  world.network("net", {{"subnet", "10.1.0.0/16"}});
  for (uint32_t number : {1U, 4U}) {
    Zone& zone = world.zone("zone" + std::to_string(number), "net", labelled(number));
    auto listener = listen_tcp(zone.netns.get(), zone.address4(), 80);
    CHECK(connects_as(0, world.here(), zone.address4(), 80));
    CHECK(connects_as(kNobody, world.here(), zone.address4(), 80) == (number == 1));
  }
}

TEST_CASE("a bridge's uplink and its own interface are outside") {
  World world;
  auto segment = world.nic();
  world.labels(five_labels());
  world.network("net", {{"kind", "bridge"}, {"subnet", "10.1.0.0/16,fd00:1::/64"}});
  std::string bridge = world.instance().bridge_name("net");
  require(world.host().attach("nic0", bridge, 0));
  set_address(world.here(), bridge, "10.1.255.3/16");
  Address on_segment = *Address::parse("10.1.255.1");
  Address on_bridge = *Address::parse("10.1.255.3");
  for (uint32_t number : {1U, 4U}) {
    INFO("label " << number);
    Zone& zone = world.zone("zone" + std::to_string(number), "net", labelled(number));
    Wire wire(zone);
    Wire lan(segment.get(), "eth0");
    bool may = number == 1;
    CHECK(ping(zone.netns.get(), on_segment) == may);
    CHECK(ping(segment.get(), zone.address4()) == may);
    CHECK(ping(zone.netns.get(), *Address::parse("fd00:1::ffff")) == may);
    Mac everybody = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    lan.send(frames::ethernet(everybody, {2, 0xcc, 0, 0, 0, 1}, 0x88b5, "TO-EVERYBODY"));
    wire.settle();
    CHECK(wire.seen("TO-EVERYBODY") == may);
    // Its own interface lets the host forward to anywhere; own bridges carry no address, given ones may.
    INFO("the bridge's own interface");
    CHECK(connects_as(0, world.here(), zone.address4(), 9) == false);
    Wire again(zone);
    static_cast<void>(ping(world.here(), zone.address4()));
    again.settle();
    CHECK(again.seen(frames::bytes_of(on_bridge)) == may);
  }
}
