// Names and addresses of zones: resolv.conf, DHCP, DNS.
#include <catch2/catch.hpp>

#include "base/files.h"
#include "base/strings.h"
#include "tests/root/networks/world.h"

namespace {

using networks::World;

std::string cat(World& world, const std::string& zone, const std::string& path) {
  return world.ok({"exec", zone, "--", "/bin/cat", path});
}

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
