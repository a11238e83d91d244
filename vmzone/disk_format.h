// The format of a disk image. It is told once, when the image comes in, and written down
// (hardware.h): a guest that writes another format's magic into its own raw disk changes nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace vmzone {

enum class DiskFormat { kRaw, kQcow2 };

// How much of an image's beginning inspect_image looks at, bytes.
inline constexpr size_t kImageHeadBytes = 64 * 1024;
// The largest disk that a guest gets, bytes.
inline constexpr uint64_t kMaxDiskBytes = uint64_t{64} << 40;

struct DiskImage {
  DiskFormat format = DiskFormat::kRaw;
  uint64_t virtual_size = 0;  // bytes that the guest sees; a multiple of 512
  bool operator==(const DiskImage&) const = default;
};

// `head`: the first min(kImageHeadBytes, file_size) bytes of the image. A qcow2 image is checked by
// read_qcow2. kUnsupported, with qemu-img(1)'s conversion as the hint, for formats that are known by
// their magic and not taken (VMDK, VDI, VHD, VHDX, QED, QCOW, Parallels); anything else is raw.
// kInvalid for a raw image that is empty or not made of whole sectors of 512 bytes.
base::Result<DiskImage> inspect_image(std::string_view head, uint64_t file_size);

// "raw", "qcow2": QEMU's names of the drivers.
std::string_view format_name(DiskFormat format);
// kInvalid for another name.
base::Result<DiskFormat> parse_format(std::string_view name);

}  // namespace vmzone
