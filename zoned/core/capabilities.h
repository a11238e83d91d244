// Capability sets by profile (capabilities(7)); bit N is capability number N. All of them count only
// inside the zone's user namespace.
#pragma once

#include <cstdint>

#include "zoned/core/plan.h"

namespace core {

// app: what ordinary services need, no CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_NET_ADMIN or CAP_MKNOD.
// os: what systemd needs, no CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_TIME, CAP_MAC_*, CAP_SYSLOG,
//     CAP_WAKE_ALARM, CAP_BPF, CAP_PERFMON, CAP_CHECKPOINT_RESTORE.
// job: as app without the network's.
// vmm: none.
uint64_t capabilities_of(Profile profile);

}  // namespace core
