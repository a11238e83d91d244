// zone user: who may do what across labels.
#include "base/strings.h"
#include "cli/handlers.h"
#include "cli/table.h"

namespace cli {

using nlohmann::json;

base::Result<int> user_set(const Context& context, const Arguments& arguments) {
  std::vector<std::string> assignments(arguments.words.begin() + 1, arguments.words.end());
  for (const std::string& setting : arguments.values("set")) assignments.push_back(setting);
  if (assignments.empty())
    return base::make_error(base::Code::kInvalid, "nothing to set",
                            "such as: zone user set alice clearance=SECRET");
  TRY(call(context, "UserSet", {{"name", arguments.words[0]}, {"assignments", assignments}}));
  if (context.json) print_json({{"name", arguments.words[0]}});
  return 0;
}

base::Result<int> user_list(const Context& context, const Arguments&) {
  TRY_AS(json reply, call(context, "UserList", json::object()));
  json users = reply.value("users", json::array());
  if (context.json) {
    print_json(users);
    return 0;
  }
  Table table({{"NAME"}, {"CLEARANCE"}, {"MINIMUM"}, {"GRANTS"}, {"ROLE"}});
  for (const json& user : users) {
    std::vector<std::string> grants;
    const json items = user.value("grants", json::array());
    for (const json& item : items)
      if (item.is_string()) grants.push_back(shown(item.get<std::string>()));
    table.add({text_of(user, "name"), text_of(user, "clearance"), text_of(user, "minimum"),
               dash(base::join(grants, ",")), dash(text_of(user, "role"))});
  }
  table.sort();
  print(table.text());
  return 0;
}

base::Result<int> user_delete(const Context& context, const Arguments& arguments) {
  bool ok = true;
  for (const std::string& name : arguments.words) {
    auto reply = call(context, "UserDelete", {{"name", name}});
    if (!reply) print_error(context, reply.error());
    ok = ok && reply.ok();
  }
  return ok ? 0 : 1;
}

}  // namespace cli
