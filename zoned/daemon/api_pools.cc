// Pools.
#include "base/log.h"
#include "base/strings.h"
#include "zoned/daemon/api.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using nlohmann::json;

namespace {

std::vector<std::string> strings(const json& value) {
  return value.get<std::vector<std::string>>();
}

std::string subject(const std::string& name) { return "pool " + base::quoted(name); }

base::Error no_such_pool(const std::string& name) {
  return make_error(Code::kNotFound, subject(name) + ": no such pool",
                    "'zone pool list' shows the pools");
}

// What the host can't do is refused before anything is written.
Result<std::vector<std::string>> check(const Parts& parts, const core::PoolSpec& spec) {
  std::vector<std::string> warnings;
  if (spec.cpus) {
    TRY_AS(auto cpus, base::parse_cpu_list(*spec.cpus));
    if (cpus.back() >= parts.host->cpus)
      return make_error(Code::kInvalid, "cpus " + base::quoted(*spec.cpus) +
                                            ": this host has CPUs 0-" +
                                            std::to_string(parts.host->cpus - 1));
  }
  TRY(parts.cgroups->plan(core::limits_of(spec, 0), &warnings));
  return warnings;
}

}  // namespace

json Api::pool_members(const Pool& pool, const Caller& caller) const {
  uint64_t zones = 0;
  uint64_t running = 0;
  for (const auto& [name, zone] : parts_.registry->zones()) {
    const std::string& of = zone->record ? zone->record->pool : zone->spec.pool;
    if (of != pool.spec.name || !may_see(caller, *zone)) continue;
    ++zones;
    if (zone->record) ++running;
  }
  json members = {{"name", pool.spec.name},
                  {"shares", pool.spec.shares},
                  {"zones", zones},
                  {"running", running}};
  if (pool.spec.cpus) members["cpus"] = *pool.spec.cpus;
  return members;
}

void Api::pool_create(Request request) {
  const json& parameters = request.call.parameters;
  std::string name = parameters["name"].get<std::string>();
  auto make = [&]() -> Result<std::vector<std::string>> {
    TRY(base::check_name("pool", name));
    TRY_AS(PoolConfig config, core::take_config<core::PoolSpec>(name, request.call.config));
    TRY_AS(auto warnings, check(parts_, config.spec));
    Pool* existing = parts_.registry->find_pool(name);
    const core::PoolSpec before = existing != nullptr ? existing->spec : core::PoolSpec{};
    TRY(parts_.registry->create_pool(name, config));
    if (existing != nullptr) TRY(parts_.shares->pool_changed(existing, before));
    return warnings;
  };
  auto warnings = make();
  if (!warnings) return request.call.answer.fail(warnings.error());
  parts_.events->emit("", "pool", name + " created");
  request.call.answer.reply({{"warnings", *warnings}});
}

void Api::pool_set(Request request) {
  const json& parameters = request.call.parameters;
  std::string name = parameters["name"].get<std::string>();
  api::Answer answer = request.call.answer;
  const Pool* now = parts_.registry->find_pool(name);
  if (now == nullptr) return answer.fail(no_such_pool(name));
  const std::string before = now->config;
  parts_.parsers->edit(true, name, before, strings(parameters["assignments"]),
                       [this, answer, name, before](Result<json> told) {
                         auto warnings = replace_pool(name, before, told);
                         if (!warnings) return answer.fail(warnings.error());
                         parts_.events->emit("", "pool", name + " set");
                         answer.reply({{"warnings", *warnings}});
                       });
}

Result<std::vector<std::string>> Api::replace_pool(const std::string& name,
                                                   const std::string& before,
                                                   const Result<json>& told) {
  Pool* pool = parts_.registry->find_pool(name);
  if (pool == nullptr) return no_such_pool(name);
  if (pool->config != before)
    return make_error(Code::kBusy, subject(name) + ": somebody else changes it too", "try again");
  if (!told) return told.error();
  TRY_AS(PoolConfig config, core::take_config<core::PoolSpec>(name, *told));
  TRY_AS(auto warnings, check(parts_, config.spec));
  const core::PoolSpec spec_before = pool->spec;
  TRY(parts_.registry->set_pool(pool, config));
  TRY(parts_.shares->pool_changed(pool, spec_before));
  return warnings;
}

void Api::pool_list(Request request) {
  json pools = json::array();
  for (const auto& [name, pool] : parts_.registry->pools())
    pools.push_back(pool_members(pool, request.caller));
  request.call.answer.reply({{"pools", std::move(pools)}});
}

void Api::pool_info(Request request) {
  std::string name = request.call.parameters["name"].get<std::string>();
  Pool* pool = parts_.registry->find_pool(name);
  if (pool == nullptr) return request.call.answer.fail(no_such_pool(name));
  request.call.answer.reply(
      {{"pool", pool_members(*pool, request.caller)}, {"config", pool->config}});
}

void Api::pool_delete(Request request) {
  std::string name = request.call.parameters["name"].get<std::string>();
  auto remove = [&]() -> base::Status {
    Pool* pool = parts_.registry->find_pool(name);
    if (pool == nullptr) return no_such_pool(name);
    if (name == "default")
      return make_error(Code::kState, "pool 'default' can't be deleted",
                        "zones without a pool are in it");
    for (const auto& [zone_name, zone] : parts_.registry->zones())
      if (zone->spec.pool == name || (zone->record && zone->record->pool == name))
        return make_error(Code::kBusy,
                          subject(name) + ": zone " + base::quoted(zone_name) + " is in it",
                          "move or delete its zones first");
    TRY(parts_.cgroups->destroy_pool(name));
    return parts_.registry->remove_pool(name);
  };
  base::Status status = remove();
  if (!status) return request.call.answer.fail(status.error());
  parts_.events->emit("", "pool", name + " deleted");
  request.call.answer.reply(json::object());
}

}  // namespace zoned
