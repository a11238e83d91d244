#include "cli/view/geometry.h"

#include <algorithm>
#include <cmath>

namespace view {
namespace {

std::optional<uint8_t> hex_byte(std::string_view text) {
  unsigned value = 0;
  for (char c : text) {
    unsigned digit = 0;
    if (c >= '0' && c <= '9')
      digit = static_cast<unsigned>(c - '0');
    else if (c >= 'a' && c <= 'f')
      digit = static_cast<unsigned>(c - 'a') + 10;
    else
      return std::nullopt;
    value = value * 16 + digit;
  }
  return static_cast<uint8_t>(value);
}

double linear(uint8_t channel) {
  double c = channel / 255.0;
  return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
}

uint32_t clamped(double value, uint32_t side) {
  return static_cast<uint32_t>(std::clamp(value, 0.0, static_cast<double>(side - 1)));
}

}  // namespace

std::optional<Colour> parse_colour(std::string_view text) {
  if (text.size() != 7 || text[0] != '#') return std::nullopt;
  auto red = hex_byte(text.substr(1, 2));
  auto green = hex_byte(text.substr(3, 2));
  auto blue = hex_byte(text.substr(5, 2));
  if (!red || !green || !blue) return std::nullopt;
  return Colour{*red, *green, *blue};
}

Colour text_colour_on(const Colour& background) {
  double luminance = 0.2126 * linear(background.red) + 0.7152 * linear(background.green) +
                     0.0722 * linear(background.blue);
  constexpr double kMiddle = 0.179;  // where black and white stand out alike
  if (luminance > kMiddle) return {0, 0, 0};
  return {255, 255, 255};
}

Placement place(const Size& screen, int width, int height) {
  double wide = screen.width;
  double high = screen.height;
  Placement placement;
  placement.scale = std::min({1.0, width / wide, height / high});
  placement.left = std::floor((width - wide * placement.scale) / 2);
  placement.top = std::floor((height - high * placement.scale) / 2);
  return placement;
}

Area pixel_at(const Placement& placement, const Size& screen, double x, double y) {
  return {clamped((x - placement.left) / placement.scale, screen.width),
          clamped((y - placement.top) / placement.scale, screen.height), 1, 1};
}

}  // namespace view
