#include "vmzone/disk_format.h"

#include <string>

#include "base/strings.h"
#include "vmzone/qcow2.h"

namespace vmzone {
namespace {

using base::Code;
using base::make_error;

constexpr uint64_t kSector = 512;

struct Foreign {
  std::string_view name;  // what people call it
  std::string_view qemu;  // what qemu-img(1) calls it
  size_t offset;
  std::string_view magic;
};

constexpr Foreign kForeign[] = {
    {"VMDK", "vmdk", 0, "KDMV"},
    {"VMDK", "vmdk", 0, "COWD"},
    {"VMDK", "vmdk", 0, "# Disk DescriptorFile"},
    {"VHDX", "vhdx", 0, "vhdxfile"},
    {"VHD", "vpc", 0, "conectix"},
    {"VDI", "vdi", 0x40, std::string_view("\x7f\x10\xda\xbe", 4)},
    {"QED", "qed", 0, std::string_view("QED\0", 4)},
    {"Parallels", "parallels", 0, "WithoutFreeSpace"},
    {"Parallels", "parallels", 0, "WithouFreSpacExt"},
    {"LUKS", "luks", 0, "LUKS\xba\xbe"},
    {"bochs", "bochs", 0, "Bochs Virtual HD Image"},
    {"cloop", "cloop", 0, "#!/bin/sh\n#V2.0 Format"},
};

base::Status check_native(std::string_view head) {
  for (const Foreign& foreign : kForeign) {
    if (head.size() < foreign.offset) continue;
    if (!head.substr(foreign.offset).starts_with(foreign.magic)) continue;
    return make_error(Code::kUnsupported, "the image is " + std::string(foreign.name),
                      "convert it: qemu-img convert -f " + std::string(foreign.qemu) +
                          " -O qcow2 IMAGE NEW.qcow2");
  }
  return {};
}

}  // namespace

base::Result<DiskImage> inspect_image(std::string_view head, uint64_t file_size) {
  if (is_qcow2(head)) {
    TRY_AS(Qcow2Header header, read_qcow2(head, file_size));
    return DiskImage{DiskFormat::kQcow2, header.virtual_size};
  }
  TRY(check_native(head));
  if (file_size == 0) return make_error(Code::kInvalid, "the image is empty");
  if (file_size % kSector != 0)
    return make_error(Code::kInvalid,
                      "the image has " + std::to_string(file_size) +
                          " bytes, which is no whole number of sectors",
                      "a raw disk is made of sectors of 512 bytes: is the image complete?");
  if (file_size > kMaxDiskBytes)
    return make_error(Code::kInvalid,
                      "the image is larger than " + base::format_size(kMaxDiskBytes));
  return DiskImage{DiskFormat::kRaw, file_size};
}

std::string_view format_name(DiskFormat format) {
  return format == DiskFormat::kQcow2 ? "qcow2" : "raw";
}

base::Result<DiskFormat> parse_format(std::string_view name) {
  if (name == "raw") return DiskFormat::kRaw;
  if (name == "qcow2") return DiskFormat::kQcow2;
  return make_error(Code::kInvalid, base::quoted(name) + " is not a format of disks");
}

}  // namespace vmzone
