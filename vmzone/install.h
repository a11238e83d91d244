// Installing a vm zone around its job: before it, what the host must have; after it, what makes the
// imported files a machine whose hardware stays as it is.
#pragma once

#include <string>

#include "base/result.h"
#include "vmzone/hardware.h"
#include "zoned/core/source.h"

namespace vmzone {

struct VmInstall {
  Origin origin = Origin::kKernel;
  bool initrd = false;
  std::string profile;  // find_profile() knows it
};

// source: of check_source_brand's for vm zones. The profile is the spec's, else default_profile().
VmInstall install_of(const core::Source& source, const core::ZoneSpec& spec);

// kUnsupported, with Debian's package as the hint, when this host has no QEMU, or no firmware that the
// profile needs.
base::Status check_vm_host(const VmInstall& install);

// Writes the hardware, with an NVRAM where the machine has UEFI. vm_dir: the folder that the job has
// filled, open for reading. Blocks: runs QEMU to ask for its newest machine, so for a child. The format
// of a disk is told here, from the copy. When it returns all is on disk.
base::Status finish_vm(int vm_dir, const VmInstall& install);

// An NVRAM with the firmware's factory settings, if there is none.
base::Status ensure_nvram(int vm_dir);

}  // namespace vmzone
