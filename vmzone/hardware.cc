#include "vmzone/hardware.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/strings.h"
#include "netns/address.h"

namespace vmzone {
namespace {

using base::Code;
using base::make_error;
using base::quoted;
using base::Result;

// FNV-1a, then the finalizer of splitmix64: what a guest has seen must stay the same over releases,
// so no std::hash.
uint64_t hash(std::string_view text) {
  uint64_t h = 0xcbf29ce484222325ULL;
  for (char c : text) {
    h ^= static_cast<uint8_t>(c);
    h *= 0x100000001b3ULL;
  }
  h ^= h >> 30;
  h *= 0xbf58476d1ce4e5b9ULL;
  h ^= h >> 27;
  h *= 0x94d049bb133111ebULL;
  return h ^ (h >> 31);
}

std::string serial_of(const std::string& uuid, const std::string& id) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  uint64_t value = hash(uuid + "\ndisk " + id);
  std::string text = "ZD";
  for (int i = 0; i < 16; ++i, value >>= 4) text += kDigits[value & 15];
  return text;
}

std::string mac_of(const std::string& uuid, const std::string& name) {
  uint64_t value = hash(uuid + "\nnic " + name);
  netns::Mac mac;
  for (size_t i = 0; i < mac.size(); ++i) mac[i] = static_cast<uint8_t>(value >> (8 * i));
  mac[0] = static_cast<uint8_t>((mac[0] & 0xfc) | 2);  // locally administered, unicast
  return netns::mac_text(mac);
}

template <typename List>
uint32_t lowest_free_unit(const List& list) {
  std::set<uint32_t> taken;
  for (const auto& one : list) taken.insert(one.unit);
  uint32_t unit = 0;
  while (taken.contains(unit)) ++unit;
  return unit;
}

struct WantedDisk {
  std::string id;
  std::string serial;
  bool medium = true;
  bool cd = false;
};

std::vector<WantedDisk> wanted_disks(const Hardware& hardware, const core::ZoneSpec& spec) {
  std::vector<WantedDisk> wanted;
  if (hardware.origin != Origin::kKernel)
    wanted.push_back({kInstalledDisk, "", true, hardware.origin == Origin::kIso});
  for (size_t i = 0; i < spec.disk.size(); ++i) {
    const core::DiskSpec& disk = spec.disk[i];
    wanted.push_back({disk_id(spec, i), disk.serial, !disk.path.empty(), disk.media == "cd"});
  }
  // Old guests want to start from the first IDE disk: it goes before the CD they are installed from.
  std::stable_partition(wanted.begin(), wanted.end(), [](const auto& disk) { return !disk.cd; });
  return wanted;
}

Result<DiskFormat> format_of(const Hardware& hardware, const WantedDisk& disk,
                             const std::map<std::string, DiskFormat>& formats) {
  if (disk.cd || !disk.medium) return DiskFormat::kRaw;
  if (disk.id == kInstalledDisk) return hardware.format;
  auto found = formats.find(disk.id);
  if (found != formats.end()) return found->second;
  return make_error(Code::kInvalid, "the format of " + quoted(disk.id) + " is not known");
}

base::Status pin_disks(const core::ZoneSpec& spec, const std::map<std::string, DiskFormat>& formats,
                       Hardware* hardware) {
  std::vector<WantedDisk> wanted = wanted_disks(*hardware, spec);
  if (wanted.size() > kMaxDisks)
    return make_error(Code::kNoSpace, "the zone has " + std::to_string(wanted.size()) +
                                          " disks; a machine takes " + std::to_string(kMaxDisks));
  std::vector<PinnedDisk> known = std::exchange(hardware->disks, {});
  auto find = [&known](const std::string& id) {
    return std::find_if(known.begin(), known.end(),
                        [&](const auto& disk) { return disk.id == id; });
  };
  for (const WantedDisk& disk : wanted)
    if (auto at = find(disk.id); at != known.end()) hardware->disks.push_back(*at);
  for (const WantedDisk& disk : wanted) {
    if (find(disk.id) != known.end()) continue;
    TRY_AS(DiskFormat format, format_of(*hardware, disk, formats));
    hardware->disks.push_back(
        {disk.id, format, serial_of(hardware->uuid, disk.id), lowest_free_unit(hardware->disks)});
  }
  for (const WantedDisk& disk : wanted)
    for (PinnedDisk& pinned : hardware->disks)
      if (pinned.id == disk.id && !disk.serial.empty()) pinned.serial = disk.serial;
  return {};
}

base::Status pin_nics(const core::ZoneSpec& spec, Hardware* hardware) {
  if (spec.net.size() > kMaxNics)
    return make_error(Code::kNoSpace, "the zone has " + std::to_string(spec.net.size()) +
                                          " ports; a machine takes " + std::to_string(kMaxNics));
  std::vector<PinnedNic> known = std::exchange(hardware->nics, {});
  std::vector<std::string> fresh;
  for (size_t i = 0; i < spec.net.size(); ++i) {
    std::string name = core::port_name(spec, i);
    auto at = std::find_if(known.begin(), known.end(),
                           [&](const PinnedNic& nic) { return nic.name == name; });
    if (at != known.end())
      hardware->nics.push_back(*at);
    else
      fresh.push_back(std::move(name));
  }
  for (std::string& name : fresh) {
    std::string mac = mac_of(hardware->uuid, name);
    hardware->nics.push_back({std::move(name), std::move(mac), lowest_free_unit(hardware->nics)});
  }
  for (size_t i = 0; i < spec.net.size(); ++i)
    for (PinnedNic& nic : hardware->nics)
      if (nic.name == core::port_name(spec, i) && !spec.net[i].mac.empty())
        nic.mac = spec.net[i].mac;
  return {};
}

}  // namespace

std::string disk_id(const core::ZoneSpec& spec, size_t index) {
  if (spec.disk[index].media != "cd") return "disk:" + spec.disk[index].path;
  size_t cds = 0;
  for (size_t i = 0; i < index; ++i) cds += spec.disk[i].media == "cd" ? 1 : 0;
  return "cd:" + std::to_string(cds);
}

Hardware new_hardware(Origin origin, std::string_view machine_version,
                      std::string_view random_uuid) {
  constexpr size_t kVersionDigit = 12;
  constexpr size_t kVariantDigit = 16;
  std::string digits(random_uuid);
  digits[kVersionDigit] = '4';  // RFC 9562: version 4, random; the variant's bits are 10
  constexpr std::string_view kVariants = "89ab";
  digits[kVariantDigit] = kVariants[static_cast<unsigned char>(digits[kVariantDigit]) & 3];
  Hardware hardware;
  hardware.origin = origin;
  hardware.machine_version = machine_version;
  hardware.uuid = digits.substr(0, 8) + "-" + digits.substr(8, 4) + "-" + digits.substr(12, 4) +
                  "-" + digits.substr(16, 4) + "-" + digits.substr(20, 12);
  return hardware;
}

Result<Hardware> pin_hardware(const Hardware& known, const core::ZoneSpec& spec,
                              const std::map<std::string, DiskFormat>& formats) {
  Hardware hardware = known;
  for (const core::DiskSpec& disk : spec.disk)
    if (hardware.origin != Origin::kKernel && disk.path == kInstalledDisk)
      return make_error(Code::kInvalid,
                        "disk " + quoted(disk.path) + " is what the zone was installed from",
                        "the zone has it without a [[disk]]: remove that");
  TRY(pin_disks(spec, formats, &hardware));
  TRY(pin_nics(spec, &hardware));
  return hardware;
}

Result<std::string> newest_machine_version(std::string_view machine_help) {
  constexpr std::string_view kAlias = "(alias of pc-q35-";
  size_t at = machine_help.find(kAlias);
  size_t end = machine_help.find(')', at);
  if (at != std::string_view::npos && end != std::string_view::npos) {
    std::string version(machine_help.substr(at + kAlias.size(), end - at - kAlias.size()));
    if (check_machine_offered(machine_help, "pc-q35-" + version).ok() &&
        check_machine_offered(machine_help, "pc-i440fx-" + version).ok())
      return version;
  }
  return make_error(Code::kUnsupported, "QEMU offers no versioned machine types pc and q35",
                    "install Debian's qemu-system-x86");
}

base::Status check_machine_offered(std::string_view machine_help, std::string_view type) {
  for (const std::string& line : base::split(machine_help, '\n'))
    if (line.starts_with(type) && line.substr(type.size()).starts_with(' ')) return {};
  return make_error(Code::kUnsupported, "QEMU has no machine type " + quoted(type),
                    "an older QEMU has it, or set vm.machine: the guest's hardware changes");
}

}  // namespace vmzone
