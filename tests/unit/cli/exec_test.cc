#include <pty.h>
#include <sys/stat.h>
#include <termios.h>

#include "cli/relay.h"
#include "cli/terminal.h"
#include "tests/unit/cli/fake_daemon.h"

namespace {

using cli_test::FakeDaemon;
using cli_test::take;
using nlohmann::json;

struct Pipe {
  base::UniqueFd read_end, write_end;
  Pipe() {
    int fds[2];
    REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
    read_end.reset(fds[0]);
    write_end.reset(fds[1]);
  }
};

struct Pty {
  base::UniqueFd master, slave;
  Pty() {
    int m = -1, s = -1;
    winsize size = {30, 100, 0, 0};
    REQUIRE(openpty(&m, &s, nullptr, nullptr, &size) == 0);
    master.reset(m);
    slave.reset(s);
    fcntl(m, F_SETFD, FD_CLOEXEC);
    fcntl(s, F_SETFD, FD_CLOEXEC);
  }
};

std::vector<base::UniqueFd> one(base::UniqueFd fd) {
  std::vector<base::UniqueFd> fds;
  fds.push_back(std::move(fd));
  return fds;
}

// Serves until `text` can be read from fd.
void expect(FakeDaemon* daemon, int fd, const std::string& text) {
  std::string got;
  fcntl(fd, F_SETFL, O_NONBLOCK);
  for (int i = 0; i < 1000 && got.find(text) == std::string::npos; ++i) {
    char buffer[4096];
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n > 0) got.append(buffer, static_cast<size_t>(n));
    daemon->turn();
  }
  CAPTURE(got);
  REQUIRE(got.find(text) != std::string::npos);
}

TEST_CASE("exec hands its own stdio over and exits as the command did") {
  auto [line, status] = GENERATE(table<std::string, int>({{"exit 0\n", 0},
                                                          {"exit 7\n", 7},
                                                          {"exit 126\n", 126},
                                                          {"signal 9\n", 137},
                                                          {"unknown\n", 125},
                                                          {"", 125}}));
  FakeDaemon daemon;
  daemon.methods["Exec"] = [line = line](api::Call& call) {
    CHECK(call.parameters["argv"] == json{"ls", "-l"});
    CHECK(call.parameters["user"] == "www");
    CHECK(call.parameters["tty"] == false);
    REQUIRE(call.fds.size() == 3);
    CHECK(write(call.fds[1].get(), "from the zone", 13) == 13);
    Pipe status_pipe;
    CHECK(base::write_all(status_pipe.write_end.get(), line).ok());
    call.answer.reply({{"pid", getpid()}, {"status", 0}}, one(std::move(status_pipe.read_end)));
  };
  auto outcome = daemon.zone({"exec", "web", "-u", "www", "ls", "-l"});
  CHECK(outcome.status == status);
  CHECK(outcome.out == "from the zone");
}

TEST_CASE("exec survives a daemon that dies while the command runs") {
  auto daemon = std::make_unique<FakeDaemon>();
  Pipe status_pipe;
  bool answered = false;
  daemon->methods["Exec"] = [&](api::Call& call) {
    call.answer.reply({{"pid", getpid()}, {"status", 0}}, one(std::move(status_pipe.read_end)));
    answered = true;
  };
  pid_t child = daemon->start("zone", {"exec", "web", "sleep"}, {0, 1, 2});
  while (!answered) daemon->turn();
  daemon.reset();
  usleep(50000);
  int status = 0;
  CHECK(waitpid(child, &status, WNOHANG) == 0);
  REQUIRE(base::write_all(status_pipe.write_end.get(), "exit 3\n").ok());
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 3);
}

TEST_CASE("without a terminal, signals go on to the command") {
  FakeDaemon daemon;
  pid_t command = fork();  // stands for the zone's process
  REQUIRE(command >= 0);
  if (command == 0) {
    signal(SIGTERM, SIG_DFL);
    pause();
    _exit(0);
  }
  Pipe status_pipe;
  bool answered = false;
  daemon.methods["Exec"] = [&](api::Call& call) {
    call.answer.reply({{"pid", command}, {"status", 0}}, one(std::move(status_pipe.read_end)));
    answered = true;
  };
  Pipe input;
  pid_t child = daemon.start("zone", {"exec", "web", "sleep"}, {input.read_end.get(), 1, 2});
  while (!answered) daemon.turn();
  usleep(50000);
  kill(child, SIGTERM);
  int status = 0;
  REQUIRE(waitpid(command, &status, 0) == command);
  CHECK(WTERMSIG(status) == SIGTERM);
  REQUIRE(base::write_all(status_pipe.write_end.get(), "signal 15\n").ok());
  CHECK(daemon.wait(child) == 143);
}

TEST_CASE("on a terminal the zone's pty is relayed, resized, and the terminal restored") {
  FakeDaemon daemon;
  Pty user, zone;
  Pipe status_pipe;
  json parameters;
  daemon.methods["Exec"] = [&](api::Call& call) {
    parameters = call.parameters;
    CHECK(call.fds.empty());  // the user's terminal stays with the client
    std::vector<base::UniqueFd> fds = one(std::move(status_pipe.read_end));
    fds.push_back(std::move(zone.master));
    call.answer.reply({{"pid", 1}, {"status", 0}, {"pty", 1}}, std::move(fds));
  };
  // The zone's program has a raw terminal, so that what arrives is what was sent.
  termios raw = {}, before = {}, after = {};
  REQUIRE(tcgetattr(zone.slave.get(), &raw) == 0);
  cfmakeraw(&raw);
  REQUIRE(tcsetattr(zone.slave.get(), TCSANOW, &raw) == 0);
  REQUIRE(tcgetattr(user.slave.get(), &before) == 0);
  int terminal = user.slave.get();
  pid_t child = daemon.start("zone", {"exec", "web", "sh"}, {terminal, terminal, terminal});
  REQUIRE(base::write_all(zone.slave.get(), "prompt$ ").ok());
  expect(&daemon, user.master.get(), "prompt$ ");
  CHECK(parameters["tty"] == true);
  CHECK(parameters["rows"] == 30);
  CHECK(parameters["columns"] == 100);
  REQUIRE(base::write_all(user.master.get(), "\x03ls\r").ok());  // ^C is the zone's
  expect(&daemon, zone.slave.get(), "\x03ls\r");
  winsize size = {50, 120, 0, 0};
  REQUIRE(ioctl(user.master.get(), TIOCSWINSZ, &size) == 0);
  kill(child, SIGWINCH);  // the kernel sends it to a session of its own only
  winsize seen = {};
  for (int i = 0; i < 400 && seen.ws_col != 120; ++i) {
    daemon.turn();
    REQUIRE(ioctl(zone.slave.get(), TIOCGWINSZ, &seen) == 0);
  }
  CHECK(seen.ws_row == 50);
  CHECK(seen.ws_col == 120);
  REQUIRE(base::write_all(zone.slave.get(), "last words").ok());
  REQUIRE(base::write_all(status_pipe.write_end.get(), "exit 5\n").ok());
  expect(&daemon, user.master.get(), "last words");
  CHECK(daemon.wait(child) == 5);
  REQUIRE(tcgetattr(user.slave.get(), &after) == 0);
  CHECK(after.c_lflag == before.c_lflag);
  CHECK(after.c_iflag == before.c_iflag);
  CHECK(after.c_oflag == before.c_oflag);
}

TEST_CASE("a command that ends at once on a terminal gives its output and its status") {
  std::string output = GENERATE("done", "");
  FakeDaemon daemon;
  Pty user;
  daemon.methods["Exec"] = [output](api::Call& call) {
    Pty zone;
    Pipe status_pipe;
    REQUIRE(base::write_all(zone.slave.get(), output).ok());
    REQUIRE(base::write_all(status_pipe.write_end.get(), "exit 4\n").ok());
    std::vector<base::UniqueFd> fds = one(std::move(status_pipe.read_end));
    fds.push_back(std::move(zone.master));
    call.answer.reply({{"pid", 1}, {"status", 0}, {"pty", 1}}, std::move(fds));
  };
  int terminal = user.slave.get();
  pid_t child = daemon.start("zone", {"exec", "web", "true"}, {terminal, terminal, terminal});
  CHECK(daemon.wait(child) == 4);
  expect(&daemon, user.master.get(), output);
}

TEST_CASE("a signal ends the relay and restores the terminal") {
  FakeDaemon daemon;
  Pty user, zone;
  Pipe status_pipe;
  daemon.methods["Exec"] = [&](api::Call& call) {
    std::vector<base::UniqueFd> fds = one(std::move(status_pipe.read_end));
    fds.push_back(std::move(zone.master));
    call.answer.reply({{"pid", 1}, {"status", 0}, {"pty", 1}}, std::move(fds));
  };
  termios before = {}, after = {};
  REQUIRE(tcgetattr(user.slave.get(), &before) == 0);
  int terminal = user.slave.get();
  pid_t child = daemon.start("zone", {"login", "web"}, {terminal, terminal, terminal});
  REQUIRE(base::write_all(zone.slave.get(), "ready").ok());
  expect(&daemon, user.master.get(), "ready");
  kill(child, SIGTERM);
  CHECK(daemon.wait(child) == 143);
  REQUIRE(tcgetattr(user.slave.get(), &after) == 0);
  CHECK(after.c_lflag == before.c_lflag);
}

TEST_CASE("the console is filtered for a terminal and left by ~.") {
  FakeDaemon daemon;
  Pty user;
  auto pair = take(base::socket_pair(SOCK_STREAM));
  daemon.methods["Console"] = [&](api::Call& call) {
    call.answer.reply({{"socket", 0}}, one(std::move(pair.first)));
  };
  int terminal = user.slave.get();
  pid_t child = daemon.start("zone", {"console", "web"}, {terminal, terminal, terminal});
  REQUIRE(base::write_all(pair.second.get(), "\x1b]52;c;x\alogin:\x1b[6n!").ok());
  expect(&daemon, user.master.get(), "login:!");
  REQUIRE(base::write_all(user.master.get(), "root\r~~x\r~.").ok());
  CHECK(daemon.wait(child) == 0);
  char typed[64] = {};
  CHECK(read(pair.second.get(), typed, sizeof typed - 1) > 0);
  CHECK(std::string(typed) == "root\r~x\r");
}

TEST_CASE("the escape is found only behind a newline, however the input is cut") {
  auto scan = [](const std::vector<std::string>& pieces) {
    cli::EscapeScanner scanner;
    std::string out;
    for (const std::string& piece : pieces) out += scanner.scan(piece);
    return out + (scanner.left() ? "|left" : "");
  };
  CHECK(scan({"~."}) == "|left");
  CHECK(scan({"a\r", "~", "."}) == "a\r|left");
  CHECK(scan({"a~."}) == "a~.");
  CHECK(scan({"\n~~."}) == "\n~.");
  CHECK(scan({"\n~a\n~\n~."}) == "\n~a\n~\n|left");
  CHECK(scan({"~.rest"}) == "|left");
}

TEST_CASE("logs prints all files in order, or the last lines") {
  FakeDaemon daemon;
  daemon.methods["Logs"] = [](api::Call& call) {
    std::vector<base::UniqueFd> fds;
    fds.push_back(take(base::sealed_memfd("old", "1\n2\n")));
    fds.push_back(take(base::sealed_memfd("new", "3\n4\n")));
    call.answer.reply({{"files", {0, 1}}}, std::move(fds));
  };
  CHECK(daemon.zone({"logs", "web"}).out == "1\n2\n3\n4\n");
  CHECK(daemon.zone({"logs", "web", "-n", "3"}).out == "2\n3\n4\n");
}

TEST_CASE("logs -f follows over a rotation without losing or repeating a line") {
  FakeDaemon daemon;
  char folder[] = "/tmp/cli-logs-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  base::UniqueFd dir = take(base::open_at(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY));
  auto append = [&](const char* file, const std::string& text) {
    auto fd = take(base::open_at(dir.get(), file, O_WRONLY | O_CREAT | O_APPEND, 0600));
    REQUIRE(base::write_all(fd.get(), text).ok());
  };
  daemon.methods["Logs"] = [&](api::Call& call) {
    std::vector<base::UniqueFd> fds;
    json files = json::array();
    for (const char* file : {"log.1", "log"}) {
      auto fd = base::open_at(dir.get(), file, O_RDONLY);
      if (!fd) continue;
      files.push_back(fds.size());
      fds.push_back(*std::move(fd));
    }
    call.answer.reply({{"files", files}}, std::move(fds));
  };
  append("log", "one\n");
  Pipe out;
  pid_t child = daemon.start("zone", {"logs", "-f", "web"}, {0, out.write_end.get(), 2});
  expect(&daemon, out.read_end.get(), "one\n");
  append("log", "two\n");
  expect(&daemon, out.read_end.get(), "two\n");
  append("log", "three\n");
  REQUIRE(renameat(dir.get(), "log", dir.get(), "log.1") == 0);
  append("log", "four\n");
  expect(&daemon, out.read_end.get(), "three\nfour\n");
  append("log", "five\n");
  expect(&daemon, out.read_end.get(), "five\n");
  kill(child, SIGTERM);
  daemon.wait(child);
  REQUIRE(base::remove_tree(AT_FDCWD, folder).ok());
}

}  // namespace
