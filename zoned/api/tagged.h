// Values as tagged bytes: the form in which what was read from a text comes from the process that read
// it (zoned/core/parse_text.h). The decoder believes nothing: no text to parse, every length checked
// against what is left, depth and count capped, no recursion; each value has exactly one form.
//
// A value is a tag byte and what follows it; numbers are little-endian:
//   0 null, 1 false, 2 true
//   3 int64: 8 bytes; 4 uint64 above the greatest int64: 8 bytes; 5 double, finite: 8 bytes
//   6 string: length (4 bytes), valid UTF-8
//   7 array: count (4 bytes), values
//   8 object: count (4 bytes); key (as a string without its tag) and value, keys strictly ascending
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/result.h"

namespace api {

inline constexpr size_t kMaxTaggedBytes = 8 << 20;
inline constexpr size_t kMaxTaggedDepth = 40;        // arrays and objects in each other
inline constexpr size_t kMaxTaggedValues = 1 << 18;  // all together, keys not counted

// kInvalid for what the form does not hold: beyond a cap, a number that is not finite, a string that
// is not UTF-8, binary.
base::Result<std::string> encode_tagged(const nlohmann::json& value);
// kInvalid for anything that encode_tagged() does not make.
base::Result<nlohmann::json> decode_tagged(std::string_view bytes);

}  // namespace api
