#include "cli/terminal.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <utility>

namespace cli {

RawMode::RawMode(int fd, bool keep_signals) : fd_(fd) {
  termios now = {};
  if (tcgetattr(fd, &now) != 0) return;
  saved_ = now;
  if (keep_signals) {
    now.c_lflag &= ~(static_cast<tcflag_t>(ICANON) | static_cast<tcflag_t>(ECHO));
  } else {
    cfmakeraw(&now);
  }
  tcsetattr(fd, TCSADRAIN, &now);
}

RawMode::~RawMode() {
  if (saved_) tcsetattr(fd_, TCSADRAIN, &*saved_);
}

base::Result<Signals> Signals::block(std::initializer_list<int> signals) {
  Signals result;
  sigset_t set;
  sigemptyset(&set);
  for (int signal : signals) sigaddset(&set, signal);
  result.fd_.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!result.fd_) return base::sys_error("signalfd");
  if (sigprocmask(SIG_BLOCK, &set, &result.old_) != 0) return base::sys_error("sigprocmask");
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  if (sigaction(SIGPIPE, &ignore, &result.old_pipe_) != 0) return base::sys_error("sigaction");
  return result;
}

Signals::Signals(Signals&& other) noexcept
    : fd_(std::move(other.fd_)), old_(other.old_), old_pipe_(other.old_pipe_) {}

Signals::~Signals() {
  if (!fd_) return;
  while (take() != 0) continue;  // a window change that came last must not act later
  sigprocmask(SIG_SETMASK, &old_, nullptr);
  sigaction(SIGPIPE, &old_pipe_, nullptr);
}

int Signals::take() const {
  signalfd_siginfo info = {};
  if (read(fd_.get(), &info, sizeof info) != sizeof info) return 0;
  return static_cast<int>(info.ssi_signo);
}

winsize window_size(int fd) {
  winsize size = {};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
    size.ws_row = 24;
    size.ws_col = 80;
  }
  return size;
}

}  // namespace cli
