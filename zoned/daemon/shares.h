// Keeps kernel weights in step with shares: of the zones with a cgroup within their pool, and of the
// pools with such zones among each other. Planning asks here for a weight; what changes for others is
// applied to them at once.
#pragma once

#include <string>

#include "base/result.h"
#include "resource/cgroup.h"
#include "zoned/daemon/registry.h"

namespace zoned {

class Shares {
 public:
  Shares(Registry* registry, resource::CgroupDriver* cgroups)
      : registry_(registry), cgroups_(cgroups) {}

  // Weight of our whole subtree against the host's own processes: percent of the kernel's default,
  // 1..10000. memory: cap of all zones together, bytes.
  base::Status set_host(uint32_t percent, uint64_t memory);

  // Counts the zone in its pool (once) and sets zone->weight. kUnsupported when the kernel's range
  // can't express the shares; kNotFound without the pool. Nothing has changed then.
  base::Status enter(Zone* zone);
  // pool: the one that it was booted in.
  void leave_pool(Zone* zone, const std::string& pool);
  // The zone's spec has changed: counts it anew. Its own weight is for the caller to apply.
  base::Status update(Zone* zone);
  // Makes the pool's cgroup if this daemon has not done so yet.
  base::Status ensure_pool(const std::string& name);
  // The pool's spec was `before`: applies the difference.
  base::Status pool_changed(Pool* pool, const core::PoolSpec& before);
  // Tells the kernel again what it may have missed while no daemon ran.
  base::Status apply_all();

 private:
  base::Status recount(Pool* pool, const std::map<uint32_t, unsigned>& active);
  base::Status balance_pools();
  void apply_zone_weights(const Pool& pool, const Zone* except);

  Registry* registry_;
  resource::CgroupDriver* cgroups_;
};

}  // namespace zoned
