#include "zoned/daemon/shares.h"

#include <algorithm>
#include <vector>

#include "base/log.h"
#include "base/strings.h"
#include "resource/shares.h"
#include "zoned/core/planner.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Status;

namespace {

std::string pool_subject(const std::string& name) { return "pool " + base::quoted(name); }

// A running zone stays in the pool that it was booted in.
const std::string& pool_of(const Zone& zone) {
  return zone.record ? zone.record->pool : zone.spec.pool;
}

bool same_keys(const std::map<uint32_t, unsigned>& a, const std::map<uint32_t, uint32_t>& b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(),
                    [](const auto& x, const auto& y) { return x.first == y.first; });
}

}  // namespace

Status Shares::set_host(uint32_t percent, uint64_t memory) {
  auto range = cgroups_->weight_range();
  constexpr uint64_t kHundred = 100;
  uint64_t weight = uint64_t{range.default_value} * percent / kHundred;
  resource::Limits limits;
  limits.cpu_weight = static_cast<uint32_t>(std::clamp<uint64_t>(weight, range.min, range.max));
  limits.memory = memory;
  std::vector<std::string> warnings;
  TRY_AS(auto writes, cgroups_->plan(limits, &warnings));
  for (const std::string& warning : warnings) base::log_warning(warning);
  return cgroups_->apply("", "", writes);
}

// The weights of a set of shares depend on which shares there are, hardly on how many zones have
// each: only a share that appears or disappears costs a calculation.
Status Shares::recount(Pool* pool, const std::map<uint32_t, unsigned>& active) {
  if (!same_keys(active, pool->weights)) {
    std::vector<uint32_t> shares;
    for (const auto& [share, count] : active) shares.insert(shares.end(), count, share);
    auto weights = resource::weights_for(shares, cgroups_->weight_range());
    if (!weights) return std::move(weights).error().context(pool_subject(pool->spec.name));
    pool->weights.clear();
    for (size_t i = 0; i < shares.size(); ++i) pool->weights[shares[i]] = (*weights)[i];
  }
  pool->active = active;
  return {};
}

void Shares::apply_zone_weights(const Pool& pool, const Zone* except) {
  for (auto& [name, zone] : registry_->zones()) {
    if (zone.get() == except || zone->counted == 0 || pool_of(*zone) != pool.spec.name) continue;
    auto it = pool.weights.find(zone->counted);
    if (it == pool.weights.end() || it->second == zone->weight) continue;
    std::vector<std::string> ignored;
    resource::Limits before, after;
    before.cpu_weight = zone->weight;
    after.cpu_weight = it->second;
    auto writes = cgroups_->plan_change(before, after, &ignored);
    Status applied =
        writes ? cgroups_->apply(pool.spec.name, name, *writes) : Status(std::move(writes).error());
    base::log_ignored("zone " + base::quoted(name) + ": new weight", applied);
    zone->weight = it->second;
  }
}

Status Shares::enter(Zone* zone) {
  if (zone->counted != 0) return {};
  Pool* pool = registry_->find_pool(pool_of(*zone));
  if (pool == nullptr)
    return make_error(Code::kNotFound, pool_subject(pool_of(*zone)) + ": no such pool",
                      "'zone pool create' makes one");
  auto active = pool->active;
  ++active[zone->spec.cpu_shares];
  auto before = pool->weights;
  TRY(recount(pool, active));
  zone->counted = zone->spec.cpu_shares;
  zone->weight = pool->weights[zone->counted];
  if (before != pool->weights) apply_zone_weights(*pool, zone);
  if (active.size() == 1 && active.begin()->second == 1) return balance_pools();
  return {};
}

void Shares::leave_pool(Zone* zone, const std::string& name) {
  if (zone->counted == 0) return;
  uint32_t shares = std::exchange(zone->counted, 0);
  zone->weight = 0;
  Pool* pool = registry_->find_pool(name);
  if (pool == nullptr) return;
  auto active = pool->active;
  auto it = active.find(shares);
  if (it != active.end() && --it->second == 0) active.erase(it);
  auto before = pool->weights;
  // Fewer siblings are never harder to express; weights that stay are fair among those that stay.
  base::log_ignored("weights", recount(pool, active));
  if (before != pool->weights) apply_zone_weights(*pool, nullptr);
  if (active.empty()) base::log_ignored("weights of pools", balance_pools());
}

Status Shares::update(Zone* zone) {
  if (zone->counted == 0 || zone->counted == zone->spec.cpu_shares) return {};
  Pool* pool = registry_->find_pool(pool_of(*zone));
  if (pool == nullptr) return {};
  auto active = pool->active;
  if (--active[zone->counted] == 0) active.erase(zone->counted);
  ++active[zone->spec.cpu_shares];
  TRY(recount(pool, active));
  zone->counted = zone->spec.cpu_shares;
  apply_zone_weights(*pool, zone);
  zone->weight = pool->weights[zone->counted];
  return {};
}

Status Shares::balance_pools() {
  std::vector<Pool*> pools;
  std::vector<uint32_t> shares;
  for (auto& [name, pool] : registry_->pools()) {
    if (pool.active.empty()) continue;
    pools.push_back(&pool);
    shares.push_back(pool.spec.shares);
  }
  if (pools.empty()) return {};
  TRY_AS(auto weights, resource::weights_for(shares, cgroups_->weight_range()));
  for (size_t i = 0; i < pools.size(); ++i) {
    if (pools[i]->weight == weights[i]) continue;
    if (pools[i]->cgroup) {
      std::vector<std::string> ignored;
      resource::Limits before, after;
      before.cpu_weight = pools[i]->weight;
      after.cpu_weight = weights[i];
      TRY_AS(auto writes, cgroups_->plan_change(before, after, &ignored));
      TRY(cgroups_->apply(pools[i]->spec.name, "", writes));
    }
    pools[i]->weight = weights[i];
  }
  return {};
}

Status Shares::ensure_pool(const std::string& name) {
  Pool* pool = registry_->find_pool(name);
  if (pool == nullptr) return make_error(Code::kNotFound, pool_subject(name) + ": no such pool");
  if (pool->cgroup) return {};
  std::vector<std::string> warnings;
  auto writes = cgroups_->plan(core::limits_of(pool->spec, pool->weight), &warnings);
  Status made = writes ? cgroups_->create_pool(name, *writes) : Status(std::move(writes).error());
  if (!made) return std::move(made).error().context(pool_subject(name));
  pool->cgroup = true;
  return {};
}

Status Shares::pool_changed(Pool* pool, const core::PoolSpec& before) {
  if (before.shares != pool->spec.shares) TRY(balance_pools());
  if (!pool->cgroup) return {};
  // The new weight has been applied by then; the rest differs by the limits alone.
  std::vector<std::string> warnings;
  TRY_AS(auto writes, cgroups_->plan_change(core::limits_of(before, pool->weight),
                                            core::limits_of(pool->spec, pool->weight), &warnings));
  return cgroups_->apply(pool->spec.name, "", writes);
}

Status Shares::apply_all() {
  for (auto& [name, zone] : registry_->zones()) {
    if (!zone->record || zone->counted != 0) continue;
    Pool* pool = registry_->find_pool(pool_of(*zone));
    if (pool == nullptr) continue;
    zone->counted = zone->spec.cpu_shares;
    ++pool->active[zone->counted];
  }
  for (auto& [name, pool] : registry_->pools()) {
    if (pool.active.empty()) continue;
    base::log_ignored(pool_subject(name), recount(&pool, std::map(pool.active)));
    base::log_ignored(pool_subject(name), ensure_pool(name));
    apply_zone_weights(pool, nullptr);
  }
  return balance_pools();
}

}  // namespace zoned
