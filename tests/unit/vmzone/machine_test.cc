#include "vmzone/machine.h"

#include <fcntl.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/files.h"
#include "base/strings.h"
#include "tests/unit/vmzone/machines.h"
#include "vmzone/closure.h"

namespace vmzone {
namespace {

using nlohmann::json;
using testing::machine_from;

constexpr const char* kGolden = "tests/unit/vmzone/golden/";

std::string text_of(const Machine& machine) {
  std::string text;
  for (const std::string& argument : command_line(machine)) text += argument + "\n";
  text += "\n# descriptors\n";
  for (const core::KeptFd& fd : descriptors_of(machine))
    text += std::to_string(fd.number) + " " + fd.name + "\n";
  Closure closure = closure_of(machine);
  text += "\n# closure\n";
  for (const auto* paths : {&closure.programs, &closure.modules, &closure.data})
    for (const std::string& path : *paths) text += path + "\n";
  return text;
}

void check_golden(const std::string& name, const base::Result<Machine>& machine) {
  REQUIRE(machine.ok());
  std::string text = text_of(*machine);
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    auto folder = base::open_at(AT_FDCWD, kGolden, O_RDONLY | O_DIRECTORY);
    REQUIRE(folder.ok());
    REQUIRE(base::replace_file(folder->get(), name, text, base::Durability::kRuntime, 0644));
  }
  auto golden = base::read_file(AT_FDCWD, kGolden + name);
  REQUIRE(golden.ok());
  CHECK(*golden == text);  // UPDATE_GOLDEN=1 writes the files anew; look at the diff
}

// The argument after the option, the index-th time it is there; empty when it is not.
std::string after(const std::vector<std::string>& argv, const std::string& option,
                  size_t index = 0) {
  for (size_t i = 0; i + 1 < argv.size(); ++i)
    if (argv[i] == option && index-- == 0) return argv[i + 1];
  return {};
}

std::vector<json> devices_of(const std::vector<std::string>& argv) {
  std::vector<json> devices;
  for (size_t i = 0; i + 1 < argv.size(); ++i)
    if (argv[i] == "-device") devices.push_back(json::parse(argv[i + 1]));
  return devices;
}

json device(const Machine& machine, const std::string& id) {
  for (json& one : devices_of(command_line(machine)))
    if (one.value("id", "") == id) return one;
  return json::object();
}

void check_refused(Origin origin, const std::string& text, const std::string& message,
                   const std::string& hint) {
  INFO(text);
  auto machine = machine_from(origin, text);
  REQUIRE_FALSE(machine.ok());
  CHECK(machine.error().code == base::Code::kInvalid);
  CHECK(machine.error().message == message);
  CHECK(machine.error().hint == hint);
}

}  // namespace

TEST_CASE("the command line of a linux machine is the golden one") {
  check_golden("linux", machine_from(Origin::kKernel, R"(
vm.vcpus = 2
vm.memory = "512M"
net = [{network = "lan"}, {network = "back"}]
disk = [{path = "a.raw"}, {path = "/srv/b.qcow2", read-only = true, serial = "B-1"}, {media = "cd"}]
)"));
}

TEST_CASE("the command line of a generic BIOS machine is the golden one") {
  check_golden("generic-bios", machine_from(Origin::kDisk, R"(
vm.clock = "localtime"
net = [{network = "lan", mac = "02:00:00:00:00:09"}]
disk = [{path = "data.raw"}, {path = "/srv/x.iso", media = "cd"}]
)"));
}

TEST_CASE("the command line of a generic UEFI machine is the golden one") {
  check_golden("generic-uefi", machine_from(Origin::kIso, R"(
vm.profile = "generic-uefi"
net = [{network = "lan"}]
disk = [{path = "data.qcow2"}]
)"));
}

TEST_CASE("the command line of a machine with everything overridden is the golden one") {
  check_golden("overridden", machine_from(Origin::kDisk, R"(
[vm]
profile = "linux"
machine = "pc-i440fx-6.1"
cpu = "pentium3-v1,+vmx"
bus = "scsi"
video = "vmware"
acpi = false
apic = false
hpet = true
tablet = true
boot = ["net", "cd", "disk"]
memory = "64M"
[[net]]
network = "lan"
model = "ne2k"
[[disk]]
media = "cd"
bus = "sata"
)"));
}

TEST_CASE("KVM takes the place of TCG") {
  auto machine = machine_from(Origin::kKernel, "", "", Accelerator::kKvm);
  REQUIRE(machine.ok());
  std::vector<std::string> argv = command_line(*machine);
  CHECK(after(argv, "-accel") == "kvm");
  CHECK(after(argv, "-fw_cfg").empty());
  for (const std::string& module : closure_of(*machine).modules)
    CHECK(module.find("tcg") == std::string::npos);
}

TEST_CASE("no text of a person becomes an option") {
  const std::string hard = "a,b\"c'd%s\n-device x,=]:\\ \xc3\xa4";
  auto machine = machine_from(Origin::kKernel, "disk = [{path = \"x\", serial = \"S\"}]\n", hard);
  REQUIRE(machine.ok());
  size_t arguments = command_line(*machine).size();
  machine->command_line = hard;
  machine->disks[0].serial = hard;
  machine->disks[0].path = hard;
  std::vector<std::string> argv = command_line(*machine);
  CHECK(argv.size() == arguments);
  CHECK(after(argv, "-append") == hard);
  CHECK(device(*machine, "disk0")["serial"] == hard);
  CHECK(after(argv, "-fw_cfg") ==
        "name=opt/io.zoned/label,string=a,,b\"c'd%s\n-device x,,=]:\\ \xc3\xa4");
  for (const std::string& argument : argv)
    CHECK((argument.find(hard) == std::string::npos || argument == hard));
}

TEST_CASE("no two devices share an address, and each has an id of its own") {
  std::string text = "vm.video = \"virtio\"\nvm.tablet = true\nvm.machine = \"pc\"\nnet = [";
  for (int i = 0; i < 8; ++i) text += "{network = \"lan\"},";
  text += "]\ndisk = [";
  for (int i = 0; i < 14; ++i) text += "{path = \"d" + std::to_string(i) + "\"},";
  for (const char* bus : {"virtio", "scsi"}) {
    auto machine =
        machine_from(Origin::kKernel, "vm.bus = \"" + std::string(bus) + "\"\n" + text + "]\n");
    REQUIRE(machine.ok());
    std::set<std::string> addresses;
    std::set<std::string> ids;
    std::set<int> boot;
    for (const json& one : devices_of(command_line(*machine))) {
      INFO(one.dump());
      CHECK(ids.insert(one.value("id", "")).second);
      if (one.contains("addr")) CHECK(addresses.insert(one["addr"]).second);
      if (one.contains("scsi-id")) CHECK(addresses.insert(one["scsi-id"].dump()).second);
      if (one.contains("bootindex")) CHECK(boot.insert(one["bootindex"].get<int>()).second);
    }
    CHECK(boot.size() == 14);
    CHECK(addresses.size() >= 22);
  }
}

TEST_CASE("the profile follows from the origin") {
  CHECK(machine_from(Origin::kKernel, "")->profile == "linux");
  CHECK(machine_from(Origin::kDisk, "")->profile == "generic-bios");
  CHECK(machine_from(Origin::kIso, "")->profile == "generic-bios");
}

TEST_CASE("the machine type has the version of the installation or its own") {
  CHECK(machine_from(Origin::kDisk, "")->type == "pc-i440fx-7.2");
  auto q35 = machine_from(Origin::kDisk, "vm.machine = \"q35\"\n");
  CHECK(q35->type == "pc-q35-7.2");
  CHECK(q35->disks[0].bus == Bus::kSata);
  CHECK(machine_from(Origin::kDisk, "vm.machine = \"pc-q35-6.0\"\n")->type == "pc-q35-6.0");
}

TEST_CASE("nested virtualisation is off unless it is asked for") {
  CHECK(machine_from(Origin::kKernel, "")->cpu == "Nehalem-v1,vmx=off,svm=off");
  CHECK(machine_from(Origin::kKernel, "vm.cpu = \"host,+vmx\"\n")->cpu ==
        "host,vmx=off,svm=off,+vmx");
}

TEST_CASE("what is booted from follows the order, and nothing else is") {
  auto machine = machine_from(Origin::kIso, R"(vm.boot = ["cd"]
disk = [{path = "d"}]
net = [{network = "lan"}]
)");
  REQUIRE(machine.ok());
  CHECK(device(*machine, "cd0")["bootindex"] == 1);
  CHECK_FALSE(device(*machine, "disk0").contains("bootindex"));
  CHECK(device(*machine, "net0")["romfile"] == "");
}

TEST_CASE("choices that exclude each other are refused with a way out") {
  check_refused(Origin::kKernel, "disk = [{path = \"a\", bus = \"ide\"}]\n",
                "disk.0: machine 'q35' has no IDE", "use bus = \"sata\", or vm.machine = \"pc\"");
  check_refused(Origin::kKernel, "disk = [{media = \"cd\", bus = \"virtio\"}]\n",
                "disk.0: there are no virtio CDs", "use bus = \"ide\", \"sata\" or \"scsi\"");
  check_refused(Origin::kDisk, "disk = [{path = \"a\", read-only = true}]\n",
                "disk.0: an IDE or SATA disk can't be read-only",
                "use bus = \"virtio\" or \"scsi\", or media = \"cd\"");
  check_refused(Origin::kDisk,
                "disk = [{path = \"a\"}, {path = \"b\"}, {path = \"c\"}, {path = \"d\"}]\n",
                "disk.3: its bus takes 4 disks, and this would be at place 5",
                "use another bus for some of the disks");
  check_refused(Origin::kKernel, "vm.vcpus = 2\nvm.apic = false\n",
                "vm.apic: several processors need it", "set vm.vcpus = 1");
  check_refused(Origin::kDisk, "vm.profile = \"generic-uefi\"\nvm.acpi = false\n",
                "vm.acpi: UEFI firmware needs it", "remove vm.acpi");
  check_refused(Origin::kDisk, "vm.profile = \"generic-uefi\"\nvm.apic = false\n",
                "vm.apic: UEFI firmware needs it", "remove vm.apic");
  check_refused(Origin::kKernel, "vm.memory = 4194305\n", "vm.memory is not a whole number of MiB",
                "write it as in \"512M\"");
}

TEST_CASE("a cap below the guest's memory and QEMU's is refused, at it is taken") {
  auto free = machine_from(Origin::kKernel, "vm.memory = \"1G\"\n");
  REQUIRE(free.ok());
  uint64_t needed = memory_needed(*free);
  CHECK(needed > free->memory);
  auto with_cap = [](uint64_t bytes) {
    return machine_from(Origin::kKernel, "vm.memory = \"1G\"\ncapped-memory.physical = " +
                                             std::to_string(bytes) + "\n");
  };
  CHECK(with_cap(needed).ok());
  auto below = with_cap(needed - 1);
  REQUIRE_FALSE(below.ok());
  CHECK(below.error().message.find("capped-memory.physical") == 0);
  CHECK(below.error().hint == "raise it to " + base::format_size(needed) + ", or lower vm.memory");
}

TEST_CASE("what lacks a place on the hardware is a bug of ours") {
  core::ZoneSpec spec = testing::spec_of("disk = [{path = \"a\"}]\n");
  Hardware hardware = new_hardware(Origin::kKernel, "7.2", testing::kUuid);
  auto machine = machine_of(spec, hardware, Accelerator::kTcg, "");
  REQUIRE_FALSE(machine.ok());
  CHECK(machine.error().code == base::Code::kInternal);
}

TEST_CASE("a file of QEMU that is missing is named, with its package") {
  Closure closure = closure_of(*machine_from(Origin::kDisk, "vm.profile = \"generic-uefi\"\n"));
  char folder[] = "/tmp/closure-test-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  auto root = base::open_at(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY);
  REQUIRE(root.ok());
  std::vector<std::string> paths = closure.programs;
  for (const auto* more : {&closure.modules, &closure.data})
    paths.insert(paths.end(), more->begin(), more->end());
  for (const std::string& path : paths) {
    auto status = check_closure(root->get(), closure);
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().code == base::Code::kUnsupported);
    CHECK(status.error().message == "QEMU's file '" + path + "' is not there");
    CHECK(status.error().hint.starts_with("install Debian's "));
    size_t slash = path.rfind('/');
    auto parent = base::make_dirs(root->get(), path.substr(1, slash - 1));
    REQUIRE(parent.ok());
    REQUIRE(
        base::replace_file(parent->get(), path.substr(slash + 1), "x", base::Durability::kRuntime));
  }
  CHECK(check_closure(root->get(), closure).ok());
  REQUIRE(base::remove_tree(AT_FDCWD, folder).ok());
}

}  // namespace vmzone
