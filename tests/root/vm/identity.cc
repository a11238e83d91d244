// What a guest sees of its machine's identity, and what a host lacks for machines.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/files.h"
#include "tests/harness/shell.h"
#include "tests/root/vmguest/guest.h"

namespace vm_test {
namespace {

using harness::check_refused;
using harness::Sandbox;
using harness::shell_ok;

// The calling thread sees mounts of its own for the object's life; programs of the host can be hidden.
class OwnMounts {
 public:
  OwnMounts()
      : before_(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC)),
        folder_(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    REQUIRE(before_);
    REQUIRE(folder_);
    REQUIRE(unshare(CLONE_NEWNS) == 0);
    REQUIRE(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
  }
  // setns(2) into a mount namespace changes the folder.
  ~OwnMounts() {
    CHECK(setns(before_.get(), CLONE_NEWNS) == 0);
    CHECK(fchdir(folder_.get()) == 0);
  }
  OwnMounts(const OwnMounts&) = delete;
  OwnMounts& operator=(const OwnMounts&) = delete;

 private:
  base::UniqueFd before_;
  base::UniqueFd folder_;
};

// A file is not there while the object lives: its folder under an overlay that takes it away.
class Hidden {
 public:
  Hidden(const Sandbox& box, const std::string& file) : box_(box), folder_(file) {
    folder_.erase(folder_.rfind('/'));
    const std::string at = box.root() + "/hidden";
    shell_ok(box, "mkdir " + at + "; mount -t tmpfs none " + at + "; mkdir " + at + "/upper " + at +
                      "/work; mknod " + at + "/upper" + file.substr(folder_.size()) +
                      " c 0 0; mount -t overlay none -o lowerdir=" + folder_ + ",upperdir=" + at +
                      "/upper,workdir=" + at + "/work " + folder_);
    REQUIRE(access(file.c_str(), F_OK) != 0);
  }
  // Lazily: umount(8) may lie there.
  ~Hidden() { shell_ok(box_, "umount -l " + folder_ + " $R/hidden && rmdir $R/hidden"); }
  Hidden(const Hidden&) = delete;
  Hidden& operator=(const Hidden&) = delete;

 private:
  const Sandbox& box_;
  std::string folder_;
};

// What a command in the guest prints.
std::string told(Console& console, const std::string& command) {
  console.type("echo \"told <$(" + command + ")>\"\n");
  console.wait_for("\ntold <");
  std::string text = console.wait_for(">");
  return text.substr(0, text.size() - 1);
}

TEST_CASE("a guest's UUID and its disks' serials are what its hardware file says, at every start") {
  Sandbox box;
  shell_ok(box, "truncate -s 1M $R/first $R/second");
  for (const char* disk : {"/first", "/second"}) Sandbox::label_public(box.root() + disk);
  boot_linux(box, "web",
             {"disk.0.path=" + box.root() + "/first", "disk.1.path=" + box.root() + "/second",
              "disk.1.serial=MINE-1"});
  auto hardware =
      nlohmann::json::parse(harness::read_text(box.root() + "/lib/zones/web/vm/hardware"));
  auto check = [&](Console& console) {
    console.wait_for("guest: ready");
    CHECK(told(console, "cat /sys/class/dmi/id/product_uuid") == hardware["uuid"]);
    CHECK(told(console, "cat /sys/block/vda/serial") == hardware["disks"][0]["serial"]);
    CHECK(told(console, "cat /sys/block/vdb/serial") == "MINE-1");
  };
  Console console(box, "web");
  check(console);
  box.zone_ok({"reboot", "web"});
  check(console);
  box.zone_ok({"halt", "web"});
  box.restart();
  box.zone_ok({"boot", "web"});
  Console again(box, "web");
  check(again);
  box.zone_ok({"halt", "web"});
}

TEST_CASE("without QEMU or a firmware a machine is refused with the package to install") {
  OwnMounts mounts;
  Sandbox box;
  boot_grub(box, "bios");
  box.zone_ok({"halt", "bios"});
  boot(box, "uefi", std::string("iso:") + kGrubCd, {"vm.profile=generic-uefi", "vm.memory=96M"});
  box.zone_ok({"halt", "uefi"});
  struct Missing {
    const char* file;
    const char* package;
    const char* zone;
  };
  for (const Missing& missing : {Missing{"/usr/bin/qemu-system-x86_64", "qemu-system-x86", "bios"},
                                 Missing{"/usr/share/seabios/bios-256k.bin", "seabios", "bios"},
                                 Missing{"/usr/share/OVMF/OVMF_CODE_4M.fd", "ovmf", "uefi"}}) {
    INFO(missing.file);
    {
      Hidden hidden(box, missing.file);
      check_refused(box.zone({"boot", missing.zone}),
                    {std::string("zone '") + missing.zone + "'", missing.file,
                     std::string("install Debian's ") + missing.package});
      CHECK(harness::state_of(box, missing.zone) == "installed");
      CHECK(box.pids_of("qemu-system-x86").empty());
    }
    box.zone_ok({"boot", missing.zone});
    box.zone_ok({"halt", missing.zone});
  }
}

}  // namespace
}  // namespace vm_test
