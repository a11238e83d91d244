// The launcher and the joiner: short-lived processes that the keeper forks, one per boot and one per
// `zone exec`. Whatever they do may block on a hostile file system without holding up the keeper.
//
// Both speak to the keeper over `keeper`, a SOCK_SEQPACKET socket:
//   {"pid": N, "passer": M}    the process exists; it is the keeper's child (CLONE_PARENT), and so was M,
//                              unless 0, who made it (namespaces.h)
//   {"ready": true} [+ fd]     exec has happened; fd: the console's or pty's master
//   {"error": {...}}           it has not; the process, if any, is gone or about to be
#pragma once

#include "base/result.h"
#include "zoned/core/mounts.h"
#include "zoned/core/plan.h"

namespace core {

// Forks the launcher. The parent gets its pid back; the child never returns. The launcher attaches
// itself to the plan's cgroups, clones the zone's first process, puts its root together and waits
// until it has exec'd.
base::Result<pid_t> fork_launcher(const ZonePlan& plan, const FdTable& fds, int keeper);

// Forks the joiner, which enters the namespaces of the process behind zone_pidfd.
base::Result<pid_t> fork_joiner(const EnterPlan& plan, const FdTable& fds, int zone_pidfd,
                                int keeper);

// Forks the mounter, which enters the user and mount namespaces of the process behind zone_pidfd (never
// its pid namespace: nobody there can see it) and mounts a new FUSE file system, read-only, at
// kReadDownFolder, instead of whatever was mounted there. It tells {"ready": true} + the descriptor of
// /dev/fuse; who holds that one serves the file system.
base::Result<pid_t> fork_mounter(int zone_pidfd, int keeper);

// What the keeper refuses whatever zoned says: no user namespace, ids outside the registry's space,
// a filter that is missing or not sealed, more capabilities than the profile has, the host's network
// for anything but an installing job.
base::Status check_plan(const ZonePlan& plan, const FdTable& fds);
base::Status check_plan(const EnterPlan& plan, const FdTable& fds);
base::Status check_range(const IdRange& ids);

// The space that ranges come from: 65536-aligned above kFirstId.
inline constexpr uint32_t kFirstId = 524288;
inline constexpr uint32_t kLastId = 1879048191;

}  // namespace core
