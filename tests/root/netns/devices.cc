// Networks of kind host-device: a macvlan on an interface of the host, or the interface itself.
#include "netns/device.h"

#include <catch2/catch.hpp>

#include "base/process.h"
#include "tests/root/netns/frames.h"
#include "tests/root/netns/world.h"

using netns::Address;

TEST_CASE("a macvlan port is on the interface's segment, with the host's own use of it untouched") {
  World world;
  auto segment = world.nic();
  set_address(world.here(), "nic0", "10.1.255.2/16");
  world.network("net", {{"kind", "host-device"},
                        {"device", "nic0"},
                        {"mode", "macvlan"},
                        {"subnet", "10.1.0.0/16,fd00:1::/64"}});
  Zone& a = world.zone("a", "net");
  Zone& b = world.zone("b", "net");
  for (const char* outside : {"10.1.255.1", "fd00:1::ffff"}) {
    INFO(outside);
    CHECK(ping(a.netns.get(), *Address::parse(outside)));
  }
  CHECK(ping(a.netns.get(), b.address4()));
  CHECK(ping(a.netns.get(), b.address6()));
  CHECK(ping(segment.get(), a.address4()));
  CHECK(ping(segment.get(), *Address::parse("10.1.255.2")));
  CHECK_FALSE(ping(a.netns.get(), *Address::parse("10.1.255.2")));
  for (std::string_view name : netns::kCounterNames) CHECK(world.count(a, std::string(name)) == 0);

  // The zone gets its own frames only.
  Wire seen_by_b(b);
  Wire lan(segment.get(), "eth0");
  netns::Mac to_a = frames::mac_of(a.port.mac);
  netns::Mac from = {2, 0xcc, 0, 0, 0, 1};
  auto send = [&](const netns::Mac& to, const std::string& mark) {
    lan.send(frames::ethernet(
        to, from, frames::kIpv4,
        frames::udp(*Address::parse("10.1.255.1"), a.address4(), 1000, 1000, mark)));
  };
  send(to_a, "for-a");
  send(frames::mac_of(b.port.mac), "for-b");
  CHECK_FALSE(seen_by_b.await("for-b").empty());
  CHECK_FALSE(seen_by_b.seen("for-a"));

  require(netns::remove_port_links(world.host(), a.port));
  require(world.nft().apply(netns::remove_port(world.instance(), a.port)));
  require(world.host().remove(b.port.host_name));
  CHECK(*netns::remove_leftovers(world.host(), world.instance()) == 2);
  CHECK(world.host().list(world.instance().prefix())->empty());
  CHECK(ping(segment.get(), *Address::parse("10.1.255.2")));
}

TEST_CASE("a macvlan port's bridge is closed to the host") {
  World world;
  auto segment = world.nic();
  set_address(world.here(), "nic0", "10.1.255.2/16");
  world.network("net", {{"kind", "host-device"},
                        {"device", "nic0"},
                        {"mode", "macvlan"},
                        {"subnet", "10.1.0.0/16"}});
  Zone& a = world.zone("a", "net");
  Wire wire(a);
  Wire lan(segment.get(), "eth0");
  const netns::Mac everybody = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  const Address host = *Address::parse("10.1.255.2");
  auto answered = [&](Wire& asker, const char* mac, const Address& own) {
    netns::Mac sender = frames::mac_of(mac);
    asker.send(
        frames::ethernet(everybody, sender, frames::kArp, frames::arp(1, sender, own, host)));
    std::string bridge = frames::bytes_of(frames::mac_of(a.port.host_mac));
    return !asker
                .await(frames::bytes_of(sender) + bridge + std::string("\x08\x06"),
                       std::chrono::milliseconds(300))
                .empty();
  };
  auto open = [&](const std::string& rule) {
    require(world.nft().apply(rule + " bridge " + world.instance().table() + " " +
                              (rule == "flush chain" ? "input" : "segment")));
  };
  CHECK_FALSE(answered(wire, a.port.mac.c_str(), a.address4()));
  open("flush set");
  CHECK(answered(wire, a.port.mac.c_str(), a.address4()));
  const char* outside = "02:cc:00:00:00:01";
  CHECK_FALSE(answered(lan, outside, *Address::parse("10.1.255.3")));
  open("flush chain");
  CHECK(answered(lan, outside, *Address::parse("10.1.255.4")));
}

TEST_CASE("an interface that is absent or a bridge's is told, and nothing is left") {
  World world;
  auto segment = world.nic();
  for (const char* device : {"nic9", "nic0"}) {
    std::string name = std::string("net-") + device;
    world.network(name, {{"kind", "host-device"}, {"device", device}, {"mode", "macvlan"}});
  }
  auto refused = [&](const std::string& network) {
    base::UniqueFd zone = world.fresh();
    base::Status status = netns::make_port(world.host(), world.plan("a", network), zone.get());
    REQUIRE_FALSE(status.ok());
    CHECK(world.host().list(world.instance().prefix())->empty());
    return status.error().message;
  };
  CHECK(refused("net-nic9") == "port 'net0': interface 'nic9' does not exist");
  require(world.host().create_bridge("br0", 1500, false));
  require(world.host().attach("nic0", "br0", 0));
  CHECK(refused("net-nic0") == "port 'net0': interface 'nic0' belongs to a bridge or a bond");
}

namespace {

netns::PortPlan moved(World& world, const std::string& zone, const std::string& device) {
  world.network(
      "move-" + device,
      {{"kind", "host-device"}, {"device", device}, {"subnet", "10.1.0.0/16"}, {"mtu", "1400"}});
  return world.plan(zone, "move-" + device, [](netns::PortRequest& request) {
    request.relax.assign(std::begin(netns::kProtectionNames), std::end(netns::kProtectionNames));
  });
}

// Without a far end, as hardware is; not every kernel has dummies.
void add_card(const std::string& name) {
  auto output = base::run_program({"ip", "link", "add", name, "type", "ifb"});
  REQUIRE(output.ok());
  REQUIRE(output->status == 0);
}

}  // namespace

TEST_CASE("an interface moved into a zone works there under the port's name") {
  World world;
  auto segment = world.nic();
  auto plan = moved(world, "a", "nic0");
  base::UniqueFd zone = world.fresh();
  require(world.nft().apply(netns::add_port(world.instance(), plan)));
  require(netns::make_port(world.host(), plan, zone.get()));
  CHECK_FALSE(world.host().find("nic0").ok());
  CHECK(netns::Links::open_in(zone.get())->find("net0")->mtu == 1400);
  CHECK(ping(zone.get(), *Address::parse("10.1.255.1")));
  // A second zone finds no such interface.
  base::UniqueFd second = world.fresh();
  base::Status status = netns::make_port(world.host(), plan, second.get());
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().message == "port 'net0': interface 'nic0' does not exist");
  // One end of a pair that was made by software: the zone could have put another in its place.
  status = netns::return_device(world.host(), plan, zone.get());
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().message == "interface 'nic0' of kind 'veth' ends with the zone");
  require(world.nft().apply(netns::remove_port(world.instance(), plan)));
}

TEST_CASE("an interface goes back under its old name, whatever the zone named it") {
  World world;
  add_card("card0");
  auto plan = moved(world, "a", "card0");
  base::UniqueFd zone = world.fresh();
  for (int boot = 0; boot < 2; ++boot) {
    require(netns::make_port(world.host(), plan, zone.get()));
    require(netns::inside_netns(zone.get(), []() -> base::Status {
      add_card("card0");  // a decoy
      for (const std::vector<std::string>& command :
           {std::vector<std::string>{"ip", "link", "set", "net0", "down"},
            {"ip", "link", "set", "net0", "name", "mine"},
            {"ip", "link", "set", "mine", "alias", "decoy"}}) {
        TRY_AS(auto output, base::run_program(command));
        REQUIRE(output.status == 0);
      }
      return {};
    }));
    CHECK_FALSE(world.host().find("card0").ok());
    require(netns::return_device(world.host(), plan, zone.get()));
    auto back = world.host().find("card0");
    REQUIRE(back.ok());
    CHECK(back->index == netns::moved_index("card0"));
    CHECK_FALSE(back->up);
    require(netns::return_device(world.host(), plan, zone.get()));  // there already
    zone = world.fresh();
  }
  // As the kernel gives it back when nobody was there to do it.
  require(world.host().set_up("card0", false));
  REQUIRE(base::run_program({"ip", "link", "set", "card0", "name", "dev7"})->status == 0);
  require(netns::rename_device(world.host(), "card0"));
  CHECK(world.host().find("card0").ok());
  CHECK(world.host().list(world.instance().prefix())->empty());
}

TEST_CASE("a port that fails half way gives its interface back") {
  World world;
  add_card("card0");
  auto plan = moved(world, "a", "card0");
  plan.routes.push_back({*netns::Prefix::parse("10.7.0.0/16"), *Address::parse("192.0.2.77")});
  base::UniqueFd zone = world.fresh();
  base::Status status = netns::make_port(world.host(), plan, zone.get());
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().message.find("route 10.7.0.0/16") != std::string::npos);
  CHECK(world.host().find("card0").ok());
}
