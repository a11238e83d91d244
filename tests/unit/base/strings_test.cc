#include "base/strings.h"

#include <catch2/catch.hpp>

TEST_CASE("sizes are powers of 1024 and nothing else is accepted") {
  CHECK(*base::parse_size("512M") == 512u << 20);
  CHECK(*base::parse_size("1.5G") == 3u << 29);
  CHECK(*base::parse_size("0") == 0);
  for (const char* bad :
       {"", "M", "-1", "1k", "1MB", " 1", "1 ", "1e3", "nan", "99999999T", "0x10"})
    CHECK_FALSE(base::parse_size(bad).ok());
  CHECK(base::format_size(512u << 20) == "512M");
  CHECK(base::format_size(3u << 29) == "1.5G");
}

TEST_CASE("whole numbers are strict and in range") {
  CHECK(*base::parse_uint("65535", 1, 65535) == 65535);
  for (const char* bad : {"", "+1", "-1", "65536", "0", "1.0", "1 ", "99999999999999999999999"})
    CHECK_FALSE(base::parse_uint(bad, 1, 65535).ok());
}

TEST_CASE("durations take a unit") {
  CHECK(*base::parse_duration_ms("10s") == 10000);
  CHECK(*base::parse_duration_ms("500ms") == 500);
  CHECK(*base::parse_duration_ms("2m") == 120000);
  CHECK(*base::parse_duration_ms("3") == 3000);
  CHECK_FALSE(base::parse_duration_ms("3d").ok());
  CHECK_FALSE(base::parse_duration_ms("s").ok());
}

TEST_CASE("CPU lists round trip") {
  CHECK(base::format_cpu_list(*base::parse_cpu_list("8,0-3,2")) == "0-3,8");
  for (const char* bad : {"", "3-1", "a", "1,", "-1", "9999"})
    CHECK_FALSE(base::parse_cpu_list(bad).ok());
}

TEST_CASE("names of zones are short, lower case and plain") {
  CHECK(base::check_name("zone", "web-1").ok());
  for (const char* bad : {"", "-a", "A", "a.b", "a/b", "a\nb", "..",
                          "0123456789012345678901234567890123456789012345678901234567890123"})
    CHECK_FALSE(base::check_name("zone", bad).ok());
}

TEST_CASE("the nearest known word is offered only when it is near") {
  std::vector<std::string> keys = {"cpu-shares", "command", "pool"};
  CHECK(base::nearest("cpu-share", keys) == "cpu-shares");
  CHECK(base::nearest("comand", keys) == "command");
  CHECK(base::nearest("zzzzzzzz", keys).empty());
}

TEST_CASE("clean UTF-8 has no NUL, no overlong form and no surrogate") {
  CHECK(base::is_clean_utf8("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"));
  CHECK_FALSE(base::is_clean_utf8(std::string_view("a\0b", 3)));
  for (const char* bad : {"\xc0\xaf", "\xed\xa0\x80", "\xff", "\xe2\x82", "\xf4\x90\x80\x80"})
    CHECK_FALSE(base::is_clean_utf8(bad));
}

TEST_CASE("quoting escapes what would break a line, and stays UTF-8 when it cuts") {
  CHECK(base::quoted("a\nb'c") == "'a\\nb\\'c'");
  CHECK(base::quoted("\x1b[2J") == "'\\x1b[2J'");
  CHECK(base::quoted("\xff") == "'\\xff'");
  // Acted on by terminals, unseen, or turning what follows around.
  CHECK(base::quoted("\xc3\xa4\xc2\x9b") == "'\\xc3\\xa4\\xc2\\x9b'");
  for (const char* bad : {"\xc2\x80", "\xc2\x9f", "\xe2\x80\x8b", "\xe2\x80\x8f", "\xe2\x80\xa8",
                          "\xe2\x80\xae", "\xe2\x81\xa0", "\xe2\x81\xa9", "\xef\xbb\xbf"})
    CHECK_FALSE(base::is_plain_utf8(std::string("x") + bad + "y"));
  for (const char* good :
       {"\xc2\xa0", "\xe2\x80\x8a", "\xe2\x80\x90", "\xe2\x80\xa7", "\xe2\x80\xaf", "\xe2\x81\x9f",
        "\xe2\x81\xaa", "\xef\xbb\xbe", "\xf0\x9f\x98\x80", "\xe2\x82\xac"})
    CHECK(base::quoted(good) == "'" + std::string(good) + "'");
  std::string umlauts = "\xc3\xa4\xc3\xa4\xc3\xa4";
  for (size_t max = 0; max < 8; ++max) CHECK(base::is_clean_utf8(base::quoted(umlauts, max)));
  CHECK(base::quoted(umlauts, 3) == "'\xc3\xa4...'");
}
