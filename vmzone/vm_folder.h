// What a vm zone was installed as: files of the folder kVmFolder beside the zone, which only root may
// enter. All are regular files of root's.
#pragma once

namespace vmzone {

inline constexpr const char* kVmFolder = "vm";

inline constexpr const char* kKernelFile = "kernel";      // Origin::kKernel; 0644
inline constexpr const char* kInitrdFile = "initrd";      // where there is one; 0644
inline constexpr const char* kNvramFile = "nvram";        // qcow2, of machines with UEFI; 0600
inline constexpr const char* kHardwareFile = "hardware";  // format_hardware(); 0600
// The disk or CD that the zone was installed from is hardware.h's kInstalledDisk; 0600.

}  // namespace vmzone
