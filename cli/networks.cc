// zone net: networks, and what zones have on them.
#include <algorithm>

#include "base/strings.h"
#include "cli/handlers.h"
#include "cli/table.h"

namespace cli {
namespace {

using nlohmann::json;

base::Result<int> change(const Context& context, const Arguments& arguments, const char* method) {
  std::vector<std::string> settings(arguments.words.begin() + 1, arguments.words.end());
  for (const std::string& setting : arguments.values("set")) settings.push_back(setting);
  TRY_AS(json reply, call(context, method, {{"name", arguments.words[0]}, {"settings", settings}}));
  print_warnings(context, reply);
  if (context.json) print_json({{"name", arguments.words[0]}});
  return 0;
}

std::string list_text(const json& object, const char* member) {
  std::vector<std::string> texts;
  const json items = object.value(member, json::array());
  for (const json& item : items)
    if (item.is_string()) texts.push_back(shown(item.get<std::string>()));
  return dash(base::join(texts, ","));
}

// "mac-nospoof 3, ip-nospoof 1", without those that refused nothing.
std::string refused_text(const json& port) {
  std::vector<std::string> parts;
  const json refused = port.value("refused", json::object());
  for (const auto& [name, count] : refused.items())
    if (count.is_number_unsigned() && count.get<uint64_t>() > 0)
      parts.push_back(shown(name) + " " + std::to_string(count.get<uint64_t>()));
  return dash(base::join(parts, ", "));
}

}  // namespace

base::Result<int> net_create(const Context& context, const Arguments& arguments) {
  return change(context, arguments, "NetCreate");
}

base::Result<int> net_set(const Context& context, const Arguments& arguments) {
  if (arguments.words.size() < 2 && !arguments.has("set"))
    return base::make_error(base::Code::kInvalid, "nothing to set",
                            "such as: zone net set lan mtu=9000");
  return change(context, arguments, "NetSet");
}

base::Result<int> net_list(const Context& context, const Arguments&) {
  TRY_AS(json reply, call(context, "NetList", json::object()));
  json networks = reply.value("networks", json::array());
  if (context.json) {
    print_json(networks);
    return 0;
  }
  Table table({{"NAME"},
               {"KIND"},
               {"SUBNETS"},
               {"LEASES", Table::Align::kRight},
               {"PORTS", Table::Align::kRight}});
  for (const json& network : networks)
    table.add({text_of(network, "name"), text_of(network, "kind"), list_text(network, "subnets"),
               std::to_string(int_of(network, "leases")),
               std::to_string(int_of(network, "ports"))});
  table.sort();
  print(table.text());
  return 0;
}

base::Result<int> net_info(const Context& context, const Arguments& arguments) {
  TRY_AS(json reply, call(context, "NetInfo", {{"name", arguments.words[0]}}));
  if (context.json) {
    print_json(reply);
    return 0;
  }
  json network = reply.value("network", json::object());
  std::string text = "name:   " + text_of(network, "name") +
                     "\nkind:   " + text_of(network, "kind") +
                     "\nleases: " + std::to_string(int_of(network, "leases")) +
                     "\nports:  " + std::to_string(int_of(network, "ports")) + "\n";
  const json settings = reply.value("settings", json::array());
  for (const json& setting : settings)
    if (setting.is_string()) text += shown(setting.get<std::string>()) + "\n";
  print(text);
  return 0;
}

base::Result<int> net_delete(const Context& context, const Arguments& arguments) {
  bool ok = true;
  for (const std::string& name : arguments.words) {
    auto reply = call(context, "NetDelete", {{"name", name}});
    if (!reply) print_error(context, reply.error());
    ok = ok && reply.ok();
  }
  return ok ? 0 : 1;
}

base::Result<int> net_ports(const Context& context, const Arguments& arguments) {
  TRY_AS(json reply, call(context, "NetPorts", {{"names", arguments.words}}));
  json ports = reply.value("ports", json::array());
  if (context.json) {
    print_json(ports);
    return 0;
  }
  Table table({{"ZONE"},
               {"PORT"},
               {"NETWORK"},
               {"ADDRESSES"},
               {"MAC"},
               {"RX-BYTES", Table::Align::kRight},
               {"TX-BYTES", Table::Align::kRight},
               {"REFUSED"}});
  for (const json& port : ports)
    table.add({text_of(port, "zone"), text_of(port, "name"), text_of(port, "network"),
               list_text(port, "addresses"), text_of(port, "mac"),
               std::to_string(int_of(port, "rx_bytes")), std::to_string(int_of(port, "tx_bytes")),
               refused_text(port)});
  print(table.text());
  return 0;
}

}  // namespace cli
