// A network's bandwidth among the ports of running zones, as the kernel has it.
#include <catch2/catch.hpp>

#include "tests/harness/shell.h"
#include "tests/root/networks/world.h"

namespace {

using harness::shell_ok;
using networks::World;

// Rates of the ports' classes, each way, sorted: "25Mbit 75Mbit".
std::string rates(World& world, const std::string& what = "rate") {
  auto of = [&](const std::string& letter) {
    return shell_ok(world.box(),
                    "for d in $(ip -br link | cut -d' ' -f1 | grep -E '^z.{6}" + letter +
                        "'); do tc class show dev $d; done | grep ' leaf ' | sed -E 's/.* " + what +
                        " ([^ ]*) .*/\\1/' | sort | tr '\\n' ' '");
  };
  std::string towards = of("r");
  CHECK(of("t") == towards);
  return towards.substr(0, towards.find_last_not_of(' ') + 1);
}

}  // namespace

TEST_CASE("ports share their network's bandwidth as zones come, change and go") {
  World world;
  CHECK(world.zone({"net", "create", "nic", "kind=host-device", "device=eth9", "bandwidth=1M"})
            .status != 0);
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24", "bandwidth=100M"});
  world.boot("a", {"net.0.network=lan", "net.0.bandwidth-share=3"});
  CHECK(rates(world) == "100Mbit");
  world.boot("b", {"net.0.network=lan"});
  CHECK(rates(world) == "25Mbit 75Mbit");
  CHECK(world.reaches("a", world.address_of("b")));
  world.ok({"set", "b", "net.0.bandwidth-share=3"});
  CHECK(rates(world) == "50Mbit 50Mbit");
  world.ok({"net", "set", "lan", "bandwidth=200M"});
  CHECK(rates(world) == "100Mbit 100Mbit");
  world.ok({"set", "b", "net.0.bandwidth=10M"});
  CHECK(rates(world, "ceil") == "10Mbit 200Mbit");
  CHECK(rates(world) == "100Mbit 10Mbit");
  // A cap of the port's own again, and no devices but its.
  world.ok({"net", "set", "lan", "bandwidth="});
  CHECK(rates(world).empty());
  CHECK(shell_ok(world.box(), "tc qdisc show | grep -c tbf") == "2\n");
  world.ok({"net", "set", "lan", "bandwidth=200M"});
  CHECK(shell_ok(world.box(), "tc qdisc show | grep -c tbf || true") == "0\n");
  world.ok({"set", "b", "net.0="});
  CHECK(rates(world) == "200Mbit");
  world.ok({"set", "b", "net.0.network=lan"});
  CHECK(rates(world) == "150Mbit 50Mbit");
  CHECK(world.reaches("b", world.address_of("a")));
  // What a killed zoned left is taken up.
  world.box().restart();
  CHECK(rates(world) == "150Mbit 50Mbit");
  CHECK(world.reaches("b", world.address_of("a")));
  world.ok({"halt", "b"});
  CHECK(rates(world) == "200Mbit");
  world.ok({"halt", "a"});
  CHECK(rates(world).empty());
  world.ok({"delete", "a", "b", "--force"});
  world.ok({"net", "delete", "lan"});
  CHECK(harness::eventually([&] { return world.links().empty(); }));
}
