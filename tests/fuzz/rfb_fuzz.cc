// What a zone's VNC server may send: however it is cut, the same screen comes out, and no pixel
// lands outside of the canvas.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "cli/view/rfb.h"

namespace {

struct Viewer {
  std::vector<uint8_t> canvas = std::vector<uint8_t>(view::kCanvasBytes);
  view::Rfb rfb{canvas.data()};
  bool good = true;

  void take(std::string_view bytes, size_t piece) {
    for (size_t at = 0; at < bytes.size() && good; at += piece)
      good = rfb.take(bytes.substr(at, piece)).ok();
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Cleared by every change of a screen's size.
  static Viewer whole;
  static Viewer cut;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  whole.rfb = view::Rfb(whole.canvas.data());
  cut.rfb = view::Rfb(cut.canvas.data());
  whole.good = cut.good = true;
  constexpr size_t kOdd = 3;
  whole.take(bytes, size == 0 ? 1 : size);
  cut.take(bytes, kOdd);
  if (whole.good != cut.good || whole.rfb.size() != cut.rfb.size()) abort();
  if (whole.rfb.out() != cut.rfb.out() || whole.rfb.take_damage() != cut.rfb.take_damage()) abort();
  view::Size screen = whole.rfb.size();
  if (screen.width == 0) return 0;
  if (!view::fits_canvas(screen)) abort();
  size_t used = size_t{screen.width} * screen.height * view::kPixelBytes;
  for (size_t i = 0; i < used; ++i)
    if (whole.canvas[i] != cut.canvas[i]) abort();
  return 0;
}
