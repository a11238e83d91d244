// screen-text FILE.png: the text on a picture of a guest's screen.
#include <fcntl.h>

#include <cstdio>

#include "base/files.h"
#include "tests/harness/screen.h"

namespace {

base::Status print_text(const char* file) {
  TRY_AS(std::string png, base::read_file(AT_FDCWD, file, 16 << 20));
  TRY_AS(harness::ScreenFont font, harness::ScreenFont::load());
  TRY_AS(harness::Screen screen, harness::read_screen(font, png));
  for (const std::string& line : screen.lines)
    if (!line.empty()) std::printf("%s\n", line.c_str());
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: screen-text FILE.png\n");
    return 2;
  }
  base::Status printed = print_text(argv[1]);
  if (printed) return 0;
  std::fprintf(stderr, "screen-text: %s\n", printed.error().message.c_str());
  return 1;
}
