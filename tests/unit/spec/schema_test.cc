#include <catch2/catch.hpp>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/strings.h"
#include "zoned/core/spec_keys.h"
#include "zoned/core/spec_toml.h"

namespace {

using Json = nlohmann::json;

// The schema of a row, found by its dotted name.
const Json* find_schema(const Json& root, const std::string& name) {
  const Json* at = &root;
  for (const std::string& segment : base::split(name, '.')) {
    const char* member = segment == "N"      ? "items"
                         : segment == "NAME" ? "additionalProperties"
                                             : nullptr;
    if (member == nullptr) {
      auto properties = at->find("properties");
      if (properties == at->end()) return nullptr;
      at = &*properties;
    }
    auto next = at->find(member != nullptr ? member : segment);
    if (next == at->end()) return nullptr;
    at = &*next;
  }
  return at;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// "cpu-shares" of ".It Ic cpu-shares".
std::vector<std::pair<std::string, std::string>> items_of(const std::string& page) {
  std::vector<std::pair<std::string, std::string>> items;
  std::vector<std::string> lines = base::split(page, '\n');
  constexpr std::string_view kItem = ".It Ic ";
  for (size_t i = 0; i + 1 < lines.size(); ++i)
    if (lines[i].starts_with(kItem))
      items.emplace_back(lines[i].substr(kItem.size()), lines[i + 1]);
  return items;
}

}  // namespace

TEST_CASE("the schema is JSON and has every key with its type and description") {
  Json schema = Json::parse(core::zone_json_schema());
  CHECK(schema["$schema"] == "https://json-schema.org/draft/2020-12/schema");
  for (const auto& key : core::keys_of<core::ZoneSpec>()) {
    INFO(key.info.name);
    const Json* entry = find_schema(schema, std::string(key.info.name));
    REQUIRE(entry != nullptr);
    CHECK((entry->contains("type") || entry->contains("anyOf")));
    std::string description = entry->at("description");
    CHECK(description.find(key.info.description) == 0);
    CHECK(description.find(core::type_text(key.info)) != std::string::npos);
    CHECK(entry->at("x-live") == key.info.live);
  }
}

TEST_CASE("the schema states ranges, choices, defaults and what is required") {
  Json schema = Json::parse(core::zone_json_schema());
  const Json& properties = schema["properties"];
  CHECK(schema["additionalProperties"] == false);
  CHECK(properties["cpu-shares"]["minimum"] == 1);
  CHECK(properties["cpu-shares"]["maximum"] == 65535);
  CHECK(properties["cpu-shares"]["default"] == 1);
  CHECK(properties["restart"]["enum"] == Json({"no", "on-failure", "always"}));
  CHECK(properties["stop-timeout"]["default"] == "10s");
  CHECK(properties["stop-timeout"]["anyOf"][0]["maximum"] == 3600);
  CHECK(properties["log-size"]["default"] == "1M");
  CHECK(properties["capped-cpu"]["properties"]["ncpus"]["minimum"] == 0.01);
  CHECK(properties["capped-cpu"]["additionalProperties"] == false);
  CHECK(properties["command"]["type"] == "array");
  CHECK(properties["command"]["maxItems"] == 1024);
  CHECK(properties["env"]["maxProperties"] == 1024);
  CHECK(properties["env"]["additionalProperties"]["type"] == "string");
  CHECK(properties["fs"]["type"] == "array");
  CHECK(properties["fs"]["maxItems"] == 64);
  CHECK(properties["fs"]["items"]["required"] == Json({"dir", "special"}));
  CHECK(properties["admin"]["items"]["required"] == Json({"user", "auths"}));
}

TEST_CASE("the rows of the table are unique and grouped by table, root keys first") {
  std::set<std::string_view> names;
  std::set<std::string> tables;
  std::string last;
  for (const auto& key : core::keys_of<core::ZoneSpec>()) {
    CHECK(names.insert(key.info.name).second);
    CHECK_FALSE(key.info.description.empty());
    size_t dot = key.info.name.find('.');
    std::string table(key.info.name.substr(0, dot == std::string_view::npos ? 0 : dot));
    if (table != last) CHECK(tables.insert(table).second);
    if (table.empty()) CHECK(tables.empty());
    last = table;
  }
}

TEST_CASE("the manual page has every key with its summary and no other") {
  std::string page = read_text("man/zone.toml.5");
  REQUIRE_FALSE(page.empty());
  std::vector<std::pair<std::string, std::string>> expected;
  for (const auto& key : core::keys_of<core::ZoneSpec>())
    expected.emplace_back(key.info.name, core::summary_of(key) + ".");
  for (const auto& key : core::keys_of<core::PoolSpec>())
    expected.emplace_back(key.info.name, core::summary_of(key) + ".");
  CHECK(items_of(page) == expected);
}

TEST_CASE("the examples of the manual page parse") {
  std::string page = read_text("man/zone.toml.5");
  constexpr std::string_view kBegin = ".Bd -literal";
  size_t examples = 0;
  for (size_t at = page.find(kBegin); at != std::string::npos; at = page.find(kBegin, at + 1)) {
    size_t begin = page.find('\n', at) + 1;
    std::string text = page.substr(begin, page.find(".Ed", begin) - begin);
    bool pool = text.find("# pool") == 0;
    INFO(text);
    if (pool) {
      auto parsed = core::parse_pool("web", text, "example");
      CHECK(parsed.ok());
    } else {
      auto parsed = core::parse_zone("web", text, "example");
      CHECK(parsed.ok());
    }
    ++examples;
  }
  CHECK(examples >= 4);
}
