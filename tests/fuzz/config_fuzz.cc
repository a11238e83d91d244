// Configuration texts and assignments: "TEXT\n%%\nASSIGNMENT\nASSIGNMENT...". What parses must format
// and parse to the same spec; an edit gives a text that parses, or a clean error that is not ours.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/strings.h"
#include "zoned/core/spec_toml.h"

namespace {

void require(bool good, const char* what, const std::string& detail) {
  if (good) return;
  std::fprintf(stderr, "%s:\n%s\n", what, detail.c_str());
  std::abort();
}

// One line of clean text, and no fault of ours.
void check_error(const base::Error& error) {
  require(error.code != base::Code::kInternal, "internal error", error.message);
  require(!error.message.empty() && error.message.size() < 2000, "length", error.message);
  for (const std::string* text : {&error.message, &error.hint}) {
    require(base::is_clean_utf8(*text), "error is not UTF-8", *text);
    require(text->find_first_of("\n\r\t\x1b") == std::string::npos, "control character", *text);
  }
}

void check_parse_error(const base::Error& error) {
  check_error(error);
  require(error.message.starts_with("fuzz.toml:"), "error without a place", error.message);
}

void check_edit(std::string_view text, const std::vector<std::string>& assignments) {
  auto edited = core::edit_zone("web", text, assignments);
  if (!edited) return check_error(edited.error());
  require(core::parse_zone("web", edited->text, "fuzz.toml").ok(), "edited text is broken",
          edited->text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view kMark = "\n%%\n";
  size_t mark = input.find(kMark);
  std::string_view text = input.substr(0, mark == std::string_view::npos ? size : mark + 1);
  std::vector<std::string> assignments;
  if (mark != std::string_view::npos)
    assignments = base::split(input.substr(mark + kMark.size()), '\n');

  auto pool = core::parse_pool("web", text, "fuzz.toml");
  if (!pool) check_parse_error(pool.error());
  auto zone = core::parse_zone("web", text, "fuzz.toml");
  if (!zone) {
    check_parse_error(zone.error());
  } else {
    std::string formatted = core::format_zone(*zone);
    auto again = core::parse_zone("web", formatted, "fuzz.toml");
    require(again.ok() && *again == *zone, "format and parse differ", formatted);
    // Each style of text that parses can be edited.
    check_edit(text, {"autoboot=true", "env.FUZZ=a\"b", "limits.processes=7", "command=[\"/a\"]"});
    check_edit(text, {"env=", "fs=", "capped-memory="});
  }
  check_edit(text, assignments);
  return 0;
}
