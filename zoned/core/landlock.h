// Landlock: a plan's rules, and what the kernel takes them as. Sources: landlock(7), the kernel's
// Documentation/userspace-api/landlock.rst.
#pragma once

#include <cstdint>
#include <string>

#include "zoned/core/plan.h"

namespace core {

// The first version of the kernel's interface that knows all that is used here.
inline constexpr uint32_t kWholeLandlock = 6;

// For a zone of these mounts and ports: nothing outside of its own tree, new for writing only what the
// plan mounts writable, ioctls of /dev alone, no TCP without ports. Rights go down a tree and can't be
// taken away below, so a writable root leaves what is mounted on it to the mounts' own flags.
LandlockPlan landlock_of(const ZonePlan& plan);

// What this version leaves out of a whole Landlock: "TCP ports, ..."; empty: nothing. abi: 1 and up.
std::string landlock_gaps(uint32_t abi);

// LANDLOCK_ACCESS_FS_* of a rule, and of all that a ruleset handles, as far as the version knows them.
uint64_t landlock_rights(LandlockRule::Access access, uint32_t abi);
uint64_t landlock_handled(uint32_t abi);

}  // namespace core
