// How processes get the namespaces of a zone: made with them by clone3(2), or made ahead (preparer.h).
#pragma once

#include <linux/sched.h>
#include <sys/types.h>

#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/core/child_setup.h"
#include "zoned/core/plan.h"

namespace core {

// clone3(2) with the range's first id as effective uid: who makes a user namespace owns it, and is
// charged for what is in it (inotify(7), ...). The child has that uid too. For a single-threaded helper.
base::Result<pid_t> clone_owned(const clone_args& args, const IdRange& ids);

// The range's ids become 0..65535 of the process's user namespace, which has no map yet.
base::Status map_ids(pid_t process, const IdRange& ids);

// A descriptor of the process's namespace; kind: "user", "net" (a name below /proc/PID/ns).
base::Result<base::UniqueFd> namespace_of(pid_t process, const char* kind);

// Made ahead; borrowed descriptors.
struct PreparedNamespaces {
  int user = -1;
  int net = -1;
};

// kDenied: not a user namespace that is owned by the range, with a network namespace that belongs to it
// (ioctl_nsfs(2)).
base::Status check_prepared(const PreparedNamespaces& prepared, const IdRange& ids);

struct ZoneProcess {
  pid_t pid = 0;
  base::UniqueFd pidfd;
  pid_t passer = 0;  // a child of our parent too, ended or about to: see clone_into
};
// The zone's first process, which runs the boot steps of child_setup.h, with new namespaces of its own
// inside the prepared ones. Its pid namespace and the others must belong to its user namespace, and who
// has joined that can't come back: so a *passer* joins and clones. args: without CLONE_NEWUSER and
// CLONE_NEWNET, with CLONE_PARENT. For a single-threaded helper.
base::Result<ZoneProcess> clone_into(const PreparedNamespaces& prepared, const clone_args& args,
                                     const ChildPlan& child);

}  // namespace core
