#include "zoned/core/config_scanner.h"

#include <algorithm>
#include <map>

namespace core {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// text[begin] is a quote; the offset behind the string's last quote. A string that does not end is
// cut at its line (or at the text's end).
size_t string_end(std::string_view text, size_t begin) {
  char quote_char = text[begin];
  bool escapes = quote_char == '"';
  bool multi_line = text.substr(begin, 3) == std::string(3, quote_char);
  size_t i = begin + (multi_line ? 3 : 1);
  while (i < text.size()) {
    if (escapes && text[i] == '\\') {
      i += 2;
    } else if (text[i] == quote_char) {
      if (!multi_line) return i + 1;
      size_t run = i;
      while (run < text.size() && text[run] == quote_char && run - i < 5) ++run;
      if (run - i >= 3) return run;
      i = run;
    } else if (!multi_line && text[i] == '\n') {
      return i;
    } else {
      ++i;
    }
  }
  return text.size();
}

size_t line_end(std::string_view text, size_t begin) {
  size_t end = text.find('\n', begin);
  if (end == std::string_view::npos) return text.size();
  return end > begin && text[end - 1] == '\r' ? end - 1 : end;
}

// The offset itself, or behind the strings and comments that begin there.
size_t skip_text(std::string_view text, size_t offset) {
  while (offset < text.size()) {
    if (text[offset] == '"' || text[offset] == '\'')
      offset = string_end(text, offset);
    else if (text[offset] == '#')
      offset = line_end(text, offset);
    else
      break;
  }
  return offset;
}

void append_utf8(std::string& out, uint32_t code) {
  auto put = [&](uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | (code >> 6));
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | ((code >> 18) & 0x07));
    put(0x80 | ((code >> 12) & 0x3f));
    put(0x80 | ((code >> 6) & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

// The text of a one-line basic string's inside.
std::string unescaped(std::string_view inside) {
  constexpr std::string_view kLetters = "btnfr";
  constexpr std::string_view kMeanings = "\b\t\n\f\r";
  std::string out;
  for (size_t i = 0; i < inside.size(); ++i) {
    if (inside[i] != '\\' || i + 1 == inside.size()) {
      out += inside[i];
      continue;
    }
    char letter = inside[++i];
    size_t known = kLetters.find(letter);
    if (letter == 'u' || letter == 'U') {
      size_t digits = letter == 'u' ? 4 : 8;
      uint32_t code = 0;
      for (char c : inside.substr(i + 1, digits)) {
        uint32_t digit = c <= '9' ? static_cast<uint32_t>(c - '0')
                                  : static_cast<uint32_t>((c | 0x20) - 'a' + 10);
        code = code * 16 + (digit & 15);
      }
      append_utf8(out, code);
      i += digits;
    } else {
      out += known == std::string_view::npos ? letter : kMeanings[known];
    }
  }
  return out;
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {
    if (text.starts_with(kByteOrderMark)) pos_ = kByteOrderMark.size();
  }

  ConfigMap scan() {
    line_ = pos_;
    while (pos_ < text_.size()) {
      skip_blank();
      if (at_end() || text_[pos_] == '\n') {
        line_ = std::min(++pos_, text_.size());
      } else if (text_[pos_] == '#') {
        take_comment();
      } else if (text_[pos_] == '[') {
        take_header();
      } else {
        take_pair();
      }
    }
    return std::move(map_);
  }

 private:
  // An array or inline table whose end is still to come.
  struct Frame {
    size_t slot;
    size_t next_index = 0;
  };

  bool at_end() const { return pos_ >= text_.size(); }

  void skip_blank() {
    while (!at_end() && (text_[pos_] == ' ' || text_[pos_] == '\t' || text_[pos_] == '\r')) ++pos_;
  }

  void take_comment() {
    size_t end = line_end(text_, pos_);
    map_.comments.push_back({pos_, end});
    pos_ = end;
  }

  // Up to and with the line's end.
  void finish_line() {
    skip_blank();
    if (!at_end() && text_[pos_] == '#') take_comment();
    size_t end = text_.find('\n', pos_);
    pos_ = end == std::string_view::npos ? text_.size() : end + 1;
  }

  ConfigPath take_key() {
    ConfigPath path;
    while (!at_end()) {
      skip_blank();
      size_t begin = pos_;
      if (!at_end() && (text_[pos_] == '"' || text_[pos_] == '\'')) {
        pos_ = std::min(string_end(text_, pos_), text_.size());
        size_t length = pos_ - begin < 2 ? 0 : pos_ - begin - 2;
        std::string_view inside = text_.substr(begin + 1, length);
        path.push_back(text_[begin] == '"' ? unescaped(inside) : std::string(inside));
      } else {
        pos_ = std::min(text_.find_first_of(".=] \t\r\n#", pos_), text_.size());
        path.emplace_back(text_.substr(begin, pos_ - begin));
      }
      skip_blank();
      if (at_end() || text_[pos_] != '.') break;
      ++pos_;
    }
    return path;
  }

  // The path of a header, with the index of the latest element after each list's name.
  ConfigPath resolve(const ConfigPath& key, bool is_list) {
    ConfigPath path;
    for (size_t i = 0; i < key.size(); ++i) {
      path.push_back(key[i]);
      if (is_list && i + 1 == key.size()) {
        path.push_back(std::to_string(list_sizes_[path]++));
      } else if (auto found = list_sizes_.find(path); found != list_sizes_.end()) {
        path.push_back(std::to_string(found->second - 1));
      }
    }
    return path;
  }

  void take_header() {
    bool is_list = text_.substr(pos_, 2) == "[[";
    pos_ += is_list ? 2 : 1;
    header_ = resolve(take_key(), is_list);
    size_t begin = line_;
    finish_line();
    ConfigSlot slot;
    slot.kind = is_list ? ConfigSlot::Kind::kListHeader : ConfigSlot::Kind::kHeader;
    slot.path = header_;
    slot.whole = {begin, pos_};
    map_.slots.push_back(std::move(slot));
    line_ = pos_;
  }

  void take_pair() {
    size_t index = add_slot(ConfigSlot::Kind::kPair, kNoSlot, header_, line_);
    map_.slots[index].header_depth = header_.size();
    take_assignment(index);
    std::vector<Frame> frames;
    begin_value(index, frames);
    while (!frames.empty() && !at_end()) continue_value(frames);
    finish_line();
    map_.slots[index].whole.end = pos_;
    line_ = pos_;
  }

  size_t add_slot(ConfigSlot::Kind kind, size_t parent, ConfigPath path, size_t begin) {
    ConfigSlot slot;
    slot.kind = kind;
    slot.path = std::move(path);
    slot.parent = parent;
    slot.whole.begin = begin;
    map_.slots.push_back(std::move(slot));
    return map_.slots.size() - 1;
  }

  // "key =" of the slot.
  void take_assignment(size_t index) {
    for (std::string& segment : take_key()) map_.slots[index].path.push_back(std::move(segment));
    if (!at_end()) ++pos_;
    skip_blank();
  }

  // A value that is no array or table ends here; the others are continued by their frame.
  void begin_value(size_t index, std::vector<Frame>& frames) {
    ConfigSlot& slot = map_.slots[index];
    slot.value = {pos_, pos_};
    if (at_end()) return;
    char c = text_[pos_];
    if (c == '[' || c == '{') {
      slot.open = c;
      ++pos_;
      frames.push_back({index});
      return;
    }
    if (c == '"' || c == '\'') {
      pos_ = std::min(string_end(text_, pos_), text_.size());
    } else {
      pos_ = std::min(text_.find_first_of(",]}#\n", pos_), text_.size());
      while (pos_ > slot.value.begin &&
             (text_[pos_ - 1] == ' ' || text_[pos_ - 1] == '\t' || text_[pos_ - 1] == '\r'))
        --pos_;
    }
    slot.value.end = slot.whole.end = pos_;
  }

  void continue_value(std::vector<Frame>& frames) {
    Frame& frame = frames.back();
    size_t outer = frame.slot;
    char c = text_[pos_];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',') {
      ++pos_;
    } else if (c == '#') {
      take_comment();
    } else if (c == ']' || c == '}') {
      ++pos_;
      map_.slots[outer].value.end = map_.slots[outer].whole.end = pos_;
      frames.pop_back();
    } else if (map_.slots[outer].open == '{') {
      size_t begin = pos_;
      size_t index = add_slot(ConfigSlot::Kind::kMember, outer, map_.slots[outer].path, begin);
      take_assignment(index);
      begin_value(index, frames);
    } else {
      ConfigPath path = map_.slots[outer].path;
      path.push_back(std::to_string(frame.next_index++));
      begin_value(add_slot(ConfigSlot::Kind::kElement, outer, std::move(path), pos_), frames);
    }
  }

  std::string_view text_;
  size_t pos_ = 0;
  size_t line_ = 0;  // where the current line begins
  ConfigPath header_;
  std::map<ConfigPath, size_t> list_sizes_;
  ConfigMap map_;
};

}  // namespace

std::optional<size_t> first_too_deep(std::string_view text) {
  size_t depth = 0;
  size_t dots = 0;
  for (size_t i = skip_text(text, 0); i < text.size(); i = skip_text(text, i + 1)) {
    char c = text[i];
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && depth > 0) --depth;
    if (c == '.') ++dots;
    if (c == '\n' || c == '=' || c == ',') dots = 0;
    if (depth > kMaxConfigDepth || dots >= kMaxConfigDepth) return i;
  }
  return std::nullopt;
}

std::optional<size_t> first_stray(std::string_view text) {
  std::string open;
  size_t begin = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  for (size_t i = skip_text(text, begin); i < text.size(); i = skip_text(text, i + 1)) {
    char c = text[i];
    if (static_cast<unsigned char>(c) >= 0x80) return i;
    if (c == '[' || c == '{') open += c;
    if (c != ']' && c != '}') continue;
    if (open.empty() || open.back() != (c == ']' ? '[' : '{')) return i;
    open.pop_back();
  }
  return std::nullopt;
}

ConfigMap scan_config(std::string_view text) { return Scanner(text).scan(); }

}  // namespace core
