// Ports as a whole: made, seen, limited in number, refused; the watch over the rules.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>

#include "base/process.h"
#include "netns/ruleset_watch.h"
#include "tests/root/netns/frames.h"
#include "tests/root/netns/world.h"

namespace {

using netns::Address;
using netns::RulesetWatch;

double milliseconds_of(const std::function<void()>& work) {
  auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

void make(World& world, const netns::PortPlan& plan, int zone) {
  require(world.nft().apply(netns::add_port(world.instance(), plan)));
  require(netns::make_port(world.host(), plan, zone));
}

}  // namespace

TEST_CASE("zones of one network reach each other and their gateway over IPv4 and IPv6") {
  for (const char* kind : {"routed", "nat", "bridge"}) {
    INFO(kind);
    World world;
    world.network("net", {{"kind", kind}, {"subnet", "10.1.0.0/16,fd00:1::/64"}});
    Zone& a = world.zone("a", "net");
    Zone& b = world.zone("b", "net");
    CHECK(ping(a.netns.get(), b.address4()));
    CHECK(ping(a.netns.get(), b.address6()));
    if (std::string(kind) != "bridge") {
      CHECK(ping(a.netns.get(), *Address::parse(netns::kGateway4)));
      CHECK(ping(a.netns.get(), *Address::parse(netns::kGateway6)));
    }
    for (std::string_view name : netns::kCounterNames) {
      INFO(name);
      CHECK(world.count(a, std::string(name)) == 0);
    }
    auto links = world.host().list(world.instance().port_prefix());
    REQUIRE(links.ok());
    CHECK(links->size() == 2);
    auto statistics = world.host().find(a.port.host_name)->statistics.swapped();
    CHECK(statistics.send_packets >= 2);
    CHECK(statistics.receive_packets >= 2);
  }
}

TEST_CASE("a link that has a port's name but no elements is dropped in both directions") {
  for (const char* kind : {"routed", "bridge"}) {
    INFO(kind);
    World world;
    world.network("net", {{"kind", kind}, {"subnet", "10.1.0.0/16"}});
    Zone& a = world.zone("a", "net");
    Zone& b = world.zone("b", "net");
    REQUIRE(ping(a.netns.get(), b.address4()));
    require(world.nft().apply(netns::remove_port(world.instance(), a.port)));
    CHECK_FALSE(ping(a.netns.get(), b.address4()));
    CHECK_FALSE(ping(b.netns.get(), a.address4()));
    CHECK(world.nft().unknown_ports(world.instance())->packets > 0);
    CHECK(world.nft().counters(world.instance(), a.port.host_name).error().code ==
          base::Code::kNotFound);
    require(world.nft().apply(netns::add_port(world.instance(), a.port)));
    CHECK(ping(a.netns.get(), b.address4()));
  }
}

TEST_CASE("a tap is a port like any other: its guest reaches the gateway and a zone, and is seen") {
  for (const char* kind : {"routed", "bridge"}) {
    INFO(kind);
    World world;
    world.network("net", {{"kind", kind}, {"subnet", "10.1.0.0/16,fd00:1::/64"}, {"mtu", "1400"}});
    Zone& guest =
        world.zone("guest", "net", [](netns::PortRequest& r) { r.kind = netns::PortKind::kTap; });
    Zone& zone = world.zone("zone", "net");
    auto link = world.host().find(guest.port.host_name);
    REQUIRE(link.ok());
    CHECK(link->kind == "tun");
    CHECK(link->mac == guest.port.host_mac);
    CHECK(link->mtu == 1400);
    CHECK(link->up);
    CHECK((fcntl(guest.tap.get(), F_GETFD) & FD_CLOEXEC) != 0);
    bool bridged = std::string(kind) == "bridge";
    netns::Mac next = frames::mac_of(bridged ? zone.port.mac : guest.port.host_mac);
    netns::Mac own = frames::mac_of(guest.port.mac);
    Wire wire(guest);
    Wire seen_by(zone);
    for (bool v6 : {false, true}) {
      Address to = v6 ? zone.address6() : zone.address4();
      Address from = v6 ? guest.address6() : guest.address4();
      wire.send(frames::ethernet(next, own, v6 ? frames::kIpv6 : frames::kIpv4,
                                 frames::udp(from, to, 1000, 1000, "from the guest")));
      CHECK_FALSE(seen_by.await("from the guest").empty());
    }
    if (bridged) continue;
    Address gateway = *Address::parse(netns::kGateway4);
    wire.send(frames::ethernet({0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, own, frames::kArp,
                               frames::arp(1, own, guest.address4(), gateway)));
    CHECK_FALSE(wire.await(frames::bytes_of(gateway) + frames::bytes_of(own)).empty());
    Wire back(zone);
    back.send(frames::ethernet(
        frames::mac_of(zone.port.host_mac), frames::mac_of(zone.port.mac), frames::kIpv4,
        frames::udp(zone.address4(), guest.address4(), 1000, 1000, "to the guest")));
    CHECK_FALSE(wire.await("to the guest").empty());
  }
}

TEST_CASE("a tap goes with the last copy of its descriptor") {
  World world;
  world.network("net", {{"subnet", "10.1.0.0/16"}});
  auto tap = [](netns::PortRequest& request) {
    request.kind = netns::PortKind::kTap;
    request.send_bits = 1'000'000;
  };
  Zone& guest = world.zone("guest", "net", tap);
  CHECK(world.host().list(world.instance().prefix())->size() == 2);
  base::UniqueFd copy(fcntl(guest.tap.get(), F_DUPFD_CLOEXEC, 0));
  guest.tap.reset();
  CHECK(world.host().find(guest.port.host_name).ok());
  copy.reset();
  CHECK_FALSE(world.host().find(guest.port.host_name).ok());
  CHECK(*netns::remove_leftovers(world.host(), world.instance()) == 1);
  // The same name again, as after a reboot.
  CHECK(netns::make_tap(world.host(), guest.port).ok());
}

TEST_CASE("a tap never joins a link that has its name, and nothing is left of one that fails") {
  World world;
  world.network("net", {{"subnet", "10.1.0.0/16"}});
  Zone& zone = world.zone("zone", "net");
  auto tap = [](netns::PortRequest& request) { request.kind = netns::PortKind::kTap; };
  Zone& guest = world.zone("guest", "net", tap);
  auto plan = world.plan("second", "net", tap);
  for (const std::string& name : {zone.port.host_name, guest.port.host_name}) {
    plan.host_name = name;
    auto made = netns::make_tap(world.host(), plan);
    REQUIRE_FALSE(made.ok());
    CHECK(made.error().code == base::Code::kExists);
    CHECK(made.error().message == "link '" + name + "' exists already");
  }
  CHECK(world.host().find(zone.port.host_name).ok());
  CHECK(world.host().find(guest.port.host_name).ok());
  world.network("lan", {{"kind", "bridge"}, {"bridge", "absent0"}, {"subnet", "10.2.0.0/16"}});
  auto made = netns::make_tap(world.host(), world.plan("third", "lan", tap));
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().message == "port 'net0': bridge 'absent0' does not exist");
  CHECK(world.host().list(world.instance().port_prefix())->size() == 2);
}

TEST_CASE("the host's end goes with the zone's namespace") {
  World world;
  world.network("net", {{"subnet", "10.1.0.0/16"}});
  Zone& a = world.zone("a", "net");
  REQUIRE(world.host().find(a.port.host_name).ok());
  a.netns.reset();
  bool gone = false;
  for (int i = 0; i < 500 && !gone; ++i) {
    gone = !world.host().find(a.port.host_name).ok();
    poll(nullptr, 0, 10);
  }
  CHECK(gone);
  require(world.nft().apply(netns::remove_port(world.instance(), a.port)));
  CHECK_FALSE(world.nft().apply(netns::remove_port(world.instance(), a.port)).ok());
}

TEST_CASE("a name that is taken is told, at either end, and nothing is left") {
  World world;
  world.network("net", {{"subnet", "10.1.0.0/16"}});
  Zone& a = world.zone("a", "net");
  auto second = world.plan("b", "net");
  auto same_host = second;
  same_host.host_name = a.port.host_name;
  base::UniqueFd zone = world.fresh();
  base::Status status = netns::make_port(world.host(), same_host, zone.get());
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == base::Code::kExists);
  CHECK(status.error().message.find(a.port.host_name) != std::string::npos);
  status = netns::make_port(world.host(), second, a.netns.get());
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().message.find("'net0'") != std::string::npos);
  CHECK(world.host().list(world.instance().prefix())->size() == 1);
}

TEST_CASE("a missing bridge is told, and nothing is left") {
  World world;
  world.network("net", {{"kind", "bridge"}, {"bridge", "absent0"}, {"subnet", "10.1.0.0/16"}});
  auto plan = world.plan("a", "net");
  base::UniqueFd zone = world.fresh();
  base::Status status = netns::make_port(world.host(), plan, zone.get());
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == base::Code::kNotFound);
  CHECK(status.error().message.find("bridge 'absent0' does not exist") != std::string::npos);
  CHECK(world.host().list(world.instance().prefix())->empty());
}

TEST_CASE("a namespace that is gone is told, and nothing is left") {
  World world;
  world.network("net", {{"subnet", "10.1.0.0/16"}});
  auto plan = world.plan("a", "net");
  base::Status status = netns::make_port(world.host(), plan, 9999);
  REQUIRE_FALSE(status.ok());
  CHECK(world.host().list(world.instance().prefix())->empty());
}

TEST_CASE("both ends have the port's MTU, and larger packets do not pass whole") {
  World world;
  world.network("net", {{"subnet", "10.1.0.0/16"}, {"mtu", "9000"}});
  Zone& a = world.zone("a", "net", [](netns::PortRequest& request) { request.mtu = 1400; });
  Zone& b = world.zone("b", "net");
  CHECK(world.host().find(a.port.host_name)->mtu == 1400);
  CHECK(netns::Links::open_in(a.netns.get())->find("net0")->mtu == 1400);
  CHECK(netns::Links::open_in(b.netns.get())->find("net0")->mtu == 9000);
  Wire from(b.netns.get(), "net0");
  Wire to(a.netns.get(), "net0");
  auto arrives = [&](const std::string& mark, size_t size) {
    from.send(frames::ethernet(
        frames::mac_of(b.port.host_mac), frames::mac_of(b.port.mac), frames::kIpv4,
        frames::udp(b.address4(), a.address4(), 1000, 1000, mark + std::string(size, 'x'))));
    return to.await(mark, std::chrono::milliseconds(300)).size();
  };
  CHECK(arrives("small", 1300) > 1300);
  CHECK(arrives("large", 5000) < 1450);  // in fragments
}

TEST_CASE("a zone may have 16 ports, of each kind") {
  World world;
  auto segment = world.nic();
  world.network("net", {{"subnet", "10.2.0.0/16,fd00:2::/64"}});
  world.network("wire", {{"kind", "host-device"},
                         {"device", "nic0"},
                         {"mode", "macvlan"},
                         {"subnet", "10.1.0.0/16"}});
  Zone& other = world.zone("other", "net");
  base::UniqueFd zone = world.fresh();
  std::vector<base::UniqueFd> taps;
  auto request = [](const std::string& name, netns::PortKind kind) {
    return [name, kind](netns::PortRequest& r) {
      r.name = name;
      r.kind = kind;
    };
  };
  for (int i = 0; i < 16; ++i) {
    std::string number = std::to_string(i);
    auto plan = world.plan("many", "net", request("net" + number, netns::PortKind::kVeth));
    // One default route is enough for a zone; further ports reach what their routes say.
    if (i > 0) plan.gateways.clear();
    make(world, plan, zone.get());
    CHECK(ping(other.netns.get(), plan.addresses.front().address) == (i == 0));
    make(world, world.plan("many", "wire", request("wire" + number, netns::PortKind::kVeth)),
         zone.get());
    plan = world.plan("guest", "net", request("tap" + number, netns::PortKind::kTap));
    require(world.nft().apply(netns::add_port(world.instance(), plan)));
    auto tap = netns::make_tap(world.host(), plan);
    REQUIRE(tap.ok());
    taps.push_back(*std::move(tap));
  }
  CHECK(netns::Links::open_in(zone.get())->list("net")->size() == 16);
  CHECK(netns::Links::open_in(zone.get())->list("wire")->size() == 16);
  CHECK(ping(segment.get(), *Address::parse("10.1.0.1")));
  CHECK(world.host().list(world.instance().port_prefix())->size() == 49);
}

TEST_CASE("a flush of the rules by somebody else is noticed at once, and our own changes are not") {
  World world;
  world.network("net", {{"subnet", "10.1.0.0/16"}});
  auto watch = RulesetWatch::open(world.instance());
  REQUIRE(watch.ok());
  world.zone("a", "net");
  CHECK(watch->read()->event == RulesetWatch::Event::kNothing);
  auto nft = [](const std::vector<std::string>& arguments) {
    std::vector<std::string> argv = {"nft"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    auto output = base::run_program(argv);
    REQUIRE(output.ok());
    REQUIRE(output->status == 0);
  };
  nft({"add", "table", "inet", "others"});
  CHECK(watch->read()->event == RulesetWatch::Event::kNothing);
  nft({"add", "element", "inet", world.instance().table(), "ports", "{ evil0 }"});
  auto report = watch->read();
  REQUIRE(report.ok());
  CHECK(report->event == RulesetWatch::Event::kChanged);
  CHECK(report->program == "nft");
  CHECK(*world.nft().present(world.instance()));
  nft({"flush", "ruleset"});
  pollfd readable = {watch->fd(), POLLIN, 0};
  CHECK(poll(&readable, 1, 1000) == 1);
  CHECK(watch->read()->event == RulesetWatch::Event::kGone);
  CHECK_FALSE(*world.nft().present(world.instance()));
  require(
      world.nft().apply(netns::whole_ruleset(world.instance(), world.networks(), world.plans())));
  CHECK(*world.nft().present(world.instance()));
  CHECK(watch->read()->event == RulesetWatch::Event::kNothing);
}

TEST_CASE("others' chains that drop forwarded packets are named") {
  World world;
  world.network("net", {{"subnet", "10.1.0.0/16"}});
  CHECK(world.nft().forward_drops(world.instance())->empty());
  require(world.nft().apply(
      "table ip other {\n chain FORWARD {\n type filter hook forward priority 0; policy drop;\n"
      " }\n}\n"));
  CHECK(*world.nft().forward_drops(world.instance()) ==
        std::vector<std::string>{"ip other FORWARD"});
}

TEST_CASE("1,000 ports: what one more costs is told") {
  World world;
  world.network("net", {{"subnet", "10.1.0.0/16"}});
  std::vector<base::UniqueFd> zones;
  std::vector<netns::PortPlan> plans;
  // The namespaces' own cost is not the ports': 40 hold 25 ports each.
  double first = 0;
  double last = 0;
  double all = 0;
  for (int zone = 0; zone < 40; ++zone) {
    zones.push_back(world.fresh());
    double took = 0;
    for (int i = 0; i < 25; ++i) {
      auto plan = world.plan("z" + std::to_string(plans.size()), "net",
                             [&](netns::PortRequest& r) { r.name = "net" + std::to_string(i); });
      if (i > 0) plan.gateways.clear();
      plans.push_back(plan);
      took += milliseconds_of([&] { make(world, plan, zones.back().get()); });
    }
    if (zone == 0) first = took / 25;
    last = took / 25;
    all += took;
  }
  CHECK(world.host().list(world.instance().port_prefix())->size() == 1000);
  double counters = milliseconds_of([&] {
    auto read = world.nft().counters(world.instance());
    CHECK(read->size() == 1000);
  });
  WARN("1,000 ports in " << all << " ms; each of the first " << first << " ms, of the last " << last
                         << " ms; counters of all " << counters << " ms");
}
