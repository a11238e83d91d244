// Names and addresses of zones: resolv.conf, DHCP, DNS.
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/files.h"
#include "base/strings.h"
#include "netns/address.h"
#include "tests/root/networks/udp_socket.h"
#include "tests/root/networks/world.h"

namespace {

using networks::UdpSocket;
using networks::World;

std::string cat(World& world, const std::string& zone, const std::string& path) {
  return world.ok({"exec", zone, "--", "/bin/cat", path});
}

// What udhcpc(8) is told, as lines "NAME=VALUE"; the address and route are set as it says.
constexpr const char* kScript = R"(#!/bin/sh
case "$1" in bound|renew)
  env | grep -E '^(ip|mask|router|dns|serverid|hostname|lease)=' >/tmp/lease
  ip addr flush dev "$interface"
  ip addr add "$ip/$mask" dev "$interface"
  ip route replace default via "$router"
  rm -f /etc/resolv.conf; echo "nameserver $dns" >/etc/resolv.conf
esac
)";

constexpr uint16_t kServerPort = 67;
constexpr uint16_t kClientPort = 68;

class Clients {
 public:
  explicit Clients(const std::string& kind) {
    std::string tree = world.box().root() + "/tree";
    auto folder = base::open_at(AT_FDCWD, tree + "/bin", O_RDONLY | O_DIRECTORY);
    REQUIRE(folder);
    REQUIRE(base::replace_file(folder->get(), "lease", kScript, base::Durability::kRuntime, 0755));
    world.ok({"net", "create", "lan", "kind=" + kind, "subnet=10.1.2.0/24"});
  }
  void boot(const std::string& name, const std::vector<std::string>& more = {}) {
    std::vector<std::string> settings = {"net.0.network=lan", "net.0.dhcp=true"};
    settings.insert(settings.end(), more.begin(), more.end());
    world.boot(name, settings);
  }
  // Status of the client; it gives up after some seconds.
  int ask(const std::string& zone, const std::vector<std::string>& options = {}) {
    std::vector<std::string> args = {"exec", zone, "--", "/bin/udhcpc", "-i",
                                     "net0", "-f", "-q", "-n",          "-t",
                                     "6",    "-T", "1",  "-s",          "/bin/lease"};
    args.insert(args.end(), options.begin(), options.end());
    return world.zone(args).status;
  }
  std::string told(const std::string& zone, const std::string& name) {
    for (const std::string& line : base::split(cat(world, zone, "/tmp/lease"), '\n'))
      if (line.starts_with(name + "=")) return line.substr(name.size() + 1);
    return {};
  }
  std::string run(const std::string& zone, const std::string& script) {
    return world.ok({"exec", zone, "--", "/bin/sh", "-c", script});
  }
  bool resolves(const std::string& zone, const std::string& name) {
    return world.zone({"exec", zone, "--", "/bin/nslookup", "-type=a", name}).status == 0;
  }
  pid_t server() { return world.pid_of("lan-dns"); }
  World world;
};

}  // namespace

TEST_CASE("a zone asks its network's name servers, the host's, or in an isolated one nobody's") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24", "dns=192.0.2.1,2001:db8::1"});
  world.ok({"net", "create", "out", "kind=nat", "subnet=10.1.3.0/24"});
  world.ok({"net", "create", "closed", "kind=isolated", "subnet=10.1.4.0/24"});
  world.boot("a", {"net.0.network=lan"});
  world.boot("b", {"net.0.network=out", "net.1.network=lan"});
  world.boot("c", {"net.0.network=closed"});
  CHECK(cat(world, "a", "/etc/resolv.conf") == "nameserver 192.0.2.1\nnameserver 2001:db8::1\n");
  CHECK(cat(world, "c", "/etc/resolv.conf").empty());
  // Whatever the host has comes first for b, then lan's.
  CHECK(cat(world, "b", "/etc/resolv.conf").find("nameserver ") == 0);
  world.ok({"net", "set", "lan", "dns=192.0.2.7"});
  CHECK(harness::eventually(
      [&] { return cat(world, "a", "/etc/resolv.conf") == "nameserver 192.0.2.7\n"; }));
  CHECK(world.zone({"exec", "a", "--", "/bin/sh", "-c", "echo x >>/etc/resolv.conf"}).status != 0);
}

TEST_CASE("a tree whose resolv.conf is a link minds its own") {
  World world;
  harness::shell_ok(world.box(),
                    "ln -s ../run/resolv.conf " + world.box().root() + "/tree/etc/resolv.conf");
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24", "dns=192.0.2.1"});
  world.boot("a", {"net.0.network=lan"});
  world.ok({"exec", "a", "--", "/bin/sh", "-c", "echo own >/run/resolv.conf"});
  CHECK(cat(world, "a", "/etc/resolv.conf") == "own\n");
}

TEST_CASE("a zone gets by DHCP the address that it leased, and names, on every kind of network") {
  auto kind = GENERATE(as<std::string>{}, "routed", "nat", "isolated");
  CAPTURE(kind);
  Clients clients(kind);
  World& world = clients.world;
  clients.boot("a");
  clients.boot("b");
  world.boot("static", {"net.0.network=lan"});
  CHECK(clients.run("a", "ip -4 addr show dev net0 | grep -c inet || true") == "0\n");
  REQUIRE(clients.ask("a") == 0);
  CHECK(clients.told("a", "ip") == world.address_of("a"));
  CHECK(clients.told("a", "mask") == "24");
  CHECK(clients.told("a", "hostname") == "a");
  CHECK(clients.told("a", "dns") == world.address_of("lan-dns"));
  // A client that wants its answers sent to everybody.
  REQUIRE(clients.ask("b", {"-B"}) == 0);
  CHECK(clients.told("b", "ip") == world.address_of("b"));
  CHECK(world.reaches("a", world.address_of("b")));
  CHECK(world.reaches("b", world.address_of("static")));
  CHECK(clients.resolves("a", "static"));
  CHECK(clients.resolves("b", "a"));
  CHECK_FALSE(clients.resolves("a", "nobody"));
}

TEST_CASE("a lease by DHCP is renewed, by the server's next life too, and while zoned is away") {
  Clients clients("routed");
  World& world = clients.world;
  clients.boot("a");
  REQUIRE(clients.ask("a") == 0);
  std::string address = world.address_of("a");
  pid_t before = clients.server();
  REQUIRE(before > 0);
  harness::shell_ok(world.box(), "pkill -9 -P " + std::to_string(before) + " dnsmasq");
  CHECK(harness::eventually([&] { return clients.server() > 0 && clients.server() != before; }));
  CHECK(clients.ask("a", {"-r", address}) == 0);
  pid_t pid = clients.server();
  world.box().restart();
  CHECK(clients.server() == pid);
  CHECK(clients.ask("a") == 0);
  clients.boot("late");
  CHECK(clients.ask("late") == 0);
  CHECK(clients.server() == pid);
  CHECK(clients.told("late", "ip") == world.address_of("late"));
}

TEST_CASE("the server's zone holds one program, and goes with the network") {
  Clients clients("nat");
  World& world = clients.world;
  clients.boot("a");
  REQUIRE(clients.ask("a") == 0);
  CHECK(world.zone({"exec", "lan-dns", "--", "/bin/sh"}).status == 127);
  // A helper of ours has its second wall unasked, where the kernel has it.
  auto plan =
      nlohmann::json::parse(harness::read_text(world.box().root() + "/run/zones/lan-dns.plan"));
  bool landlock = syscall(SYS_landlock_create_ruleset, nullptr, 0, 1) > 0;
  CHECK(plan["landlock"]["rules"].empty() != landlock);
  CHECK(world.zone({"exec", "lan-dns", "--", "/usr/sbin/dnsmasq", "--version"}).status == 0);
  CHECK(world.zone({"net", "delete", "lan"}).status != 0);
  CHECK(clients.ask("a") == 0);
  world.ok({"delete", "a", "--force"});
  world.ok({"net", "delete", "lan"});
  CHECK(world.ok({"list", "--json"}).find("lan-dns") == std::string::npos);
}

TEST_CASE("a running zone's new port may ask by DHCP too") {
  Clients clients("routed");
  World& world = clients.world;
  world.boot("a", {});
  world.ok({"set", "a", "net.0.network=lan", "net.0.dhcp=true"});
  REQUIRE(clients.ask("a") == 0);
  CHECK(clients.told("a", "ip") == world.address_of("a"));
}

TEST_CASE("no zone answers DHCP but the server, unless that protection is relaxed by name") {
  Clients clients("routed");
  World& world = clients.world;
  clients.boot("a");
  clients.boot("liar");
  clients.boot("trusted", {"net.0.relax=[\"dhcp-nospoof\"]"});
  for (const char* zone : {"a", "liar", "trusted"}) REQUIRE(clients.ask(zone) == 0);
  UdpSocket client(world.pid_of("a"), kClientPort);
  UdpSocket liar(world.pid_of("liar"), kServerPort);
  UdpSocket trusted(world.pid_of("trusted"), kServerPort);
  liar.send(world.address_of("a"), kClientPort, "lie");
  CHECK(client.receive().empty());
  CHECK(world.refused("liar", "dhcp-nospoof") == 1);
  trusted.send(world.address_of("a"), kClientPort, "truth");
  CHECK(client.receive() == "truth");
}

TEST_CASE("a zone that floods the server with DHCP is cut off, and others are served") {
  Clients clients("nat");
  World& world = clients.world;
  clients.boot("a");
  clients.boot("flood");
  REQUIRE(clients.ask("flood") == 0);
  auto mac = netns::parse_mac(world.port_of("flood")["mac"].get<std::string>());
  REQUIRE(mac);
  // BOOTREQUEST with the port's own hardware address, and nothing that makes sense after it.
  constexpr size_t kHardware = 28;
  std::string request(300, '\xff');
  request.replace(0, 4, std::string("\x01\x01\x06\x00", 4));
  request.replace(kHardware, mac->size(), reinterpret_cast<const char*>(mac->data()), mac->size());
  UdpSocket socket(world.pid_of("flood"), kClientPort);
  constexpr int kRequests = 2000;
  for (int i = 0; i < kRequests; ++i) socket.send("255.255.255.255", kServerPort, request);
  CHECK(world.refused("flood", "dhcp-nospoof") == 0);
  CHECK(world.refused("flood", "denied") > kRequests / 2);
  REQUIRE(clients.ask("a") == 0);
  CHECK(clients.told("a", "ip") == world.address_of("a"));
}

TEST_CASE("each label has a server, which names its zones alone and asks nobody of another label") {
  Clients clients(GENERATE(as<std::string>{}, "routed", "nat", "isolated"));
  World& world = clients.world;
  world.ok({"net", "set", "lan", "dns=192.0.2.1"});
  clients.boot("low");
  world.boot("low2", {"net.0.network=lan"});
  clients.boot("high", {"label=SECRET"});
  world.boot("high2", {"net.0.network=lan", "label=secret"});
  const std::string server = "lan-dns-2";
  for (const char* zone : {"low", "high"}) REQUIRE(clients.ask(zone) == 0);
  CHECK(clients.told("low", "dns") == world.address_of("lan-dns"));
  CHECK(clients.told("high", "dns") == world.address_of(server));
  CHECK(clients.told("high", "ip") == world.address_of("high"));
  CHECK(clients.resolves("low", "low2"));
  CHECK(clients.resolves("high", "high2"));
  CHECK_FALSE(clients.resolves("low", "high2"));
  CHECK_FALSE(clients.resolves("high", "low2"));
  // Nor by asking the other label's server.
  CHECK(world
            .zone({"exec", "high2", "--", "/bin/nslookup", "-type=a", "high",
                   world.address_of(server)})
            .status == 0);
  CHECK(world
            .zone({"exec", "high2", "--", "/bin/nslookup", "-type=a", "low",
                   world.address_of("lan-dns")})
            .status != 0);
  CHECK(clients.run("high2", "grep -c low /etc/hosts || true") == "0\n");
  CHECK(clients.run("low2", "grep -c high /etc/hosts || true") == "0\n");
  CHECK(clients.run("low2", "grep -c 'low$' /etc/hosts") == "1\n");
  CHECK(cat(world, "low2", "/etc/resolv.conf") == "nameserver 192.0.2.1\n");
  CHECK(cat(world, "high2", "/etc/resolv.conf").empty());
  auto asks_outside = [&world](const std::string& folder) {
    std::string file = world.box().root() + "/run/networks/" + folder + "/dnsmasq.conf";
    return harness::read_text(file).find("no-resolv\n") == std::string::npos;
  };
  CHECK(asks_outside("lan.dns"));
  CHECK_FALSE(asks_outside("lan.dns-2"));
  world.ok({"delete", "--force", "low", "low2", "high", "high2"});
  world.ok({"net", "delete", "lan"});
  CHECK(world.ok({"list", "--json"}).find("lan-dns") == std::string::npos);
}
