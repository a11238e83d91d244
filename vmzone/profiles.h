// Machine profiles: every device choice for a kind of guest. Each is overridden by its key of [vm].
#pragma once

#include <string_view>

#include "base/result.h"
#include "vmzone/hardware.h"

namespace vmzone {

enum class Chipset { kI440fx, kQ35 };
enum class Firmware { kBios, kUefi };
enum class Bus { kIde, kSata, kScsi, kVirtio };
enum class Video { kNone, kStd, kCirrus, kVmware, kVirtio };
enum class NicModel { kVirtio, kE1000, kE1000e, kRtl8139, kPcnet, kNe2k };

struct Profile {
  std::string_view name;
  Chipset chipset;
  Firmware firmware;
  std::string_view cpu;   // QEMU's model, with its version: it never changes under a guest
  Bus bus;                // of disks; of CDs too, but for virtio
  std::string_view scsi;  // the controller that Bus::kScsi means
  NicModel nic;
  Video video;
  bool hpet;
  bool tablet;       // USB pointer with absolute coordinates
  bool paravirtual;  // entropy, memory balloon and panic devices
};

// "linux": Q35 without VGA, all virtio. "generic-bios": PIIX, IDE, VGA, e1000. "generic-uefi": Q35 with
// OVMF, SATA, VGA, e1000e. kInvalid for another name.
base::Result<Profile> find_profile(std::string_view name);
// linux for kernel:, generic-bios for disk: and iso:.
std::string_view default_profile(Origin origin);

// The values of the keys; kInvalid naming the value.
base::Result<Bus> parse_bus(std::string_view text);
base::Result<Video> parse_video(std::string_view text);
base::Result<NicModel> parse_nic_model(std::string_view text);

}  // namespace vmzone
