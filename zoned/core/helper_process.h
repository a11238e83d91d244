// What the keeper's short-lived helpers have in common: launcher, joiner, mounter, preparer.
#pragma once

#include <linux/sched.h>
#include <sys/types.h>

#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"

namespace core {

// clone3(2); 0 in the child.
base::Result<pid_t> clone_process(clone_args args);
// What clone3(2) has refused with this errno.
base::Error clone_failed(int error);
// In the child: unblocks all signals.
void reset_signals();
// Closes all that a zone must not get hold of, before the first of its namespaces is entered.
base::Status close_all_but(const std::vector<int>& keep);
// One message over the socket to the keeper (see launcher.h).
base::Status tell_keeper(int keeper, const nlohmann::json& message,
                         const std::vector<int>& fds = {});
// Ends the helper; a failure is told first.
[[noreturn]] void finish(int keeper, const base::Status& status);

}  // namespace core
