// Paths of /proc and /sys that a zone does not get to see or to write.
#pragma once

#include <vector>

namespace core {

// Covered by an empty file or folder: they tell about the host or reach beyond the zone.
const std::vector<const char*>& masked_paths();
// Readable only: one kernel serves all zones.
const std::vector<const char*>& read_only_paths();

}  // namespace core
