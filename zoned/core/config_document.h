// A TOML text (https://toml.io/en/v1.0.0) as a flat list of paths and values with their places: the
// form from which specs are made. The only door to toml++: nothing else includes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace core {

// {"capped-cpu", "ncpus"}; an element of a list is its index: {"fs", "0", "dir"}.
using ConfigPath = std::vector<std::string>;

// "capped-cpu.ncpus".
std::string path_text(const ConfigPath& path);
// True when path begins with prefix or equals it.
bool has_prefix(const ConfigPath& path, const ConfigPath& prefix);

// Marks a table; its members are entries of their own.
struct ConfigTable {
  bool operator==(const ConfigTable&) const = default;
};
// Marks an array that holds tables only; so are its elements.
struct ConfigList {
  bool operator==(const ConfigList&) const = default;
};
// What no key takes: a date, a mixed array. `what` is a phrase for messages.
struct ConfigOther {
  std::string what;
  bool operator==(const ConfigOther&) const = default;
};

// An empty array is an empty vector of strings.
using ConfigValue = std::variant<std::monostate, bool, int64_t, double, std::string,
                                 std::vector<std::string>, ConfigTable, ConfigList, ConfigOther>;

// Counted from 1, columns in code points; line 0: not from the text.
struct ConfigPlace {
  uint32_t line = 0;
  uint32_t column = 0;
};

struct ConfigEntry {
  ConfigPath path;
  ConfigValue value;
  ConfigPlace key_place;
  ConfigPlace value_place;
};

struct ConfigDocument {
  std::string file;  // names the text in errors
  // A table or list comes before its members; members in the order of the text.
  std::vector<ConfigEntry> entries;
};

// kInvalid with "file:line:column: ..." for what is not TOML, not UTF-8, holds NUL, is longer than
// kMaxConfigBytes or nested more than 16 deep.
base::Result<ConfigDocument> parse_document(std::string_view text, std::string_view file);

// "file:line:column: ", or empty for a place that is not in the text.
std::string place_text(const ConfigDocument& document, const ConfigPlace& place);

// The entry of exactly that path, or null.
const ConfigEntry* find_entry(const ConfigDocument& document, const ConfigPath& path);
// Number of elements of the list at path; 0 when there is none.
size_t list_size(const ConfigDocument& document, const ConfigPath& path);
// Sets the value at path, which replaces everything below it. `list_depth` is the number of leading
// segments that name an element of a list (2 for fs.0.dir), 0 for none; missing parents are added.
void set_entry(ConfigDocument& document, const ConfigPath& path, ConfigValue value,
               size_t list_depth);
// Removes path and everything below it.
void remove_entries(ConfigDocument& document, const ConfigPath& path);
// Removes the element at path; the ones behind it move up.
void remove_element(ConfigDocument& document, const ConfigPath& path);

// A phrase for messages: "a whole number", "a table".
std::string kind_text(const ConfigValue& value);
// TOML text of a boolean, number, string or array of strings, on one line; empty for the others.
std::string value_text(const ConfigValue& value);
// A TOML basic string.
std::string string_text(std::string_view text);
// A bare key where TOML allows it, else a quoted one; segments joined by dots.
std::string key_text(const ConfigPath& path);
// base::quoted cut between characters, so that an error is valid UTF-8 where the text was.
std::string quote(std::string_view text);

}  // namespace core
