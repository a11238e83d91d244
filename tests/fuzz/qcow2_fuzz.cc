// Heads of disk images: written by strangers, and by guests that know what reads them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "vmzone/disk_format.h"
#include "vmzone/qcow2.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kSizeBytes = 8;
  if (size < kSizeBytes) return 0;
  // The file is at least as long as its head.
  uint64_t file_size = 0;
  for (size_t i = 0; i < kSizeBytes; ++i) file_size = file_size << 8 | data[i];
  std::string_view head(reinterpret_cast<const char*>(data) + kSizeBytes, size - kSizeBytes);
  head = head.substr(0, vmzone::kImageHeadBytes);
  if (file_size < head.size()) file_size = head.size();
  auto image = vmzone::inspect_image(head, file_size);
  if (!image) {
    if (image.error().message.empty()) abort();
    return 0;
  }
  if (image->virtual_size == 0 || image->virtual_size % 512 != 0) abort();
  if (image->virtual_size > vmzone::kMaxDiskBytes) abort();
  if (vmzone::is_qcow2(head) != (image->format == vmzone::DiskFormat::kQcow2)) abort();
  // Whatever passed names no other file.
  if (image->format == vmzone::DiskFormat::kQcow2)
    for (size_t i = 8; i < 20; ++i)
      if (head[i] != 0) abort();
  return 0;
}
