#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/strings.h"
#include "cli/terminal.h"

namespace cli {

std::string progress_line(const std::string& stage, uint64_t done, uint64_t total, size_t columns) {
  std::string line = stage;
  line.resize(std::max(line.size(), size_t{10}), ' ');
  if (total == 0) {
    if (done > 0) line += " " + base::format_size(done);
  } else {
    constexpr size_t kWidth = 30;
    double part = static_cast<double>(std::min(done, total)) / static_cast<double>(total);
    auto full = static_cast<size_t>(part * kWidth);
    char share[8];
    snprintf(share, sizeof share, "%3d%%", static_cast<int>(part * 100));
    line += " [" + std::string(full, '#') + std::string(kWidth - full, '.') + "] " + share + "  " +
            base::format_size(done) + "/" + base::format_size(total);
  }
  return line.substr(0, columns);
}

void Progress::show(const std::string& stage, uint64_t done, uint64_t total) {
  if (!enabled_) return;
  auto now = std::chrono::steady_clock::now();
  if (stage == stage_ && now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  stage_ = stage;
  size_t columns = window_size(STDERR_FILENO).ws_col;
  std::string text = "\r\x1b[K" + progress_line(stage, done, total, columns - 1);
  fwrite(text.data(), 1, text.size(), stderr);
  fflush(stderr);
  drawn_ = true;
}

Progress::~Progress() {
  if (drawn_) fputs("\r\x1b[K", stderr);
}

}  // namespace cli
