// Taking in what a vm zone is installed from: done by zone-import inside an installing job, since the
// bytes are a stranger's. Each writes its files (vm_folder.h) into the empty folder `target`, sparse
// and on disk. All descriptors are open; sources are regular files open for reading.
//
// Errors: kInvalid and kUnsupported for what is refused, kBusy for an image that QEMU is writing to,
// kNoSpace telling how much was needed, kIo. What is in `target` then is for the caller to remove.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "zoned/core/unpack.h"

namespace vmzone {

base::Status import_kernel(int image, std::optional<int> initrd, int target,
                           core::UnpackReport* report);
// Raw or qcow2 (inspect_image). A qcow2 image is also gone through by `qemu-img check`, which finds
// what its header does not tell; target_path: the path of `target`.
base::Status import_disk(int image, int target, const std::string& target_path,
                         core::UnpackReport* report);
// ISO 9660 or UDF.
base::Status import_iso(int image, int target, core::UnpackReport* report);

}  // namespace vmzone
