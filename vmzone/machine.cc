#include "vmzone/machine.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace vmzone {
namespace {

using base::Code;
using base::make_error;
using base::quoted;
using base::Result;
using base::Status;

constexpr uint64_t kMiB = 1 << 20;

base::Error invalid(const std::string& message, const std::string& hint) {
  return make_error(Code::kInvalid, message, hint);
}

struct Type {
  Chipset chipset;
  std::string name;
};

Type type_of(const core::VmSpec& vm, const Profile& profile, const Hardware& hardware) {
  Chipset chipset = profile.chipset;
  if (!vm.machine.empty())
    chipset = vm.machine.find("q35") != std::string::npos ? Chipset::kQ35 : Chipset::kI440fx;
  std::string family = chipset == Chipset::kQ35 ? "pc-q35-" : "pc-i440fx-";
  bool versioned = vm.machine.find('-') != std::string::npos;
  return {chipset, versioned ? vm.machine : family + hardware.machine_version};
}

// The limit of each bus, in devices.
uint32_t places_of(Bus bus, const Machine& machine) {
  switch (bus) {
    case Bus::kIde:
      return 4;
    case Bus::kSata:
      return 6;
    case Bus::kScsi:
      return machine.scsi == "lsi53c895a" ? 7 : kMaxDisks;
    case Bus::kVirtio:
      return kMaxDisks;
  }
  return 0;
}

Status check_disk(const MachineDisk& disk, const Machine& machine, const std::string& key) {
  if (disk.bus == Bus::kIde && machine.chipset == Chipset::kQ35)
    return invalid(key + ": machine 'q35' has no IDE",
                   "use bus = \"sata\", or vm.machine = \"pc\"");
  if (disk.bus == Bus::kVirtio && disk.cd)
    return invalid(key + ": there are no virtio CDs", "use bus = \"ide\", \"sata\" or \"scsi\"");
  if (disk.read_only && !disk.cd && (disk.bus == Bus::kIde || disk.bus == Bus::kSata))
    return invalid(key + ": an IDE or SATA disk can't be read-only",
                   "use bus = \"virtio\" or \"scsi\", or media = \"cd\"");
  if (disk.unit >= places_of(disk.bus, machine))
    return invalid(key + ": its bus takes " + std::to_string(places_of(disk.bus, machine)) +
                       " disks, and this would be at place " + std::to_string(disk.unit + 1),
                   "use another bus for some of the disks");
  return {};
}

Result<MachineDisk> disk_of(const Hardware& hardware, const std::string& id) {
  auto at = std::find_if(hardware.disks.begin(), hardware.disks.end(),
                         [&](const PinnedDisk& pinned) { return pinned.id == id; });
  if (at == hardware.disks.end())
    return make_error(Code::kInternal, "disk " + quoted(id) + " has no place in the machine");
  MachineDisk disk;
  disk.id = "disk" + std::to_string(at->unit);
  disk.format = at->format;
  disk.serial = at->serial;
  disk.unit = at->unit;
  return disk;
}

Status add_disk(MachineDisk disk, const std::string& key, Machine* machine) {
  if (disk.cd) {
    auto cds = std::count_if(machine->disks.begin(), machine->disks.end(),
                             [](const MachineDisk& other) { return other.cd; });
    disk.id = "cd" + std::to_string(cds);
    disk.read_only = true;
    disk.format = DiskFormat::kRaw;
  }
  TRY(check_disk(disk, *machine, key));
  machine->disks.push_back(std::move(disk));
  return {};
}

// A bus for CDs where disks have `bus`.
Bus cd_bus(Bus bus, Chipset chipset) {
  if (bus != Bus::kVirtio) return bus;
  return chipset == Chipset::kQ35 ? Bus::kSata : Bus::kIde;
}

Status add_disks(const core::ZoneSpec& spec, const Hardware& hardware, Bus bus, Machine* machine) {
  if (hardware.origin != Origin::kKernel) {
    TRY_AS(MachineDisk disk, disk_of(hardware, kInstalledDisk));
    disk.path = kInstalledDisk;
    disk.cd = hardware.origin == Origin::kIso;
    disk.bus = disk.cd ? cd_bus(bus, machine->chipset) : bus;
    TRY(add_disk(std::move(disk), "the disk of the installation", machine));
  }
  for (size_t i = 0; i < spec.disk.size(); ++i) {
    const core::DiskSpec& given = spec.disk[i];
    TRY_AS(MachineDisk disk, disk_of(hardware, disk_id(spec, i)));
    disk.path = given.path;
    disk.cd = given.media == "cd";
    disk.read_only = given.read_only;
    disk.bus = disk.cd ? cd_bus(bus, machine->chipset) : bus;
    if (given.bus) {
      TRY_AS(disk.bus, parse_bus(*given.bus));
    }
    TRY(add_disk(std::move(disk), "disk." + std::to_string(i), machine));
  }
  return {};
}

Status add_nics(const core::ZoneSpec& spec, const Hardware& hardware, NicModel model,
                Machine* machine) {
  for (size_t i = 0; i < spec.net.size(); ++i) {
    std::string name = core::port_name(spec, i);
    auto at = std::find_if(hardware.nics.begin(), hardware.nics.end(),
                           [&](const PinnedNic& nic) { return nic.name == name; });
    if (at == hardware.nics.end())
      return make_error(Code::kInternal, "port " + quoted(name) + " has no place in the machine");
    MachineNic nic{"net" + std::to_string(at->unit), model, at->unit, at->mac, 0};
    if (spec.net[i].model) {
      TRY_AS(nic.model, parse_nic_model(*spec.net[i].model));
    }
    machine->nics.push_back(std::move(nic));
  }
  return {};
}

void number_boot_order(std::vector<std::string> order, Machine* machine) {
  if (order.empty()) order = {"disk", "cd"};
  // From 1: the loader of kernels has 0.
  uint32_t next = 1;
  for (const std::string& kind : order) {
    for (MachineDisk& disk : machine->disks)
      if (kind == (disk.cd ? "cd" : "disk")) disk.boot_index = next++;
    for (MachineNic& nic : machine->nics)
      if (kind == "net") nic.boot_index = next++;
  }
}

// Nested virtualisation is a way out of a guest that few need: only for those who ask for it.
std::string cpu_of(const core::VmSpec& vm, const Profile& profile) {
  std::string cpu = vm.cpu.empty() ? std::string(profile.cpu) : vm.cpu;
  size_t model = std::min(cpu.find(','), cpu.size());
  cpu.insert(model, ",vmx=off,svm=off");
  if (!vm.apic.value_or(true)) cpu += ",apic=off";
  return cpu;
}

Status check_machine(const core::ZoneSpec& spec, const Machine& machine) {
  bool uefi = machine.firmware == Firmware::kUefi;
  if (machine.memory % kMiB != 0)
    return invalid("vm.memory is not a whole number of MiB", "write it as in \"512M\"");
  if (machine.vcpus > 1 && !machine.apic)
    return invalid("vm.apic: several processors need it", "set vm.vcpus = 1");
  if (uefi && !machine.apic) return invalid("vm.apic: UEFI firmware needs it", "remove vm.apic");
  if (uefi && !machine.acpi) return invalid("vm.acpi: UEFI firmware needs it", "remove vm.acpi");
  uint64_t needed = memory_needed(machine);
  if (spec.memory_physical && *spec.memory_physical < needed)
    return invalid("capped-memory.physical " + base::format_size(*spec.memory_physical) +
                       " is less than the guest's " + base::format_size(machine.memory) + " and " +
                       base::format_size(needed - machine.memory) + " for QEMU",
                   "raise it to " + base::format_size(needed) + ", or lower vm.memory");
  return {};
}

}  // namespace

Result<Machine> machine_of(const core::ZoneSpec& spec, const Hardware& hardware,
                           Accelerator accelerator, std::string_view label) {
  const core::VmSpec& vm = spec.vm;
  std::string name(default_profile(hardware.origin));
  TRY_AS(Profile profile, find_profile(vm.profile.value_or(name)));
  Type type = type_of(vm, profile, hardware);
  Machine machine;
  machine.name = spec.name;
  machine.profile = profile.name;
  machine.label = label;
  machine.type = type.name;
  machine.chipset = type.chipset;
  machine.firmware = profile.firmware;
  machine.accelerator = accelerator;
  machine.cpu = cpu_of(vm, profile);
  machine.vcpus = vm.vcpus;
  machine.memory = vm.memory;
  machine.uuid = hardware.uuid;
  machine.kernel = hardware.origin == Origin::kKernel;
  machine.initrd = machine.kernel && hardware.initrd;
  if (machine.kernel) machine.command_line = vm.command_line;
  machine.acpi = vm.acpi.value_or(true);
  machine.apic = vm.apic.value_or(true);
  machine.hpet = vm.hpet.value_or(profile.hpet);
  machine.paravirtual = profile.paravirtual;
  machine.localtime = vm.clock == "localtime";
  machine.video = profile.video;
  if (vm.video) {
    TRY_AS(machine.video, parse_video(*vm.video));
  }
  machine.tablet = vm.tablet.value_or(profile.tablet && machine.video != Video::kNone);
  machine.scsi = profile.scsi;
  Bus bus = profile.bus;
  if (bus == Bus::kIde && type.chipset == Chipset::kQ35) bus = Bus::kSata;
  if (vm.bus) {
    TRY_AS(bus, parse_bus(*vm.bus));
  }
  TRY(add_disks(spec, hardware, bus, &machine));
  TRY(add_nics(spec, hardware, profile.nic, &machine));
  number_boot_order(vm.boot, &machine);
  TRY(check_machine(spec, machine));
  return machine;
}

uint64_t memory_needed(const Machine& machine) {
  // Resident size beyond the guest's memory, rounded up: docs/performance.md.
  uint64_t emulator = 96 * kMiB;
  if (machine.video != Video::kNone) emulator += 32 * kMiB;
  if (machine.accelerator == Accelerator::kTcg) emulator += kTranslationCache;
  return machine.memory + emulator + uint64_t{machine.vcpus} * 2 * kMiB;
}

std::vector<core::KeptFd> descriptors_of(const Machine& machine) {
  std::vector<core::KeptFd> fds;
  int number = 3;
  auto add = [&](const std::string& name) { fds.push_back({name, number++}); };
  add("qmp");
  add("console");
  if (machine.firmware == Firmware::kUefi) add("nvram");
  for (const MachineDisk& disk : machine.disks)
    if (!disk.path.empty()) add(disk.id);
  for (const MachineNic& nic : machine.nics) add(nic.id);
  return fds;
}

}  // namespace vmzone
