// Guests that do harm within their machine, and what can't start.
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "base/files.h"
#include "tests/harness/shell.h"
#include "tests/root/trial/trial.h"
#include "tests/root/vmguest/guest.h"

namespace vm_test {
namespace {

using harness::check_refused;
using harness::Sandbox;
using harness::shell_ok;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint64_t kGrowth = 4 << 20;

// What zoned and its keepers hold of memory.
uint64_t memory_of(const Sandbox& box) {
  uint64_t sum = trial::rss_bytes(box.daemon_pid());
  for (pid_t keeper : box.keeper_pids()) sum += trial::rss_bytes(keeper);
  return sum;
}

// While a guest does its worst for this long: memory stays flat and zoned answers quickly.
void check_flat(const Sandbox& box, seconds time) {
  const uint64_t before = memory_of(box);
  std::vector<milliseconds> latencies;
  auto end = trial::Clock::now() + time;
  while (trial::Clock::now() < end) {
    auto asked = trial::Clock::now();
    REQUIRE(trial::call(box, "List", {{"names", nlohmann::json::array()}}).ok());
    latencies.push_back(std::chrono::duration_cast<milliseconds>(trial::Clock::now() - asked));
    harness::sleep_for(milliseconds(10));
  }
  CHECK(trial::p99(latencies) < milliseconds(100));
  CHECK(memory_of(box) < before + kGrowth);
}

// A boot sector that writes 6 to port 0xcf9: the machine resets, and again.
void write_resetter(const std::string& path) {
  std::string sector("\xba\xf9\x0c\xb0\x06\xee\xf4\xeb\xfd", 9);
  sector.resize(510);
  sector += "\x55\xaa";
  sector.resize(size_t{64} << 10);
  harness::write_text(path, sector);
}

TEST_CASE("a guest that floods its console and its disk takes no memory of zoned and its keeper") {
  Sandbox box;
  shell_ok(box, "truncate -s 64M $R/disk");
  Sandbox::label_public(box.root() + "/disk");
  boot_linux(box, "loud", {"disk.0.path=" + box.root() + "/disk", "cpu-shares=10"});
  harness::boot_script(box, "neighbour", "while :; do :; done", {"cpu-shares=10"});
  Console console(box, "loud");
  console.wait_for("guest: ready");
  box.zone_ok({"pause", "loud"});
  box.zone_ok({"resume", "loud"});
  console.type("(while :; do dd if=/dev/zero of=/dev/vda bs=64k count=1000; done) 2>/dev/null &\n");
  console.type("while :; do cat /proc/kallsyms; done\n");
  console.wait_for("_text", seconds(60));
  // Nobody reads the console any more.
  const double neighbour = static_cast<double>(trial::cpu_ns(box, "default", "neighbour"));
  const double loud = static_cast<double>(trial::cpu_ns(box, "default", "loud"));
  check_flat(box, seconds(4));
  const double got = static_cast<double>(trial::cpu_ns(box, "default", "neighbour")) - neighbour;
  const double lost = static_cast<double>(trial::cpu_ns(box, "default", "loud")) - loud;
  INFO("neighbour " << got / 1e9 << " s, guest " << lost / 1e9 << " s");
  // One thread against a machine of several: half a CPU at the least, were there two.
  CHECK(got > 0.3 * (got + lost));
  box.zone_ok({"exec", "neighbour", "--", "/bin/true"});
  box.zone_ok({"halt", "--all"});
}

TEST_CASE("a guest that resets in a loop floods neither zoned nor the record of events") {
  Sandbox box;
  write_resetter(box.root() + "/reset.img");
  boot(box, "reset", "disk:" + box.root() + "/reset.img",
       {"vm.profile=generic-bios", "vm.memory=32M"});
  harness::boot_script(box, "neighbour", "sleep 1000");
  pid_t pid = harness::pid_of(box, "reset");
  check_flat(box, seconds(4));
  CHECK(harness::pid_of(box, "reset") == pid);
  auto kinds = trial::events(box);
  CHECK(std::count(kinds.begin(), kinds.end(), "reset guest-reset") == 1);
  CHECK(std::count(kinds.begin(), kinds.end(), "neighbour booted") == 1);
  box.zone_ok({"pause", "reset"});
  CHECK(harness::state_of(box, "reset") == "paused");
}

TEST_CASE("more guest memory than the zone may have is refused before anything starts") {
  Sandbox box;
  box.zone_ok(
      {"create", "big", "--brand", "vm", "--from", linux_source(), "--set", "vm.memory=96M"});
  check_refused(box.zone({"set", "big", "capped-memory.physical=64M"}), {"capped-memory"});
  box.zone_ok({"set", "big", "capped-memory.physical=1G"});
  box.zone_ok({"boot", "big"});
  box.zone_ok({"halt", "big"});
}

TEST_CASE("a disk that a running machine has is refused to a second one, and free after its end") {
  Sandbox box;
  shell_ok(box, "truncate -s 1M $R/disk");
  Sandbox::label_public(box.root() + "/disk");
  std::string disk = "disk.0.path=" + box.root() + "/disk";
  boot_linux(box, "one", {disk});
  for (const char* name : {"two", "three"})
    box.zone_ok({"create", name, "--brand", "vm", "--from", linux_source(), "--set",
                 "vm.memory=96M", "--set", disk});
  check_refused(box.zone({"boot", "two"}), {"zone 'two'", "disk", "in use by another machine"});
  CHECK(harness::state_of(box, "two") == "installed");
  std::string image = "disk:" + box.root() + "/disk";
  check_refused(box.zone({"create", "copy", "--brand", "vm", "--from", image}),
                {"zone 'copy'", "in use"});
  box.restart();
  check_refused(box.zone({"boot", "two"}), {"in use by another machine"});
  box.zone_ok({"halt", "one"});
  box.zone_ok({"boot", "two"});
  // A CD is no way around it.
  boot_grub(box, "grub");
  check_refused(box.zone({"insert", "grub", box.root() + "/disk"}), {"in use by another machine"});
  box.zone_ok({"halt", "--all"});
}

TEST_CASE("what lies on a raw disk is its guest's business, and raises no limit") {
  Sandbox box;
  shell_ok(box, "truncate -s 80M $R/disk; qemu-img create -q -f qcow2 $R/large 1T");
  Sandbox::label_public(box.root() + "/disk");
  boot_linux(box, "web", {"disk.0.path=" + box.root() + "/disk"});
  auto limit = [&] {
    return shell_ok(box, "grep 'file size' /proc/$($Z --json list web | jq .[0].pid)/limits");
  };
  const std::string before = limit();
  CHECK(before.find(std::to_string(80 << 20)) != std::string::npos);
  for (const char* head : {"printf 'LUKS\\272\\276'", "head -c 65536 $R/large"}) {
    box.zone_ok({"halt", "web"});
    shell_ok(box, std::string(head) + " | dd of=$R/disk conv=notrunc status=none");
    box.zone_ok({"boot", "web"});
    CHECK(limit() == before);
  }
  box.zone_ok({"halt", "web"});
}

TEST_CASE("a qcow2 image that was cut or replaced after the install is refused at boot") {
  Sandbox box;
  shell_ok(box, "qemu-img create -q -f qcow2 $R/disk 16M");
  box.zone_ok({"create", "web", "--brand", "vm", "--from", "disk:" + box.root() + "/disk", "--set",
               "vm.memory=64M"});
  std::string image = box.root() + "/lib/zones/web/vm/image";
  shell_ok(box, "cp " + image + " $R/good; truncate -s 100 " + image);
  check_refused(box.zone({"boot", "web"}), {"zone 'web'"});
  shell_ok(box, "truncate -s 1M $R/raw; cat $R/raw >" + image);
  check_refused(box.zone({"boot", "web"}), {"zone 'web'"});
  CHECK(harness::state_of(box, "web") == "installed");
  shell_ok(box, "cat $R/good >" + image);
  box.zone_ok({"boot", "web"});
  box.zone_ok({"halt", "web"});
}

}  // namespace
}  // namespace vm_test
