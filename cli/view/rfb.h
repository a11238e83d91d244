// The viewer's side of RFB 3.8 (RFC 6143): as little of it as shows a picture and types. Pixels
// come raw, the size of the screen may change, and that is all: names, cursors, colour maps, bells
// and cut text are passed over, and nothing but keys and the pointer is ever sent. Pure: bytes in,
// bytes and pixels out.
//
// The bytes are a zone's and may be anything. Memory used is bounded, and no pixel lands outside of
// the canvas.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace view {

inline constexpr uint32_t kMaxSide = 8192;  // pixels
inline constexpr uint32_t kPixelBytes = 4;
// The largest screen that is shown.
inline constexpr size_t kCanvasBytes = size_t{128} << 20;

struct Size {
  uint32_t width = 0;
  uint32_t height = 0;
  bool operator==(const Size&) const = default;
};
// Both sides are 1..kMaxSide, and the canvas holds it.
bool fits_canvas(const Size& size);

struct Area {
  uint32_t x = 0;
  uint32_t y = 0;
  uint32_t width = 0;  // 0: nothing
  uint32_t height = 0;
  bool operator==(const Area&) const = default;
};

class Rfb {
 public:
  // canvas: kCanvasBytes, not owned. Pixels are 32 bits, 0x00RRGGBB of this machine's byte order,
  // in rows without gaps between them.
  explicit Rfb(uint8_t* canvas) : canvas_(canvas) {}

  // What has come from the server. kInvalid: it does not speak the protocol, or asks for what we
  // don't have; nothing more may be taken then.
  base::Status take(std::string_view bytes);
  // What is to be sent to it; the caller takes it away.
  std::string& out() { return out_; }

  // 0x0 until the server has said.
  const Size& size() const { return size_; }
  // What has changed since the last call, as one area.
  Area take_damage();

  // Passed over before the screen is there. keysym: of X (X11/keysymdef.h). buttons: bit 0 is the
  // left one, 3 and 4 the wheel.
  void key(uint32_t keysym, bool down);
  void pointer(uint32_t x, uint32_t y, uint8_t buttons);

 private:
  using Step = base::Status (Rfb::*)(std::string_view);

  // Steps take exactly the number of bytes that they were named with.
  void expect(size_t bytes, Step step);
  void expect_message() { expect(1, &Rfb::on_message); }
  base::Status on_version(std::string_view bytes);
  base::Status on_security_count(std::string_view bytes);
  base::Status on_security(std::string_view bytes);
  base::Status on_security_result(std::string_view bytes);
  base::Status on_server(std::string_view bytes);
  base::Status on_message(std::string_view bytes);
  base::Status on_colours(std::string_view bytes);
  base::Status on_cut_text(std::string_view bytes);
  base::Status on_update(std::string_view bytes);
  base::Status on_rectangle(std::string_view bytes);
  base::Status next_rectangle();
  base::Status begin_rectangle(const Area& area, int32_t encoding);
  base::Status resize(const Size& size);
  size_t take_pixels(std::string_view bytes);
  void request(bool all);

  uint8_t* canvas_;
  std::string out_;
  std::string held_;  // fewer bytes than the step needs
  size_t needed_ = 12;
  Step step_ = &Rfb::on_version;
  uint64_t skipped_ = 0;  // bytes still to be passed over
  uint32_t rectangles_ = 0;
  Area drawn_;               // the rectangle whose pixels are coming
  uint64_t drawn_left_ = 0;  // bytes
  bool resized_ = false;     // in this update
  bool ready_ = false;
  Size size_;
  Area damage_;
};

}  // namespace view
