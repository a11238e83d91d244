#include "zoned/core/config_document.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

#include "base/strings.h"

namespace core {
namespace {

bool is_bare_key(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

}  // namespace

std::string path_text(const ConfigPath& path) { return base::join(path, "."); }

bool has_prefix(const ConfigPath& path, const ConfigPath& prefix) {
  return path.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), path.begin());
}

std::string place_text(const ConfigDocument& document, const ConfigPlace& place) {
  if (place.line == 0) return {};
  return document.file + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) +
         ": ";
}

const ConfigEntry* find_entry(const ConfigDocument& document, const ConfigPath& path) {
  for (const ConfigEntry& entry : document.entries)
    if (entry.path == path) return &entry;
  return nullptr;
}

size_t list_size(const ConfigDocument& document, const ConfigPath& path) {
  const ConfigEntry* list = find_entry(document, path);
  if (list == nullptr || !std::holds_alternative<ConfigList>(list->value)) return 0;
  return static_cast<size_t>(std::count_if(
      document.entries.begin(), document.entries.end(), [&](const ConfigEntry& entry) {
        return entry.path.size() == path.size() + 1 && has_prefix(entry.path, path);
      }));
}

void set_entry(ConfigDocument& document, const ConfigPath& path, ConfigValue value,
               size_t list_depth) {
  for (size_t depth = 1; depth < path.size(); ++depth) {
    auto length = static_cast<ConfigPath::difference_type>(depth);
    ConfigPath parent(path.begin(), path.begin() + length);
    bool is_list = depth + 1 == list_depth;
    const ConfigEntry* found = find_entry(document, parent);
    // An empty array may become a list.
    if (is_list && found != nullptr && found->value == ConfigValue(std::vector<std::string>{})) {
      remove_entries(document, parent);
      found = nullptr;
    }
    if (found != nullptr) continue;
    ConfigValue marker = ConfigTable{};
    if (is_list) marker = ConfigList{};
    document.entries.push_back({std::move(parent), std::move(marker), {}, {}});
  }
  remove_entries(document, path);
  document.entries.push_back({path, std::move(value), {}, {}});
}

void remove_entries(ConfigDocument& document, const ConfigPath& path) {
  std::erase_if(document.entries,
                [&](const ConfigEntry& entry) { return has_prefix(entry.path, path); });
}

void remove_element(ConfigDocument& document, const ConfigPath& path) {
  remove_entries(document, path);
  ConfigPath list(path.begin(), path.end() - 1);
  size_t removed = std::stoul(path.back());
  for (ConfigEntry& entry : document.entries) {
    if (entry.path.size() <= list.size() || !has_prefix(entry.path, list)) continue;
    std::string& segment = entry.path[list.size()];
    size_t index = std::stoul(segment);
    if (index > removed) segment = std::to_string(index - 1);
  }
  if (list_size(document, list) == 0) remove_entries(document, list);
}

std::string kind_text(const ConfigValue& value) {
  if (const auto* other = std::get_if<ConfigOther>(&value)) return other->what;
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value))
    return texts->empty() ? "an empty array" : "an array of strings";
  constexpr std::string_view kKinds[] = {"nothing",  "a boolean",         "a whole number",
                                         "a number", "a string",          "an array of strings",
                                         "a table",  "an array of tables"};
  return std::string(kKinds[value.index()]);
}

std::string string_text(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    unsigned char byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04X", byte);
      out += escape;
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string value_text(const ConfigValue& value) {
  if (const auto* boolean = std::get_if<bool>(&value)) return *boolean ? "true" : "false";
  if (const auto* integer = std::get_if<int64_t>(&value)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&value)) {
    char text[32];
    auto [end, ec] = std::to_chars(text, text + sizeof text, *number);
    return ec == std::errc() ? std::string(text, end) : std::string();
  }
  if (const auto* text = std::get_if<std::string>(&value)) return string_text(*text);
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
    std::vector<std::string> parts;
    for (const std::string& text : *texts) parts.push_back(string_text(text));
    return "[" + base::join(parts, ", ") + "]";
  }
  return {};
}

std::string key_text(const ConfigPath& path) {
  std::vector<std::string> parts;
  for (const std::string& segment : path)
    parts.push_back(is_bare_key(segment) ? segment : string_text(segment));
  return base::join(parts, ".");
}

std::string quote(std::string_view text) {
  constexpr size_t kMaxBytes = 80;
  if (text.size() <= kMaxBytes) return base::quoted(text, kMaxBytes);
  size_t end = kMaxBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return base::quoted(text, end);
}

}  // namespace core
