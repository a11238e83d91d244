#include "vmzone/keys.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/strings.h"

namespace vmzone {
namespace {

using base::Code;
using base::make_error;

// Keys whose name is not also that of a character.
constexpr std::array kNamed = {
    "shift",   "shift_r",   "alt",       "alt_r",       "ctrl",        "ctrl_r",   "meta_l",
    "meta_r",  "menu",      "compose",   "esc",         "backspace",   "tab",      "ret",
    "spc",     "caps_lock", "num_lock",  "scroll_lock", "sysrq",       "print",    "pause",
    "home",    "end",       "pgup",      "pgdn",        "insert",      "delete",   "left",
    "right",   "up",        "down",      "less",        "f1",          "f2",       "f3",
    "f4",      "f5",        "f6",        "f7",          "f8",          "f9",       "f10",
    "f11",     "f12",       "kp_divide", "kp_multiply", "kp_subtract", "kp_add",   "kp_enter",
    "kp_0",    "kp_1",      "kp_2",      "kp_3",        "kp_4",        "kp_5",     "kp_6",
    "kp_7",    "kp_8",      "kp_9",      "kp_decimal",  "kp_equals",   "kp_comma", "power",
    "sleep",   "wake",      "stop",      "help",        "yen",         "ro",       "henkan",
    "muhenkan"};

struct Alias {
  const char* name;
  const char* key;
};
constexpr std::array<Alias, 14> kAliases = {{{"control", "ctrl"},
                                             {"del", "delete"},
                                             {"ins", "insert"},
                                             {"return", "ret"},
                                             {"enter", "ret"},
                                             {"escape", "esc"},
                                             {"space", "spc"},
                                             {"super", "meta_l"},
                                             {"win", "meta_l"},
                                             {"pageup", "pgup"},
                                             {"pagedown", "pgdn"},
                                             {"asterisk", "kp_multiply"},
                                             {"altgr", "alt_r"},
                                             {"period", "dot"}}};

// A US keyboard's keys that make a character, alone and with shift; letters are their own names.
struct Printing {
  char plain;
  char shifted;
  const char* key;
};
constexpr std::array<Printing, 21> kPrinting = {{{'1', '!', "1"},
                                                 {'2', '@', "2"},
                                                 {'3', '#', "3"},
                                                 {'4', '$', "4"},
                                                 {'5', '%', "5"},
                                                 {'6', '^', "6"},
                                                 {'7', '&', "7"},
                                                 {'8', '*', "8"},
                                                 {'9', '(', "9"},
                                                 {'0', ')', "0"},
                                                 {'-', '_', "minus"},
                                                 {'=', '+', "equal"},
                                                 {'[', '{', "bracket_left"},
                                                 {']', '}', "bracket_right"},
                                                 {'\\', '|', "backslash"},
                                                 {';', ':', "semicolon"},
                                                 {'\'', '"', "apostrophe"},
                                                 {'`', '~', "grave_accent"},
                                                 {',', '<', "comma"},
                                                 {'.', '>', "dot"},
                                                 {'/', '?', "slash"}}};

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::optional<std::string> key_of_name(const std::string& name) {
  if (name.size() == 1 && is_letter(name[0])) return name;
  for (const char* known : kNamed)
    if (name == known) return name;
  for (const Alias& alias : kAliases)
    if (name == alias.name) return alias.key;
  for (const Printing& key : kPrinting)
    if (name == key.key || (name.size() == 1 && name[0] == key.plain)) return key.key;
  return std::nullopt;
}

std::optional<KeyChord> chord_of_character(char c) {
  switch (c) {
    case '\n':
      return KeyChord{"ret"};
    case '\t':
      return KeyChord{"tab"};
    case '\b':
      return KeyChord{"backspace"};
    case '\x1b':
      return KeyChord{"esc"};
    case ' ':
      return KeyChord{"spc"};
    default:
      break;
  }
  if (is_letter(c)) return KeyChord{std::string(1, c)};
  if (is_letter(lower(c))) return KeyChord{"shift", std::string(1, lower(c))};
  for (const Printing& key : kPrinting) {
    if (c == key.plain) return KeyChord{key.key};
    if (c == key.shifted) return KeyChord{"shift", key.key};
  }
  return std::nullopt;
}

}  // namespace

base::Result<KeyChord> key_chord_from(std::string_view text) {
  constexpr size_t kMaxText = kMaxChordKeys * 16;
  if (text.size() > kMaxText)
    return make_error(Code::kInvalid, "more than " + std::to_string(kMaxChordKeys) +
                                          " keys at once: " + base::quoted(text));
  KeyChord chord;
  for (std::string name : base::split(text, '-')) {
    std::transform(name.begin(), name.end(), name.begin(), lower);
    auto key = key_of_name(name);
    if (!key) {
      std::string near = name.size() > 2 ? base::nearest(name, key_names()) : "";
      return make_error(Code::kInvalid, "there is no key " + base::quoted(name),
                        near.empty() ? "write names such as ctrl-alt-delete, f12, minus"
                                     : "did you mean '" + near + "'?");
    }
    if (std::find(chord.begin(), chord.end(), *key) != chord.end())
      return make_error(Code::kInvalid, "the key " + base::quoted(name) + " is there twice");
    if (chord.size() == kMaxChordKeys)
      return make_error(Code::kInvalid,
                        "more than " + std::to_string(kMaxChordKeys) + " keys at once");
    chord.push_back(*std::move(key));
  }
  return chord;
}

base::Result<std::vector<KeyChord>> key_chords_of_text(std::string_view text) {
  if (text.size() > kMaxTypedText)
    return make_error(Code::kInvalid,
                      "more than " + std::to_string(kMaxTypedText) + " characters to type at once");
  std::vector<KeyChord> chords;
  for (char c : text) {
    auto chord = chord_of_character(c);
    if (!chord)
      return make_error(Code::kInvalid,
                        "no key of a US keyboard types " + base::quoted(std::string_view(&c, 1)));
    chords.push_back(*std::move(chord));
  }
  return chords;
}

std::vector<std::string> key_names() {
  std::vector<std::string> names(kNamed.begin(), kNamed.end());
  for (const Alias& alias : kAliases) names.emplace_back(alias.name);
  for (const Printing& key : kPrinting) names.emplace_back(key.key);
  for (char c = 'a'; c <= 'z'; ++c) names.emplace_back(1, c);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace vmzone
