// Where the picture is in its window, and the colours around it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "cli/view/rfb.h"

namespace view {

// Pixels. The stripe spans the window's top, the border its other sides.
inline constexpr int kStripeHeight = 32;
inline constexpr int kBorder = 4;
inline constexpr int kWindowWidth = 1024 + 2 * kBorder;
inline constexpr int kWindowHeight = 768 + kStripeHeight + kBorder;

struct Colour {
  uint8_t red = 0;
  uint8_t green = 0;
  uint8_t blue = 0;
  bool operator==(const Colour&) const = default;
};
// "#rrggbb", and no other spelling.
std::optional<Colour> parse_colour(std::string_view text);
// Black or white, whichever is told better from the colour (WCAG 2.1, relative luminance).
Colour text_colour_on(const Colour& background);

// A screen inside a widget: in the middle, as large as it is, or smaller to fit; never larger.
struct Placement {
  double scale = 1;  // 0..1
  double left = 0;
  double top = 0;
};
Placement place(const Size& screen, int width, int height);
// The screen's pixel under a place of the widget; the nearest one where there is none.
Area pixel_at(const Placement& placement, const Size& screen, double x, double y);

}  // namespace view
