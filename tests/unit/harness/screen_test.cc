#include "tests/harness/screen.h"

#include <fcntl.h>
#include <png.h>

#include <catch2/catch.hpp>

#include "base/files.h"

namespace harness {
namespace {

// A picture in one colour, to draw cells on.
struct Canvas {
  Canvas(unsigned wide, unsigned high, uint8_t ground)
      : width(wide), height(high), grey(size_t{wide} * high, ground) {}
  void draw(const ScreenFont::Glyph& glyph, size_t left, size_t top, uint8_t ink) {
    for (size_t y = 0; y < glyph.size(); ++y)
      for (size_t x = 0; x < 8; ++x)
        if ((glyph[y] & (0x80 >> x)) != 0) grey[(top + y) * width + left + x] = ink;
  }
  std::string png() const {
    png_image image = {};
    image.version = PNG_IMAGE_VERSION;
    image.width = width;
    image.height = height;
    image.format = PNG_FORMAT_GRAY;
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    std::string bytes(size, '\0');
    REQUIRE(png_image_write_to_memory(&image, bytes.data(), &size, 0, grey.data(), 0, nullptr) !=
            0);
    bytes.resize(size);
    return bytes;
  }
  unsigned width;
  unsigned height;
  std::vector<uint8_t> grey;
};

constexpr ScreenFont::Glyph kH = {0,    0,    0xc6, 0xc6, 0xc6, 0xc6, 0xfe, 0xc6,
                                  0xc6, 0xc6, 0xc6, 0xc6, 0,    0,    0,    0};
constexpr ScreenFont::Glyph kI = {0,    0,    0x18, 0x18, 0, 0x38, 0x18, 0x18,
                                  0x18, 0x18, 0x18, 0x3c, 0, 0,    0,    0};
constexpr ScreenFont::Glyph kNone = {0, 0xaa, 0x55};

ScreenFont font() {
  auto loaded = ScreenFont::load();
  REQUIRE(loaded);
  return *loaded;
}

TEST_CASE("text is read in text modes and on consoles, whatever the colours") {
  for (auto [width, cell] : std::vector<std::pair<unsigned, size_t>>{{720, 9}, {640, 8}}) {
    for (auto [ground, ink] : std::vector<std::pair<uint8_t, uint8_t>>{{0, 170}, {170, 0}}) {
      Canvas canvas(width, 400, ground);
      canvas.draw(kH, 2 * cell, 16, ink);
      canvas.draw(kI, 3 * cell, 16, ink);
      canvas.draw(kNone, 5 * cell, 16, ink);
      auto screen = read_screen(font(), canvas.png());
      REQUIRE(screen);
      REQUIRE(screen->lines.size() == 25);
      CHECK(screen->lines[1] == "  Hi ?");
      CHECK(screen->contains("Hi"));
      CHECK_FALSE(screen->contains("Ho"));
      CHECK(screen->has_line("  Hi ?"));
      CHECK_FALSE(screen->has_line("Hi"));
      CHECK(screen->lines[0].empty());
    }
  }
}

TEST_CASE("a cell in more than two colours is no character") {
  Canvas canvas(720, 400, 0);
  canvas.draw(kH, 0, 0, 170);
  canvas.grey[size_t{2} * 720] = 85;
  auto screen = read_screen(font(), canvas.png());
  REQUIRE(screen);
  CHECK(screen->lines[0] == "?");
}

TEST_CASE("what is no picture, or cut short, or too large is refused") {
  std::string png = Canvas(720, 400, 0).png();
  CHECK_FALSE(read_screen(font(), ""));
  CHECK_FALSE(read_screen(font(), "P6 1 1 255"));
  CHECK_FALSE(read_screen(font(), png.substr(0, png.size() / 2)));
  CHECK_FALSE(read_screen(font(), Canvas(4097, 16, 0).png()));
  CHECK(read_screen(font(), Canvas(4096, 16, 0).png()));
}

TEST_CASE("a file without the font is refused") {
  CHECK_FALSE(ScreenFont::load("/dev/null"));
  CHECK_FALSE(ScreenFont::load("/nonexistent"));
}

}  // namespace
}  // namespace harness
