#include "vmzone/keys.h"

#include <catch2/catch.hpp>

namespace vmzone {
namespace {

using base::Code;

KeyChord chord(std::string_view text) {
  auto result = key_chord_from(text);
  REQUIRE(result);
  return *result;
}

TEST_CASE("chords are named as QEMU names keys, or as people do") {
  CHECK(chord("ctrl-alt-delete") == KeyChord{"ctrl", "alt", "delete"});
  CHECK(chord("Control-Alt-Del") == KeyChord{"ctrl", "alt", "delete"});
  CHECK(chord("f12") == KeyChord{"f12"});
  CHECK(chord("Enter") == KeyChord{"ret"});
  CHECK(chord("shift-A") == KeyChord{"shift", "a"});
  CHECK(chord("ctrl-/") == KeyChord{"ctrl", "slash"});
  CHECK(chord("ctrl-minus") == KeyChord{"ctrl", "minus"});
  CHECK(chord("7") == KeyChord{"7"});
}

TEST_CASE("a chord with an unknown key, a key twice or too many keys is refused") {
  auto unknown = key_chord_from("ctrl-alt-delte");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == Code::kInvalid);
  CHECK(unknown.error().message == "there is no key 'delte'");
  CHECK(unknown.error().hint == "did you mean 'delete'?");
  for (const char* text : {"", "-", "ctrl-", "-ctrl", "ctrl--alt", "ctrl-control", "!", "a b",
                           "f13", "\n", "\xff", "a-b-c-d-e-f-g-h-i"}) {
    INFO(text);
    CHECK_FALSE(key_chord_from(text));
  }
  CHECK(key_chord_from("a-b-c-d-e-f-g-h"));
  CHECK_FALSE(key_chord_from(std::string(100'000, 'x')));
}

TEST_CASE("all printable ASCII can be typed, each character by keys of its own") {
  std::vector<KeyChord> seen;
  for (char c = ' '; c <= '~'; ++c) {
    auto chords = key_chords_of_text(std::string(1, c));
    INFO(c);
    REQUIRE(chords);
    REQUIRE(chords->size() == 1);
    CHECK(std::find(seen.begin(), seen.end(), chords->front()) == seen.end());
    seen.push_back(chords->front());
  }
  auto text = key_chords_of_text("Hi?\n");
  REQUIRE(text);
  CHECK(*text == std::vector<KeyChord>{{"shift", "h"}, {"i"}, {"shift", "slash"}, {"ret"}});
}

TEST_CASE("text that a US keyboard can't type is refused") {
  for (std::string_view text : {std::string_view("\xc3\xa4"), std::string_view("\0", 1),
                                std::string_view("\x7f"), std::string_view("\r")})
    CHECK_FALSE(key_chords_of_text(text));
  CHECK(key_chords_of_text(std::string(kMaxTypedText, 'x')));
  CHECK_FALSE(key_chords_of_text(std::string(kMaxTypedText + 1, 'x')));
}

TEST_CASE("every listed name is a key") {
  for (const std::string& name : key_names()) CHECK(key_chord_from(name));
}

}  // namespace
}  // namespace vmzone
