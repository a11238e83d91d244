#include "base/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace base {
namespace {

struct Sink {
  LogLevel level = LogLevel::kInfo;
  std::string program = "zoned";
  bool journal = false;
};

Sink& sink() {
  static Sink the_sink = [] {
    Sink s;
    s.journal = std::getenv("JOURNAL_STREAM") != nullptr;
    return s;
  }();
  return the_sink;
}

}  // namespace

void set_log_level(LogLevel level) { sink().level = level; }
void set_log_program(std::string_view program) { sink().program = program; }

void log(LogLevel level, std::string_view message) {
  const Sink& s = sink();
  if (level > s.level) return;
  std::string line;
  if (s.journal) line += "<" + std::to_string(static_cast<int>(level)) + ">";
  line += s.program + ": ";
  for (char c : message) line += c == '\n' ? ' ' : c;
  line += '\n';
  [[maybe_unused]] ssize_t n = write(STDERR_FILENO, line.data(), line.size());
}

void log_ignored(std::string_view what, const Status& status) {
  if (!status) log_warning(std::string(what) + ": " + status.error().message + ", ignoring");
}

}  // namespace base
