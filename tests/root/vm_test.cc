// Guests of vm zones under the hands of their users: console, power, pausing, screen, keys, CDs.
#include <signal.h>

#include <catch2/catch.hpp>

#include "base/files.h"
#include "base/unix_socket.h"
#include "tests/harness/shell.h"
#include "tests/root/vmguest/guest.h"

namespace vm_test {
namespace {

using harness::check_refused;
using harness::Sandbox;
using harness::shell_ok;

TEST_CASE("a guest runs to a prompt, restarts as the same zone, and its power-off ends the zone") {
  Sandbox box;
  boot_linux(box, "web", {"label=PUBLIC"});
  Console console(box, "web");
  console.wait_for("label PUBLIC");
  console.wait_for("guest: ready");
  console.type("l=/sys/firmware/qemu_fw_cfg/by_name/opt/io.zoned/label/raw\n");
  console.type("(echo SECRET >$l) || echo refu''sed\n");
  console.wait_for("refused");
  console.type("echo \"now $(cat $l)\"\n");
  console.wait_for("now PUBLIC");

  // Its limit is what guest and VMM may take, though none was given.
  box.zone_ok({"set", "web", "vm.memory=384M"});  // from the next boot
  nlohmann::json figures = nlohmann::json::parse(box.zone_ok({"stat", "web", "--json"}));
  CHECK(figures["zones"][0].value("memory_limit_bytes", uint64_t{0}) ==
        std::stoull(
            harness::cgroup_value(box, "web", "memory", "memory.limit_in_bytes", "memory.max")));

  pid_t pid = harness::pid_of(box, "web");
  console.type("reboot -f\n");
  console.wait_for("guest: ready");
  CHECK(harness::pid_of(box, "web") == pid);
  console.type("poweroff -f\n");
  wait_for_state(box, "web", "installed");
  CHECK(last_end(box, "web") == "exit 0");
}

TEST_CASE("shutdown presses the power button, also of a paused guest; reboot keeps the console") {
  Sandbox box;
  boot_linux(box, "web");
  Console console(box, "web");
  console.wait_for("guest: ready");
  pid_t pid = harness::pid_of(box, "web");
  box.zone_ok({"reboot", "web"}, kPatience);
  console.wait_for("Power down");
  console.wait_for("guest: ready");
  CHECK(harness::pid_of(box, "web") != pid);
  box.zone_ok({"pause", "web"});
  box.zone_ok({"shutdown", "-t", "60s", "web"}, kPatience);
  CHECK(harness::state_of(box, "web") == "installed");
  CHECK(last_end(box, "web") == "exit 0");
}

TEST_CASE("a guest that ignores its power button is halted at the deadline") {
  Sandbox box;
  boot_grub(box, "deaf", {"stop-timeout=1s"});
  wait_for_screen(box, "deaf", "GNU GRUB");
  auto before = std::chrono::steady_clock::now();
  box.zone_ok({"shutdown", "deaf"});
  CHECK(std::chrono::steady_clock::now() - before >= std::chrono::seconds(1));
  CHECK(last_end(box, "deaf") == "signal 9");
}

TEST_CASE("--stop-all lets guests shut down, each until its deadline") {
  Sandbox box;
  boot_grub(box, "deaf", {"stop-timeout=1s"});
  boot_linux(box, "web");
  Console(box, "web").wait_for("guest: ready");
  box.stop_all();
  box.start();
  CHECK_THAT(box.zone_ok({"logs", "web"}), Catch::Contains("Power down"));
}

TEST_CASE("a paused guest stands still, is listed so after a restart of zoned, and goes on") {
  Sandbox box;
  boot_linux(box, "web");
  Console console(box, "web");
  console.wait_for("guest: ready");
  console.type("i=0; while :; do i=$((i+1)); echo n$i; sleep 0.05; done\n");
  console.wait_for("n9\r");
  box.zone_ok({"pause", "web"});
  CHECK(harness::state_of(box, "web") == "paused");
  console.take(std::chrono::milliseconds(500), std::chrono::seconds(5));
  CHECK(console.take(std::chrono::seconds(1), std::chrono::seconds(1)).empty());
  check_refused(box.zone({"key", "web", "a"}), {"zone 'web'", "it is paused"});
  box.zone_ok({"pause", "--all"});
  box.zone_ok({"pause", "web"});
  box.restart();
  wait_for_state(box, "web", "paused");
  box.zone_ok({"resume", "--all"});
  CHECK(harness::state_of(box, "web") == "running");
  console.wait_for("\nn");
  box.zone_ok({"pause", "web"});
  box.zone_ok({"halt", "--all"});
  CHECK(harness::state_of(box, "web") == "installed");
}

TEST_CASE("the screen is read and typed at, and its CD changed under the guest") {
  Sandbox box;
  boot_grub(box, "grub");
  wait_for_screen(box, "grub", "GNU GRUB");
  box.zone_ok({"key", "grub", "c", "--text", R"(echo "It's #1: {a|b} <x>"\n)"});
  wait_for_line(box, "grub", "It's #1: {a|b} <x>");
  shell_ok(box, "cp /usr/lib/memtest86+/memtest86+x64.iso $R/cd.iso");
  check_refused(box.zone({"insert", "grub", box.root() + "/cd.iso"}), {"no label", "cd.iso"});
  Sandbox::label_public(box.root() + "/cd.iso");
  check_refused(box.zone({"insert", "grub", "--drive", "cd7", box.root() + "/cd.iso"}),
                {"CD drive 'cd7'", "no such CD drive"});
  CHECK(box.zone({"insert", "grub", "/"}).status == 1);
  CHECK(box.zone({"insert", "grub", "/dev/null"}).status == 1);
  CHECK(box.zone({"key", "grub", "no-such-key"}).status == 1);
  box.zone_ok({"eject", "grub"});
  box.zone_ok({"eject", "grub"});
  box.zone_ok({"insert", "grub", box.root() + "/cd.iso"});
  box.zone_ok({"key", "grub", "ctrl-alt-delete"});
  wait_for_screen(box, "grub", "Memtest86+ v");
  // Only for so long as the zone runs.
  box.zone_ok({"halt", "grub"});
  box.zone_ok({"boot", "grub"});
  wait_for_screen(box, "grub", "GNU GRUB");
}

TEST_CASE("a VNC viewer sees the guest by a socket that only its user may open") {
  Sandbox box;
  boot_grub(box, "grub");
  std::string pid = shell_ok(box, "$Z vnc grub --socket $R/vnc >/dev/null 2>&1 & echo $!");
  REQUIRE(harness::eventually([&] { return base::exists_at(AT_FDCWD, box.root() + "/vnc"); }));
  CHECK(shell_ok(box, "stat -c %a $R/vnc") == "600\n");
  for (int i = 0; i < 2; ++i) {
    auto viewer = base::connect_unix(AT_FDCWD, box.root() + "/vnc", SOCK_STREAM);
    REQUIRE(viewer);
    auto hello = base::receive_message(viewer->get(), 64);
    REQUIRE(hello);
    CHECK(hello->data == "RFB 003.008\n");
  }
  CHECK(kill(std::stoi(pid), SIGTERM) == 0);
  CHECK(harness::eventually([&] { return !base::exists_at(AT_FDCWD, box.root() + "/vnc"); }));
}

TEST_CASE("what a zone has no guest or no screen for is refused") {
  Sandbox box;
  boot_linux(box, "web", {"vm.video=none"});
  check_refused(box.zone({"screenshot", "web", "-o", "/nowhere"}), {"zone 'web'", "no screen"});
  check_refused(box.zone({"vnc", "web"}), {"zone 'web'", "no screen"});
  check_refused(box.zone({"exec", "web", "ls"}), {"is a virtual machine"}, 125);
  check_refused(box.zone({"login", "web"}), {"is a virtual machine"}, 125);
  box.zone_ok({"halt", "web"});
  for (const char* verb : {"pause", "resume", "eject", "vnc"})
    check_refused(box.zone({verb, "web"}), {"zone 'web'", "not running"});
  harness::boot_script(box, "native", "sleep 1000");
  check_refused(box.zone({"pause", "native"}), {"brand native"});
}

}  // namespace
}  // namespace vm_test
