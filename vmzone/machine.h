// The machine of a vm zone, every device decided, and the command line that makes QEMU be it.
//
// Everything comes as inherited descriptors at the numbers of descriptors_of; the only paths are the
// cell's own (kernel, initrd, firmware). The guest does not run until QMP says "cont" (-S). A guest's
// reboot stays within the process; its power-off ends the process with status 0, a panic told by the
// panic device with status 1. Sources: qemu(1), QEMU's qapi/*.json (7.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "vmzone/hardware.h"
#include "vmzone/profiles.h"
#include "zoned/core/plan.h"
#include "zoned/core/spec.h"

namespace vmzone {

enum class Accelerator { kTcg, kKvm };

// Inside the cell.
inline constexpr const char* kQemuPath = "/usr/bin/qemu-system-x86_64";
inline constexpr const char* kKernelPath = "/vm/kernel";
inline constexpr const char* kInitrdPath = "/vm/initrd";
inline constexpr const char* kUefiCodePath = "/usr/share/OVMF/OVMF_CODE_4M.fd";

struct MachineDisk {
  std::string id;    // device id and descriptor: "disk0" (its unit), "cd0" (in order)
  std::string path;  // absolute, or a file of the zone's disk folder; empty: no medium
  DiskFormat format = DiskFormat::kRaw;
  Bus bus = Bus::kVirtio;
  uint32_t unit = 0;
  bool cd = false;
  bool read_only = false;  // the descriptor is O_RDONLY, else O_RDWR
  std::string serial;
  uint32_t boot_index = 0;  // 0: never booted from
  bool operator==(const MachineDisk&) const = default;
};

struct MachineNic {
  std::string id;  // device id and descriptor: "net0" (its unit)
  NicModel model = NicModel::kVirtio;
  uint32_t unit = 0;
  std::string mac;
  uint32_t boot_index = 0;
  bool operator==(const MachineNic&) const = default;
};

struct Machine {
  std::string name;     // of the zone
  std::string profile;  // "linux"
  std::string label;    // readable in the guest as fw_cfg opt/io.zoned/label; empty: none
  std::string type;     // "pc-q35-7.2"
  Chipset chipset = Chipset::kQ35;
  Firmware firmware = Firmware::kBios;
  Accelerator accelerator = Accelerator::kTcg;
  std::string cpu;  // model and features
  uint32_t vcpus = 1;
  uint64_t memory = 0;  // bytes, whole MiB
  std::string uuid;
  bool kernel = false;  // at kKernelPath, else firmware boots from a device
  bool initrd = false;  // at kInitrdPath
  std::string command_line;
  bool acpi = true;
  bool apic = true;
  bool hpet = true;
  bool tablet = false;
  bool paravirtual = false;
  bool localtime = false;
  Video video = Video::kNone;
  std::string scsi;  // QEMU's name of the controller of Bus::kScsi
  std::vector<MachineDisk> disks;
  std::vector<MachineNic> nics;
  bool operator==(const Machine&) const = default;
};

// The spec with its profile's choices, on hardware that pin_hardware gave for it. `label` is the plan's.
// kInvalid when choices exclude each other, and when [capped-memory] physical is below
// memory_needed(): a phrase that names the key, with a hint.
base::Result<Machine> machine_of(const core::ZoneSpec& spec, const Hardware& hardware,
                                 Accelerator accelerator, std::string_view label);

// The most that TCG keeps of translated code, bytes.
inline constexpr uint64_t kTranslationCache = 256 << 20;

// Guest memory and what QEMU itself takes at most, bytes (measured: docs/performance.md).
uint64_t memory_needed(const Machine& machine);

// The descriptors that QEMU inherits, with their numbers: "qmp" (a listening unix stream socket),
// "console" (a connected stream socket), "nvram" (UEFI: qcow2, O_RDWR), then each disk with a medium
// and each NIC (a tap with IFF_VNET_HDR) by id.
std::vector<core::KeptFd> descriptors_of(const Machine& machine);

// argv, beginning with kQemuPath. Pure; in command_line.cc. Texts of people go into JSON, into an argument
// of their own, or have their commas doubled: none can become an option.
std::vector<std::string> command_line(const Machine& machine);

}  // namespace vmzone
