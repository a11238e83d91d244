// Zones on an interface of the host. "card0" has no far end and is given back as hardware is; "nic0"
// is one end of a pair, whose other end plays the outside.
#include <catch2/catch.hpp>

#include "tests/harness/shell.h"
#include "tests/root/networks/world.h"

namespace {

using harness::check_refused;
using harness::shell;
using harness::shell_ok;
using networks::World;

const char* const kAllRelaxed =
    R"(net.0.relax=["mac-nospoof","ip-nospoof","dhcp-nospoof","ra-guard","restricted"])";

bool host_has_card(World& world) { return shell(world.box(), "ip link show card0").status == 0; }

TEST_CASE(
    "an interface moves into one zone at a time and comes back, also after kill -9 of zoned") {
  World world;
  shell_ok(world.box(), "ip link add card0 type ifb");
  world.ok({"net", "create", "wire", "kind=host-device", "device=card0", "subnet=10.1.2.0/24"});
  const std::string tree = "dir:" + world.box().root() + "/tree";
  check_refused(world.zone({"create", "a", "--from", tree, "--set", "net.0.network=wire"}),
                {"mac-nospoof, ip-nospoof", "nothing can be enforced", "mode=macvlan"});
  world.ok({"create", "a", "--from", tree, "--set", "net.0.network=wire", "--set", kAllRelaxed});
  world.ok({"create", "b", "--from", tree, "--set", "net.0.network=wire", "--set", kAllRelaxed});
  CHECK(host_has_card(world));
  world.ok({"boot", "a"});
  CHECK_FALSE(host_has_card(world));
  std::string inside = world.ok({"exec", "a", "--", "/bin/ip", "addr", "show", "net0"});
  CHECK(inside.find("inet 10.1.2.") != std::string::npos);
  check_refused(world.zone({"boot", "b"}), {"interface 'card0' belongs to zone 'a' port 'net0'"});
  world.ok({"exec", "a", "--", "/bin/sh", "-c", "ip link set net0 down; ip link set net0 name my"});
  world.ok({"halt", "a"});
  CHECK(host_has_card(world));
  world.ok({"boot", "b"});
  CHECK_FALSE(host_has_card(world));
  world.box().restart();
  world.ok({"halt", "b"});
  CHECK(host_has_card(world));
}

TEST_CASE("zones share an interface of the host by macvlan, and leave nothing on it") {
  World world;
  shell_ok(world.box(),
           "ip link add nic0 type veth peer name out0; ip link set nic0 up; ip link set out0 up; "
           "ip addr add 10.1.2.1/24 dev out0");
  const std::string before = world.links();
  world.ok({"net", "create", "wire", "kind=host-device", "device=nic0", "mode=macvlan",
            "subnet=10.1.2.0/24"});
  world.boot("a", {"net.0.network=wire", "net.0.address=10.1.2.10", "net.0.bandwidth=10M"});
  world.boot("b", {"net.0.network=wire", "net.0.address=10.1.2.11"});
  CHECK(world.reaches("a", "10.1.2.1"));
  CHECK(world.reaches("a", "10.1.2.11"));
  check_refused(world.zone({"net", "set", "wire", "mode=move"}), {"is connected to it"});
  world.box().restart();
  CHECK(world.reaches("b", "10.1.2.1"));
  world.ok({"halt", "a"});
  world.ok({"halt", "b"});
  CHECK(world.links() == before);
}

}  // namespace
