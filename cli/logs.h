// Helpers of `zone logs`.
#pragma once

#include <cstddef>
#include <string_view>

namespace cli {

// The last `lines` lines; a last line without its newline counts as one.
std::string_view last_lines(std::string_view text, size_t lines);

}  // namespace cli
