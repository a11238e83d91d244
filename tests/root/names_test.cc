// Names and addresses of zones: resolv.conf, DHCP, DNS.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/files.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "netns/address.h"
#include "tests/root/networks/world.h"

namespace {

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

// A UDP socket in a zone's network stack, bound to a port.
class UdpSocket {
 public:
  UdpSocket(pid_t zone, uint16_t port) {
    base::UniqueFd home(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    base::UniqueFd there(
        open(("/proc/" + std::to_string(zone) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE((home && there));
    REQUIRE(setns(there.get(), CLONE_NEWNET) == 0);
    socket_ = base::UniqueFd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    REQUIRE(setns(home.get(), CLONE_NEWNET) == 0);
    int on = 1;
    timeval patience = {1, 0};
    REQUIRE(setsockopt(socket_.get(), SOL_SOCKET, SO_BROADCAST, &on, sizeof on) == 0);
    REQUIRE(setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    sockaddr_in any = address("0.0.0.0", port);
    REQUIRE(bind(socket_.get(), reinterpret_cast<sockaddr*>(&any), sizeof any) == 0);
  }
  void send(const std::string& to, uint16_t port, const std::string& text) {
    sockaddr_in target = address(to, port);
    CHECK(sendto(socket_.get(), text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&target),
                 sizeof target) == static_cast<ssize_t>(text.size()));
  }
  // Empty: nothing came within a second.
  std::string receive() {
    std::string text(100, '\0');
    ssize_t n = recv(socket_.get(), text.data(), text.size(), 0);
    text.resize(n < 0 ? 0 : static_cast<size_t>(n));
    return text;
  }

 private:
  static sockaddr_in address(const std::string& text, uint16_t port) {
    sockaddr_in result = {};
    result.sin_family = AF_INET;
    result.sin_port = htons(port);
    REQUIRE(inet_pton(AF_INET, text.c_str(), &result.sin_addr) == 1);
    return result;
  }
  base::UniqueFd socket_;
};

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
  // The first process of a zone; 0: it does not run.
  pid_t pid_of(const std::string& name) {
    nlohmann::json zones = nlohmann::json::parse(world.ok({"list", "--json"}));
    for (const auto& zone : zones)
      if (zone["name"] == name && zone["pid"].is_number()) return zone["pid"].get<pid_t>();
    return 0;
  }
  pid_t server() { return pid_of("lan-dns"); }
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
  UdpSocket client(clients.pid_of("a"), kClientPort);
  UdpSocket liar(clients.pid_of("liar"), kServerPort);
  UdpSocket trusted(clients.pid_of("trusted"), kServerPort);
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
  UdpSocket socket(clients.pid_of("flood"), kClientPort);
  constexpr int kRequests = 2000;
  for (int i = 0; i < kRequests; ++i) socket.send("255.255.255.255", kServerPort, request);
  CHECK(world.refused("flood", "dhcp-nospoof") == 0);
  CHECK(world.refused("flood", "denied") > kRequests / 2);
  REQUIRE(clients.ask("a") == 0);
  CHECK(clients.told("a", "ip") == world.address_of("a"));
}
