// Plans as JSON: the form in which they reach the keeper and golden files. Strict: an unknown,
// missing or wrongly typed member is an error.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "zoned/core/plan.h"

namespace core {

nlohmann::json to_json(const ZonePlan& plan);
base::Result<ZonePlan> zone_plan_from_json(const nlohmann::json& value);
nlohmann::json to_json(const EnterPlan& plan);
base::Result<EnterPlan> enter_plan_from_json(const nlohmann::json& value);

}  // namespace core
