// Fair shares: what each zone of a pool is entitled to, and the kernel weights that give it.
// After Solaris FSS: the entitlement of a zone is its shares over the sum of the shares of the
// *active* zones of its pool; a pool's is its shares over those of the active pools.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "resource/cgroup.h"

namespace resource {

inline constexpr uint32_t kMinShares = 1;
inline constexpr uint32_t kMaxShares = 65535;
// A mapping is good when no zone's portion is off by more than this (percentage points).
inline constexpr double kMaxShareError = 0.5;

// Kernel weights for the shares of siblings, in order; proportional within kMaxShareError for the
// whole set, else kUnsupported naming the shares that the kernel's range can't express.
// Stable: the same set gives the same weights, and where one power-of-two scale serves, adding a
// sibling does not change the weights of the others.
base::Result<std::vector<uint32_t>> weights_for(const std::vector<uint32_t>& shares,
                                                const WeightRange& range);

struct ShareInput {
  uint32_t shares = 1;   // the zone's (or the pool's)
  double used_cpus = 0;  // measured over the interval
  bool active = false;   // had runnable work in the interval
  double cap_cpus = 0;   // 0: none
};
// CPUs that each sibling was entitled to over the interval, given `cpus` to divide among them:
// active ones by shares, each at most its cap and what a cap leaves over goes to the others; zero
// for an idle one.
std::vector<double> entitlements(const std::vector<ShareInput>& siblings, double cpus);

}  // namespace resource
