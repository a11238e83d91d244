// Guests on networks: what they are told of addresses.
#include <catch2/catch.hpp>

#include "tests/harness/shell.h"
#include "tests/root/networks/world.h"
#include "tests/root/vmguest/guest.h"

namespace vm_test {
namespace {

using networks::World;

std::string address6_of(World& world, const std::string& zone, size_t port = 0) {
  const nlohmann::json seen = world.port_of(zone, port);
  for (const auto& address : seen["addresses"])
    if (auto text = address.get<std::string>(); text.find(':') != std::string::npos) return text;
  return {};
}

// Whether the guest's command succeeds.
bool succeeds(Console& console, const std::string& command) {
  console.type(command + " && echo outcome: yes || echo outcome: no\n");
  console.wait_for("\noutcome: ");
  return console.wait_for("\n").starts_with("yes");
}

bool pings(Console& console, const std::string& address) {
  return succeeds(console, "ping -c 2 -W 2 " + address);
}

TEST_CASE("a guest gets its leased addresses of both families and a way out by its own questions") {
  auto kind = GENERATE(as<std::string>{}, "routed", "isolated");
  CAPTURE(kind);
  World world;
  world.ok({"net", "create", "lan", "kind=" + kind, "subnet=10.1.2.0/24,fd00:1::/64"});
  world.ok({"net", "create", "seg", "kind=bridge", "subnet=10.1.3.0/24,fd00:3::/64"});
  world.boot("native", {"net.0.network=lan", "net.1.network=seg"});
  world.boot("other", {"net.0.network=lan", "label=SECRET"});
  boot_linux(world.box(), "guest", {"net.0.network=lan", "net.1.network=seg"});
  Console console(world.box(), "guest");
  console.wait_for("lease: eth0 " + world.address_of("guest"));
  console.wait_for("guest: ready");
  CHECK(pings(console, world.address_of("native")));
  CHECK(succeeds(console, "lease6 eth0"));
  CHECK(succeeds(console, "ip -6 addr show dev eth0 | grep -F " + address6_of(world, "guest")));
  CHECK(succeeds(console, "ip -6 route | grep 'default via fe80::1 '"));
  CHECK(pings(console, address6_of(world, "native")));
  CHECK(succeeds(console, "nslookup -type=aaaa native " + address6_of(world, "lan-dns") +
                              " | grep -F " + address6_of(world, "native")));
  CHECK(world
            .zone({"exec", "native", "--", "/bin/ping", "-c", "1", "-W", "2",
                   address6_of(world, "guest")})
            .status == 0);
  CHECK_FALSE(pings(console, address6_of(world, "other")));
  // On a bridge of ours likewise.
  CHECK(succeeds(console, "ip link set eth1 up; udhcpc -q -n -t 5 -T 1 -i eth1 -s /bin/lease"));
  CHECK(pings(console, std::string(world.port_of("native", 1)["addresses"][0])));
  CHECK(succeeds(console, "lease6 eth1"));
  CHECK(succeeds(console, "ip -6 addr show dev eth1 | grep -F " + address6_of(world, "guest", 1)));
  CHECK(pings(console, address6_of(world, "native", 1)));
  for (size_t port : {0, 1}) {
    const nlohmann::json seen = world.port_of("guest", port);
    for (const auto& [name, count] : seen["refused"].items()) {
      INFO(name << " " << count);
      if (name.ends_with("-nospoof")) CHECK(count == 0);
    }
  }
  world.ok({"halt", "--all"});
}

}  // namespace
}  // namespace vm_test
