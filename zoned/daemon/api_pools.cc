// Pools.
#include "base/log.h"
#include "base/strings.h"
#include "zoned/core/spec_toml.h"
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

json Api::pool_members(const Pool& pool) const {
  uint64_t zones = 0;
  uint64_t running = 0;
  for (const auto& [name, zone] : parts_.registry->zones()) {
    const std::string& of = zone->record ? zone->record->pool : zone->spec.pool;
    if (of != pool.spec.name) continue;
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
    TRY_AS(std::string text, core::edit_pool(name, "", strings(parameters["assignments"])));
    TRY_AS(core::PoolSpec spec, core::parse_pool(name, text, name + ".toml"));
    TRY_AS(auto warnings, check(parts_, spec));
    Pool* existing = parts_.registry->find_pool(name);
    const core::PoolSpec before = existing != nullptr ? existing->spec : core::PoolSpec{};
    TRY(parts_.registry->create_pool(name, text));
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
  auto change = [&]() -> Result<std::vector<std::string>> {
    Pool* pool = parts_.registry->find_pool(name);
    if (pool == nullptr) return no_such_pool(name);
    TRY_AS(std::string text,
           core::edit_pool(name, pool->config, strings(parameters["assignments"])));
    TRY_AS(core::PoolSpec spec, core::parse_pool(name, text, name + ".toml"));
    TRY_AS(auto warnings, check(parts_, spec));
    const core::PoolSpec before = pool->spec;
    TRY(parts_.registry->set_pool(pool, text));
    TRY(parts_.shares->pool_changed(pool, before));
    return warnings;
  };
  auto warnings = change();
  if (!warnings) return request.call.answer.fail(warnings.error());
  parts_.events->emit("", "pool", name + " set");
  request.call.answer.reply({{"warnings", *warnings}});
}

void Api::pool_list(Request request) {
  json pools = json::array();
  for (const auto& [name, pool] : parts_.registry->pools()) pools.push_back(pool_members(pool));
  request.call.answer.reply({{"pools", std::move(pools)}});
}

void Api::pool_info(Request request) {
  std::string name = request.call.parameters["name"].get<std::string>();
  Pool* pool = parts_.registry->find_pool(name);
  if (pool == nullptr) return request.call.answer.fail(no_such_pool(name));
  request.call.answer.reply({{"pool", pool_members(*pool)}, {"config", pool->config}});
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
