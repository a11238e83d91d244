// The cell of zone-readdown (docs/security.md).
#pragma once

#include <string>

#include "zoned/core/plan.h"

namespace core {

// Of an app zone's plan with a read-only root, leaves what the program needs: itself, the file descriptors of
// /proc and its control socket, kept as "control". program: its path in the cell.
void confine_reader(const std::string& program, ZonePlan* plan);

}  // namespace core
