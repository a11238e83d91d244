#include <algorithm>

#include "cli/handlers.h"
#include "cli/table.h"
#include "zoned/api/message.h"

namespace cli {
namespace {

using nlohmann::json;

// One zone as `zone list --json` shows it: these members, always all of them.
json listed(const json& zone) {
  json out;
  for (const char* member : {"name", "state", "brand", "label", "pool", "id"})
    out[member] = text_of(zone, member);
  out["pid"] = zone.contains("pid") ? zone["pid"] : json();
  return out;
}

std::string pid_text(const json& zone) {
  int64_t pid = int_of(zone, "pid");
  return pid > 0 ? std::to_string(pid) : "-";
}

std::string exit_text(const json& zone) {
  auto it = zone.find("exit");
  if (it == zone.end() || !it->is_object()) return "";
  std::string kind = text_of(*it, "kind");
  return kind == "unknown" ? kind : kind + " " + std::to_string(int_of(*it, "value"));
}

}  // namespace

base::Result<int> list(const Context& context, const Arguments& arguments) {
  TRY_AS(json reply, call(context, "List", {{"names", arguments.words}}));
  json zones = reply.value("zones", json::array());
  std::sort(zones.begin(), zones.end(),
            [](const json& a, const json& b) { return text_of(a, "name") < text_of(b, "name"); });
  if (context.json) {
    json out = json::array();
    for (const json& zone : zones) out.push_back(listed(zone));
    print_json(out);
    return 0;
  }
  Table table({{"NAME"}, {"STATE"}, {"BRAND"}, {"LABEL"}, {"POOL"}, {"PID", Table::Align::kRight}});
  for (const json& zone : zones) {
    table.add({text_of(zone, "name"), text_of(zone, "state"), text_of(zone, "brand"),
               dash(text_of(zone, "label")), text_of(zone, "pool"), pid_text(zone)});
  }
  print(table.text());
  for (const json& zone : zones)
    if (std::string problem = text_of(zone, "problem"); !problem.empty())
      note(context, "warning: " + shown(problem));
  return 0;
}

base::Result<int> info(const Context& context, const Arguments& arguments) {
  TRY_AS(json reply, call(context, "Info", {{"name", arguments.words[0]}}));
  if (context.json) {
    print_json(reply);
    return 0;
  }
  json zone = reply.value("zone", json::object());
  std::string text;
  auto line = [&text](std::string key, const std::string& value) {
    key += ":";
    key.resize(std::max(key.size() + 1, size_t{14}), ' ');
    if (!value.empty()) text += key + shown(value) + "\n";
  };
  for (const char* member : {"name", "state", "brand", "label", "pool", "id"})
    line(member, text_of(zone, member));
  line("problem", text_of(zone, "problem"));
  line("pid", int_of(zone, "pid") > 0 ? pid_text(zone) : "");
  line("last end", exit_text(zone));
  line("boots", std::to_string(int_of(zone, "boots")));
  if (bool_of(zone, "ephemeral")) line("ephemeral", "yes");
  json facts = reply.value("facts", json::object());  // items() refers to it
  for (const auto& fact : facts.items()) {
    if (fact.value().is_string() && !zone.contains(fact.key()))
      line(fact.key(), fact.value().get<std::string>());
  }
  std::string config = text_of(reply, "config");
  if (!config.empty()) text += "\n" + config + (config.ends_with('\n') ? "" : "\n");
  print(text);
  return 0;
}

base::Result<int> events(const Context& context, const Arguments&) {
  TRY_AS(api::Client client, context.connect());
  TRY(client.call_more("Events", json::object(), [&](const api::Reply& reply) {
    json event = reply.parameters.value("event", json::object());
    if (context.json) {
      print(api::to_text(event) + "\n");
    } else {
      std::string line;
      for (const char* member : {"time", "zone", "kind", "detail"}) {
        std::string text = shown(text_of(event, member));
        if (!text.empty()) line += (line.empty() ? "" : "  ") + text;
      }
      print(line + "\n");
    }
    fflush(stdout);
    return ferror(stdout) == 0;
  }));
  return 0;
}

base::Result<int> host(const Context& context, const Arguments&) {
  TRY_AS(json reply, call(context, "Host", json::object()));
  if (context.json) {
    print_json(reply);
    return 0;
  }
  print("zoned " + shown(text_of(reply, "version")) + " on " + shown(text_of(reply, "kernel")) +
        "\n\n");
  Table table({{"SUBJECT"}, {"STATE"}, {"DETAIL"}});
  for (const json& check : reply.value("checks", json::array())) {
    table.add({text_of(check, "subject"), text_of(check, "state"), text_of(check, "detail")});
    std::string fix = text_of(check, "fix");
    if (!fix.empty()) table.add({"", "", "fix: " + fix});
  }
  print(table.text());
  json facts = reply.value("facts", json::object());
  if (facts.empty()) return 0;
  Table more({{"FACT"}, {"VALUE"}});
  for (const auto& fact : facts.items()) {
    if (fact.value().is_string()) more.add({fact.key(), fact.value().get<std::string>()});
  }
  print("\n" + more.text());
  return 0;
}

}  // namespace cli
