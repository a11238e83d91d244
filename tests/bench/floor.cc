// The floor: what the bare kernel asks for the same thing, by the shortest way.
//   floor run TREE        a round: clone3 with all namespaces, id maps, private root, exec /bin/true
//   floor exec PID        a round: join all namespaces of PID, fork, exec /bin/true
//   floor hold TREE N     N such sets running /bin/pause; prints the time of each and its first pid at
//                         the end ("pid N"); they end with stdin
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <iostream>

#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"
#include "tests/bench/serve.h"

namespace {

constexpr uint64_t kNamespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                                 CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWTIME;
// Far from the ranges that zones use.
constexpr const char* kIdMap = "0 2000000000 65536\n";

// In the child: nothing but system calls; a failure is its exit status.
[[noreturn]] void child(int gate, const char* tree, const char* program) {
  char byte = 0;
  if (read(gate, &byte, 1) != 1) _exit(101);
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) _exit(102);
  if (mount(tree, tree, nullptr, MS_BIND | MS_REC, nullptr) != 0) _exit(103);
  if (chdir(tree) != 0) _exit(104);
  if (syscall(SYS_pivot_root, ".", ".") != 0) _exit(105);
  if (umount2(".", MNT_DETACH) != 0) _exit(106);
  if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) _exit(107);
  char* argv[] = {const_cast<char*>(program), nullptr};
  char* envp[] = {nullptr};
  execve(program, argv, envp);
  _exit(108);
}

struct Started {
  pid_t pid = 0;
  base::UniqueFd pidfd;
};

base::Result<Started> start(const char* tree, const char* program) {
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0) return base::sys_error("pipe");
  base::UniqueFd gate_read(pipe_fds[0]), gate_write(pipe_fds[1]);
  int pidfd = -1;
  clone_args args = {};
  args.flags = kNamespaces | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  long pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid < 0) return base::sys_error("clone3");
  if (pid == 0) child(gate_read.get(), tree, program);
  Started started{static_cast<pid_t>(pid), base::UniqueFd(pidfd)};
  std::string proc = "/proc/" + std::to_string(pid);
  TRY(base::write_value(AT_FDCWD, proc + "/uid_map", kIdMap));
  TRY(base::write_value(AT_FDCWD, proc + "/gid_map", kIdMap));
  TRY(base::write_all(gate_write.get(), "x"));
  return started;
}

base::Status run_once(const char* tree) {
  TRY_AS(Started started, start(tree, "/bin/true"));
  return bench::wait_for(started.pid);
}

// Entering a pid namespace takes a second fork: only children are in it.
base::Status enter_once(int pidfd) {
  pid_t pid = fork();
  if (pid < 0) return base::sys_error("fork");
  if (pid > 0) return bench::wait_for(pid);
  if (setns(pidfd, static_cast<int>(kNamespaces)) != 0) _exit(101);
  if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) _exit(102);
  pid = fork();
  if (pid == 0) {
    char program[] = "/bin/true";
    char* argv[] = {program, nullptr};
    char* envp[] = {nullptr};
    execve(program, argv, envp);
    _exit(103);
  }
  _exit(pid > 0 && bench::wait_for(pid).ok() ? 0 : 104);
}

base::Status hold(const char* tree, uint64_t count) {
  std::vector<Started> all;
  all.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    auto begin = std::chrono::steady_clock::now();
    TRY_AS(Started started, start(tree, "/bin/pause"));
    // Until exec: then the process is that of the tree.
    std::string exe = "/proc/" + std::to_string(started.pid) + "/comm";
    while (true) {
      TRY_AS(std::string name, base::read_file(AT_FDCWD, exe));
      if (name == "pause\n") break;
    }
    bench::answer(std::chrono::steady_clock::now() - begin);
    all.push_back(std::move(started));
  }
  std::cout << "pid " << (all.empty() ? 0 : all.front().pid) << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
  }
  for (const Started& started : all) TRY(base::signal_pidfd(started.pidfd.get(), SIGKILL));
  // A wait status that is not 0 is what was asked for here.
  for (const Started& started : all) static_cast<void>(bench::wait_for(started.pid));
  return {};
}

int usage() {
  return bench::fail(base::make_error(
      base::Code::kInvalid, "usage: floor run TREE | floor exec PID | floor hold TREE N"));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return usage();
  std::string_view mode = argv[1];
  if (mode == "run") return bench::serve([&] { return run_once(argv[2]); });
  if (mode == "exec") {
    auto pid = base::parse_uint(argv[2], 1, 1 << 22);
    if (!pid.ok()) return bench::fail(pid.error());
    auto pidfd = base::open_pidfd(static_cast<pid_t>(*pid));
    if (!pidfd.ok()) return bench::fail(pidfd.error());
    return bench::serve([&] { return enter_once(pidfd->get()); });
  }
  if (mode != "hold" || argc < 4) return usage();
  auto count = base::parse_uint(argv[3], 1, 100000);
  if (!count.ok()) return bench::fail(count.error());
  auto held = hold(argv[2], *count);
  return held.ok() ? 0 : bench::fail(held.error());
}
