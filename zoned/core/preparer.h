// Namespaces made ahead of a boot: a user namespace of a range of ids and a network namespace of it,
// with the link of a port in it or without. What that saves a boot:
// docs/performance.md, "What a port costs". They live by their descriptors alone: whoever holds these
// ends, and all goes, the link on both sides too (namespaces(7)).
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "netns/links.h"
#include "zoned/core/plan.h"

namespace core {

struct PreparePlan {
  IdRange ids;       // mapped whole, as every zone's (launcher.h)
  std::string link;  // host name of the link of port netns::kPreparedPort; empty: none
};

// Forks the preparer. It tells {"ready": true} + the user namespace, the network namespace.
base::Result<pid_t> fork_preparer(const PreparePlan& plan, int keeper);

}  // namespace core
