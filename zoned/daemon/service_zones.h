// Zones of ours that serve others (name_service.h, read_down.h) beside those of administrators.
#pragma once

#include <string>

#include "base/result.h"
#include "zoned/daemon/registry.h"

namespace zoned {

// kInvalid for a name that a zone of ours has or may get: *-down, *-dns, *-dns-NUMBER.
base::Status check_free_name(const std::string& name);

// kState for a zone of ours that serves one that runs: it comes and goes with that one, and nobody else
// starts, ends or changes it. Any other zone passes.
base::Status check_not_serving(Registry* registry, const Zone& zone);

}  // namespace zoned
