// Namespaces and links that are made ahead of boots (zoned/daemon/prepared.h).
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "base/strings.h"
#include "tests/harness/rounds.h"
#include "tests/root/networks/world.h"

namespace {

using harness::eventually;
using harness::shell_ok;
using networks::World;

constexpr size_t kEach = 4;

bool is_full(World& world) {
  return eventually([&] { return world.prepared().size() == kEach; });
}

base::UniqueFd namespace_of(pid_t pid, const std::string& kind) {
  base::UniqueFd fd(
      open(("/proc/" + std::to_string(pid) + "/ns/" + kind).c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(fd);
  return fd;
}

ino_t inode_of(int fd) {
  struct stat st = {};
  REQUIRE(fstat(fd, &st) == 0);
  return st.st_ino;
}

ino_t owner_of(int fd) { return inode_of(base::UniqueFd(ioctl(fd, NS_GET_USERNS)).get()); }

// Whether zoned holds that user namespace, for a boot to come.
bool held_by_zoned(const std::string& listing, pid_t zone) {
  std::string inode = std::to_string(inode_of(namespace_of(zone, "user").get()));
  return listing.find("user:[" + inode + "]") != std::string::npos;
}

std::string held(World& world) {
  return shell_ok(world.box(), "ls -l /proc/" + std::to_string(world.box().daemon_pid()) + "/fd");
}

// All of a zone's namespaces belong to its user namespace, and that to its range.
void check_owners(World& world, const std::string& zone) {
  pid_t pid = world.pid_of(zone);
  base::UniqueFd user = namespace_of(pid, "user");
  for (const char* kind : {"net", "pid", "mnt", "uts", "ipc"}) {
    INFO(kind);
    CHECK(owner_of(namespace_of(pid, kind).get()) == inode_of(user.get()));
  }
  uid_t owner = 0;
  REQUIRE(ioctl(user.get(), NS_GET_OWNER_UID, &owner) == 0);
  for (const char* map : {"uid_map", "gid_map"}) {
    std::istringstream line(shell_ok(world.box(), "cat /proc/" + std::to_string(pid) + "/" + map));
    uint64_t inside = 1, outside = 0, count = 0;
    line >> inside >> outside >> count;
    CHECK(inside == 0);
    CHECK(outside == owner);
    CHECK(count == 65536);
    std::string more;
    CHECK_FALSE(line >> more);
  }
}

TEST_CASE("a zone in namespaces that were made ahead has them for itself, in its own ids") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  for (const char* settings : {"hostname=plain", "net.0.network=lan"}) {
    INFO(settings);
    std::string before = held(world);
    world.boot("first", {settings});
    CHECK_FALSE(held_by_zoned(before, world.pid_of("first")));  // none was ready
    std::string ready;
    REQUIRE(eventually([&] { return (ready = held(world)).find("user:[") != std::string::npos; }));
    REQUIRE(eventually([&] { return std::exchange(ready, held(world)) == ready; }));
    world.boot("second", {settings});
    CHECK(held_by_zoned(ready, world.pid_of("second")));
    CHECK_FALSE(held_by_zoned(held(world), world.pid_of("second")));
    check_owners(world, "first");
    check_owners(world, "second");
    world.ok({"delete", "-F", "first", "second"});
    world.box().restart();
  }
}

TEST_CASE("links made ahead become ports like others, are made again, and go with the daemon") {
  World world;
  shell_ok(world.box(), "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");  // before Linux 6.17
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24", "subnet=fd00:1::/64", "mtu=1400"});
  world.ok({"net", "create", "seg", "kind=bridge", "subnet=10.3.0.0/24"});
  world.boot("a", {"net.0.network=lan"});
  world.boot("seg1", {"net.0.network=seg"});
  REQUIRE(is_full(world));
  std::set<std::string> ready = world.prepared();
  world.boot("b", {"net.0.network=lan"});
  std::string host = world.port_of("b")["host_name"];
  CHECK(ready.contains(host));
  CHECK_THAT(shell_ok(world.box(), "ip link show " + host), Catch::Contains("mtu 1400"));
  std::string inside = world.ok({"exec", "b", "--", "/bin/ip", "addr", "show", "net0"});
  CHECK_THAT(inside, Catch::Contains("mtu 1400"));
  CHECK_THAT(inside, Catch::Contains(world.port_of("b")["mac"].get<std::string>()));
  CHECK(inside.find("02:00:00:00:00:01") == std::string::npos);
  CHECK(world.reaches("a", world.address_of("b")));
  CHECK(world.reaches("b", world.port_of("a")["addresses"][1]));
  REQUIRE(is_full(world));
  ready = world.prepared();
  CHECK_FALSE(ready.contains(host));
  world.boot("seg2", {"net.0.network=seg"});
  CHECK(ready.contains(world.port_of("seg2")["host_name"]));
  CHECK(world.reaches("seg2", world.port_of("seg1")["addresses"][0]));
  // Without a daemon they go, the zones' stay; the next one knows these by their names.
  REQUIRE(is_full(world));
  world.box().kill_daemon();
  CHECK(eventually([&] { return world.prepared().empty(); }));
  CHECK(world.links().find(host) != std::string::npos);
  world.box().start();
  CHECK(world.port_of("b")["host_name"] == host);
  CHECK(world.reaches("a", world.address_of("b")));
  world.ok({"boot", "--all"});
  world.boot("c", {"net.0.network=lan"});
  REQUIRE(is_full(world));
  world.box().stop_all();
  CHECK(world.prepared().empty());
  CHECK(world.links().empty());
}

// What has been dropped of links that are no zone's port.
uint64_t dropped(World& world) {
  std::istringstream counters(shell_ok(
      world.box(), "nft list counters | grep -A1 'counter unknown' | grep -o '[0-9]* by'"));
  uint64_t sum = 0;
  std::string by;
  for (uint64_t bytes; counters >> bytes >> by;) sum += bytes;
  return sum;
}

// Paths of network namespaces that zoned holds, also for boots to come.
std::vector<std::string> waiting_networks(World& world) {
  std::istringstream names(
      shell_ok(world.box(),
               "find /proc/" + std::to_string(world.box().daemon_pid()) + "/fd -lname 'net:*'"));
  return {std::istream_iterator<std::string>(names), {}};
}

TEST_CASE("what comes by a link that no zone has yet is dropped") {
  World world;
  shell_ok(world.box(), "echo 1 > /proc/sys/net/ipv4/ip_forward");
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.boot("a", {"net.0.network=lan"});
  REQUIRE(is_full(world));
  const std::string target = world.address_of("a");
  const std::set<std::string> ready = world.prepared();
  size_t tried = 0;
  for (const std::string& network : waiting_networks(world)) {
    const std::string in = "nsenter --net=" + network + " ";
    if (harness::shell(world.box(), in + "ip link show net0").status != 0) continue;
    ++tried;
    shell_ok(world.box(), in + "ip addr add 10.1.2.77/32 dev net0; " + in +
                              "ip neigh add 169.254.1.1 lladdr 02:00:00:00:00:02 dev net0; " + in +
                              "ip route add default via 169.254.1.1 dev net0 onlink");
    uint64_t before = dropped(world);
    CHECK(harness::shell(world.box(), in + "$R/tree/bin/ping -c 1 -W 1 " + target).status == 1);
    CHECK(dropped(world) > before);
    shell_ok(world.box(),
             in + "ip neigh del 169.254.1.1 dev net0; " + in + "ip addr del 10.1.2.77/32 dev net0");
  }
  CHECK(tried == kEach);
  // The same link, once it is a port.
  world.boot("b", {"net.0.network=lan"});
  CHECK(ready.contains(world.port_of("b")["host_name"]));
  CHECK(world.reaches("b", target));
}

TEST_CASE("a link that somebody removed while it waited is made anew") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.boot("a", {"net.0.network=lan"});
  REQUIRE(is_full(world));
  std::set<std::string> ready = world.prepared();
  for (const std::string& link : ready) shell_ok(world.box(), "ip link del " + link);
  world.boot("b", {"net.0.network=lan"});
  CHECK(ready.contains(world.port_of("b")["host_name"]));
  CHECK(world.reaches("a", world.address_of("b")));
}

TEST_CASE("a limit of few processes counts the same whether something was made ahead or not") {
  World world;
  for (const char* name : {"first", "second"}) {
    INFO(name);
    world.ok({"create", name, "--from", "dir:" + world.box().root() + "/tree", "--set",
              R"(command=["/bin/sleep","1000"])", "--set", "limits.processes=2", "--boot"});
    harness::sleep_for(std::chrono::milliseconds(300));
  }
}

TEST_CASE("an MTU below that of IPv6 leaves IPv4 alone") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24", "mtu=576"});
  world.boot("a", {"net.0.network=lan"});
  REQUIRE(is_full(world));
  world.boot("b", {"net.0.network=lan"});
  for (const char* zone : {"a", "b"}) {
    INFO(zone);
    CHECK_THAT(world.ok({"exec", zone, "--", "/bin/ip", "link", "show", "net0"}),
               Catch::Contains("mtu 576"));
    CHECK(world.reaches(zone, "169.254.1.1"));
  }
  CHECK(world.reaches("a", world.address_of("b")));
}

TEST_CASE("a run on a link that was made ahead keeps it over a restart of zoned") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.boot("a", {"net.0.network=lan"});
  REQUIRE(is_full(world));
  std::set<std::string> ready = world.prepared();
  shell_ok(world.box(), world.box().program("zone") + " --root " + world.box().root() +
                            " run --name job --from dir:" + world.box().root() +
                            "/tree --set net.0.network=lan -- /bin/sleep 1000 >" +
                            world.box().root() + "/run.out 2>&1 </dev/null &");
  bool up = eventually([&] { return world.pid_of("job") != 0; });
  INFO(shell_ok(world.box(), "cat " + world.box().root() + "/run.out"));
  REQUIRE(up);
  std::string host = world.port_of("job")["host_name"];
  std::string address = world.address_of("job");
  CHECK(ready.contains(host));
  CHECK(world.reaches("a", address));
  harness::sleep_for(std::chrono::milliseconds(200));  // its record is written then
  world.box().restart();
  CHECK(world.port_of("job")["host_name"] == host);
  CHECK(world.address_of("job") == address);
  CHECK(world.reaches("a", address));
  world.ok({"halt", "job"});
  CHECK(eventually([&] { return world.links().find(host) == std::string::npos; }));
}

TEST_CASE("prepared = 0 makes none ahead") {
  World world;
  world.box().kill_daemon();
  harness::write_text(world.box().root() + "/etc/zoned.toml", "prepared = 0\n");
  world.box().start();
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.boot("a", {"net.0.network=lan"});
  world.boot("b", {"net.0.network=lan"});
  harness::sleep_for(std::chrono::milliseconds(300));
  CHECK(world.prepared().empty());
  CHECK(held(world).find("user:[") == std::string::npos);
  CHECK(world.reaches("a", world.address_of("b")));
}

// The minute is waited for with the long trials alone.
TEST_CASE("what no boot has taken for a minute is given back, and not before") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.boot("a", {"net.0.network=lan"});
  REQUIRE(is_full(world));
  std::set<std::string> ready = world.prepared();
  harness::sleep_for(std::chrono::seconds(2));
  CHECK(world.prepared() == ready);
  if (!harness::soaking()) return;
  CHECK(eventually([&] { return world.prepared().empty(); }, std::chrono::seconds(70)));
  CHECK(held(world).find("user:[") == std::string::npos);
  world.boot("b", {"net.0.network=lan"});
  CHECK(world.reaches("a", world.address_of("b")));
  CHECK(is_full(world));
}

}  // namespace
