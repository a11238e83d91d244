// What is decided once and then stays, so that a guest never sees its hardware change: kept as
// JSON beside the zone. A new disk or port gets its place when it is first seen; the others stay put.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "vmzone/disk_format.h"
#include "zoned/core/spec.h"

namespace vmzone {

// What the zone was installed from: the text of --from.
enum class Origin { kKernel, kDisk, kIso };

struct PinnedDisk {
  std::string id;  // disk_id
  DiskFormat format = DiskFormat::kRaw;
  std::string serial;
  uint32_t unit = 0;  // its place among the disks: PCI slot, IDE or SATA port, SCSI target
  bool operator==(const PinnedDisk&) const = default;
};

struct PinnedNic {
  std::string name;   // core::port_name
  std::string mac;    // "02:..."
  uint32_t unit = 0;  // its place among the ports
  bool operator==(const PinnedNic&) const = default;
};

struct Hardware {
  Origin origin = Origin::kKernel;
  bool initrd = false;                   // kKernel: there is one
  DiskFormat format = DiskFormat::kRaw;  // kDisk: of the image
  std::string machine_version;           // "7.2": of the machine types, see newest_machine_version
  std::string uuid;                      // SMBIOS UUID, lower case
  std::vector<PinnedDisk> disks;
  std::vector<PinnedNic> nics;
  bool operator==(const Hardware&) const = default;
};

// The id of the disk that the zone was installed from (Origin::kDisk, kIso) and the name of its file
// in the zone's disk folder.
inline constexpr const char* kInstalledDisk = "image";

// What tells spec.disk[index] from the others, whatever their order: "disk:PATH"; "cd:N" for the
// N-th [[disk]] of media cd, since its medium may change.
std::string disk_id(const core::ZoneSpec& spec, size_t index);

// The hardware of a zone that is being installed: random_uuid is 32 hex digits by getrandom(2), from
// which serials and MACs follow too.
Hardware new_hardware(Origin origin, std::string_view machine_version,
                      std::string_view random_uuid);

// `known` with a place for each disk and port of the spec, without those that it no longer has. What
// has a place keeps it; serial and MAC follow the spec where it gives them. formats: by disk_id, of
// [[disk]]s with a path that are new; kInvalid when one is missing. kNoSpace when there are more disks
// (kMaxDisks) or ports (kMaxNics) than places.
base::Result<Hardware> pin_hardware(const Hardware& known, const core::ZoneSpec& spec,
                                    const std::map<std::string, DiskFormat>& formats);

inline constexpr size_t kMaxDisks = 14;
inline constexpr size_t kMaxNics = 8;

// One line of JSON with a newline. parse_hardware(format_hardware(h)) == h; kInvalid for anything
// that format_hardware would not write.
std::string format_hardware(const Hardware& hardware);
base::Result<Hardware> parse_hardware(std::string_view text);

// "7.2" from what `qemu-system-x86_64 -machine help` prints: the newest machine types of PIIX and Q35.
// kUnsupported when it offers none.
base::Result<std::string> newest_machine_version(std::string_view machine_help);
// kUnsupported, with a hint, when QEMU no longer offers the machine type.
base::Status check_machine_offered(std::string_view machine_help, std::string_view type);

}  // namespace vmzone
