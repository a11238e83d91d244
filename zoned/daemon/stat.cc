#include "zoned/daemon/stat.h"

#include "base/strings.h"
#include "resource/shares.h"

namespace zoned {

using nlohmann::json;

namespace {

constexpr double kNsPerSecond = 1e9;
// Had runnable work: more than a hundredth of a CPU over the interval. Less is a timer that fires now
// and then, and would take a share from those that work.
constexpr double kActive = 0.01;

double cpus_of_set(const std::optional<std::string>& set, double all) {
  if (!set) return all;
  auto list = base::parse_cpu_list(*set);
  return list ? std::min(static_cast<double>(list->size()), all) : all;
}

double seconds_of(uint64_t ns) { return static_cast<double>(ns) / kNsPerSecond; }

double rate(double seconds, uint64_t now, uint64_t before) {
  return seconds > 0 && now > before ? seconds_of(now - before) / seconds : 0.0;
}

}  // namespace

uint64_t StatSession::counted_in(const std::string& pool, const Scope& scope) const {
  uint64_t total = 0;
  if (!scope) {
    if (const Pool* known = parts_.registry->find_pool(pool); known != nullptr)
      for (const auto& [share, count] : known->active) total += uint64_t{share} * count;
    return total;
  }
  for (const std::string& name : *scope)
    if (const Zone* zone = parts_.registry->find(name); zone->record && zone->record->pool == pool)
      total += zone->counted;
  return total;
}

void StatSession::sample(double seconds, const Scope& scope) {
  zones_.clear();
  pools_.clear();
  std::map<std::string, Sample> zones_now;
  for (auto& [name, zone] : parts_.registry->zones()) {
    if (!zone->record || (scope && !scope->contains(name))) continue;
    auto usage = parts_.cgroups->usage(zone->record->pool, name);
    if (!usage) continue;  // just ended
    Use& use = zones_[name];
    use.usage = *usage;
    auto before = zones_before_.find(name);
    bool same = before != zones_before_.end() && before->second.boot_id == zone->record->boot_id;
    // Without an earlier look there is no interval yet.
    use.cpus = same ? rate(seconds, usage->cpu_ns, before->second.cpu_ns) : 0.0;
    use.active = use.cpus > kActive;
    zones_now[name] = {zone->record->boot_id, usage->cpu_ns};
  }
  if (auto traffic = parts_.networks->traffic(); traffic)
    for (const auto& [name, ports] : parts_.networks->live())
      if (auto zone = zones_.find(name); zone != zones_.end())
        for (const netns::PortPlan& port : ports) {
          zone->second.net_received += (*traffic)[port.host_name].receive_bytes;
          zone->second.net_sent += (*traffic)[port.host_name].send_bytes;
        }
  zones_before_ = std::move(zones_now);
  if (scope)
    add_up_pools();
  else
    sample_pools(seconds);
}

// What the known zones use of their pools; the others' part does not exist.
void StatSession::add_up_pools() {
  for (const auto& [name, use] : zones_) {
    Use& pool = pools_[parts_.registry->find(name)->record->pool];
    pool.cpus += use.cpus;
    pool.active = pool.active || use.active;
  }
}

void StatSession::sample_pools(double seconds) {
  std::map<std::string, uint64_t> pools_now;
  for (auto& [name, pool] : parts_.registry->pools()) {
    Use& use = pools_[name];
    if (!pool.cgroup) continue;
    auto usage = parts_.cgroups->usage(name, "");
    if (!usage) continue;
    use.usage = *usage;
    auto before = pools_before_.find(name);
    use.cpus = before != pools_before_.end() ? rate(seconds, usage->cpu_ns, before->second) : 0.0;
    use.active = use.cpus > kActive;
    pools_now[name] = usage->cpu_ns;
  }
  pools_before_ = std::move(pools_now);
}

void StatSession::entitle() {
  double host = parts_.host->cpus;
  std::vector<resource::ShareInput> inputs;
  for (auto& [name, use] : pools_) {
    const Pool& pool = *parts_.registry->find_pool(name);
    double cap = pool.spec.capped_cpus.value_or(0);
    double set = cpus_of_set(pool.spec.cpus, host);
    if (set < host) cap = cap > 0 ? std::min(cap, set) : set;
    inputs.push_back({pool.spec.shares, use.cpus, use.active, cap});
  }
  auto entitled = resource::entitlements(inputs, host);
  size_t i = 0;
  for (auto& [name, use] : pools_) use.entitled = entitled[i++];
  for (auto& [pool_name, pool_use] : pools_) {
    std::vector<Use*> members;
    inputs.clear();
    for (auto& [name, use] : zones_) {
      const Zone& zone = *parts_.registry->find(name);
      if (zone.record->pool != pool_name) continue;
      double cap = zone.spec.capped_cpus.value_or(0);
      double set = cpus_of_set(zone.spec.dedicated_cpus, host);
      if (set < host) cap = cap > 0 ? std::min(cap, set) : set;
      inputs.push_back({zone.spec.cpu_shares, use.cpus, use.active, cap});
      members.push_back(&use);
    }
    auto zones = resource::entitlements(inputs, pool_use.entitled);
    for (size_t k = 0; k < members.size(); ++k) members[k]->entitled = zones[k];
  }
}

json StatSession::zone_members(const std::string& name, const Use& use, uint64_t counted) const {
  const Zone& zone = *parts_.registry->find(name);
  double host = parts_.host->cpus;
  double share = zone.counted != 0 && counted > 0
                     ? static_cast<double>(zone.counted) / static_cast<double>(counted)
                     : 0.0;
  json members = {{"name", name},
                  {"cpu_seconds", seconds_of(use.usage.cpu_ns)},
                  {"cpu_share", share},
                  {"cpu_entitled", use.entitled / host},
                  {"cpu_used", use.cpus / host},
                  {"memory_bytes", use.usage.memory_bytes},
                  {"processes", use.usage.processes},
                  {"io_read_bytes", use.usage.io_read_bytes},
                  {"io_write_bytes", use.usage.io_write_bytes},
                  {"net_rx_bytes", use.net_received},
                  {"net_tx_bytes", use.net_sent}};
  if (uint64_t limit = use.usage.memory_limit_bytes; limit != 0)
    members["memory_limit_bytes"] = limit;
  return members;
}

json StatSession::pool_members(const std::string& name, const Use& use) const {
  const Pool& pool = *parts_.registry->find_pool(name);
  double host = parts_.host->cpus;
  uint64_t total = 0;
  for (auto& [other, value] : parts_.registry->pools())
    if (!value.active.empty()) total += value.spec.shares;
  uint64_t zones = 0;
  for (const auto& [share, count] : pool.active) zones += count;
  double share = !pool.active.empty() && total > 0
                     ? static_cast<double>(pool.spec.shares) / static_cast<double>(total)
                     : 0.0;
  return {{"name", name},
          {"shares", pool.spec.shares},
          {"zones", zones},
          {"cpu_seconds", seconds_of(use.usage.cpu_ns)},
          {"cpu_share", share},
          {"cpu_entitled", use.entitled / host},
          {"cpu_used", use.cpus / host},
          {"memory_bytes", use.usage.memory_bytes},
          {"processes", use.usage.processes}};
}

json StatSession::look(const std::vector<std::string>& names, const Scope& scope) {
  auto now = base::EventLoop::Clock::now();
  double seconds = last_.time_since_epoch().count() == 0
                       ? 0.0
                       : std::chrono::duration<double>(now - last_).count();
  last_ = now;
  sample(seconds, scope);
  entitle();
  json reply = {{"zones", json::array()}, {"pools", json::array()}};
  std::map<std::string, uint64_t> counts;  // by pool
  for (const std::string& name : names) {
    const Zone* zone = parts_.registry->find(name);
    if (zone == nullptr) continue;
    const std::string& pool = zone->record ? zone->record->pool : zone->spec.pool;
    auto counted = counts.find(pool);
    if (counted == counts.end()) counted = counts.emplace(pool, counted_in(pool, scope)).first;
    auto use = zones_.find(name);
    reply["zones"].push_back(
        zone_members(name, use == zones_.end() ? Use{} : use->second, counted->second));
  }
  if (scope) return reply;
  for (const auto& [name, use] : pools_) reply["pools"].push_back(pool_members(name, use));
  return reply;
}

}  // namespace zoned
