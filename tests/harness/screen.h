// Reads a guest's screen: the text on a PNG picture of a VGA text mode (720x400: cells of 9x16) or
// of a console drawn with the same font in cells of 8x16. The glyphs are those of SeaBIOS, which
// firmware, GRUB and DOS show unless they load others. Programs that use this link with -lpng.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace harness {

// The glyphs of one font, 8 pixels wide and 16 high, by their look.
class ScreenFont {
 public:
  using Glyph = std::array<uint8_t, 16>;  // a byte a row, the leftmost pixel highest

  // From the video BIOS of Debian's package seabios.
  static base::Result<ScreenFont> load(
      const std::string& path = "/usr/share/seabios/vgabios-stdvga.bin");
  // The printable ASCII character; '?' for a glyph that is none, such as a line of a box.
  char character(const Glyph& glyph) const;

 private:
  std::map<Glyph, char> characters_;
};

struct Screen {
  std::vector<std::string> lines;  // without spaces at their ends

  bool contains(std::string_view text) const;  // within one line
  bool has_line(std::string_view line) const;  // a whole one
  std::string text() const;                    // all lines, for a failed test to show
};

// Whatever the colours. What is no character of the font is '?'; a cell in one colour
// is a space. kInvalid: no PNG, or larger than 4096x4096.
base::Result<Screen> read_screen(const ScreenFont& font, std::string_view png);

}  // namespace harness
