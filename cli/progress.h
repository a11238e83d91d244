// A progress bar on stderr.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace cli {

// "copy     [#####.....]  50%  12M/24M", or a count when the total is unknown (0); at most
// `columns` wide.
std::string progress_line(const std::string& stage, uint64_t done, uint64_t total, size_t columns);

// Draws at most ten times a second; the line is wiped when it goes.
class Progress {
 public:
  explicit Progress(bool enabled) : enabled_(enabled) {}
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(const std::string& stage, uint64_t done, uint64_t total);

 private:
  bool enabled_;
  bool drawn_ = false;
  std::string stage_;
  std::chrono::steady_clock::time_point last_ = {};
};

}  // namespace cli
