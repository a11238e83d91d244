#include "resource/shares.h"

#include <algorithm>
#include <cmath>

namespace resource {
namespace {

// Tried in this order: the first serves shares up to 625 on v2 and 16383 on v1. Starting above 1
// keeps the kernel's own rounding (below) small.
constexpr double kScales[] = {16, 8, 4, 2, 1, 0.5, 0.25, 0.125};

// What the scheduler makes of a weight: units of 1024 per default weight, rounded to the nearest
// (kernel/sched/core.c, sched_weight_from_cgroup). Exact on v1, where the default is 1024.
double scheduler_weight(uint32_t weight, const WeightRange& range) {
  return std::max(2.0, std::round(weight * 1024.0 / range.default_value));
}

std::vector<uint32_t> scaled(const std::vector<uint32_t>& shares, double scale,
                             const WeightRange& range) {
  std::vector<uint32_t> weights;
  weights.reserve(shares.size());
  for (uint32_t share : shares)
    weights.push_back(
        static_cast<uint32_t>(std::clamp(std::round(share * scale), static_cast<double>(range.min),
                                         static_cast<double>(range.max))));
  return weights;
}

struct Misfit {
  double points = 0;   // the largest error of a portion
  uint32_t share = 0;  // whose it is
};

// Both as written and as the scheduler rounds them.
Misfit misfit(const std::vector<uint32_t>& shares, const std::vector<uint32_t>& weights,
              const WeightRange& range) {
  double all_shares = 0;
  double all_written = 0;
  double all_scheduled = 0;
  for (size_t i = 0; i < shares.size(); ++i) {
    all_shares += shares[i];
    all_written += weights[i];
    all_scheduled += scheduler_weight(weights[i], range);
  }
  Misfit worst;
  for (size_t i = 0; i < shares.size(); ++i) {
    double entitled = shares[i] / all_shares;
    double written = weights[i] / all_written;
    double scheduled = scheduler_weight(weights[i], range) / all_scheduled;
    double points = 100 * std::max(std::abs(entitled - written), std::abs(entitled - scheduled));
    if (points > worst.points) worst = {points, shares[i]};
  }
  return worst;
}

base::Error inexpressible(const std::vector<uint32_t>& shares, uint32_t worst, double scale,
                          const WeightRange& range) {
  std::vector<uint32_t> raised;  // shares so small that the kernel's least weight is too much
  for (uint32_t share : shares)
    if (share * scale < range.min) raised.push_back(share);
  std::sort(raised.begin(), raised.end());
  raised.erase(std::unique(raised.begin(), raised.end()), raised.end());
  std::string which = "shares " + std::to_string(worst);
  if (!raised.empty()) {
    which += " beside " + std::to_string(raised.front());
    if (raised.size() > 1) which += ".." + std::to_string(raised.back());
  }
  return base::make_error(base::Code::kUnsupported,
                          which + ": the kernel's weights " + std::to_string(range.min) + ".." +
                              std::to_string(range.max) +
                              " can't express them within 0.5 percentage points",
                          "use shares that lie closer together");
}

}  // namespace

base::Result<std::vector<uint32_t>> weights_for(const std::vector<uint32_t>& shares,
                                                const WeightRange& range) {
  if (shares.empty()) return std::vector<uint32_t>{};
  for (uint32_t share : shares)
    if (share < kMinShares || share > kMaxShares)
      return base::make_error(base::Code::kInvalid,
                              "shares " + std::to_string(share) + ": must lie in 1..65535");
  const uint32_t high = *std::max_element(shares.begin(), shares.end());
  for (double scale : kScales) {
    if (high * scale > range.max) continue;
    auto weights = scaled(shares, scale, range);
    if (misfit(shares, weights, range).points <= kMaxShareError) return weights;
  }
  // No power of two serves: stretch the set over the whole range.
  double scale = static_cast<double>(range.max) / high;
  auto weights = scaled(shares, scale, range);
  Misfit worst = misfit(shares, weights, range);
  if (worst.points <= kMaxShareError) return weights;
  return inexpressible(shares, worst.share, scale, range);
}

}  // namespace resource
