#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <utility>

#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"
#include "cli/handlers.h"
#include "cli/relay.h"
#include "cli/terminal.h"

namespace cli {
namespace {

using base::Code;
using base::make_error;
using nlohmann::json;

// "exit N" or "signal N" as a shell's status. The line's form: zoned/core/keeper_protocol.h.
base::Result<int> status_of(std::string_view line) {
  std::string_view text = base::trim(line);
  size_t space = text.find(' ');
  std::string_view kind = text.substr(0, space);
  std::string_view number = space == std::string_view::npos ? "" : text.substr(space + 1);
  auto value = base::parse_uint(number, 0, 255);
  if (kind == "exit" && value) return static_cast<int>(*value);
  if (kind == "signal" && value) return 128 + static_cast<int>(*value);
  return make_error(Code::kIo, "the exit status of the command is unknown",
                    "the zone-keeper ended before the command did");
}

// The descriptor that an index of the reply names.
base::Result<base::UniqueFd> take_fd(api::Reply* reply, const char* member) {
  int64_t index = int_of(reply->parameters, member, -1);
  if (index < 0 || static_cast<size_t>(index) >= reply->fds.size() ||
      !reply->fds[static_cast<size_t>(index)])
    return make_error(Code::kInternal, std::string("zoned sent no descriptor for ") + member);
  return std::move(reply->fds[static_cast<size_t>(index)]);
}

// Passes a signal on to the command; what to do when that can't be done is the caller's.
using Forward = std::function<base::Status(int signal)>;

// Waits for the status pipe and passes signals on. Stdio is the command's own: nothing to copy.
base::Result<int> wait_status(const base::UniqueFd& status, const Signals& signals,
                              const Forward& forward) {
  std::array<pollfd, 2> polled = {{{status.get(), POLLIN, 0}, {signals.fd(), POLLIN, 0}}};
  while (true) {
    if (poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR)
      return base::sys_error("poll");
    if (polled[0].revents != 0) {
      TRY_AS(std::string line, read_status(status.get()));
      return status_of(line);
    }
    int signal = signals.take();
    if (signal == 0 || signal == SIGWINCH) continue;
    // Who can't signal the command leaves it behind, like any other lost client.
    if (!forward(signal)) return 128 + signal;
  }
}

base::Result<int> relay_pty(api::Reply* reply, const base::UniqueFd& status,
                            const Signals& signals) {
  TRY_AS(base::UniqueFd pty, take_fd(reply, "pty"));
  RelayOptions options;
  options.remote = pty.get();
  options.status = status.get();
  options.pty = true;
  TRY_AS(RelayResult result, relay(options, signals));
  if (result.signal != 0) return 128 + result.signal;
  return status_of(result.status);
}

// The call, interruptible; then the command until its end. make_forward: from the reply.
base::Result<int> run_command(const Context& context, std::string_view method, json parameters,
                              bool tty, const std::function<Forward(const json&)>& make_forward) {
  TRY_AS(api::Client client, context.connect());
  winsize size = window_size(STDIN_FILENO);
  parameters["tty"] = tty;
  parameters["rows"] = tty ? size.ws_row : 0;
  parameters["columns"] = tty ? size.ws_col : 0;
  TRY_AS(Signals signals, Signals::block({SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH}));
  // With a pty of the zone the user's own terminal stays here.
  std::vector<int> stdio = tty ? std::vector<int>{} : std::vector<int>{0, 1, 2};
  TRY(client.start(method, std::move(parameters), /*more=*/false, stdio));
  std::array<pollfd, 2> polled = {{{client.fd(), POLLIN, 0}, {signals.fd(), POLLIN, 0}}};
  while (!client.has_reply()) {
    if (poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR)
      return base::sys_error("poll");
    if (polled[0].revents != 0) break;
    int signal = signals.take();
    if (signal != 0 && signal != SIGWINCH) return 128 + signal;
  }
  TRY_AS(api::Reply reply, client.next());
  TRY_AS(base::UniqueFd status, take_fd(&reply, "status"));
  if (tty) return relay_pty(&reply, status, signals);
  return wait_status(status, signals, make_forward(reply.parameters));
}

bool want_tty(const Arguments& arguments) {
  if (arguments.has("tty")) return true;
  return !arguments.has("no-tty") && isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0;
}

std::vector<std::string> environment(const Arguments& arguments, bool tty) {
  std::vector<std::string> env = arguments.values("env");
  const char* term = getenv("TERM");
  if (tty && term != nullptr) env.insert(env.begin(), std::string("TERM=") + term);
  return env;
}

// By pidfd, so that a signal never reaches a later process of the same number.
Forward forward_to(pid_t pid) {
  auto opened = base::open_pidfd(pid);
  if (!opened) return [error = opened.error()](int) { return base::Status(error); };
  auto fd = std::make_shared<base::UniqueFd>(*std::move(opened));
  return [fd](int signal) { return base::signal_pidfd(fd->get(), signal); };
}

}  // namespace

base::Result<int> exec_in_zone(const Context& context, const ExecRequest& request) {
  json parameters = {{"name", request.name},
                     {"argv", request.argv},
                     {"env", request.env},
                     {"user", request.user},
                     {"workdir", request.workdir}};
  return run_command(context, "Exec", std::move(parameters), request.tty, [](const json& reply) {
    return forward_to(static_cast<pid_t>(int_of(reply, "pid", -1)));
  });
}

base::Result<int> exec(const Context& context, const Arguments& arguments) {
  if (arguments.command.empty())
    return make_error(Code::kInvalid, "no command given", "for a shell: zone login NAME");
  ExecRequest request;
  request.name = arguments.words[0];
  request.argv = arguments.command;
  request.tty = want_tty(arguments);
  request.env = environment(arguments, request.tty);
  request.user = arguments.value("user");
  request.workdir = arguments.value("workdir");
  return exec_in_zone(context, request);
}

base::Result<int> login(const Context& context, const Arguments& arguments) {
  ExecRequest request;
  request.name = arguments.words[0];
  request.tty = want_tty(arguments);
  request.env = environment(arguments, request.tty);
  request.user = arguments.value("user");
  return exec_in_zone(context, request);
}

base::Result<int> run(const Context& context, const Arguments& arguments) {
  if (arguments.command.empty()) return make_error(Code::kInvalid, "no command given");
  TRY_AS(std::string source, absolute_source(arguments.value("from")));
  std::string config;
  if (arguments.has("file")) {
    TRY_AS(config, read_text(arguments.value("file")));
  }
  bool tty = want_tty(arguments);
  json name = arguments.has("name") ? json(arguments.value("name")) : json();
  json parameters = {
      {"name", name},     {"config", config},          {"assignments", arguments.values("set")},
      {"source", source}, {"argv", arguments.command}, {"env", environment(arguments, tty)}};
  // The zone's first process passes signals on to the command.
  auto forward = [&context](const json& reply) -> Forward {
    return [&context, zone = text_of(reply, "name")](int signal) -> base::Status {
      TRY_AS(json listed, call(context, "List", {{"names", {zone}}}));
      json zones = listed.value("zones", json::array());
      int64_t pid = zones.empty() ? -1 : int_of(zones[0], "pid", -1);
      if (pid > 0) return forward_to(static_cast<pid_t>(pid))(signal);
      TRY_AS(json halted, call(context, "Halt", {{"name", zone}}));
      return {};
    };
  };
  return run_command(context, "Run", std::move(parameters), tty, forward);
}

}  // namespace cli
