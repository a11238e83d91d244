#include "base/bits.h"

#include "base/strings.h"

namespace base {

Result<uint64_t> parse_bits(std::string_view text) {
  constexpr std::string_view kUnits = "KMG";
  constexpr uint64_t kMost = 1'000'000'000;
  size_t unit = text.empty() ? std::string_view::npos : kUnits.find(text.back());
  if (unit != std::string_view::npos) text.remove_suffix(1);
  TRY_AS(uint64_t bits, parse_uint(text, 0, unit == std::string_view::npos ? INT64_MAX : kMost));
  for (size_t i = 0; unit != std::string_view::npos && i <= unit; ++i) bits *= 1000;
  return bits;
}

std::string format_bits(uint64_t bits) {
  constexpr std::string_view kUnits = "KMG";
  std::string unit;
  for (char next : kUnits) {
    if (bits == 0 || bits % 1000 != 0) break;
    bits /= 1000;
    unit = next;
  }
  return std::to_string(bits) + unit;
}

}  // namespace base
