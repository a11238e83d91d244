// zoned [--root DIR] [--background | --stop-all | --upgrade] [--version] [--help]
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "base/files.h"
#include "base/log.h"
#include "base/process.h"
#include "base/strings.h"
#include "base/unix_socket.h"
#include "zoned/api/client.h"
#include "zoned/daemon/daemon.h"
#include "zoned/daemon/fault.h"

namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;

constexpr const char* kUsage =
    "usage: zoned [--root DIR] [--background | --stop-all | --upgrade] [--version] [--help]\n"
    "  --root DIR    keep configuration, images and runtime state below DIR\n"
    "  --background  return once the socket answers\n"
    "  --stop-all    end every zone, the keepers and the daemon of this root\n"
    "  --upgrade     replace the running daemon and keepers by the programs installed now\n"
#ifdef ZONED_FAULTS
    "  --list-fault-points\n"
#endif
    ;

struct Options {
  std::string root;
  bool background = false;
  bool stop_all = false;
  bool upgrade = false;
  bool version = false;
  bool help = false;
  bool list_faults = false;
};

Result<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "--root" && i + 1 < argc)
      options.root = argv[++i];
    else if (argument.starts_with("--root="))
      options.root = argument.substr(argument.find('=') + 1);
    else if (argument == "--background")
      options.background = true;
    else if (argument == "--stop-all")
      options.stop_all = true;
    else if (argument == "--upgrade")
      options.upgrade = true;
    else if (argument == "--version")
      options.version = true;
    else if (argument == "--help")
      options.help = true;
#ifdef ZONED_FAULTS
    else if (argument == "--list-fault-points")
      options.list_faults = true;
#endif
    else
      return make_error(Code::kInvalid, "unknown or incomplete option " + base::quoted(argument),
                        "zoned --help");
  }
  if (options.background + options.stop_all + options.upgrade > 1)
    return make_error(Code::kInvalid, "--background, --stop-all and --upgrade exclude each other");
  return options;
}

void report(const base::Error& error) {
  base::log_error(error.message);
  if (!error.hint.empty()) base::log_error("hint: " + error.hint);
}

// Replaces this process by the program that now lies where ours did.
[[noreturn]] void start_again(const std::string& program, const std::string& root) {
  std::vector<const char*> args = {"zoned"};
  if (!root.empty()) args.insert(args.end(), {"--root", root.c_str()});
  args.push_back(nullptr);
  execv(program.c_str(), const_cast<char* const*>(args.data()));
  report(base::sys_error("upgrade: exec " + base::quoted(program, 400)));
  _exit(1);
}

Status serve(const std::string& root, std::function<void()> on_ready) {
  TRY_AS(std::string program, zoned::program_folder());
  program += "/zoned";
  TRY_AS(auto daemon, zoned::Daemon::create(root, zoned::Daemon::Task::kServe));
  TRY(daemon->run(std::move(on_ready)));
  if (daemon->upgrading()) {
    daemon.reset();
    start_again(program, root);
  }
  return {};
}

// The child's side of --background: `ready` gets "+" or the error.
int serve_detached(const std::string& root, UniqueFd ready) {
  auto prepare = [&]() -> Status {
    if (setsid() < 0) return base::sys_error("setsid");
    std::string run = api::paths_for(root).run;
    TRY_AS(UniqueFd dir, base::make_dirs(AT_FDCWD, run, 0711));
    TRY_AS(UniqueFd log, base::open_at(dir.get(), zoned::kLogFile,
                                       O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600));
    TRY_AS(UniqueFd null, base::open_at(AT_FDCWD, "/dev/null", O_RDWR));
    if (dup2(null.get(), 0) < 0 || dup2(null.get(), 1) < 0 || dup2(log.get(), 2) < 0)
      return base::sys_error("dup2");
    if (chdir("/") != 0) return base::sys_error("chdir");
    return {};
  };
  Status status = prepare();
  if (status) {
    status = serve(root, [&ready] {
      base::log_ignored("tell the starter", base::write_all(ready.get(), "+"));
      ready.reset();
    });
  }
  if (status) return 0;
  if (ready) {
    std::string text = status.error().message;
    if (!status.error().hint.empty()) text += "\nhint: " + status.error().hint;
    base::log_ignored("tell the starter", base::write_all(ready.get(), text));
  }
  report(status.error());
  return 1;
}

int run_in_background(const std::string& root) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    report(base::sys_error("pipe"));
    return 1;
  }
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  pid_t pid = fork();
  if (pid < 0) {
    report(base::sys_error("fork"));
    return 1;
  }
  if (pid == 0) {
    read_end.reset();
    _exit(serve_detached(root, std::move(write_end)));
  }
  write_end.reset();
  auto answer = base::read_fd(read_end.get(), 65536);
  if (answer && *answer == "+") return 0;
  std::string text = answer && !answer->empty() ? *answer : "zoned ended before it was ready";
  for (const std::string& line : base::split(text, '\n')) base::log_error(line);
  return 1;
}

Result<UniqueFd> connect(const api::Paths& paths) {
  TRY_AS(UniqueFd dir, base::open_at(AT_FDCWD, paths.run, O_RDONLY | O_DIRECTORY));
  return base::connect_unix(dir.get(), api::Paths::kSocketName, SOCK_STREAM);
}

// Returns when the new program answers.
Status upgrade(const std::string& root) {
  api::Paths paths = api::paths_for(root);
  auto socket = connect(paths);
  if (!socket)
    return make_error(Code::kState, "no zoned answers on " + base::quoted(paths.run, 400),
                      "start it; a daemon that starts is the installed one");
  pollfd old_program = {socket->get(), POLLRDHUP, 0};
  api::Client client(*std::move(socket));
  TRY(client.call("Upgrade", nlohmann::json::object()));
  // Until it has gone, the old program answers as the new one will.
  constexpr int kPatienceMs = 10000;
  if (poll(&old_program, 1, kPatienceMs) != 1)
    return make_error(Code::kTimeout, "the old zoned does not end");
  constexpr int kAttempts = 1000;
  constexpr timespec kPause = {0, 10000000};
  for (int i = 0; i < kAttempts; ++i) {
    nanosleep(&kPause, nullptr);
    auto again = connect(paths);
    if (again && api::Client(*std::move(again)).call("Host", nlohmann::json::object())) return {};
  }
  return make_error(Code::kTimeout, "the new zoned does not answer",
                    "its log is " + paths.run + "/" + zoned::kLogFile);
}

// Whether all has ended; not: the daemon ended before it could say.
Result<bool> ask_to_stop(UniqueFd socket) {
  TRY_AS(base::Peer peer, base::peer_of(socket.get()));
  auto process = base::open_pidfd(peer.pid);
  if (!process && process.error().sys_errno == ESRCH) return false;
  if (!process) return std::move(process).error();
  api::Client client(std::move(socket));
  auto stopped = client.call("StopAll", nlohmann::json::object());
  // The lock is free, and a new daemon may start, when it has ended.
  constexpr int kPatienceMs = 10000;
  constexpr int kDyingMs = 1000;
  pollfd poll_process = {process->get(), POLLIN, 0};
  bool ended = poll(&poll_process, 1, stopped ? kPatienceMs : kDyingMs) == 1;
  if (!stopped && !ended) return std::move(stopped).error();
  if (!ended)
    return make_error(Code::kTimeout, "zoned (pid " + std::to_string(peer.pid) +
                                          ") has stopped its zones and does not end");
  return stopped.ok();
}

// A running daemon is asked; without one its keepers and zones are taken over and ended. Others may be
// about the same: what they leave is looked at when they are done.
Status stop_all(const std::string& root) {
  constexpr int kAttempts = 2000;  // some 10 minutes: each waits for the lock
  api::Paths paths = api::paths_for(root);
  if (!base::exists_at(AT_FDCWD, paths.run)) return {};
  for (int attempt = 1;; ++attempt) {
    if (auto socket = connect(paths)) {
      TRY_AS(bool all, ask_to_stop(*std::move(socket)));
      if (all) return {};
      continue;
    }
    auto daemon = zoned::Daemon::create(root, zoned::Daemon::Task::kStop);
    if (daemon) return (*daemon)->run_to_stop();
    if (daemon.error().code != Code::kBusy || attempt == kAttempts)
      return std::move(daemon).error();
  }
}

int run(const Options& options) {
  auto root = zoned::canonical_root(options.root);
  if (!root) {
    report(root.error());
    return 1;
  }
  if (options.background) return run_in_background(*root);
  Status status = options.stop_all  ? stop_all(*root)
                  : options.upgrade ? upgrade(*root)
                                    : serve(*root, [] {});
  if (status) return 0;
  report(status.error());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  base::set_log_program("zoned");
  // Replies are large, made of small pieces, and gone at once: merging the pieces after each cost a
  // sixth of the time (mallopt(3)).
  constexpr int kKeepBytes = 16 << 20;
  mallopt(M_MXFAST, 0);
  mallopt(M_TRIM_THRESHOLD, kKeepBytes);
  auto options = parse(argc, argv);
  if (!options) {
    report(options.error());
    return 2;
  }
  if (options->help || options->version) {
    fputs(options->help ? kUsage : "zoned " ZONED_VERSION "\n", stdout);
    return 0;
  }
  if (options->list_faults) {
    for (std::string_view name : zoned::kFaultPoints) puts(std::string(name).c_str());
    return 0;
  }
  return run(*options);
}
