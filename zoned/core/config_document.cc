#include "zoned/core/config_document.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <limits>
#include <utility>

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 1
#define TOML_ENABLE_FORMATTERS 0
#define TOML_MAX_NESTED_VALUES 32
#include <toml++/toml.h>

#include "base/strings.h"
#include "zoned/core/config_scanner.h"
#include "zoned/core/spec_toml.h"

namespace core {
namespace {

using base::Code;
using base::make_error;

ConfigPlace place_of(const toml::source_position& position) {
  return {std::max<uint32_t>(position.line, 1), std::max<uint32_t>(position.column, 1)};
}

ConfigPlace place_at(std::string_view text, size_t offset) {
  ConfigPlace place{1, 1};
  for (char c : text.substr(0, offset)) {
    if (c == '\n') {
      ++place.line;
      place.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) {
      ++place.column;
    }
  }
  return place;
}

// Offset of the first byte that is_clean_utf8 refuses.
size_t first_unclean(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    size_t length = 1;
    while (length < 4 && i + length < text.size() &&
           (static_cast<unsigned char>(text[i + length]) & 0xc0) == 0x80)
      ++length;
    if (!base::is_clean_utf8(text.substr(i, length))) break;
    i += length;
  }
  return i;
}

base::Status check_text(std::string_view text, std::string_view file) {
  std::string where(file);
  if (text.size() > kMaxConfigBytes)
    return make_error(Code::kInvalid, where + ":1:1: the text has " + std::to_string(text.size()) +
                                          " bytes, more than " + std::to_string(kMaxConfigBytes));
  auto fail = [&](size_t offset, const std::string& what) {
    ConfigPlace place = place_at(text, offset);
    return make_error(Code::kInvalid, where + ":" + std::to_string(place.line) + ":" +
                                          std::to_string(place.column) + ": " + what);
  };
  if (!base::is_clean_utf8(text)) {
    size_t offset = first_unclean(text);
    return fail(offset, text[offset] == '\0' ? "the text holds a NUL byte"
                                             : "the text is not valid UTF-8");
  }
  if (auto deep = first_too_deep(text))
    return fail(*deep, "nested more than " + std::to_string(kMaxConfigDepth) + " deep");
  return {};
}

// "Error while parsing table header: cannot ..." -> "cannot ...", on one line, at most 300 bytes.
std::string clean_description(std::string_view text) {
  if (text.starts_with("Error while parsing ")) {
    size_t colon = text.find(": ");
    if (colon != std::string_view::npos) text.remove_prefix(colon + 2);
  }
  constexpr size_t kMaxBytes = 300;
  size_t end = std::min(text.size(), kMaxBytes);
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  std::string out;
  for (char c : text.substr(0, end)) {
    bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    out += control ? '?' : c;
  }
  while (!out.empty() && (out.back() == '.' || out.back() == ' ')) out.pop_back();
  return out;
}

struct Visit {
  ConfigPath path;
  const toml::node* node;
  ConfigPlace key_place;
};

std::string kind_of(const toml::node& node) {
  if (node.is_table()) return "a table";
  if (node.is_array()) return "an array";
  if (node.is_integer()) return "a whole number";
  if (node.is_floating_point()) return "a number";
  if (node.is_boolean()) return "a boolean";
  return "a date or time";
}

// An array of strings, an array of tables (a list), or what it is instead.
ConfigValue array_value(const toml::array& array, ConfigPlace& place) {
  if (!array.empty() && array[0].is_table()) {
    for (const toml::node& element : array) {
      if (element.is_table()) continue;
      place = place_of(element.source().begin);
      return ConfigOther{"an array that holds " + kind_of(element)};
    }
    return ConfigList{};
  }
  std::vector<std::string> texts;
  texts.reserve(array.size());
  for (const toml::node& element : array) {
    const auto* text = element.as_string();
    if (text == nullptr) {
      place = place_of(element.source().begin);
      return ConfigOther{"an array that holds " + kind_of(element)};
    }
    texts.push_back(text->get());
  }
  return texts;
}

ConfigValue value_of(const toml::node& node, ConfigPlace& place) {
  if (node.is_table()) return ConfigTable{};
  if (const auto* array = node.as_array()) return array_value(*array, place);
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* integer = node.as_integer()) return integer->get();
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* boolean = node.as_boolean()) return boolean->get();
  return ConfigOther{kind_of(node)};
}

// Children of a table or list in the order of the text.
std::vector<Visit> children_of(const Visit& visit, const ConfigValue& value) {
  std::vector<Visit> children;
  if (const auto* table = visit.node->as_table()) {
    for (const auto& [key, node] : *table) {
      ConfigPath path = visit.path;
      path.emplace_back(key.str());
      children.push_back({std::move(path), &node, place_of(key.source().begin)});
    }
    std::stable_sort(children.begin(), children.end(), [](const Visit& a, const Visit& b) {
      return std::pair(a.key_place.line, a.key_place.column) <
             std::pair(b.key_place.line, b.key_place.column);
    });
  } else if (std::holds_alternative<ConfigList>(value)) {
    for (const toml::node& element : *visit.node->as_array()) {
      ConfigPath path = visit.path;
      path.push_back(std::to_string(children.size()));
      children.push_back({std::move(path), &element, place_of(element.source().begin)});
    }
  }
  return children;
}

// Depth first with a stack of its own, so that no text decides how deep we recurse.
void flatten(const toml::table& root, std::vector<ConfigEntry>& entries) {
  std::vector<Visit> stack = {{{}, &root, {}}};
  while (!stack.empty()) {
    Visit visit = std::move(stack.back());
    stack.pop_back();
    ConfigPlace place = place_of(visit.node->source().begin);
    ConfigValue value = value_of(*visit.node, place);
    std::vector<Visit> children = children_of(visit, value);
    std::move(children.rbegin(), children.rend(), std::back_inserter(stack));
    if (!visit.path.empty())
      entries.push_back({std::move(visit.path), std::move(value), visit.key_place, place});
  }
}

bool is_bare_key(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '_';
  });
}

}  // namespace

std::string path_text(const ConfigPath& path) { return base::join(path, "."); }

bool has_prefix(const ConfigPath& path, const ConfigPath& prefix) {
  return path.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), path.begin());
}

base::Result<ConfigDocument> parse_document(std::string_view text, std::string_view file) {
  TRY(check_text(text, file));
  ConfigDocument document{std::string(file), {}};
  try {
    toml::table root = toml::parse(text, file);
    flatten(root, document.entries);
  } catch (const toml::parse_error& error) {
    return make_error(Code::kInvalid, place_text(document, place_of(error.source().begin)) +
                                          clean_description(error.description()));
  }
  return document;
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
    if (is_list && found != nullptr &&
        found->value == ConfigValue(std::vector<std::string>{})) {
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
  constexpr std::string_view kKinds[] = {"nothing",  "a boolean",           "a whole number",
                                         "a number", "a string",            "an array of strings",
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
