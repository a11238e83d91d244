#include "cli/escape_filter.h"

#include <catch2/catch.hpp>

namespace {

using namespace std::string_literals;

std::string filter(const std::string& text) { return cli::EscapeFilter().filter(text); }

TEST_CASE("text, colours, cursor moves and erasing pass") {
  auto text = GENERATE("plain\r\n\ttext\b\a"s, "\x1b[1;31mred\x1b[0m"s, "\x1b[38;5;200mx\x1b[m"s,
                       "\x1b[38:2::1:2:3mx"s, "\x1b[2J\x1b[H\x1b[10;20H\x1b[K\x1b[3A"s,
                       "\x1b[5;20r"s, "\x1b[?25l\x1b[?1049h\x1b[?1;7h"s, "\x1b(0lqk\x1b(B"s,
                       "\x1b"
                       "7\x1b"
                       "8\x1bM\x1b="s,
                       "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"s);
  CHECK(filter(text) == text);
}

TEST_CASE("what reaches beyond the screen is dropped") {
  auto text =
      GENERATE("\x1b]52;c;cm0gLXJmIC8K\a"s,  // clipboard
               "\x1b]52;c;?\x1b\\"s,         // clipboard report
               "\x1b]0;title\a"s, "\x1b]2;title\x1b\\"s, "\x1b[21t"s, "\x1b[8;1;1t"s,
               "\x1b]8;;http://x\x1b\\"s, "\x1b]1337;File=a\a"s, "\x1bPtmux;x\x1b\\"s,
               "\x1bP+q544e\x1b\\"s,  // DCS: request a capability
               "\x1b_Gpayload\x1b\\"s, "\x1b^pm\x1b\\"s, "\x1bXsos\x1b\\"s,
               "\x05"s,  // ENQ: answerback
               "\x1b[6n"s, "\x1b[c"s, "\x1b[>c"s, "\x1b[=c"s, "\x1bZ"s, "\x1b[?6n"s, "\x1b[x"s,
               "\x1b[5i"s, "\x1b[?1000h"s, "\x1b[?1003;25h"s, "\x1b[?2026$p"s, "\x1b[!p"s,
               "\x1b[99999;1H"s, "\x1b#8"s, "\x1b%G"s, "\x1b F"s, "\x1b(A"s, "\0"s, "\x7f"s,
               "\xc2\x9d"
               "52;c;x\a"s,
               "\xc2\x9b"
               "6n"s,
               "\xc2\x90"
               "q\xc2\x9c\x1b\\"s,
               "\xc2\x85"s, "\x1b[" + std::string(100, '1') + "m"s);
  CAPTURE(text);
  CHECK(filter(text) == "");
  CHECK(filter("a" + text + "b") == "ab");
}

TEST_CASE("a sequence cut anywhere gives the same as in one piece") {
  std::string text =
      "a\x1b[31mb\x1b]0;t\x1b\\c\xe2\x82\xac\x1b[6nd\x1bP1\x1b\\e\xc2\x9b"
      "1mf\x1b(0g";
  std::string whole = filter(text);
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    cli::EscapeFilter two;
    std::string first = two.filter(text.substr(0, cut));
    CHECK(first + two.filter(text.substr(cut)) == whole);
  }
  CHECK(whole ==
        "a\x1b[31mbc\xe2\x82\xac"
        "de\x1b[1mf\x1b(0g");
}

TEST_CASE("broken UTF-8 never carries a control through") {
  CHECK(filter("\x9b"
               "31m") == "?31m");
  CHECK(filter("\xe0\x82\x9b"
               "6n") == "??6n");  // overlong U+009B
  CHECK(filter("\xc2\x1b[6nx") == "?x");
  CHECK(filter("\xed\xa0\x80") == "??");
  CHECK(filter("\xff\xfe") == "??");
}

TEST_CASE("cancel ends a string, and what follows is text again") {
  CHECK(filter("\x1b]0;a\x18"
               "b") == "b");
  CHECK(filter("\x1b]0;a\x1b[31mb") == "\x1b[31mb");
  CHECK(filter("\x1bPa\a"
               "b\x1b\\c") == "c");  // BEL ends only OSC
}

TEST_CASE("no output of the filter changes when it is filtered again") {
  unsigned state = 12345;
  for (int round = 0; round < 2000; ++round) {
    std::string noise;
    for (int i = 0; i < 60; ++i) {
      state = state * 1664525u + 1013904223u;
      constexpr char kLikely[] = "\x1b[]?;0123456789hlmnPX_^\\\a\x9b\xc2\x9d\x18 a";
      noise.push_back(state >> 31 ? kLikely[(state >> 8) % (sizeof kLikely - 1)]
                                  : static_cast<char>(state >> 16));
    }
    std::string once = filter(noise);
    CHECK(filter(once) == once);
    if (filter(once) != once) break;
  }
}

}  // namespace
