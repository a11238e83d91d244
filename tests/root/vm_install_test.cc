// Installing vm zones: what each source gives, what is refused, and that a refusal, a full disk or a
// kill leaves nothing.
#include <catch2/catch.hpp>
#include <filesystem>

#include "base/files.h"
#include "base/strings.h"
#include "tests/harness/kernel_images.h"
#include "tests/harness/shell.h"

namespace {

namespace fs = std::filesystem;
using harness::check_refused;
using harness::Sandbox;
using harness::shell;
using harness::shell_ok;
using harness::state_of;
using harness::write_text;
using nlohmann::json;

constexpr const char* kCd = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso";

std::string vm_folder(const Sandbox& box, const std::string& zone) {
  return box.root() + "/lib/zones/" + zone + "/vm";
}

std::vector<std::string> files_of(const Sandbox& box, const std::string& zone) {
  auto names = base::list_dir(AT_FDCWD, vm_folder(box, zone));
  REQUIRE(names);
  return *names;
}

json hardware_of(const Sandbox& box, const std::string& zone) {
  return json::parse(harness::read_text(vm_folder(box, zone) + "/hardware"));
}

bool same_bytes(const std::string& a, const std::string& b) {
  auto ran = base::run_program({"cmp", "-s", a, b});
  REQUIRE(ran);
  return ran->status == 0;
}

void create(const Sandbox& box, const std::string& name) {
  box.zone_ok({"create", name, "--brand", "vm"});
}

void install(const Sandbox& box, const std::string& name, const std::string& source) {
  create(box, name);
  box.zone_ok({"install", name, "--from", source});
  CHECK(state_of(box, name) == "installed");
}

// No zone, and nothing of one.
void check_nothing_left(const Sandbox& box) {
  CHECK(box.zone_ok({"list", "--json"}) == "[]\n");
  CHECK(fs::is_empty(box.root() + "/lib/zones"));
  CHECK(harness::eventually([&] { return fs::is_empty(box.root() + "/lib/trash"); }));
}

// A qcow2 image of 1 GiB with 8 MiB in it.
std::string qcow2(const Sandbox& box, const std::string& name) {
  std::string path = box.root() + "/" + name;
  shell_ok(box, "qemu-img create -q -f qcow2 '" + path +
                    "' 1G && qemu-io -f qcow2 -c 'write 0 8M' '" + path + "'");
  return path;
}

// A small file system of its own for what zones hold, gone at the end of the scope.
class SmallDisk {
 public:
  explicit SmallDisk(Sandbox* box) : box_(box) {
    fs::create_directories(box->root() + "/lib");
    shell_ok(*box,
             "truncate -s 64M $R/small.fs && mke2fs -q -t ext4 $R/small.fs &&"
             " mount -o loop $R/small.fs $R/lib");
    box->start();
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() { shell(*box_, "$B/zoned --root $R --stop-all; umount $R/lib"); }

 private:
  Sandbox* box_;
};

}  // namespace

TEST_CASE("kernels of all kinds are installed with their initrd, for the VMM to read") {
  Sandbox box;
  write_text(box.root() + "/initrd", "ramdisk");
  const std::vector<std::pair<std::string, std::string>> kKernels = {
      {"linux", harness::bzimage()}, {"multiboot", harness::multiboot()}, {"pvh", harness::pvh()}};
  for (const auto& [name, bytes] : kKernels) {
    std::string path = box.root() + "/k-" + name;
    write_text(path, bytes);
    install(box, name, "kernel:" + path + ",initrd=" + box.root() + "/initrd");
    CHECK(files_of(box, name) == std::vector<std::string>{"hardware", "initrd", "kernel"});
    CHECK(same_bytes(path, vm_folder(box, name) + "/kernel"));
    CHECK(hardware_of(box, name)["origin"] == "kernel");
    CHECK(hardware_of(box, name)["initrd"] == true);
  }
  struct stat st = {};
  REQUIRE(stat((vm_folder(box, "pvh") + "/kernel").c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0644);
  REQUIRE(stat(vm_folder(box, "pvh").c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0700);
  CHECK(st.st_uid == 0);
}

TEST_CASE("disks keep their bytes and holes, and their format is told once") {
  Sandbox box;
  std::string raw = box.root() + "/raw.img";
  shell_ok(box, "truncate -s 2G '" + raw + "' && echo far | dd of='" + raw +
                    "' bs=1 seek=1500000000 conv=notrunc status=none");
  install(box, "raw", "disk:" + raw);
  CHECK(same_bytes(raw, vm_folder(box, "raw") + "/image"));
  struct stat st = {};
  REQUIRE(stat((vm_folder(box, "raw") + "/image").c_str(), &st) == 0);
  CHECK(st.st_blocks * 512 < 1 << 20);
  CHECK((st.st_mode & 07777) == 0600);
  CHECK(hardware_of(box, "raw")["format"] == "raw");

  std::string image = qcow2(box, "d.qcow2");
  install(box, "cow", "disk:" + image);
  install(box, "twin", "disk:" + image);
  CHECK(same_bytes(image, vm_folder(box, "cow") + "/image"));
  CHECK(hardware_of(box, "cow")["format"] == "qcow2");
  CHECK(hardware_of(box, "cow")["uuid"] != hardware_of(box, "twin")["uuid"]);
}

TEST_CASE("a UEFI machine from a CD gets an NVRAM of its own") {
  Sandbox box;
  box.zone_ok({"create", "uefi", "--brand", "vm", "--set", "vm.profile=generic-uefi"});
  box.zone_ok({"install", "uefi", "--from", std::string("iso:") + kCd});
  CHECK(files_of(box, "uefi") == std::vector<std::string>{"hardware", "image", "nvram"});
  CHECK(same_bytes(kCd, vm_folder(box, "uefi") + "/image"));
  shell_ok(box, "qemu-img check -q -f qcow2 '" + vm_folder(box, "uefi") + "/nvram'");
  install(box, "bios", std::string("iso:") + kCd);
  CHECK(files_of(box, "bios") == std::vector<std::string>{"hardware", "image"});
}

TEST_CASE("uninstalling, installing anew and deleting work as for trees") {
  Sandbox box;
  install(box, "guest", std::string("iso:") + kCd);
  std::string uuid = hardware_of(box, "guest")["uuid"];
  check_refused(box.zone({"install", "guest", "--from", std::string("iso:") + kCd}),
                {"guest", "installed already"});
  box.zone_ok({"uninstall", "guest"});
  CHECK(state_of(box, "guest") == "configured");
  CHECK_FALSE(fs::exists(vm_folder(box, "guest")));
  box.zone_ok({"install", "guest", "--from", std::string("iso:") + kCd});
  CHECK(hardware_of(box, "guest")["uuid"] != uuid);
  check_refused(box.zone({"run", "--from", "clone:guest", "--", "/bin/true"}), {"guest", "vm zone"},
                125);
  box.zone_ok({"delete", "guest"});
  check_nothing_left(box);
}

TEST_CASE("what is no machine's is refused, and the new zone is gone again") {
  Sandbox box;
  std::string good = qcow2(box, "good.qcow2");
  std::string at = box.root() + "/";
  shell_ok(
      box,
      "cd $R && qemu-img create -q -f qcow2 -b good.qcow2 -F qcow2 backed.qcow2 &&"
      " qemu-img convert -O vmdk good.qcow2 d.vmdk && head -c 3000000 good.qcow2 > cut.qcow2 &&"
      " head -c 50 good.qcow2 > stub.qcow2 && cp good.qcow2 lie.qcow2 &&"
      // The first table of level 2 lies far behind the end of the file.
      " printf '\\200\\0\\0\\100\\0\\0\\0\\0' |"
      " dd of=lie.qcow2 bs=1 conv=notrunc status=none"
      " seek=$(od -An -j40 -N8 -tu8 --endian=big good.qcow2 | tr -d ' ') &&"
      " head -c 1000 good.qcow2 > odd.img && printf x | dd of=odd.img bs=1 conv=notrunc"
      " status=none && : > empty.img && gzip -k good.qcow2 && mkdir folder");
  const std::vector<std::pair<std::string, std::vector<std::string>>> kRefused = {
      {"disk:" + at + "backed.qcow2", {"backing"}},
      {"disk:" + at + "d.vmdk", {"VMDK"}},
      {"disk:" + at + "cut.qcow2", {"damaged or cut short"}},
      {"disk:" + at + "stub.qcow2", {"qcow2"}},
      {"disk:" + at + "lie.qcow2", {"damaged or cut short"}},
      {"disk:" + at + "odd.img", {"512"}},
      {"disk:" + at + "empty.img", {"empty"}},
      {"disk:" + at + "folder", {"is not a file"}},
      {"disk:" + at + "absent", {"No such file"}},
      {"iso:" + good, {"no image of a CD"}},
      {"kernel:" + good, {"no kernel"}},
      {"kernel:" + at + "good.qcow2.gz", {"no kernel"}},
      {"kernel:" + at + "absent", {"No such file"}},
      {"dir:" + at + "folder", {"is for native zones"}},
  };
  for (const auto& [source, words] : kRefused) {
    INFO(source);
    std::vector<std::string> pieces = words;
    pieces.push_back("zone 'guest'");
    auto out = box.zone({"create", "guest", "--brand", "vm", "--from", source});
    INFO(out.err);
    CHECK(out.status == 1);
    for (const std::string& piece : pieces) CHECK(out.err.find(piece) != std::string::npos);
  }
  check_refused(box.zone({"create", "guest", "--from", "disk:" + good}),
                {"zone 'guest'", "is for vm zones"});
  check_nothing_left(box);
  install(box, "guest", "disk:" + good);  // the control
}

TEST_CASE("an image that a running machine writes to is refused until that machine ends") {
  Sandbox box;
  std::string image = qcow2(box, "d.qcow2");
  create(box, "guest");
  // qemu-io holds the image open for writing until its input ends.
  auto held =
      shell(box,
            "mkfifo $R/stdin; qemu-io -f qcow2 $R/d.qcow2 < $R/stdin > $R/out 2>&1 & exec 9> "
            "$R/stdin; echo 'write 0 512' >&9; for i in $(seq 100); do grep -q wrote $R/out "
            "&& break; sleep 0.1; done; $Z install guest --from disk:$R/d.qcow2; s=$?; "
            "exec 9>&-; wait; exit $s");
  INFO(held.err);
  CHECK(held.status == 1);
  CHECK(held.err.find("in use") != std::string::npos);
  CHECK(state_of(box, "guest") == "configured");
  box.zone_ok({"install", "guest", "--from", "disk:" + image});
}

TEST_CASE("a full disk is told before it is full, with what was needed") {
  Sandbox box(Sandbox::Start::kLater);
  SmallDisk disk(&box);
  std::string big = box.root() + "/big.img";
  shell_ok(
      box,
      "head -c 100M /dev/zero | tr '\\0' x > $R/big.img && head -c 1M $R/big.img > $R/fits.img");
  create(box, "guest");
  auto out = box.zone({"install", "guest", "--from", "disk:" + big});
  INFO(out.err);
  CHECK(out.status == 1);
  CHECK(out.err.find("no space left on the disk that holds zones: the image needs 100M") !=
        std::string::npos);
  CHECK(state_of(box, "guest") == "configured");
  CHECK_FALSE(fs::exists(vm_folder(box, "guest")));
  box.zone_ok({"install", "guest", "--from", "disk:" + box.root() + "/fits.img"});
}

TEST_CASE(
    "zoned killed in the middle of an install leaves an incomplete zone that installs again") {
  Sandbox box;
  create(box, "guest");
  std::string image = box.root() + "/d.img";
  shell_ok(box, "head -c 300M /dev/zero | tr '\\0' x > $R/d.img");
  shell_ok(box, "$Z install guest --from disk:$R/d.img > $R/out 2>&1 &");
  CHECK(harness::eventually([&] { return fs::exists(vm_folder(box, "guest") + "/image"); }));
  box.kill_daemon();
  CHECK_FALSE(fs::exists(vm_folder(box, "guest") + "/hardware"));
  box.start();
  CHECK(state_of(box, "guest") == "incomplete");
  check_refused(box.zone({"boot", "guest"}), {"guest", "incomplete"});
  box.zone_ok({"install", "guest", "--from", "disk:" + image});
  CHECK(same_bytes(image, vm_folder(box, "guest") + "/image"));
  box.zone_ok({"delete", "guest"});
  check_nothing_left(box);
}
