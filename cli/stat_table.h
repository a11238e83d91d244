// The tables and JSON of `zone stat`, from replies of the method Stat.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace cli {

// Pools, then zones, each sorted by name. CPU columns are CPUs (1.00 is one CPU busy).
std::string stat_tables(const nlohmann::json& reply);
// {"zones": [...], "pools": [...]}: every member of the interface in each entry; null where the
// daemon does not tell it.
nlohmann::json stat_json(const nlohmann::json& reply);

}  // namespace cli
