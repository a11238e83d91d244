// Where the parts of a TOML text are, in bytes: what editing lines needs and a parser does not keep.
// Meant for texts that parse_document accepts; on others the result is useless but safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "zoned/core/config_document.h"

namespace core {

// Brackets within brackets, and segments of one dotted key.
inline constexpr size_t kMaxConfigDepth = 16;
// Offset of the first place that is deeper; on any text.
std::optional<size_t> first_too_deep(std::string_view text);
// Offset of the first byte outside strings and comments that can't stand there: not ASCII, or a closing
// bracket of the wrong kind; on any text.
std::optional<size_t> first_stray(std::string_view text);

// Bytes begin..end-1 of the text.
struct Span {
  size_t begin = 0;
  size_t end = 0;
  bool contains(const Span& other) const { return begin <= other.begin && other.end <= end; }
};

inline constexpr size_t kNoSlot = static_cast<size_t>(-1);

// One header, pair, member of an inline table or element of an array.
struct ConfigSlot {
  enum class Kind { kHeader, kListHeader, kPair, kMember, kElement };
  Kind kind = Kind::kPair;
  ConfigPath path;          // from the root; list elements by index
  size_t header_depth = 0;  // kPair: leading segments of path that the header above gives
  Span whole;               // headers and pairs: whole lines with their end; else key to value
  Span value;               // empty for headers
  size_t parent = kNoSlot;  // the slot whose value holds this one
  char open = 0;            // '{' or '[' when the value is an inline table or an array
};

struct ConfigMap {
  std::vector<ConfigSlot> slots;  // in the order of the text
  std::vector<Span> comments;     // '#' up to the end of the line, which is not included
};

ConfigMap scan_config(std::string_view text);

}  // namespace core
