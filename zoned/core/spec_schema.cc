// JSON Schema (https://json-schema.org/draft/2020-12) from the table of keys.
#include <nlohmann/json.hpp>

#include <cstdint>

#include "base/strings.h"
#include "zoned/core/spec_keys.h"
#include "zoned/core/spec_toml.h"

namespace core {
namespace {

using Json = nlohmann::ordered_json;

Json bound(double value) {
  auto whole = static_cast<int64_t>(value);
  return static_cast<double>(whole) == value ? Json(whole) : Json(value);
}

Json choices_of(const KeyInfo& info) {
  Json choices = Json::array();
  for (std::string_view choice : info.choices) choices.push_back(choice);
  return choices;
}

// A whole number of `unit`s of the key's bounds, or a text with a unit.
Json quantity(const KeyInfo& info, double unit, const char* pattern) {
  Json number = {{"type", "integer"},
                 {"minimum", bound(info.min / unit)},
                 {"maximum", bound(info.max / unit)}};
  return {{"anyOf", Json::array({number, {{"type", "string"}, {"pattern", pattern}}})}};
}

Json type_schema(const KeyInfo& info) {
  switch (info.type) {
    case KeyType::kBoolean:
      return {{"type", "boolean"}};
    case KeyType::kInteger:
      return {{"type", "integer"}, {"minimum", bound(info.min)}, {"maximum", bound(info.max)}};
    case KeyType::kNumber:
      return {{"type", "number"}, {"minimum", bound(info.min)}, {"maximum", bound(info.max)}};
    case KeyType::kSize:
      return quantity(info, 1, "^[0-9]+(\\.[0-9]+)?[KMGT]?$");
    case KeyType::kRate:
      return quantity(info, 1, "^[0-9]+(\\.[0-9]+)?[KMGT]?(/s)?$");
    case KeyType::kBits:
      return quantity(info, 1, "^[0-9]+[KMG]?$");
    case KeyType::kDuration:
      return quantity(info, 1000, "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)?$");
    case KeyType::kChoice:
      return {{"type", "string"}, {"enum", choices_of(info)}};
    case KeyType::kChoices:
      return {{"type", "array"},
              {"items", {{"type", "string"}, {"enum", choices_of(info)}}},
              {"uniqueItems", true},
              {"minItems", bound(info.min)}};
    case KeyType::kText:
      return {{"type", "string"}, {"maxLength", bound(info.max)}};
    case KeyType::kTexts:
      return {{"type", "array"}, {"items", {{"type", "string"}}}, {"maxItems", bound(info.max)}};
  }
  return {};
}

// The default as the text of a configuration would say it.
Json default_value(const Key<ZoneSpec>& key) {
  ConfigValue value = default_of(key);
  if (key.info.required) return {};
  if (const auto* boolean = std::get_if<bool>(&value)) return *boolean;
  if (const auto* text = std::get_if<std::string>(&value))
    return text->empty() ? Json() : Json(*text);
  if (!std::holds_alternative<int64_t>(value)) return {};
  // Numbers and quoted sizes are JSON as well as TOML.
  return Json::parse(format_value(key.info, value));
}

Json object() {
  return {{"type", "object"}, {"properties", Json::object()}, {"additionalProperties", false}};
}

// The object schema that holds the row's last segment; made on the way.
Json& holder_of(Json& root, const std::vector<std::string>& path) {
  Json* at = &root;
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    if (path[i] == "N") continue;
    Json& child = (*at)["properties"][path[i]];
    bool is_list = path[i + 1] == "N";
    if (child.is_null() && is_list)
      child = {{"type", "array"}, {"maxItems", kMaxListElements}, {"items", object()}};
    else if (child.is_null())
      child = object();
    at = is_list ? &child["items"] : &child;
  }
  return *at;
}

void add_key(Json& root, const Key<ZoneSpec>& key) {
  std::vector<std::string> path = base::split(key.info.name, '.');
  Json schema = type_schema(key.info);
  schema["description"] = std::string(key.info.description) + " (" + summary_of(key) + ")";
  schema["x-live"] = key.info.live;
  if (Json value = default_value(key); !value.is_null()) schema["default"] = value;
  Json& holder = holder_of(root, path);
  if (path.back() == "NAME") {
    holder["additionalProperties"] = schema;
    holder["propertyNames"] = {{"pattern", "^[A-Za-z_][A-Za-z0-9_]*$"}};
    holder["maxProperties"] = kMaxEnv;
    return;
  }
  holder["properties"][path.back()] = schema;
  if (key.info.required) holder["required"].push_back(path.back());
}

}  // namespace

std::string zone_json_schema() {
  Json root = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
               {"title", "zone.toml"},
               {"description", "Configuration of a zone; see zone.toml(5)."}};
  root.update(object());
  for (const Key<ZoneSpec>& key : keys_of<ZoneSpec>()) add_key(root, key);
  return root.dump(2) + "\n";
}

}  // namespace core
