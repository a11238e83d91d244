// Real guests that Debian ships, each read and typed at.
#include <catch2/catch.hpp>

#include "tests/root/vmguest/guest.h"

namespace vm_test {
namespace {

using harness::Sandbox;

constexpr const char* kScreen = "vm.video=std";

TEST_CASE("GRUB's floppy image starts as a disk and takes commands") {
  Sandbox box;
  boot(box, "grub", "disk:/usr/lib/grub-rescue/grub-rescue-floppy.img",
       {"vm.profile=generic-bios", "vm.memory=64M"});
  wait_for_screen(box, "grub", "GNU GRUB");
  box.zone_ok({"key", "grub", "c", "--text", "echo on $root\\n"});
  wait_for_line(box, "grub", "on hd0");
}

TEST_CASE("memtest86+ tests the memory that its zone gave it") {
  Sandbox box;
  boot(box, "memtest", "kernel:/boot/memtest86+x64.bin", {kScreen, "vm.memory=64M"});
  wait_for_screen(box, "memtest", "Memtest86+ v");
  wait_for_screen(box, "memtest", "Status: Testing");
  box.zone_ok({"key", "memtest", "f1"});
  wait_for_screen(box, "memtest", "Settings");
}

TEST_CASE("iPXE gives its shell") {
  Sandbox box;
  boot(box, "ipxe", "kernel:/boot/ipxe.lkrn",
       {kScreen, "vm.memory=64M", "vm.kernel-command-line=shell"});
  wait_for_screen(box, "ipxe", "iPXE>");
  box.zone_ok({"key", "ipxe", "--text", "echo typed here\\n"});
  wait_for_line(box, "ipxe", "typed here");
}

TEST_CASE("OVMF's shell answers on the console and at the keyboard") {
  Sandbox box;
  boot(box, "uefi", std::string("iso:") + kGrubCd, {"vm.profile=generic-uefi", "vm.memory=128M"});
  Console console(box, "uefi");
  console.wait_for("Shell> ");
  console.type("echo by wire\r");
  console.wait_for("\nby wire");
  box.zone_ok({"key", "uefi", "--text", "echo by key\\n"});
  console.wait_for("\nby key");
}

void check_installer(const std::string& architecture) {
  Sandbox box;
  std::string folder = "/usr/lib/debian-installer/images/12/" + architecture +
                       "/text/debian-installer/" + architecture;
  boot(box, "installer", "kernel:" + folder + "/linux,initrd=" + folder + "/initrd.gz",
       {"vm.memory=1G", R"(vm.kernel-command-line="console=ttyS0 quiet")"});
  Console console(box, "installer");
  console.wait_for("Select a language");
  console.wait_for("English");
  console.type("\x1b[A");  // the line above: English is the second
  console.take(std::chrono::seconds(2), std::chrono::seconds(10));
  console.type("\r");
  console.wait_for("Select your location");
}

TEST_CASE("Debian's installer for i386 comes to its first question, and takes the answer") {
  check_installer("i386");
}

TEST_CASE("Debian's installer for amd64 comes to its first question, and takes the answer") {
  check_installer("amd64");
}

}  // namespace
}  // namespace vm_test
