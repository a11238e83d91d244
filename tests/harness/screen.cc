#include "tests/harness/screen.h"

#include <fcntl.h>
#include <png.h>

#include <algorithm>

#include "base/files.h"
#include "base/strings.h"

namespace harness {
namespace {

using base::Code;
using base::make_error;

struct Picture {
  size_t width = 0;
  size_t height = 0;
  std::vector<uint8_t> rgb;

  uint32_t at(size_t x, size_t y) const {
    const uint8_t* pixel = &rgb[3 * (y * width + x)];
    return static_cast<uint32_t>(pixel[0] << 16 | pixel[1] << 8 | pixel[2]);
  }
};

base::Result<Picture> decode(std::string_view png) {
  constexpr png_uint_32 kMaxSide = 4096;
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  if (png_image_begin_read_from_memory(&image, png.data(), png.size()) == 0)
    return make_error(Code::kInvalid, std::string("PNG: ") + image.message);
  if (image.width > kMaxSide || image.height > kMaxSide) {
    png_image_free(&image);
    return make_error(Code::kInvalid, "PNG: larger than 4096x4096");
  }
  image.format = PNG_FORMAT_RGB;
  Picture picture{image.width, image.height, std::vector<uint8_t>(PNG_IMAGE_SIZE(image))};
  if (png_image_finish_read(&image, nullptr, picture.rgb.data(), 0, nullptr) == 0)
    return make_error(Code::kInvalid, std::string("PNG: ") + image.message);
  return picture;
}

// No character reaches the first row, so that its pixels are ground. The cell's ninth column, where
// there is one, is a gap or repeats the eighth.
char read_cell(const ScreenFont& font, const Picture& picture, size_t left, size_t top) {
  const uint32_t ground = picture.at(left, top);
  uint32_t ink = ground;
  ScreenFont::Glyph glyph = {};
  for (size_t y = 0; y < glyph.size(); ++y) {
    for (size_t x = 0; x < 8; ++x) {
      uint32_t colour = picture.at(left + x, top + y);
      if (colour == ground) continue;
      if (ink == ground) ink = colour;
      if (colour != ink) return '?';
      glyph[y] = static_cast<uint8_t>(glyph[y] | 0x80 >> x);
    }
  }
  if (ink == ground) return ' ';
  return font.character(glyph);
}

}  // namespace

base::Result<ScreenFont> ScreenFont::load(const std::string& path) {
  // 'A' tells where the table is.
  constexpr Glyph kA = {0,    0,    0x10, 0x38, 0x6c, 0xc6, 0xc6, 0xfe,
                        0xc6, 0xc6, 0xc6, 0xc6, 0,    0,    0,    0};
  TRY_AS(std::string rom, base::read_file(AT_FDCWD, path));
  auto byte_of = [](char c) { return static_cast<uint8_t>(c); };
  auto found = std::search(rom.begin(), rom.end(), kA.begin(), kA.end(),
                           [&](char c, uint8_t wanted) { return byte_of(c) == wanted; });
  size_t at = static_cast<size_t>(found - rom.begin());
  if (found == rom.end() || at < 'A' * kA.size() || rom.size() - at < ('~' - 'A' + 1) * kA.size())
    return make_error(Code::kNotFound, "no font of 8x16 in " + base::quoted(path));
  ScreenFont font;
  for (char c = ' '; c <= '~'; ++c) {
    Glyph glyph = {};
    auto begin = found + (c - 'A') * static_cast<std::ptrdiff_t>(glyph.size());
    std::transform(begin, begin + glyph.size(), glyph.begin(), byte_of);
    font.characters_.emplace(glyph, c);
  }
  return font;
}

char ScreenFont::character(const Glyph& glyph) const {
  auto it = characters_.find(glyph);
  return it == characters_.end() ? '?' : it->second;
}

bool Screen::contains(std::string_view text) const {
  return std::any_of(lines.begin(), lines.end(), [text](const std::string& line) {
    return line.find(text) != std::string::npos;
  });
}

bool Screen::has_line(std::string_view line) const {
  return std::find(lines.begin(), lines.end(), line) != lines.end();
}

std::string Screen::text() const { return base::join(lines, "\n"); }

base::Result<Screen> read_screen(const ScreenFont& font, std::string_view png) {
  TRY_AS(Picture picture, decode(png));
  const size_t cell_width = picture.width == 720 ? 9 : 8;
  constexpr size_t kCellHeight = 16;
  Screen screen;
  for (size_t top = 0; top + kCellHeight <= picture.height; top += kCellHeight) {
    std::string line;
    for (size_t left = 0; left + cell_width <= picture.width; left += cell_width)
      line += read_cell(font, picture, left, top);
    line.erase(line.find_last_not_of(' ') + 1);
    screen.lines.push_back(std::move(line));
  }
  return screen;
}

}  // namespace harness
