// What guests and other clients are told of IPv6, by the tools of others: rdisc6(8) asks for a router,
// dhclient(8) for an address. They run in a zone's network namespace.
#include <sys/types.h>

#include <catch2/catch.hpp>

#include "base/strings.h"
#include "netns/address.h"
#include "tests/root/networks/world.h"

namespace {

using harness::shell;
using harness::shell_ok;
using networks::World;

// Tells what dhclient(8) was told, and sets nothing.
constexpr const char* kScript = "#!/bin/sh\nenv | grep '^reason\\|^new_' >>$R/told.$ZONE\n";

class Clients {
 public:
  explicit Clients(const std::vector<std::string>& settings) {
    harness::write_text(world.box().root() + "/script", kScript);
    shell_ok(world.box(), "chmod 755 $R/script");
    std::vector<std::string> args = {"net", "create", "lan"};
    args.insert(args.end(), settings.begin(), settings.end());
    world.ok(args);
  }
  ~Clients() { shell(world.box(), "cd $R; for f in *.pid; do kill $(cat $f); done"); }
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  void boot(const std::string& name, const std::vector<std::string>& more = {}) {
    std::vector<std::string> settings = {"net.0.network=lan", "net.0.dhcp=true"};
    settings.insert(settings.end(), more.begin(), more.end());
    world.boot(name, settings);
  }
  std::string address6(const std::string& zone) {
    const nlohmann::json port = world.port_of(zone);
    for (const auto& address : port["addresses"])
      if (auto text = address.get<std::string>(); text.find(':') != std::string::npos) return text;
    return {};
  }
  std::string local_address(const std::string& zone) {
    auto mac = netns::parse_mac(world.port_of(zone)["mac"].get<std::string>());
    REQUIRE(mac);
    return netns::link_local_of(*mac).text();
  }
  base::Output inside(const std::string& zone, const std::string& command) {
    std::string net = "--net=/proc/" + std::to_string(world.pid_of(zone)) + "/ns/net ";
    return shell(world.box(), "export R=$R ZONE=" + zone + "; nsenter " + net + command);
  }
  // What a router says of itself; empty: nothing, in three attempts.
  std::string router_of(const std::string& zone) {
    auto told = inside(zone, "rdisc6 -1 -v -r 3 -w 1000 net0");
    return told.status == 0 ? told.out : "";
  }
  // Status of a client that gives up after some seconds.
  int ask(const std::string& zone, const std::string& options = {}) {
    return inside(zone, "timeout 15 dhclient -6 -1 " + options + " -lf $R/" + zone +
                            ".leases -pf $R/" + zone +
                            ".pid -sf $R/script -e R=$R -e ZONE=" + zone + " net0")
        .status;
  }
  std::string told(const std::string& zone, const std::string& name) {
    std::string value;
    std::string text = harness::read_text(world.box().root() + "/told." + zone);
    for (const std::string& line : base::split(text, '\n'))
      if (line.starts_with(name + "=")) value = line.substr(name.size() + 1);
    return value;
  }
  bool resolves(const std::string& zone, const std::string& name, const std::string& server) {
    return world.zone({"exec", zone, "--", "/bin/nslookup", "-type=aaaa", name, server}).status ==
           0;
  }
  World world;
};

}  // namespace

TEST_CASE("a router answers on every link of ours, and DHCPv6 gives the leased address") {
  auto kind = GENERATE(as<std::string>{}, "routed", "nat", "isolated");
  CAPTURE(kind);
  Clients clients({"kind=" + kind, "subnet=10.1.2.0/24,fd00:1::/64", "mtu=1400"});
  clients.boot("a");
  clients.boot("b");
  clients.world.boot("static", {"net.0.network=lan"});
  REQUIRE(harness::eventually([&] { return !clients.router_of("a").empty(); }));
  std::string router = clients.router_of("a");
  INFO(router);
  for (const char* said :
       {"Stateful address conf.    :          Yes", "Router lifetime           :         9000",
        "MTU                      :         1400", "from fe80::1"})
    CHECK(router.find(said) != std::string::npos);
  CHECK(router.find("Recursive DNS server     : " + clients.address6("lan-dns")) !=
        std::string::npos);
  CHECK(router.find("Prefix") == std::string::npos);
  for (const char* zone : {"a", "b"}) {
    REQUIRE(clients.ask(zone) == 0);
    CHECK(clients.told(zone, "reason") == "BOUND6");
    CHECK(clients.told(zone, "new_ip6_address") == clients.address6(zone));
    CHECK(clients.told(zone, "new_dhcp6_name_servers") == clients.address6("lan-dns"));
  }
  CHECK(clients.resolves("a", "static", clients.address6("lan-dns")));
  CHECK_FALSE(clients.resolves("a", "nobody", clients.address6("lan-dns")));
  CHECK(clients.world.refused("a", "ip-nospoof") == 0);
  // Who asks nobody is told nothing.
  CHECK(clients.router_of("static").empty());
}

TEST_CASE("each label's clients are told by their own server, and by the server's next life") {
  Clients clients({"subnet=10.1.2.0/24,fd00:1::/64"});
  World& world = clients.world;
  clients.boot("low");
  clients.boot("high", {"label=SECRET"});
  for (const auto& [zone, server] : {std::pair("low", "lan-dns"), std::pair("high", "lan-dns-2")}) {
    REQUIRE(harness::eventually([&, name = zone] { return !clients.router_of(name).empty(); }));
    REQUIRE(clients.ask(zone) == 0);
    CHECK(clients.told(zone, "new_ip6_address") == clients.address6(zone));
    CHECK(clients.told(zone, "new_dhcp6_name_servers") == clients.address6(server));
  }
  CHECK(clients.resolves("high", "high", clients.address6("lan-dns-2")));
  CHECK_FALSE(clients.resolves("high", "low", clients.address6("lan-dns-2")));
  CHECK_FALSE(clients.resolves("high", "low", clients.address6("lan-dns")));
  pid_t before = world.pid_of("lan-dns");
  shell_ok(world.box(), "pkill -9 -P " + std::to_string(before) + " zone-dhcp6");
  REQUIRE(harness::eventually([&] {
    pid_t now = world.pid_of("lan-dns");
    return now > 0 && now != before;
  }));
  CHECK(harness::eventually([&] { return !clients.router_of("low").empty(); }));
  before = world.pid_of("lan-dns");
  world.box().restart();
  CHECK(world.pid_of("lan-dns") == before);
  CHECK_FALSE(clients.router_of("low").empty());
}

TEST_CASE("no zone is a router or a server of DHCPv6 to another, unless that is relaxed by name") {
  Clients clients({"kind=bridge", "subnet=10.1.2.0/24,fd00:1::/64"});
  World& world = clients.world;
  clients.boot("a");
  clients.boot("liar");
  clients.boot("trusted", {R"(net.0.relax=["dhcp-nospoof","ra-guard"])"});
  REQUIRE(harness::eventually([&] { return !clients.router_of("a").empty(); }));
  std::string router = clients.router_of("a");
  INFO(router);
  CHECK(router.find("Router lifetime           :            0") != std::string::npos);
  CHECK(router.find("Prefix                   : fd00:1::/64") != std::string::npos);
  CHECK(router.find("from " + clients.local_address("lan-dns")) != std::string::npos);
  REQUIRE(clients.ask("a") == 0);
  CHECK(clients.told("a", "new_ip6_address") == clients.address6("a"));
  // The server's program in other zones' place, which knows the neighbour by its link-local address.
  harness::write_text(
      world.box().root() + "/lie",
      "dns fd00:1::bad\nmtu 1280\nrouter\nclient " + clients.local_address("a") + " fd00:1::bad\n");
  auto serve = [&](const std::string& zone) {
    clients.inside(zone, "sh -c 'exec " + world.box().program("zone-dhcp6") +
                             " $R/lie /bin/sleep 1000 >/dev/null 2>&1 & echo $! >$R/" + zone +
                             ".server.pid'");
  };
  // Two routers of the same link both answer.
  auto routers = [&] { return clients.inside("a", "rdisc6 -m -r 2 -w 1000 net0").out; };
  serve("liar");
  CHECK(routers().find("fd00:1::bad") == std::string::npos);
  CHECK(world.refused("liar", "ra-guard") > 0);
  REQUIRE(clients.ask("a", "-r") >= 0);
  REQUIRE(clients.ask("a") == 0);
  CHECK(clients.told("a", "new_ip6_address") == clients.address6("a"));
  CHECK(world.refused("liar", "dhcp-nospoof") > 0);
  serve("trusted");
  CHECK(routers().find("fd00:1::bad") != std::string::npos);
}

TEST_CASE("a bridge of ours serves DHCP by its zones' labels, and without a gateway no route") {
  Clients clients({"kind=bridge", "subnet=10.1.2.0/24"});
  World& world = clients.world;
  const std::string tree = world.box().root() + "/tree/bin/lease";
  harness::write_text(tree, "#!/bin/sh\n[ \"$1\" = bound ] && env >/tmp/lease\nexit 0\n");
  shell_ok(world.box(), "chmod 755 " + tree);
  clients.boot("low");
  clients.boot("high", {"label=SECRET"});
  auto told = [&](const std::string& zone) {
    REQUIRE(world
                .zone({"exec", zone, "--", "/bin/udhcpc", "-i", "net0", "-f", "-q", "-n", "-t", "6",
                       "-T", "1", "-s", "/bin/lease"})
                .status == 0);
    return world.ok({"exec", zone, "--", "/bin/cat", "/tmp/lease"});
  };
  for (const auto& [zone, server] : {std::pair("low", "lan-dns"), std::pair("high", "lan-dns-2")}) {
    std::string lease = told(zone);
    INFO(lease);
    CHECK(lease.find("\nip=" + world.address_of(zone) + "\n") != std::string::npos);
    CHECK(lease.find("\ndns=" + world.address_of(server) + "\n") != std::string::npos);
    CHECK(lease.find("\nrouter=") == std::string::npos);
  }
  world.ok({"net", "set", "lan", "gateway=10.1.2.254"});
  world.ok({"halt", "lan-dns"});
  world.ok({"reboot", "low"});
  CHECK(told("low").find("\nrouter=10.1.2.254\n") != std::string::npos);
}
