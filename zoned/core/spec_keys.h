// The one table of configuration keys. Parsing, formatting, errors, `zone set`, the JSON Schema and the
// manual page (by test) follow from it: a new key is a new row in spec_rows.cc and a line in
// zone.toml(5).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "zoned/core/config_document.h"
#include "zoned/core/spec.h"

namespace core {

inline constexpr size_t kMaxListElements = 64;  // [[fs]], [[admin]], [[net]], [[firewall]]
inline constexpr size_t kMaxEnv = 1024;         // variables
inline constexpr size_t kMaxCommandElements = 1024;
inline constexpr size_t kMaxArgumentBytes = 128 * 1024;  // command, and env, each as a whole

// The type of a key and the form in which its value is handed to Key::set and comes from Key::get.
enum class KeyType {
  kBoolean,   // bool
  kInteger,   // int64_t
  kNumber,    // double; the text may be a whole number
  kSize,      // int64_t, bytes; the text is a whole number or "512M"
  kRate,      // int64_t, bytes a second; the text is a whole number or "50M/s"
  kBits,      // int64_t, bits a second; the text is a whole number or "100M" (powers of 1000)
  kDuration,  // int64_t, milliseconds; the text is a number of seconds or "10s"
  kChoice,    // std::string, one of choices
  kChoices,   // std::vector<std::string>, each one of choices, each once
  kText,      // std::string
  kTexts,     // std::vector<std::string>
};

struct KeyInfo {
  // Dotted; a segment "N" stands for the index in a list, "NAME" for a free name.
  std::string_view name;
  KeyType type = KeyType::kText;
  // Bounds in the unit of the type; of texts their length in bytes, of arrays their elements.
  double min = 0;
  double max = 0;
  std::span<const std::string_view> choices;
  // Further rules of a text, or of each text of an array; its error is a phrase such as "'x' is not a host name".
  base::Status (*check)(std::string_view text) = nullptr;
  bool live = false;      // a running zone takes it at once
  bool required = false;  // in each element of its list
  std::string_view description;
  std::optional<Brand> brand = {};  // the only one whose zones take it; none: all do
};

// What stands for "N" and "NAME" of a row.
struct KeyRef {
  size_t index = 0;
  std::string name;
};

template <typename Spec>
struct Key {
  KeyInfo info;
  // `value` has passed check_value. Grows a list up to ref.index (the caller bounds it).
  base::Status (*set)(Spec& spec, const KeyRef& ref, const ConfigValue& value);
  // std::monostate where the spec holds nothing.
  ConfigValue (*get)(const Spec& spec, const KeyRef& ref);
  // What stands for "N" or "NAME" in this spec; null for a plain key.
  std::vector<KeyRef> (*refs)(const Spec& spec);
};

// In the order of the manual: keys of the root first, then table by table.
template <typename Spec>
std::span<const Key<Spec>> keys_of();
template <>
std::span<const Key<ZoneSpec>> keys_of<ZoneSpec>();
template <>
std::span<const Key<PoolSpec>> keys_of<PoolSpec>();

// All the places of a row in a spec: one for a plain key.
template <typename Spec>
std::vector<KeyRef> refs_of(const Key<Spec>& key, const Spec& spec);
// The value without configuration; std::monostate where there is none.
template <typename Spec>
ConfigValue default_of(const Key<Spec>& key);

// The path with "N" and "NAME" filled in.
ConfigPath path_of(const KeyInfo& info, const KeyRef& ref);

// What a path names.
struct KeyMatch {
  enum class Kind {
    kUnknown,
    kKey,      // the row and ref
    kTable,    // a table that holds keys
    kList,     // "fs"
    kElement,  // "fs.0"
  };
  Kind kind = Kind::kUnknown;
  size_t row = 0;
  KeyRef ref;
  size_t list_depth = 0;  // leading segments that name a list's element, 0 for none
};
template <typename Spec>
KeyMatch match_key(const ConfigPath& path);

// kInvalid "unknown key '...'", with the nearest known key as its hint.
template <typename Spec>
base::Error unknown_key(const ConfigPath& path);

// From what the text said to the form of the type, in range; the error is a phrase without the key.
base::Result<ConfigValue> check_value(const KeyInfo& info, const ConfigValue& value);
// The inverse, as TOML text.
std::string format_value(const KeyInfo& info, const ConfigValue& value);

// "integer 1..65535"; "one of no, on-failure, always".
std::string type_text(const KeyInfo& info);
// "integer 1..65535; default 1; live": the line that the manual shows under each key.
template <typename Spec>
std::string summary_of(const Key<Spec>& key);

}  // namespace core
