#include "cli/view/rfb.h"

#include <algorithm>
#include <cstring>

namespace view {
namespace {

using base::Code;
using base::make_error;
using base::Status;

constexpr int32_t kRaw = 0;
constexpr int32_t kDesktopSize = -223;

base::Error wrong(const std::string& what) { return make_error(Code::kInvalid, what); }

uint32_t byte_at(std::string_view bytes, size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}
uint32_t u16_at(std::string_view bytes, size_t at) {
  return byte_at(bytes, at) << 8 | byte_at(bytes, at + 1);
}
uint32_t u32_at(std::string_view bytes, size_t at) {
  return u16_at(bytes, at) << 16 | u16_at(bytes, at + 2);
}
void put_u8(std::string* out, uint32_t value) { out->push_back(static_cast<char>(value & 0xff)); }
void put_u16(std::string* out, uint32_t value) {
  put_u8(out, value >> 8);
  put_u8(out, value);
}
void put_u32(std::string* out, uint32_t value) {
  put_u16(out, value >> 16);
  put_u16(out, value);
}

Area join(const Area& a, const Area& b) {
  if (a.width == 0) return b;
  if (b.width == 0) return a;
  uint32_t left = std::min(a.x, b.x);
  uint32_t top = std::min(a.y, b.y);
  return {left, top, std::max(a.x + a.width, b.x + b.width) - left,
          std::max(a.y + a.height, b.y + b.height) - top};
}

}  // namespace

bool fits_canvas(const Size& size) {
  return size.width >= 1 && size.height >= 1 && size.width <= kMaxSide && size.height <= kMaxSide &&
         uint64_t{size.width} * size.height * kPixelBytes <= kCanvasBytes;
}

void Rfb::expect(size_t bytes, Step step) {
  needed_ = bytes;
  step_ = step;
}

Status Rfb::take(std::string_view bytes) {
  while (!bytes.empty()) {
    if (skipped_ > 0) {
      size_t gone = static_cast<size_t>(std::min<uint64_t>(skipped_, bytes.size()));
      skipped_ -= gone;
      bytes.remove_prefix(gone);
      continue;
    }
    if (drawn_left_ > 0) {
      bytes.remove_prefix(take_pixels(bytes));
      if (drawn_left_ == 0) TRY(next_rectangle());
      continue;
    }
    size_t taken = std::min(needed_ - held_.size(), bytes.size());
    held_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (held_.size() < needed_) return {};
    std::string whole;
    whole.swap(held_);
    TRY((this->*step_)(whole));
  }
  return {};
}

Status Rfb::on_version(std::string_view bytes) {
  constexpr std::string_view kOurs = "RFB 003.008\n";
  if (!bytes.starts_with("RFB ") || bytes[7] != '.' || bytes[11] != '\n')
    return wrong("what it says is not RFB (VNC)");
  if (bytes < kOurs) return wrong("it speaks an RFB (VNC) older than 3.8");
  out_ += kOurs;
  expect(1, &Rfb::on_security_count);
  return {};
}

Status Rfb::on_security_count(std::string_view bytes) {
  size_t count = byte_at(bytes, 0);
  if (count == 0) return wrong("it refuses viewers");
  expect(count, &Rfb::on_security);
  return {};
}

Status Rfb::on_security(std::string_view bytes) {
  constexpr char kNone = 1;
  if (bytes.find(kNone) == std::string_view::npos) return wrong("its display wants a password");
  put_u8(&out_, kNone);
  expect(4, &Rfb::on_security_result);
  return {};
}

Status Rfb::on_security_result(std::string_view bytes) {
  if (u32_at(bytes, 0) != 0) return wrong("it refuses us");
  put_u8(&out_, 1);  // share it with other viewers
  expect(24, &Rfb::on_server);
  return {};
}

// Width, height, pixel format, and a name, which nobody is shown.
Status Rfb::on_server(std::string_view bytes) {
  TRY(resize({u16_at(bytes, 0), u16_at(bytes, 2)}));
  skipped_ = u32_at(bytes, 20);
  put_u32(&out_, 0);  // SetPixelFormat: 32 bits, of which 24 are colour, little-endian, true colour
  for (uint32_t value : {32, 24, 0, 1}) put_u8(&out_, value);
  for (int i = 0; i < 3; ++i) put_u16(&out_, 255);
  for (uint32_t shift : {16, 8, 0, 0, 0, 0}) put_u8(&out_, shift);
  put_u16(&out_, 2 << 8);  // SetEncodings
  put_u16(&out_, 2);
  put_u32(&out_, kRaw);
  put_u32(&out_, static_cast<uint32_t>(kDesktopSize));
  request(true);
  ready_ = true;
  expect_message();
  return {};
}

Status Rfb::on_message(std::string_view bytes) {
  constexpr uint32_t kUpdate = 0, kColours = 1, kBell = 2, kCutText = 3;
  switch (byte_at(bytes, 0)) {
    case kUpdate:
      expect(3, &Rfb::on_update);
      return {};
    case kColours:
      expect(5, &Rfb::on_colours);
      return {};
    case kBell:
      return {};
    case kCutText:
      expect(7, &Rfb::on_cut_text);
      return {};
    default:
      return wrong("it sends a message of type " + std::to_string(byte_at(bytes, 0)) +
                   ", which nobody asked for");
  }
}

Status Rfb::on_colours(std::string_view bytes) {
  constexpr uint64_t kColourBytes = 6;
  skipped_ = u16_at(bytes, 3) * kColourBytes;
  expect_message();
  return {};
}

// The clipboard is a way between labels: it ends here.
Status Rfb::on_cut_text(std::string_view bytes) {
  skipped_ = u32_at(bytes, 3);
  expect_message();
  return {};
}

Status Rfb::on_update(std::string_view bytes) {
  rectangles_ = u16_at(bytes, 1);
  resized_ = false;
  ++rectangles_;  // next_rectangle() counts the one that is over
  return next_rectangle();
}

Status Rfb::next_rectangle() {
  if (--rectangles_ > 0) {
    expect(12, &Rfb::on_rectangle);
    return {};
  }
  request(resized_);
  expect_message();
  return {};
}

Status Rfb::on_rectangle(std::string_view bytes) {
  Area area = {u16_at(bytes, 0), u16_at(bytes, 2), u16_at(bytes, 4), u16_at(bytes, 6)};
  return begin_rectangle(area, static_cast<int32_t>(u32_at(bytes, 8)));
}

Status Rfb::begin_rectangle(const Area& area, int32_t encoding) {
  if (encoding == kDesktopSize) {
    TRY(resize({area.width, area.height}));
    resized_ = true;
    return next_rectangle();
  }
  if (encoding != kRaw)
    return wrong("it sends encoding " + std::to_string(encoding) + ", which nobody asked for");
  if (area.x + area.width > size_.width || area.y + area.height > size_.height)
    return wrong("it draws outside of its screen");
  drawn_ = area;
  drawn_left_ = uint64_t{area.width} * area.height * kPixelBytes;
  return drawn_left_ == 0 ? next_rectangle() : Status();
}

Status Rfb::resize(const Size& size) {
  if (!fits_canvas(size))
    return wrong("its screen is " + std::to_string(size.width) + "x" + std::to_string(size.height) +
                 ", which can't be shown");
  size_ = size;
  damage_ = {};
  std::memset(canvas_, 0, size_t{size.width} * size.height * kPixelBytes);
  return {};
}

// Up to the end of one row of the rectangle. Returns the number of bytes taken.
size_t Rfb::take_pixels(std::string_view bytes) {
  uint64_t row_bytes = uint64_t{drawn_.width} * kPixelBytes;
  uint64_t done = row_bytes * drawn_.height - drawn_left_;
  uint64_t row = drawn_.y + done / row_bytes;
  uint64_t offset = (row * size_.width + drawn_.x) * kPixelBytes + done % row_bytes;
  size_t count = std::min<uint64_t>(row_bytes - done % row_bytes, bytes.size());
  std::memcpy(canvas_ + offset, bytes.data(), count);
  drawn_left_ -= count;
  if (drawn_left_ == 0) damage_ = join(damage_, drawn_);
  return count;
}

void Rfb::request(bool all) {
  put_u8(&out_, 3);
  put_u8(&out_, all ? 0 : 1);
  put_u32(&out_, 0);
  put_u16(&out_, size_.width);
  put_u16(&out_, size_.height);
}

Area Rfb::take_damage() {
  Area damage = damage_;
  damage_ = {};
  return damage;
}

void Rfb::key(uint32_t keysym, bool down) {
  if (!ready_) return;
  put_u8(&out_, 4);
  put_u8(&out_, down ? 1 : 0);
  put_u16(&out_, 0);
  put_u32(&out_, keysym);
}

void Rfb::pointer(uint32_t x, uint32_t y, uint8_t buttons) {
  if (!ready_ || x >= size_.width || y >= size_.height) return;
  put_u8(&out_, 5);
  put_u8(&out_, buttons);
  put_u16(&out_, x);
  put_u16(&out_, y);
}

}  // namespace view
