// Bits a second, as people write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace base {

// "100M": a whole number and an optional K, M or G (powers of 1000). Bits a second.
Result<uint64_t> parse_bits(std::string_view text);
// Inverse, exact: "100M", "1500".
std::string format_bits(uint64_t bits);

}  // namespace base
