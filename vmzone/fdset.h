// Descriptors that QEMU opens by name: a set of one, made by add-fd (qapi/misc.json of QEMU 7.2).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "vmzone/qmp.h"

namespace vmzone {

// Gives QEMU a copy of fd in a set of its own; its number is QEMU's choice. QEMU then opens
// fdset_path() with the access mode that fd has. Duplicated before the call returns. A set goes when
// the connection ends and nobody has it open.
void add_fd(Qmp* qmp, int fd, std::function<void(base::Result<int64_t>)> on_set);
// The set goes once nobody has it open. A failure is ignored: see above.
void remove_fdset(Qmp* qmp, int64_t set);
std::string fdset_path(int64_t set);  // "/dev/fdset/7"

}  // namespace vmzone
