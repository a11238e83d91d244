// Networks of kind bridge with whole zones: a bridge of ours, of the administrator's, with an uplink, with
// a VLAN. "nic0" is an interface of the host, one end of a pair; its other end, "out0", is in a
// namespace that plays the segment.
#include <catch2/catch.hpp>

#include "tests/harness/shell.h"
#include "tests/harness/skip.h"
#include "tests/root/networks/world.h"

namespace {

using harness::check_refused;
using harness::shell;
using harness::shell_ok;
using networks::World;

class Segment {
 public:
  Segment() : holder_(world.box()) {
    shell_ok(world.box(),
             "ip link add nic0 type veth peer name out0; ip link set nic0 up; "
             "ip link set out0 netns " +
                 holder_.pid());
    outside(
        "ip link set lo up; ip link set out0 up; ip addr add 10.1.2.1/24 dev out0; "
        "ip addr add fd00:1::1/64 dev out0 nodad");
  }
  std::string outside(const std::string& command) {
    return shell_ok(world.box(), enter() + "'" + command + "'");
  }
  bool reached_from_outside(const std::string& address) {
    return shell(world.box(), enter() + "'busybox ping -c 1 -W 1 " + address + "'").status == 0;
  }
  World world;

 private:
  // A process in a network namespace of its own, for as long as the test.
  class Holder {
   public:
    explicit Holder(harness::Sandbox& box) : box_(box) {
      pid_ = shell_ok(box, "unshare -n sleep 1000 >/dev/null 2>&1 & echo -n $!");
      REQUIRE(harness::eventually([&] {
        return shell(box_,
                     "[ $(readlink /proc/" + pid_ + "/ns/net) != $(readlink /proc/self/ns/net) ]")
                   .status == 0;
      }));
    }
    ~Holder() { shell(box_, "kill " + pid_); }
    const std::string& pid() const { return pid_; }

   private:
    harness::Sandbox& box_;
    std::string pid_;
  };
  std::string enter() const { return "nsenter --net=/proc/" + holder_.pid() + "/ns/net sh -c "; }

  Holder holder_;
};

bool has_link(World& world, const std::string& kind) {
  return !shell_ok(world.box(), "ip -br link show type " + kind).empty();
}

}  // namespace

TEST_CASE("zones share a bridge of ours, which goes with its network") {
  World world;
  world.ok({"net", "create", "seg", "kind=bridge", "subnet=10.1.2.0/24,fd00:1::/64"});
  CHECK(has_link(world, "bridge"));
  world.boot("a", {"net.0.network=seg"});
  world.boot("b", {"net.0.network=seg"});
  const nlohmann::json port = world.port_of("b");
  for (const auto& address : port["addresses"]) CHECK(world.reaches("a", address));
  // A port comes to a zone that runs, and goes.
  world.boot("c", {});
  world.ok({"set", "c", "net.0.network=seg"});
  CHECK(world.reaches("c", world.address_of("a")));
  std::string address = world.address_of("c");
  CHECK(world.reaches("a", address));
  world.ok({"set", "c", "net.0="});
  CHECK_FALSE(world.reaches("a", address));
  check_refused(world.zone({"net", "delete", "seg"}), {"zone 'a' names it"});
  world.box().restart();
  CHECK(world.reaches("a", world.address_of("b")));
  world.ok({"delete", "--force", "a", "b", "c"});
  world.ok({"net", "delete", "seg"});
  CHECK_FALSE(has_link(world, "bridge"));
  // The kernel takes the zones' ports with their namespaces, a moment after them.
  CHECK(harness::eventually([&] { return world.links().empty(); }));
}

TEST_CASE("zones join a bridge that exists, and leave it as it was") {
  World world;
  check_refused(world.zone({"net", "create", "seg", "kind=bridge", "bridge=lan0"}),
                {"bridge", "lan0"});
  shell_ok(world.box(),
           "ip link add lan0 address 02:00:00:00:00:99 type bridge; ip link set lan0 up; "
           "ip addr add 10.1.2.1/24 dev lan0");
  auto links = [&] { return shell_ok(world.box(), "ip -o link | cut -d: -f2"); };
  const std::string before = links();
  world.ok({"net", "create", "seg", "kind=bridge", "bridge=lan0", "subnet=10.1.2.0/24",
            "gateway=10.1.2.1"});
  world.boot("a", {"net.0.network=seg", "net.0.address=10.1.2.9"});
  CHECK(world.reaches("a", "10.1.2.1"));
  CHECK(world.ok({"exec", "a", "--", "/bin/ip", "route"}).find("default via 10.1.2.1") == 0);
  // Whose the segment is, he serves DHCP.
  check_refused(world.zone({"set", "a", "net.0.dhcp=true"}), {"dhcp", "others on its segment"});
  world.ok({"delete", "--force", "a"});
  world.ok({"net", "delete", "seg"});
  CHECK(harness::eventually([&] { return links() == before; }));  // a moment after the zone
  CHECK(shell_ok(world.box(), "ip -br addr show dev lan0").find("10.1.2.1/24") !=
        std::string::npos);
}

TEST_CASE("an uplink joins zones to its segment, those alone that have the outside's label") {
  Segment segment;
  World& world = segment.world;
  world.ok(
      {"net", "create", "seg", "kind=bridge", "uplink=nic0", "subnet=10.1.2.0/24,fd00:1::/64"});
  world.boot("a", {"net.0.network=seg", "net.0.address=10.1.2.9,fd00:1::9"});
  world.boot("high", {"net.0.network=seg", "net.0.address=10.1.2.10,fd00:1::10", "label=SECRET"});
  for (const char* address : {"10.1.2.1", "fd00:1::1"}) {
    CHECK(world.reaches("a", address));
    CHECK_FALSE(world.reaches("high", address));
  }
  for (const char* number : {"9", "10"})
    for (const char* subnet : {"10.1.2.", "fd00:1::"})
      CHECK(segment.reached_from_outside(std::string(subnet) + number) == (number[0] == '9'));
  CHECK_FALSE(world.reaches("a", "10.1.2.10"));
  // Another's address is no way out.
  world.ok({"exec", "a", "--", "/bin/ip", "addr", "add", "10.1.2.77/24", "dev", "net0"});
  auto from_other = [&] {
    return world
               .zone({"exec", "a", "--", "/bin/ping", "-I", "10.1.2.77", "-c", "1", "-W", "1",
                      "10.1.2.1"})
               .status == 0;
  };
  CHECK_FALSE(from_other());
  CHECK(world.refused("a", "ip-nospoof") > 0);
  world.ok({"set", "a", "net.0.relax=[\"ip-nospoof\"]"});
  CHECK(from_other());
  check_refused(world.zone({"set", "a", "net.0.dhcp=true"}), {"dhcp", "others on its segment"});
}

TEST_CASE("a network's VLAN is tagged on its uplink, and its zones can't leave it") {
  Segment segment;
  World& world = segment.world;
  if (shell(world.box(), "ip link add link nic0 name probe type vlan id 7").status != 0)
    SKIP_TEST("no VLAN interfaces in this kernel");
  shell_ok(world.box(), "ip link del probe");
  segment.outside(
      "ip link add link out0 name out7 type vlan id 7; ip link set out7 up; "
      "ip addr flush dev out0; ip addr add 10.1.2.1/24 dev out7; "
      "ip addr add 10.1.3.1/24 dev out0");
  world.ok({"net", "create", "seg", "kind=bridge", "uplink=nic0", "vlan=7",
            "subnet=10.1.2.0/24,10.1.3.0/24"});
  world.boot("a", {"net.0.network=seg", "net.0.address=10.1.2.9,10.1.3.9"});
  CHECK(world.reaches("a", "10.1.2.1"));
  CHECK(segment.reached_from_outside("10.1.2.9"));
  // The segment's untagged frames are another's.
  CHECK_FALSE(world.reaches("a", "10.1.3.1"));
  CHECK_FALSE(segment.reached_from_outside("10.1.3.9"));
}
