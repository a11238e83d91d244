// Who reaches whom: networks, kinds, labels, the host, publications, firewalls.
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/root/netns/frames.h"
#include "tests/root/netns/world.h"

namespace {

using netns::Action;
using netns::Address;
using netns::Direction;
using netns::FirewallRule;
using netns::PortRequest;
using netns::Protocol;

Address at(const char* text) { return *Address::parse(text); }
const Address kAny4 = Address::v4(0);

// What a server in `server` sees of a connection from `client` to `to`: the source, or "".
std::string source_seen(int client, const Address& to, uint16_t port, int server,
                        uint16_t server_port) {
  Address any = to.is_v4() ? kAny4 : at("::");
  auto listener = listen_tcp(server, any, server_port);
  auto connection = connect_tcp(client, to, port);
  if (!connection) return {};
  return accept_from(listener.get());
}

bool connects(int client, const Address& to, uint16_t port, int server) {
  return !source_seen(client, to, port, server, port).empty();
}

// Does an echo request get as far as the zone's interface? Its answer may be stopped elsewhere.
bool arrives(int client, const Address& source, Zone& zone, const Address& to) {
  Wire wire(zone.netns.get(), "net0");
  static_cast<void>(ping(client, to));
  return !wire.await(frames::bytes_of(source), std::chrono::milliseconds(100)).empty();
}

}  // namespace

TEST_CASE("networks are apart unless both name each other as peers") {
  for (bool peers : {false, true}) {
    World world;
    netns::KeyValues one = {{"subnet", "10.1.0.0/16,fd00:1::/64"}};
    netns::KeyValues two = {{"subnet", "10.2.0.0/16,fd00:2::/64"}};
    one.emplace_back("peer", "two");
    if (peers) two.emplace_back("peer", "one");
    world.network("one", one);
    world.network("two", two);
    Zone& a = world.zone("a", "one");
    Zone& b = world.zone("b", "two");
    Zone& c = world.zone("c", "one");
    CHECK(ping(a.netns.get(), c.address4()));
    CHECK(ping(a.netns.get(), c.address6()));
    CHECK(ping(a.netns.get(), b.address4()) == peers);
    CHECK(ping(b.netns.get(), a.address6()) == peers);
    CHECK((world.count(a, "denied") > 0) == !peers);
  }
}

TEST_CASE("only equal labels exchange packets, also in one network") {
  for (const char* kind : {"routed", "bridge"}) {
    INFO(kind);
    World world;
    world.network("net", {{"kind", kind}, {"subnet", "10.1.0.0/16,fd00:1::/64"}});
    Zone& a = world.zone("a", "net");
    Zone& b = world.zone("b", "net");
    REQUIRE(ping(a.netns.get(), b.address4()));
    b.port.label = 7;
    require(
        world.nft().apply(netns::whole_ruleset(world.instance(), world.networks(), world.plans())));
    CHECK_FALSE(ping(a.netns.get(), b.address4()));
    CHECK_FALSE(ping(b.netns.get(), a.address6()));
    Zone& c = world.zone("c", "net", [](PortRequest& request) { request.label = 7; });
    CHECK(ping(b.netns.get(), c.address4()));
    CHECK(ping(c.netns.get(), b.address6()));
  }
}

TEST_CASE("a zone of an isolated network reaches its neighbours, not the host or the outside") {
  World world;
  auto outside = world.outside();
  world.network("net", {{"kind", "isolated"}, {"subnet", "10.1.0.0/16,fd00:1::/64"}});
  Zone& a = world.zone("a", "net");
  Zone& b = world.zone("b", "net");
  CHECK(ping(a.netns.get(), b.address4()));
  CHECK(ping(a.netns.get(), b.address6()));
  for (const char* address : {"169.254.1.1", "fe80::1", "192.0.2.1", "192.0.2.2", "fd99::2"}) {
    INFO(address);
    uint64_t before = world.count(a, "denied");
    CHECK_FALSE(ping(a.netns.get(), at(address)));
    CHECK(world.count(a, "denied") > before);
  }
  CHECK_FALSE(arrives(outside.get(), at("192.0.2.2"), a, a.address4()));
  CHECK_FALSE(arrives(outside.get(), at("fd99::2"), a, a.address6()));
  CHECK_FALSE(arrives(world.here(), at("169.254.1.1"), a, a.address4()));
}

TEST_CASE("a zone of a routed network is reached from the outside, with its own address") {
  World world;
  auto outside = world.outside();
  world.network("net", {{"subnet", "10.1.0.0/16,fd00:1::/64"}});
  Zone& a = world.zone("a", "net");
  CHECK(arrives(outside.get(), at("192.0.2.2"), a, a.address4()));
  CHECK(ping(outside.get(), a.address4()));
  CHECK(ping(outside.get(), a.address6()));
  CHECK(arrives(world.here(), at("169.254.1.1"), a, a.address4()));
  require(world.nft().apply(netns::remove_port(world.instance(), a.port)));
  CHECK_FALSE(arrives(outside.get(), at("192.0.2.2"), a, a.address4()));
  CHECK_FALSE(arrives(world.here(), at("169.254.1.1"), a, a.address4()));
  require(world.nft().apply(netns::add_port(world.instance(), a.port)));
  CHECK(source_seen(a.netns.get(), at("192.0.2.2"), 80, outside.get(), 80) == a.address4().text());
  CHECK(source_seen(a.netns.get(), at("fd99::2"), 80, outside.get(), 80) == a.address6().text());
}

TEST_CASE("a zone of a nat network goes out as the host, and nobody comes in") {
  World world;
  auto outside = world.outside();
  world.network("net", {{"kind", "nat"}, {"subnet", "10.1.0.0/16,fd00:1::/64"}});
  Zone& a = world.zone("a", "net");
  CHECK(source_seen(a.netns.get(), at("192.0.2.2"), 80, outside.get(), 80) == "192.0.2.1");
  CHECK(source_seen(a.netns.get(), at("fd99::2"), 80, outside.get(), 80) == "fd99::1");
  CHECK_FALSE(arrives(outside.get(), at("192.0.2.2"), a, a.address4()));
  CHECK_FALSE(arrives(outside.get(), at("fd99::2"), a, a.address6()));
  CHECK(world.count(a, "denied-in") >= 2);
}

TEST_CASE("services of the host are closed to zones; the host reaches zones") {
  World world;
  world.network("net", {{"subnet", "10.1.0.0/16,fd00:1::/64"}});
  set_address(world.here(), "lo", "192.0.2.9/32");
  Zone& a = world.zone("a", "net");
  CHECK_FALSE(connects(a.netns.get(), at("169.254.1.1"), 22, world.here()));
  CHECK_FALSE(connects(a.netns.get(), at("192.0.2.9"), 22, world.here()));
  CHECK(world.count(a, "denied") >= 2);
  CHECK(connects(world.here(), a.address4(), 80, a.netns.get()));
  CHECK(connects(world.here(), a.address6(), 80, a.netns.get()));
}

TEST_CASE("a published port is reached from outside, the host, its loopback, a zone and itself") {
  for (const char* kind : {"routed", "nat"}) {
    INFO(kind);
    World world;
    auto outside = world.outside();
    world.network("net", {{"kind", kind}, {"subnet", "10.1.0.0/16,fd00:1::/64"}});
    Zone& a = world.zone("a", "net", [](PortRequest& request) {
      request.publish = {*netns::parse_publish("8080:80"),
                         *netns::parse_publish("127.0.0.1:9090:80"),
                         *netns::parse_publish("[fd99::1]:8080:80")};
    });
    Zone& b = world.zone("b", "net");
    int zone = a.netns.get();
    CHECK(source_seen(outside.get(), at("192.0.2.1"), 8080, zone, 80) == "192.0.2.2");
    CHECK(source_seen(outside.get(), at("fd99::1"), 8080, zone, 80) == "fd99::2");
    CHECK(source_seen(world.here(), at("192.0.2.1"), 8080, zone, 80) == "192.0.2.1");
    CHECK(source_seen(world.here(), at("127.0.0.1"), 8080, zone, 80) == "169.254.1.1");
    CHECK(source_seen(world.here(), at("127.0.0.1"), 9090, zone, 80) == "169.254.1.1");
    CHECK(source_seen(b.netns.get(), at("192.0.2.1"), 8080, zone, 80) == b.address4().text());
    CHECK(source_seen(zone, at("192.0.2.1"), 8080, zone, 80) == "169.254.1.1");
    CHECK(source_seen(outside.get(), at("192.0.2.1"), 9090, zone, 80).empty());
    CHECK(source_seen(b.netns.get(), at("127.0.0.1"), 9090, zone, 80).empty());

    world.change(a, [](netns::PortPlan& plan) { plan.publish.clear(); });
    CHECK(source_seen(outside.get(), at("192.0.2.1"), 8080, zone, 80).empty());
  }
}

TEST_CASE("what is published on the host's loopback is not reached from a zone by that address") {
  World world;
  world.network("net", {{"subnet", "10.1.0.0/16"}});
  auto publish = [](const char* what) {
    return [what](PortRequest& request) { request.publish = {*netns::parse_publish(what)}; };
  };
  Zone& a = world.zone("a", "net", publish("127.0.0.1:9090:80/udp"));
  // Its own publication makes 127.0.0.0/8 routable on its link.
  Zone& b = world.zone("b", "net", publish("127.0.0.1:9091:80/udp"));
  Wire from(b.netns.get(), "net0");
  Wire target(a.netns.get(), "net0");
  auto send = [&](const Address& to, uint16_t port, const std::string& mark) {
    from.send(frames::ethernet(frames::mac_of(b.port.host_mac), frames::mac_of(b.port.mac),
                               frames::kIpv4, frames::udp(b.address4(), to, 1000, port, mark)));
  };
  send(at("127.0.0.1"), 9090, "BY-LOOPBACK");
  send(a.address4(), 80, "DIRECTLY");
  CHECK_FALSE(target.await("DIRECTLY").empty());
  CHECK_FALSE(target.seen("BY-LOOPBACK"));
  CHECK(world.count(b, "denied") == 1);
}

TEST_CASE("a firewall decides by its first matching rule, in both directions, and passes answers") {
  World world;
  auto outside = world.outside();
  world.network("net", {{"subnet", "10.1.0.0/16,fd00:1::/64"}});
  Zone& b = world.zone("b", "net");
  Zone& a = world.zone("a", "net", [&](PortRequest& request) {
    request.firewall.in = Action::kDrop;
    request.firewall.out = Action::kAccept;
    FirewallRule web = {Direction::kIn, Action::kAccept, Protocol::kTcp, {{80, 81}}, {}, {}};
    FirewallRule not_there = {Direction::kOut,
                              Action::kDrop,
                              Protocol::kTcp,
                              {{443, 443}},
                              {},
                              {*netns::Prefix::parse("192.0.2.0/24")}};
    request.firewall.rules = {web, not_there};
  });
  int zone = a.netns.get();
  CHECK(connects(b.netns.get(), a.address4(), 80, zone));
  CHECK(connects(outside.get(), a.address6(), 81, zone));
  CHECK_FALSE(connects(b.netns.get(), a.address4(), 82, zone));
  CHECK_FALSE(connects(outside.get(), a.address6(), 82, zone));
  CHECK_FALSE(connects(world.here(), a.address4(), 82, zone));
  CHECK_FALSE(ping(b.netns.get(), a.address4()));
  CHECK(world.count(a, "denied-in") >= 4);
  CHECK(connects(zone, b.address4(), 443, b.netns.get()));
  CHECK(connects(zone, at("192.0.2.2"), 80, outside.get()));
  CHECK(world.count(a, "denied") == 0);
  CHECK_FALSE(connects(zone, at("192.0.2.2"), 443, outside.get()));
  CHECK(world.count(a, "denied") > 0);

  world.change(a, [](netns::PortPlan& plan) {
    plan.firewall.rules = {{Direction::kIn, Action::kAccept, Protocol::kIcmp, {}, {}, {}},
                           {Direction::kOut, Action::kDrop, Protocol::kAny, {}, {}, {}}};
  });
  CHECK(ping(b.netns.get(), a.address4()));
  CHECK(ping(b.netns.get(), a.address6()));
  CHECK_FALSE(connects(b.netns.get(), a.address4(), 80, zone));
  CHECK_FALSE(connects(zone, b.address4(), 443, b.netns.get()));

  world.change(a, [](netns::PortPlan& plan) { plan.firewall = {}; });
  CHECK(connects(b.netns.get(), a.address4(), 82, zone));
  CHECK(connects(zone, at("192.0.2.2"), 443, outside.get()));
}
