// Usage and entitlement of zones and pools, sampled only when somebody asks.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/event_loop.h"
#include "zoned/daemon/runtime.h"

namespace zoned {

// Samples of one asker: shares and uses are over the time since its previous look.
class StatSession {
 public:
  explicit StatSession(const Parts& parts) : parts_(parts) {}

  // Zones that exist for the asker; none given: all, and then pools' figures, which count every zone,
  // are told as well.
  using Scope = std::optional<std::set<std::string>>;
  // The parameters of a Stat reply for these zones (names in the scope, that run or not).
  nlohmann::json look(const std::vector<std::string>& names, const Scope& scope);

 private:
  struct Sample {
    std::string boot_id;
    uint64_t cpu_ns = 0;
  };
  struct Use {
    resource::Usage usage;
    double cpus = 0;      // used over the interval
    double entitled = 0;  // CPUs
    bool active = false;
    uint64_t net_received = 0;  // bytes, by all ports, as the zone sees it
    uint64_t net_sent = 0;
  };
  void sample(double seconds, const Scope& scope);
  void sample_pools(double seconds);
  void add_up_pools();
  void entitle();
  // counted: cpu-shares of the zones in its pool that the asker knows of.
  nlohmann::json zone_members(const std::string& name, const Use& use, uint64_t counted) const;
  uint64_t counted_in(const std::string& pool, const Scope& scope) const;
  nlohmann::json pool_members(const std::string& name, const Use& use) const;

  Parts parts_;
  base::EventLoop::Clock::time_point last_ = {};
  std::map<std::string, Sample> zones_before_;
  std::map<std::string, uint64_t> pools_before_;
  std::map<std::string, Use> zones_;
  std::map<std::string, Use> pools_;
};

}  // namespace zoned
