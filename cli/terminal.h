// The user's terminal: raw mode that is always undone, window sizes, signals as a descriptor.
#pragma once

#include <sys/ioctl.h>
#include <termios.h>

#include <csignal>
#include <initializer_list>
#include <optional>

#include "base/result.h"
#include "base/unique_fd.h"

namespace cli {

// Raw mode for as long as it lives; nothing happens when fd is no terminal. keep_signals leaves ^C
// and output processing alone (cbreak).
class RawMode {
 public:
  explicit RawMode(int fd, bool keep_signals = false);
  ~RawMode();
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;

 private:
  int fd_;
  std::optional<termios> saved_;
};

// Blocks signals for as long as it lives and reports them by a descriptor; so a raw terminal is
// restored whatever signal comes. SIGPIPE is ignored meanwhile.
class Signals {
 public:
  static base::Result<Signals> block(std::initializer_list<int> signals);
  Signals(Signals&& other) noexcept;
  Signals& operator=(Signals&&) = delete;
  ~Signals();

  int fd() const { return fd_.get(); }
  // A pending one, or 0.
  int take() const;

 private:
  Signals() = default;
  base::UniqueFd fd_;
  sigset_t old_ = {};
  struct sigaction old_pipe_ = {};
};

// Of the terminal fd; 24 x 80 when it is none.
winsize window_size(int fd);

}  // namespace cli
