#include <poll.h>
#include <unistd.h>

#include <array>
#include <cmath>

#include "base/files.h"
#include "base/strings.h"
#include "cli/handlers.h"
#include "cli/stat_table.h"
#include "cli/terminal.h"
#include "zoned/api/message.h"

namespace cli {
namespace {

using base::Code;
using base::make_error;
using nlohmann::json;

constexpr const char* kEnterScreen = "\x1b[?1049h\x1b[?25l";
constexpr const char* kLeaveScreen = "\x1b[?25h\x1b[?1049l";

// The alternate screen for as long as it lives.
class Screen {
 public:
  Screen() { show(kEnterScreen); }
  ~Screen() { show(kLeaveScreen); }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  void show(const std::string& text) { failed_ = !base::write_all(STDOUT_FILENO, text) || failed_; }
  bool failed() const { return failed_; }

 private:
  bool failed_ = false;
};

// As many lines and columns as fit.
std::string fit(const std::string& text, const winsize& size) {
  std::string out = "\x1b[H";
  int row = 0;
  for (const std::string& line : base::split(text, '\n')) {
    if (++row >= size.ws_row) break;
    out += line.substr(0, size.ws_col) + "\x1b[K\n";
  }
  return out + "\x1b[J";
}

}  // namespace

base::Result<int> stat(const Context& context, const Arguments& arguments) {
  uint64_t interval = 0;
  uint64_t count = 0;  // without end
  if (arguments.has("interval")) {
    TRY_AS(interval, base::parse_duration_ms(arguments.value("interval")));
    if (interval < 100) return make_error(Code::kInvalid, "the interval is at least 100ms");
  }
  if (arguments.has("count")) {
    TRY_AS(count, base::parse_uint(arguments.value("count"), 1, 1000000000));
  }
  json parameters = {{"names", arguments.words}, {"interval_ms", interval}};
  TRY_AS(api::Client client, context.connect());
  bool first = true;
  TRY(client.start("Stat", parameters, /*more=*/interval > 0));
  while (true) {
    TRY_AS(api::Reply reply, client.next());
    if (context.json) {
      json out = stat_json(reply.parameters);
      interval > 0 ? print(api::to_text(out) + "\n") : print_json(out);
    } else {
      print((first ? "" : "\n") + stat_tables(reply.parameters));
    }
    fflush(stdout);
    first = false;
    if (!reply.continues || (count > 0 && --count == 0)) return 0;
  }
}

base::Result<int> top(const Context& context, const Arguments& arguments) {
  constexpr int kIntervalMs = 1000;
  if (isatty(STDOUT_FILENO) == 0)
    return make_error(Code::kInvalid, "top needs a terminal", "zone stat --interval 1");
  TRY_AS(api::Client client, context.connect());
  TRY(client.start("Stat", {{"names", arguments.words}, {"interval_ms", kIntervalMs}},
                   /*more=*/true));
  TRY_AS(Signals signals, Signals::block({SIGINT, SIGTERM, SIGHUP, SIGQUIT}));
  RawMode cbreak(STDIN_FILENO, /*keep_signals=*/true);
  Screen screen;
  while (!screen.failed()) {
    std::array<pollfd, 3> polled = {{{client.fd(), POLLIN, 0},
                                     {isatty(STDIN_FILENO) != 0 ? STDIN_FILENO : -1, POLLIN, 0},
                                     {signals.fd(), POLLIN, 0}}};
    if (!client.has_reply() && poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR)
      return base::sys_error("poll");
    if (polled[2].revents != 0) return 0;
    if (polled[1].revents != 0) {
      char key = 'q';
      if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q') return 0;
    }
    if (!client.has_reply() && polled[0].revents == 0) continue;
    TRY_AS(api::Reply reply, client.next());
    screen.show(fit(stat_tables(reply.parameters), window_size(STDOUT_FILENO)));
    if (!reply.continues) return 0;
  }
  return 0;
}

}  // namespace cli
