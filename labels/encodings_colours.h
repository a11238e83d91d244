// Names of colours, as X11 has them (rgb.txt).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace labels {

// "#rrggbb" in lower case, of "#rrggbb", "#rgb" or a name in any case, blanks in it ignored.
std::optional<std::string> parse_colour(std::string_view text);

}  // namespace labels
