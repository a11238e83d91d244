// The header of a qcow2 image, read from bytes that a stranger wrote (QEMU, docs/interop/qcow2.txt).
// Whatever names a file, or lies about where things are, is refused before QEMU sees the image.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace vmzone {

struct Qcow2Header {
  uint32_t version = 0;       // 2 or 3
  uint32_t cluster_bits = 0;  // 9..21
  uint64_t virtual_size = 0;  // bytes
  uint32_t l1_entries = 0;
  uint32_t snapshots = 0;  // internal ones
  bool dirty = false;      // not closed cleanly; QEMU repairs it
  bool operator==(const Qcow2Header&) const = default;
};

// True when the bytes begin with qcow2's (and qcow's) magic.
bool is_qcow2(std::string_view head);

// `head`: the first min(kImageHeadBytes, file_size) bytes (disk_format.h). kInvalid for what is
// malformed, truncated or beyond a limit; kUnsupported for a backing file, an external data file,
// encryption, an unknown version or incompatible feature. The hint tells how to convert.
base::Result<Qcow2Header> read_qcow2(std::string_view head, uint64_t file_size);

// A qcow2 image (version 3, clusters of 64 KiB) that holds `content`, at most 16 MiB, zeroes after
// it up to a multiple of 512 bytes: the NVRAM of a UEFI machine.
base::Result<std::string> make_qcow2(std::string_view content);

}  // namespace vmzone
