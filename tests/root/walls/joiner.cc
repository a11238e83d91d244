// A process that joins a zone runs nothing before the keeper knows of it (core::fork_joiner).
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "base/files.h"
#include "base/process.h"
#include "base/unix_socket.h"
#include "tests/root/cells/must.h"
#include "zoned/core/launcher.h"
#include "zoned/core/namespaces.h"
#include "zoned/core/seccomp_filter.h"

namespace {

using base::UniqueFd;
using cells::must;

// Far from the ranges that zones of this machine use.
constexpr core::IdRange kIds{core::kIdsPerZone * 28002};

// The first process of namespaces such as a zone's, in the host's tree.
class Zone {
 public:
  Zone() {
    base::Pipe ready = must(base::make_pipe());
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      dup2(ready.write.get(), STDOUT_FILENO);
      execlp("unshare", "unshare", "--user", "--mount", "--pid", "--fork", "--kill-child", "--net",
             "--uts", "--ipc", "--cgroup", "--time", "sh", "-c", "echo; exec sleep 60", nullptr);
      _exit(127);
    }
    ready.write.reset();
    char byte = 0;
    REQUIRE(read(ready.read.get(), &byte, 1) == 1);
    std::string own = std::to_string(pid_);
    std::string child =
        must(base::read_file(AT_FDCWD, "/proc/" + own + "/task/" + own + "/children"));
    pidfd_ = must(base::open_pidfd(std::stoi(child)));
    must(core::map_ids(std::stoi(child), kIds));
  }
  ~Zone() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;
  int pidfd() const { return pidfd_.get(); }

 private:
  pid_t pid_ = 0;
  UniqueFd pidfd_;
};

// What a program that joins says, until nobody can say anything more.
std::string said_by_joiner(const Zone& zone, bool keeper_listens) {
  core::EnterPlan plan;
  plan.filter = "app";
  plan.exec.path = "/bin/echo";
  plan.exec.argv = {"echo", "in"};
  UniqueFd filter = must(core::filter_memfd(plan.filter));
  UniqueFd null = must(base::open_at(AT_FDCWD, "/dev/null", O_RDONLY));
  base::Pipe output = must(base::make_pipe());
  auto keeper = must(base::socket_pair(SOCK_SEQPACKET));
  if (!keeper_listens) keeper.first.reset();
  core::FdTable fds = {{"filter", filter.get()},
                       {"stdin", null.get()},
                       {"stdout", output.write.get()},
                       {"stderr", output.write.get()}};
  pid_t joiner = must(core::fork_joiner(plan, fds, zone.pidfd(), keeper.second.get()));
  output.write.reset();
  std::string said = must(base::read_fd(output.read.get()));
  CHECK(waitpid(joiner, nullptr, 0) == joiner);
  // Its child is ours (CLONE_PARENT); the zone's starter stays.
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  return said;
}

TEST_CASE("a program that joins a zone waits until the keeper knows of it") {
  Zone zone;
  CHECK(said_by_joiner(zone, true) == "in\n");
  CHECK(said_by_joiner(zone, false).empty());
}

}  // namespace
