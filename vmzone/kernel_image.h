// Kernels that QEMU loads itself (-kernel), told by their content: the formats that its loader for PCs
// knows, tried in its order (QEMU 7.2, hw/i386/x86.c and multiboot.c).
#pragma once

#include "base/result.h"

namespace vmzone {

enum class KernelFormat {
  kLinux,      // bzImage (Linux, Documentation/arch/x86/boot.rst)
  kMultiboot,  // version 1, 32-bit (Multiboot Specification 0.6.96)
  kPvh,        // ELF with a note that tells the PVH entry (Xen, docs/misc/pvh.pandoc)
};

// file: a regular file open for reading, whose content is hostile. kInvalid for what is none of these,
// what is cut short, and a multiboot kernel that is a 64-bit ELF file. At most 2 MiB are read.
base::Result<KernelFormat> kernel_format(int file);

}  // namespace vmzone
