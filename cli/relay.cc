#include "cli/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/files.h"

namespace cli {
namespace {

constexpr size_t kChunk = size_t{16} * 1024;
constexpr size_t kMaxTyped = size_t{64} * 1024;  // waiting for the zone to read
constexpr int kDrainMs = 20;

// read(2) into a string. Empty with *end: the end, or the pty's last user has gone (EIO).
std::string read_some(int fd, bool* end) {
  std::array<char, kChunk> buffer;
  ssize_t n = read(fd, buffer.data(), buffer.size());
  *end = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
  return {buffer.data(), n > 0 ? static_cast<size_t>(n) : 0};
}

class Relay {
 public:
  Relay(const RelayOptions& options, const Signals& signals)
      : options_(options), signals_(signals) {}

  base::Result<RelayResult> run() {
    int flags = fcntl(options_.remote, F_GETFL);
    if (flags < 0 || fcntl(options_.remote, F_SETFL, flags | O_NONBLOCK) != 0)
      return base::sys_error("fcntl");
    RawMode raw(STDIN_FILENO);
    while (!done_) TRY(round());
    return std::move(result_);
  }

 private:
  enum Slot { kInput, kRemote, kStatus, kSignals };

  base::Status round() {
    bool room = input_open_ && typed_.size() < kMaxTyped;
    std::array<pollfd, 4> polled = {{
        {room ? STDIN_FILENO : -1, POLLIN, 0},
        {options_.remote, static_cast<short>(typed_.empty() ? POLLIN : POLLIN | POLLOUT), 0},
        {options_.status, POLLIN, 0},
        {signals_.fd(), POLLIN, 0},
    }};
    if (poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR)
      return base::sys_error("poll");
    if (polled[kSignals].revents != 0) take_signal();
    if (polled[kInput].revents != 0) TRY(take_input());
    if ((polled[kRemote].revents & POLLOUT) != 0) TRY(send());
    if ((polled[kRemote].revents & (POLLIN | POLLHUP | POLLERR)) != 0) TRY(take_output());
    if (!done_ && polled[kStatus].revents != 0) TRY(take_status());
    return {};
  }

  void take_signal() {
    int signal = signals_.take();
    if (signal == SIGWINCH && options_.pty) {
      winsize size = window_size(STDIN_FILENO);
      ioctl(options_.remote, TIOCSWINSZ, &size);
    } else if (signal != 0 && signal != SIGWINCH) {
      result_.signal = signal;
      done_ = true;
    }
  }

  base::Status take_input() {
    bool end = false;
    std::string text = read_some(STDIN_FILENO, &end);
    if (options_.escape) text = scanner_.scan(text);
    typed_ += text;
    if (scanner_.left()) {
      result_.left = true;
      done_ = true;
      return send();  // what was typed before
    }
    if (!end) return {};
    input_open_ = false;
    if (options_.pty) typed_.push_back('\x04');  // VEOF: what the end of input is on a terminal
    return {};
  }

  base::Status send() {
    ssize_t n = write(options_.remote, typed_.data(), typed_.size());
    if (n > 0) typed_.erase(0, static_cast<size_t>(n));
    if (n < 0 && errno != EAGAIN && errno != EINTR) typed_.clear();  // the read side tells the end
    return {};
  }

  base::Status take_output() {
    bool end = false;
    std::string text = read_some(options_.remote, &end);
    if (options_.filter) text = filter_.filter(text);
    TRY(base::write_all(STDOUT_FILENO, text));
    if (!end) return {};
    // With a status pipe the end is told there: the pty may close a moment earlier.
    if (options_.status >= 0 && result_.status.empty()) {
      TRY_AS(result_.status, read_status(options_.status));
    }
    done_ = true;
    return {};
  }

  // The command has ended. What it wrote is in the pty, or about to be: take it, but do not wait for
  // background processes that hold the terminal.
  base::Status take_status() {
    TRY_AS(result_.status, read_status(options_.status));
    pollfd polled = {options_.remote, POLLIN, 0};
    while (!done_ && poll(&polled, 1, kDrainMs) > 0) TRY(take_output());
    done_ = true;
    return {};
  }

  const RelayOptions& options_;
  const Signals& signals_;
  EscapeScanner scanner_;
  EscapeFilter filter_;
  std::string typed_;
  bool input_open_ = true;
  bool done_ = false;
  RelayResult result_;
};

}  // namespace

std::string EscapeScanner::scan(std::string_view typed) {
  std::string out;
  for (char c : typed) {
    if (left_) break;
    if (tilde_) {
      tilde_ = false;
      if (c == '.') {
        left_ = true;
        break;
      }
      out.push_back('~');
      if (c == '~') continue;
    } else if (c == '~' && at_line_start_) {
      tilde_ = true;
      at_line_start_ = false;
      continue;
    }
    out.push_back(c);
    at_line_start_ = c == '\r' || c == '\n';
  }
  return out;
}

base::Result<std::string> read_status(int pipe) {
  constexpr size_t kMaxLine = 64;
  std::string line;
  while (line.size() < kMaxLine && !line.ends_with('\n')) {
    char byte = 0;
    ssize_t n = read(pipe, &byte, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::sys_error("read the status of the command");
    if (n == 0) break;
    line.push_back(byte);
  }
  return line;
}

base::Result<RelayResult> relay(const RelayOptions& options, const Signals& signals) {
  return Relay(options, signals).run();
}

}  // namespace cli
