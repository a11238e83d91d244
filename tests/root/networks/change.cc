// Ports of running zones come, go and change.
#include <catch2/catch.hpp>

#include "tests/harness/shell.h"
#include "tests/root/networks/world.h"

namespace {

using harness::check_refused;
using harness::eventually;
using harness::shell_ok;
using networks::World;
using nlohmann::json;

std::string inside(World& world, const std::string& zone, const std::string& script) {
  return world.zone({"exec", zone, "--", "/bin/sh", "-c", script}).out;
}

size_t ports_of(World& world, const std::string& zone) {
  return json::parse(world.ok({"net", "ports", zone, "--json"})).size();
}

size_t leases_of(World& world, const std::string& network) {
  for (const json& item : json::parse(world.ok({"net", "list", "--json"})))
    if (item["name"] == network) return item["leases"];
  FAIL("no network " << network);
  return 0;
}

// Sets keys of a running zone; true when all of them hold at once.
bool set_live(World& world, const std::string& zone, const std::vector<std::string>& settings) {
  std::vector<std::string> args = {"set", zone, "--json"};
  args.insert(args.end(), settings.begin(), settings.end());
  bool live = true;
  json changes = json::parse(world.ok(args))[0]["changes"];
  CHECK_FALSE(changes.empty());
  for (const json& change : changes) live = live && change["live"];
  return live;
}

TEST_CASE("a running zone gets another port and loses it again") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24", "subnet=fd00:1::/64"});
  world.ok({"net", "create", "dmz", "subnet=10.9.0.0/24"});
  world.boot("a", {"net.0.network=lan"});
  world.boot("b", {"net.0.network=lan"});
  world.boot("c", {"net.0.network=dmz"});
  std::string target = world.address_of("c");
  CHECK_FALSE(world.reaches("a", target));
  std::string way = inside(world, "a", "ip route get 192.0.2.1; ip -6 route get 2001:db8::1");
  CHECK(set_live(world, "a", {"net.1.network=dmz"}));
  CHECK(ports_of(world, "a") == 2);
  // Reached by the new port, and the way to everything else is the old one.
  std::string own = world.port_of("a", 1)["addresses"][0];
  CHECK(world.zone({"exec", "a", "--", "/bin/ping", "-c", "1", "-W", "2", "-I", own, target})
            .status == 0);
  CHECK(inside(world, "a", "ip route get 192.0.2.1; ip -6 route get 2001:db8::1") == way);
  CHECK(world.reaches("a", world.address_of("b")));
  CHECK(world.reaches("c", own));
  CHECK(eventually(
      [&] { return inside(world, "c", "cat /etc/hosts").find(own + " a\n") != own.npos; }));
  CHECK(leases_of(world, "dmz") == 2);
  // Adopted as it is.
  world.box().restart();
  CHECK(ports_of(world, "a") == 2);
  CHECK(world.reaches("c", own));
  CHECK(set_live(world, "a", {"net.1="}));
  CHECK(ports_of(world, "a") == 1);
  CHECK_FALSE(world.reaches("c", own));
  CHECK(inside(world, "a", "ip -o link show net1").empty());
  CHECK(world.reaches("a", world.address_of("b")));
  CHECK(leases_of(world, "dmz") == 1);
  world.ok({"halt", "a", "b", "c"});
  CHECK(eventually([&] { return world.links().empty(); }));
}

TEST_CASE("a zone's first port leads, also when it went to another network and came back") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.ok({"net", "create", "dmz", "subnet=10.9.0.0/24"});
  world.ok({"net", "create", "far", "subnet=10.8.0.0/24"});
  world.boot("a", {"net.0.network=lan", "net.1.network=dmz"});
  const std::string ways = inside(world, "a", "ip route show default");
  CHECK_THAT(inside(world, "a", "ip route get 192.0.2.1"), Catch::Contains("dev net0"));
  CHECK(set_live(world, "a", {"net.0.network=far"}));
  CHECK_THAT(inside(world, "a", "ip route get 192.0.2.1"), Catch::Contains("dev net0"));
  CHECK(set_live(world, "a", {"net.0.network=lan"}));
  CHECK(inside(world, "a", "ip route show default") == ways);
  // What is left alone leads over what comes behind it.
  world.boot("b", {"net.0.network=lan", "net.0.name=one", "net.1.network=dmz", "net.1.name=two",
                   "net.2.network=far", "net.2.name=three"});
  CHECK(set_live(world, "b", {"net.1="}));
  CHECK(set_live(world, "b", {"net.0="}));
  CHECK_THAT(inside(world, "b", "ip route get 192.0.2.1"), Catch::Contains("dev three"));
  CHECK(set_live(world, "b", {"net.1.network=lan", "net.1.name=four"}));
  CHECK_THAT(inside(world, "b", "ip route get 192.0.2.1"), Catch::Contains("dev three"));
}

TEST_CASE("a zone that was booted without ports gets one, and is known to its neighbours by name") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.boot("late", {});
  world.boot("b", {"net.0.network=lan"});
  CHECK(set_live(world, "late", {"net.0.network=lan", "net.0.bandwidth=50M"}));
  CHECK(world.reaches("late", world.address_of("b")));
  CHECK(eventually([&] { return world.reaches("b", "late"); }));
  CHECK(set_live(world, "late", {"net.0="}));
  CHECK(eventually(
      [&] { return inside(world, "b", "cat /etc/hosts").find(" late\n") == std::string::npos; }));
  // Its port has left nothing: neither link nor shaping device.
  CHECK(ports_of(world, "late") == 0);
  world.ok({"halt", "b"});
  CHECK(eventually([&] { return world.links().empty(); }));
}

TEST_CASE("protections, caps, publications, firewall and addresses change while the zone runs") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.boot("web", {"net.0.network=lan"});
  world.boot("peer", {"net.0.network=lan"});
  inside(world, "web", "mkdir -p /www; echo page >/www/index.html; httpd -h /www -p 80");
  std::string link = world.port_of("web")["host_name"];
  auto fetch = [&] {
    return harness::shell(world.box(), "busybox timeout 2 busybox wget -qO- http://127.0.0.1:8080/")
        .out;
  };
  auto page = [&] {
    return world
        .zone({"exec", "peer", "--", "/bin/timeout", "2", "/bin/wget", "-qO-",
               "http://" + world.address_of("web") + "/"})
        .out;
  };
  CHECK(fetch().empty());
  CHECK(set_live(world, "web", {R"(net.0.publish=["8080:80"])"}));
  CHECK(fetch() == "page\n");
  CHECK(set_live(world, "web", {"net.0.publish="}));
  CHECK(fetch().empty());

  CHECK(page() == "page\n");
  CHECK(set_live(world, "web", {"firewall-in=drop"}));
  CHECK(page().empty());
  CHECK(set_live(world, "web",
                 {"firewall.0.direction=in", "firewall.0.action=accept", "firewall.0.protocol=tcp",
                  "firewall.0.ports=80"}));
  CHECK(page() == "page\n");
  CHECK(set_live(world, "web", {"firewall.0=", "firewall-in="}));
  CHECK(page() == "page\n");

  auto queues = [&] { return shell_ok(world.box(), "tc qdisc show dev " + link); };
  CHECK(set_live(world, "web", {"net.0.bandwidth=20M", "net.0.packets=5000"}));
  CHECK_THAT(queues(), Catch::Contains("rate 20Mbit"));
  CHECK(set_live(world, "web", {"net.0.bandwidth=30M"}));
  CHECK_THAT(queues(), Catch::Contains("rate 30Mbit"));
  CHECK(set_live(world, "web", {"net.0.bandwidth=", "net.0.packets="}));
  CHECK(queues().find("tbf") == std::string::npos);

  auto spoofed = [&] {
    uint64_t before = world.port_of("peer")["rx_packets"].get<uint64_t>();
    inside(world, "web",
           "ip addr add 10.1.2.99/32 dev net0 2>/dev/null; ping -c 2 -W 1 -I 10.1.2.99 " +
               world.address_of("peer"));
    return world.port_of("peer")["rx_packets"].get<uint64_t>() > before;
  };
  CHECK_FALSE(spoofed());
  CHECK(set_live(world, "web", {R"(net.0.relax=["ip-nospoof"])"}));
  CHECK(spoofed());
  CHECK(set_live(world, "web", {"net.0.relax="}));
  CHECK_FALSE(spoofed());
  // All that on the same link; another address takes another.
  CHECK(world.port_of("web")["host_name"] == link);
  CHECK(set_live(world, "web", {"net.0.address=10.1.2.77"}));
  CHECK(world.address_of("web") == "10.1.2.77");
  CHECK(page() == "page\n");
  CHECK(leases_of(world, "lan") == 2);
}

TEST_CASE("a port that cannot be made changes nothing") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/29"});
  world.ok({"net", "create", "dmz", "subnet=10.9.0.0/24"});
  world.boot("a", {"net.0.network=lan"});
  world.boot("b", {"net.0.network=lan"});
  inside(world, "a", "ip link add net1 type dummy || ip link add net1 type veth peer name other");
  std::string config = world.ok({"export", "a"}), links = world.links();
  std::string rules = shell_ok(world.box(), "nft -s list ruleset");
  check_refused(world.zone({"set", "a", "net.1.network=dmz", "firewall-in=drop"}), {"net1"});
  CHECK(world.ok({"export", "a"}) == config);
  CHECK(world.links() == links);
  CHECK(shell_ok(world.box(), "nft -s list ruleset") == rules);
  CHECK(leases_of(world, "dmz") == 0);
  base::Output taken = world.zone({"set", "a", "net.0.address=" + world.address_of("b")});
  CHECK(taken.status == 1);
  CHECK_THAT(taken.err, Catch::Contains("belongs to b"));
  CHECK(world.zone({"set", "a", "net.1.network=absent"}).status == 1);
  CHECK(world.ok({"export", "a"}) == config);
  CHECK(world.reaches("a", world.address_of("b")));
  // The control: under another name it is made.
  CHECK(set_live(world, "a", {"net.1.network=dmz", "net.1.name=second"}));
  CHECK(ports_of(world, "a") == 2);
}

}  // namespace
