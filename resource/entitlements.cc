#include "resource/shares.h"

#include <algorithm>
#include <limits>

namespace resource {

std::vector<double> entitlements(const std::vector<ShareInput>& siblings, double cpus) {
  std::vector<double> result(siblings.size(), 0.0);
  std::vector<size_t> order;
  double shares = 0;
  for (size_t i = 0; i < siblings.size(); ++i) {
    if (!siblings[i].active || siblings[i].shares == 0) continue;
    order.push_back(i);
    shares += siblings[i].shares;
  }
  // CPUs per share at which a sibling's cap begins to bind. In this order each cap is met once:
  // giving a capped sibling less can only raise the level of those behind it.
  auto binds_at = [&](size_t i) {
    const ShareInput& s = siblings[i];
    return s.cap_cpus > 0 ? s.cap_cpus / s.shares : std::numeric_limits<double>::infinity();
  };
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return binds_at(a) < binds_at(b); });
  double left = std::max(cpus, 0.0);
  for (size_t i : order) {
    double fair = left * siblings[i].shares / shares;
    result[i] = binds_at(i) < left / shares ? siblings[i].cap_cpus : fair;
    left = std::max(left - result[i], 0.0);
    shares -= siblings[i].shares;
  }
  return result;
}

}  // namespace resource
