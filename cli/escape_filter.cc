#include "cli/escape_filter.h"

#include <algorithm>
#include <array>

namespace cli {
namespace {

constexpr unsigned char kEsc = 0x1b, kCan = 0x18, kSub = 0x1a, kBel = 0x07;
constexpr size_t kMaxCsi = 64;

// Bell, backspace, tab, line feed, vertical tab, form feed, return, shift out and in.
bool control_allowed(unsigned char byte) { return byte >= 0x07 && byte <= 0x0f; }

// Overlong forms, surrogates and codes over U+10FFFF (RFC 3629): some terminals decode them all the
// same, to controls.
bool bad_second(char lead, unsigned char second) {
  return (lead == '\xe0' && second < 0xa0) || (lead == '\xed' && second >= 0xa0) ||
         (lead == '\xf0' && second < 0x90) || (lead == '\xf4' && second >= 0x90);
}

// DEC private modes that change only what is drawn: cursor keys, origin, wrap, blink, cursor,
// alternate screens, bracketed paste.
bool mode_allowed(std::string_view mode) {
  constexpr std::array<std::string_view, 10> kModes = {"1",  "6",    "7",    "12",   "25",
                                                       "47", "1047", "1048", "1049", "2004"};
  return std::find(kModes.begin(), kModes.end(), mode) != kModes.end();
}

bool modes_allowed(std::string_view list) {
  while (true) {
    size_t semicolon = list.find(';');
    if (!mode_allowed(list.substr(0, semicolon))) return false;
    if (semicolon == std::string_view::npos) return true;
    list.remove_prefix(semicolon + 1);
  }
}

// Numbers of at most four digits: larger ones only serve to upset a terminal.
bool plain_parameters(std::string_view text) {
  size_t digits = 0;
  for (char c : text) {
    bool digit = c >= '0' && c <= '9';
    if (!digit && c != ';' && c != ':') return false;
    digits = digit ? digits + 1 : 0;
    if (digits > 4) return false;
  }
  return true;
}

}  // namespace

std::string EscapeFilter::filter(std::string_view data) {
  std::string out;
  out.reserve(data.size());
  for (char c : data) step(static_cast<unsigned char>(c), &out);
  return out;
}

void EscapeFilter::step(unsigned char byte, std::string* out) {
  bool cancels = byte == kCan || byte == kSub;
  switch (state_) {
    case State::kGround:
      ground(byte, out);
      return;
    case State::kUtf8:
      utf8(byte, out);
      return;
    case State::kEscape:
      escape(byte, out);
      return;
    case State::kCharset:
      if (byte == '0' || byte == 'B') out->append({'\x1b', pending_[0], static_cast<char>(byte)});
      state_ = byte == kEsc ? State::kEscape : State::kGround;
      return;
    case State::kSkip:
      state_ = byte == kEsc ? State::kEscape : State::kGround;
      return;
    case State::kCsi:
      if (byte == kEsc || cancels) {
        state_ = byte == kEsc ? State::kEscape : State::kGround;
      } else {
        csi(byte, out);
      }
      return;
    case State::kString:
      if (byte == kEsc) state_ = State::kStringEscape;
      if (cancels || (byte == kBel && bel_ends_)) state_ = State::kGround;
      return;
    case State::kStringEscape:  // ESC \ ends the string; another ESC sequence begins anew
      state_ = State::kEscape;
      if (byte == '\\') state_ = State::kGround;
      if (state_ == State::kEscape) escape(byte, out);
      return;
  }
}

void EscapeFilter::ground(unsigned char byte, std::string* out) {
  if (byte == kEsc) {
    state_ = State::kEscape;
  } else if ((byte >= 0x20 && byte < 0x7f) || control_allowed(byte)) {
    out->push_back(static_cast<char>(byte));
  } else if (byte >= 0xc2 && byte <= 0xf4) {
    pending_.assign(1, static_cast<char>(byte));
    expected_ = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    state_ = State::kUtf8;
  } else if (byte >= 0x80) {
    out->push_back('?');  // never a raw C1 control
  }
}

void EscapeFilter::utf8(unsigned char byte, std::string* out) {
  if ((byte & 0xc0) != 0x80) {
    out->push_back('?');
    state_ = State::kGround;
    ground(byte, out);
    return;
  }
  pending_.push_back(static_cast<char>(byte));
  if (pending_.size() == 2 && bad_second(pending_[0], byte)) {
    out->push_back('?');
    state_ = State::kGround;
    return;
  }
  if (pending_.size() < expected_) return;
  state_ = State::kGround;
  // U+0080..U+009F: terminals take them for the controls that they are.
  if (pending_[0] == '\xc2' && byte < 0xa0) {
    c1(byte);
  } else {
    *out += pending_;
  }
}

void EscapeFilter::c1(unsigned char code) {
  pending_.clear();
  overlong_ = false;
  bel_ends_ = code == 0x9d;
  if (code == 0x9b) state_ = State::kCsi;
  bool string = code == 0x90 || code == 0x98 || code == 0x9d || code == 0x9e || code == 0x9f;
  if (string) state_ = State::kString;
}

void EscapeFilter::escape(unsigned char byte, std::string* out) {
  constexpr std::string_view kAllowed = "78DEHMc=>";
  state_ = State::kGround;
  pending_.clear();
  switch (byte) {
    case kEsc:
      state_ = State::kEscape;
      return;
    case '(':
    case ')':
      pending_.push_back(static_cast<char>(byte));
      state_ = State::kCharset;
      return;
    case '*':
    case '+':
    case '#':
    case '%':
    case ' ':
      state_ = State::kSkip;
      return;
    case '[':
    case 'P':
    case 'X':
    case ']':
    case '^':
    case '_':
      c1(static_cast<unsigned char>(byte + 0x40));
      return;
    default:
      if (kAllowed.find(static_cast<char>(byte)) != std::string_view::npos)
        out->append({'\x1b', static_cast<char>(byte)});
  }
}

void EscapeFilter::csi(unsigned char byte, std::string* out) {
  if (byte < 0x20 || byte > 0x7e) return;
  if (byte < 0x40) {
    if (pending_.size() < kMaxCsi) {
      pending_.push_back(static_cast<char>(byte));
    } else {
      overlong_ = true;
    }
    return;
  }
  state_ = State::kGround;
  if (!overlong_ && csi_allowed(static_cast<char>(byte)))
    *out += "\x1b[" + pending_ + static_cast<char>(byte);
  overlong_ = false;
}

bool EscapeFilter::csi_allowed(char final) const {
  // Cursor moves, erasing, inserting, scrolling, tabs, colours, margins, save and restore.
  constexpr std::string_view kAllowed = "ABCDEFGHIJKLMPSTXZ@adefgmrsu`";
  if (!pending_.empty() && pending_[0] == '?')
    return (final == 'h' || final == 'l') && modes_allowed(std::string_view(pending_).substr(1));
  if (!plain_parameters(pending_)) return false;
  if (final == 'h' || final == 'l') return pending_ == "4" || pending_ == "20";
  return kAllowed.find(final) != std::string_view::npos;
}

}  // namespace cli
