// The cell of zone-readdown (docs/security.md).
#pragma once

#include <string>

#include "zoned/core/plan.h"

namespace core {

// Of an app zone's plan, leaves what the program needs: its tree, read-only, the processes of /proc and its
// control socket, kept as "control" (descriptor 3). program: its path in the cell.
void confine_reader(const std::string& program, ZonePlan* plan);

}  // namespace core
