#include "cli/view/rfb.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace {

using view::Rfb;

std::string u8(uint32_t value) { return {static_cast<char>(value & 0xff)}; }
std::string u16(uint32_t value) { return u8(value >> 8) + u8(value); }
std::string u32(uint32_t value) { return u16(value >> 16) + u16(value); }

const std::string kVersion = "RFB 003.008\n";
const std::string kNoAuthentication = u8(1) + u8(1) + u32(0);
const std::string kPixelFormat(16, '\0');

std::string screen(uint32_t width, uint32_t height, const std::string& name = "guest") {
  return u16(width) + u16(height) + kPixelFormat + u32(static_cast<uint32_t>(name.size())) + name;
}
std::string update(uint32_t rectangles) { return u8(0) + u8(0) + u16(rectangles); }
std::string rectangle(uint32_t x, uint32_t y, uint32_t width, uint32_t height,
                      int32_t encoding = 0) {
  return u16(x) + u16(y) + u16(width) + u16(height) + u32(static_cast<uint32_t>(encoding));
}
std::string pixels(size_t count, const std::string& pixel) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += pixel;
  return text;
}
const std::string kRed = std::string("\x00\x00\xff\x00", 4);
constexpr int32_t kResize = -223;

// A canvas with a guard behind what is used.
struct Viewer {
  std::vector<uint8_t> canvas = std::vector<uint8_t>(view::kCanvasBytes);
  Rfb rfb{canvas.data()};

  uint32_t pixel(uint32_t x, uint32_t y) const {
    size_t at = (size_t{y} * rfb.size().width + x) * view::kPixelBytes;
    return canvas[at] | uint32_t{canvas[at + 1]} << 8 | uint32_t{canvas[at + 2]} << 16;
  }
  void connect(uint32_t width, uint32_t height) {
    REQUIRE(rfb.take(kVersion + kNoAuthentication + screen(width, height)).ok());
    rfb.out().clear();
  }
  std::string refusal(const std::string& bytes) {
    auto status = rfb.take(bytes);
    REQUIRE_FALSE(status.ok());
    return status.error().message;
  }
};

}  // namespace

TEST_CASE("a viewer says hello, asks for raw pixels, and shares") {
  Viewer viewer;
  REQUIRE(viewer.rfb.take(kVersion).ok());
  CHECK(viewer.rfb.out() == kVersion);
  viewer.rfb.out().clear();
  REQUIRE(viewer.rfb.take(kNoAuthentication).ok());
  CHECK(viewer.rfb.out() == u8(1) + u8(1));
  viewer.rfb.out().clear();
  REQUIRE(viewer.rfb.take(screen(640, 480)).ok());
  CHECK(viewer.rfb.size() == view::Size{640, 480});
  const std::string& out = viewer.rfb.out();
  CHECK(out.substr(20, 12) ==
        u8(2) + u8(0) + u16(2) + u32(0) + u32(static_cast<uint32_t>(kResize)));
  CHECK(out.substr(32) == u8(3) + u8(0) + u32(0) + u16(640) + u16(480));
}

TEST_CASE("pixels land where they belong, however the bytes are cut up") {
  std::string bytes = kVersion + kNoAuthentication + screen(8, 4) + update(2) +
                      rectangle(2, 1, 3, 2) + pixels(6, kRed) + rectangle(0, 0, 0, 0) + u8(2) +
                      update(0);
  for (size_t piece : {size_t{1}, size_t{7}, bytes.size()}) {
    Viewer viewer;
    for (size_t at = 0; at < bytes.size(); at += piece)
      REQUIRE(viewer.rfb.take(std::string_view(bytes).substr(at, piece)).ok());
    for (uint32_t y = 0; y < 4; ++y)
      for (uint32_t x = 0; x < 8; ++x)
        CHECK(viewer.pixel(x, y) == (x >= 2 && x < 5 && y >= 1 && y < 3 ? 0xff0000U : 0U));
    CHECK(viewer.rfb.take_damage() == view::Area{2, 1, 3, 2});
    CHECK(viewer.rfb.take_damage().width == 0);
  }
}

TEST_CASE("the screen may change its size, and is asked for whole then") {
  Viewer viewer;
  viewer.connect(8, 4);
  REQUIRE(viewer.rfb.take(update(1) + rectangle(0, 0, 20, 10, kResize)).ok());
  CHECK(viewer.rfb.size() == view::Size{20, 10});
  CHECK(viewer.rfb.out() == u8(3) + u8(0) + u32(0) + u16(20) + u16(10));
  CHECK(viewer.refusal(update(1) + rectangle(0, 0, 65535, 65535, kResize)) ==
        "its screen is 65535x65535, which can't be shown");
}

TEST_CASE("nothing is drawn outside of the screen") {
  for (const std::string& bad :
       {rectangle(0, 0, 9, 4), rectangle(1, 0, 8, 4), rectangle(0, 4, 1, 1), rectangle(8, 0, 1, 1),
        rectangle(65535, 65535, 65535, 65535)}) {
    Viewer viewer;
    viewer.connect(8, 4);
    CHECK(viewer.refusal(update(1) + bad) == "it draws outside of its screen");
    CHECK(viewer.rfb.take_damage().width == 0);
  }
  Viewer largest;
  largest.connect(7680, 4320);
  REQUIRE(largest.rfb.take(update(1) + rectangle(0, 4319, 7680, 1) + pixels(7680, kRed)).ok());
  CHECK(largest.pixel(7679, 4319) == 0xff0000);
  CHECK_FALSE(view::fits_canvas({view::kMaxSide, view::kMaxSide}));
  CHECK_FALSE(view::fits_canvas({0, 1}));
}

TEST_CASE("names, cut text, colour maps and bells go nowhere") {
  Viewer viewer;
  viewer.connect(8, 4);
  std::string text = "the clipboard of another label";
  std::string cut = u8(3) + std::string(3, '\0') + u32(static_cast<uint32_t>(text.size())) + text;
  std::string colours = u8(1) + u8(0) + u16(0) + u16(2) + std::string(12, 'c');
  REQUIRE(viewer.rfb.take(cut + colours + u8(2)).ok());
  CHECK(viewer.rfb.out().empty());
  REQUIRE(viewer.rfb.take(update(1) + rectangle(0, 0, 1, 1) + kRed).ok());
  CHECK(viewer.pixel(0, 0) == 0xff0000);
  // However much of it is announced, none of it is kept.
  REQUIRE(viewer.rfb.take(u8(3) + std::string(3, '\0') + u32(0xffffffff)).ok());
  std::string flood(1 << 20, 'x');
  for (int i = 0; i < 64; ++i) REQUIRE(viewer.rfb.take(flood).ok());
  CHECK(viewer.pixel(1, 0) == 0);
}

TEST_CASE("what is not the protocol is told and ends it") {
  CHECK(Viewer().refusal("HTTP/1.1 200") == "what it says is not RFB (VNC)");
  CHECK(Viewer().refusal("RFB 003.003\n") == "it speaks an RFB (VNC) older than 3.8");
  CHECK(Viewer().refusal(kVersion + u8(0)) == "it refuses viewers");
  CHECK(Viewer().refusal(kVersion + u8(1) + u8(2)) == "its display wants a password");
  CHECK(Viewer().refusal(kVersion + u8(1) + u8(1) + u32(1)) == "it refuses us");
  CHECK(Viewer().refusal(kVersion + kNoAuthentication + screen(0, 5)) ==
        "its screen is 0x5, which can't be shown");
  Viewer viewer;
  viewer.connect(8, 4);
  CHECK(viewer.refusal(u8(250)) == "it sends a message of type 250, which nobody asked for");
  Viewer other;
  other.connect(8, 4);
  CHECK(other.refusal(update(1) + rectangle(0, 0, 1, 1, 16)) ==
        "it sends encoding 16, which nobody asked for");
}

TEST_CASE("keys and pointer are sent once there is a screen, and within it") {
  Viewer viewer;
  viewer.rfb.key(0xff0d, true);
  viewer.rfb.pointer(0, 0, 1);
  CHECK(viewer.rfb.out().empty());
  viewer.connect(8, 4);
  viewer.rfb.key(0xff0d, true);
  viewer.rfb.pointer(7, 3, 1);
  viewer.rfb.pointer(8, 3, 1);
  CHECK(viewer.rfb.out() == u8(4) + u8(1) + u16(0) + u32(0xff0d) + u8(5) + u8(1) + u16(7) + u16(3));
}
