// A daemon that answers what the test says, and the client in a process of its own.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "base/event_loop.h"
#include "base/files.h"
#include "cli/solaris.h"
#include "cli/verbs.h"
#include "tests/harness/parse_here.h"
#include "zoned/api/server.h"

namespace cli_test {

template <typename T>
T take(base::Result<T> result) {
  INFO((result ? "" : result.error().message));
  REQUIRE(result.ok());
  return *std::move(result);
}

struct Outcome {
  int status = -1;  // as a shell's
  std::string out, err;
};

class FakeDaemon {
 public:
  FakeDaemon() {
    char folder[] = "/tmp/cli-test-XXXXXX";
    REQUIRE(mkdtemp(folder) != nullptr);
    root_ = folder;
    run_ = take(base::make_dirs(AT_FDCWD, root_ + "/run"));
    loop_ = take(base::EventLoop::create());
    auto listener = take(base::listen_unix(run_.get(), "zoned.sock", SOCK_STREAM));
    server_ = take(api::Server::create(loop_.get(), std::move(listener), harness::parse_here,
                                       [this](api::Call call) { answer(std::move(call)); }, {}));
  }
  ~FakeDaemon() {
    server_.reset();
    unlinkat(run_.get(), "zoned.sock", 0);
    rmdir((root_ + "/run").c_str());
    rmdir(root_.c_str());
  }

  // By method; a call of another method fails with "unsupported".
  std::map<std::string, std::function<void(api::Call&)>> methods;
  std::vector<std::string> called;  // methods in order

  void reply(const std::string& method, nlohmann::json parameters) {
    methods[method] = [parameters](api::Call& call) { call.answer.reply(parameters); };
  }

  // Starts the program with these descriptors as 0, 1, 2.
  pid_t start(const std::string& program, const std::vector<std::string>& words,
              std::array<int, 3> fds) {
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child != 0) return child;
    for (int signal = 1; signal < SIGSYS; ++signal) ::signal(signal, SIG_DFL);  // not Catch2's
    for (int i = 0; i < 3; ++i) dup2(fds[static_cast<size_t>(i)], i);
    cli::Context context;
    context.program = program;
    context.root = root_;
    int status =
        program == "zone" ? cli::run_zone(context, words) : cli::run_solaris(context, words);
    fflush(stdout);
    _exit(status);
  }

  void turn() { REQUIRE(loop_->run_once(std::chrono::milliseconds(5)).ok()); }

  // Serves until the child ends.
  int wait(pid_t child) {
    int status = 0;
    for (int i = 0; i < 4000; ++i) {
      turn();
      if (waitpid(child, &status, WNOHANG) == child)
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    FAIL("the client did not end");
    return -1;
  }

  Outcome run(const std::string& program, const std::vector<std::string>& words,
              const std::string& input = "") {
    int in[2], out[2], err[2];
    REQUIRE(pipe2(in, O_CLOEXEC) == 0);
    REQUIRE(pipe2(out, O_CLOEXEC) == 0);
    REQUIRE(pipe2(err, O_CLOEXEC) == 0);
    REQUIRE(write(in[1], input.data(), input.size()) == static_cast<ssize_t>(input.size()));
    close(in[1]);
    pid_t child = start(program, words, {in[0], out[1], err[1]});
    for (int fd : {in[0], out[1], err[1]}) close(fd);
    Outcome outcome;
    outcome.status = wait(child);
    outcome.out = take(base::read_fd(out[0]));
    outcome.err = take(base::read_fd(err[0]));
    close(out[0]);
    close(err[0]);
    return outcome;
  }
  Outcome zone(const std::vector<std::string>& words, const std::string& input = "") {
    return run("zone", words, input);
  }
  const std::string& root() const { return root_; }

 private:
  void answer(api::Call call) {
    called.push_back(call.method);
    auto it = methods.find(call.method);
    if (it == methods.end()) {
      call.answer.fail(base::make_error(base::Code::kUnsupported, "no " + call.method));
    } else {
      it->second(call);
    }
  }

  std::string root_;
  base::UniqueFd run_;
  std::unique_ptr<base::EventLoop> loop_;
  std::unique_ptr<api::Server> server_;
};

}  // namespace cli_test
