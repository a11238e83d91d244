#include <algorithm>

#include "base/strings.h"
#include "cli/handlers.h"
#include "cli/table.h"

namespace cli {
namespace {

using nlohmann::json;

base::Result<int> change(const Context& context, const Arguments& arguments, const char* method) {
  std::vector<std::string> assignments(arguments.words.begin() + 1, arguments.words.end());
  for (const std::string& assignment : arguments.values("set")) assignments.push_back(assignment);
  TRY_AS(json reply,
         call(context, method, {{"name", arguments.words[0]}, {"assignments", assignments}}));
  print_warnings(context, reply);
  if (context.json) print_json({{"name", arguments.words[0]}});
  return 0;
}

std::string cpus_of(const json& pool) { return dash(text_of(pool, "cpus")); }

}  // namespace

base::Result<int> pool_create(const Context& context, const Arguments& arguments) {
  return change(context, arguments, "PoolCreate");
}

base::Result<int> pool_set(const Context& context, const Arguments& arguments) {
  if (arguments.words.size() < 2 && !arguments.has("set"))
    return base::make_error(base::Code::kInvalid, "nothing to set",
                            "such as: zone pool set web shares=3");
  return change(context, arguments, "PoolSet");
}

base::Result<int> pool_list(const Context& context, const Arguments&) {
  TRY_AS(json reply, call(context, "PoolList", json::object()));
  json pools = reply.value("pools", json::array());
  std::sort(pools.begin(), pools.end(),
            [](const json& a, const json& b) { return text_of(a, "name") < text_of(b, "name"); });
  if (context.json) {
    print_json(pools);
    return 0;
  }
  Table table({{"NAME"},
               {"SHARES", Table::Align::kRight},
               {"CPUS"},
               {"ZONES", Table::Align::kRight},
               {"RUNNING", Table::Align::kRight}});
  for (const json& pool : pools) {
    table.add({text_of(pool, "name"), std::to_string(int_of(pool, "shares")), cpus_of(pool),
               std::to_string(int_of(pool, "zones")), std::to_string(int_of(pool, "running"))});
  }
  print(table.text());
  return 0;
}

base::Result<int> pool_info(const Context& context, const Arguments& arguments) {
  TRY_AS(json reply, call(context, "PoolInfo", {{"name", arguments.words[0]}}));
  if (context.json) {
    print_json(reply);
    return 0;
  }
  json pool = reply.value("pool", json::object());
  std::string config = text_of(reply, "config");
  print("name:    " + text_of(pool, "name") +
        "\nshares:  " + std::to_string(int_of(pool, "shares")) + "\ncpus:    " + cpus_of(pool) +
        "\nzones:   " + std::to_string(int_of(pool, "zones")) +
        "\nrunning: " + std::to_string(int_of(pool, "running")) + "\n" +
        (config.empty() ? "" : "\n" + config + (config.ends_with('\n') ? "" : "\n")));
  return 0;
}

base::Result<int> pool_delete(const Context& context, const Arguments& arguments) {
  bool ok = true;
  for (const std::string& name : arguments.words) {
    auto reply = call(context, "PoolDelete", {{"name", name}});
    if (!reply) print_error(context, reply.error());
    ok = ok && reply.ok();
  }
  return ok ? 0 : 1;
}

}  // namespace cli
