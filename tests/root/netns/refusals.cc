// Who is told of what labels refused.
#include <poll.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "tests/root/netns/frames.h"
#include "tests/root/netns/labels.h"

namespace {

using frames::Bytes;
using netns::PortKind;
using netns::PortRequest;
using netns::Refusal;

// A zone of label 1 and two of label 4, on a network with an outside of label 1.
struct Three {
  Three(const std::string& kind, PortKind port) : bridged(kind == "bridge") {
    world.labels(five_labels());
    log = &world.refusals();
    world.network("net", {{"kind", kind}, {"subnet", "10.1.0.0/16,fd00:1::/64"}});
    auto make = [&](const std::string& name, uint32_t label) -> Zone& {
      return world.zone(name, "net", [label, port](PortRequest& request) {
        request.kind = port;
        request.label = label;
        request.outward = label == 1;
      });
    };
    low = &make("low", 1);
    high = &make("high", 4);
    equal = &make("equal", 4);
    wire = std::make_unique<Wire>(*high);
    receiver = std::make_unique<Wire>(*equal);
  }
  void send(const Zone& to, bool v6, const std::string& text) {
    netns::Mac next = frames::mac_of(bridged ? to.port.mac : high->port.host_mac);
    Bytes packet = v6 ? frames::udp(high->address6(), to.address6(), 4096, 4096, text)
                      : frames::udp(high->address4(), to.address4(), 4096, 4096, text);
    wire->send(frames::ethernet(next, frames::mac_of(high->port.mac),
                                v6 ? frames::kIpv6 : frames::kIpv4, packet));
  }
  // What is told until nothing was for longer than the kernel waits.
  std::vector<Refusal> told() {
    constexpr int kLonger = 1500;
    std::vector<Refusal> all;
    pollfd wait = {log->fd(), POLLIN, 0};
    while (poll(&wait, 1, kLonger) > 0) {
      auto some = log->read();
      REQUIRE(some.ok());
      all.insert(all.end(), some->begin(), some->end());
    }
    return all;
  }
  bool bridged;
  World world;
  netns::RefusalLog* log;
  Zone* low;
  Zone* high;
  Zone* equal;
  std::unique_ptr<Wire> wire;
  std::unique_ptr<Wire> receiver;
};

}  // namespace

TEST_CASE("what labels refuse is told with the ports and whom it was for, and nothing else is") {
  std::string kind = GENERATE("routed", "nat", "isolated", "bridge");
  PortKind port = GENERATE(PortKind::kVeth, PortKind::kTap);
  INFO(kind << ", " << netns::port_kind_name(port));
  Three three(kind, port);
  three.send(*three.equal, false, "equal4");
  three.send(*three.equal, true, "equal6");
  CHECK_FALSE(three.receiver->await("equal4").empty());
  CHECK_FALSE(three.receiver->await("equal6").empty());
  CHECK(three.told().empty());
  three.send(*three.low, false, "down4");
  three.send(*three.low, true, "down6");
  std::vector<Refusal> told = three.told();
  REQUIRE(told.size() == 2);
  for (const Refusal& refusal : told) {
    CHECK(refusal.from == three.high->port.host_name);
    CHECK(refusal.to == three.low->port.host_name);
  }
  CHECK(told[0].target == three.low->address4());
  CHECK(told[1].target == three.low->address6());
}

TEST_CASE("on a bridge a question for another label's address is told, other noise is not") {
  PortKind port = GENERATE(PortKind::kVeth, PortKind::kTap);
  Three three("bridge", port);
  netns::Mac own = frames::mac_of(three.high->port.mac);
  const netns::Mac all = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  auto ask = [&](const netns::Address& whom) {
    three.wire->send(frames::ethernet(all, own, frames::kArp,
                                      frames::arp(1, own, three.high->address4(), whom)));
  };
  ask(three.equal->address4());
  ask(*netns::Address::parse("10.1.77.77"));
  three.wire->send(frames::ethernet(
      all, own, frames::kIpv4,
      frames::udp(three.high->address4(), *netns::Address::parse("10.1.255.255"), 1, 1, "noise")));
  CHECK(three.told().empty());
  ask(three.low->address4());
  std::vector<Refusal> told = three.told();
  REQUIRE(told.size() == 1);
  CHECK(told[0].target == three.low->address4());
}

TEST_CASE("a flood is told of at a bounded rate, and takes no other port's share") {
  PortKind port = GENERATE(PortKind::kVeth, PortKind::kTap);
  Three three("routed", port);
  Wire other(*three.equal);
  auto start = std::chrono::steady_clock::now();
  constexpr int kPackets = 5000;
  for (int i = 0; i < kPackets; ++i) three.send(*three.low, false, "flood");
  Bytes packet = frames::udp(three.equal->address4(), three.low->address4(), 1, 1, "one");
  other.send(frames::ethernet(frames::mac_of(three.equal->port.host_mac),
                              frames::mac_of(three.equal->port.mac), frames::kIpv4, packet));
  std::vector<Refusal> told = three.told();
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  size_t flooded = 0;
  for (const Refusal& refusal : told) flooded += refusal.from == three.high->port.host_name;
  CHECK(three.world.count(*three.high, "denied") >= kPackets * 9 / 10);
  CHECK(flooded >= 10);
  CHECK(static_cast<double>(flooded) <= 11 + 5 * took.count());
  CHECK(told.size() == flooded + 1);
}

TEST_CASE("a group that somebody has is left to him") {
  World world;
  auto one = netns::RefusalLog::open(world.instance());
  auto two = netns::RefusalLog::open(world.instance());
  REQUIRE((one.ok() && two.ok()));
  CHECK(one->group() == world.instance().log_group());
  CHECK(two->group() == one->group() + 1);
}
