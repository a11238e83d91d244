#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "base/files.h"
#include "base/strings.h"

namespace base {

Result<UniqueFd> open_pidfd(pid_t pid) {
  long fd = syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return sys_error("pidfd_open " + std::to_string(pid));
  return UniqueFd(static_cast<int>(fd));
}

Status signal_pidfd(int pidfd, int signal) {
  if (syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0 || errno == ESRCH) return {};
  return sys_error("pidfd_send_signal");
}

Result<uint64_t> start_time_of(pid_t pid) {
  TRY_AS(std::string text, read_file(AT_FDCWD, "/proc/" + std::to_string(pid) + "/stat", 4096));
  // The second field is the command in brackets and may hold anything: count from the last one.
  size_t close = text.rfind(')');
  if (close == std::string::npos) return make_error(Code::kIo, "unreadable /proc/PID/stat");
  auto fields = split(std::string_view(text).substr(close + 1), ' ');
  constexpr size_t kStartTime = 20;  // field 22, counted from the field after the command
  if (fields.size() <= kStartTime) return make_error(Code::kIo, "short /proc/PID/stat");
  return parse_uint(fields[kStartTime], 0, UINT64_MAX);
}

Result<Pipe> make_pipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return sys_error("pipe");
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Result<Output> run_program(const std::vector<std::string>& argv,
                           std::chrono::milliseconds timeout) {
  constexpr size_t kKeep = 1 << 20;
  int out_pipe[2];
  int err_pipe[2];
  if (pipe2(out_pipe, O_CLOEXEC) != 0) return sys_error("pipe");
  UniqueFd out_read(out_pipe[0]), out_write(out_pipe[1]);
  if (pipe2(err_pipe, O_CLOEXEC) != 0) return sys_error("pipe");
  UniqueFd err_read(err_pipe[0]), err_write(err_pipe[1]);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out_write.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, err_write.get(), 2);
  std::vector<char*> args;
  for (const std::string& arg : argv) args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  pid_t pid = 0;
  int err = posix_spawnp(&pid, args[0], &actions, nullptr, args.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (err != 0) return sys_error("run " + quoted(argv[0]), err);
  out_write.reset();
  err_write.reset();

  Output output;
  auto deadline = std::chrono::steady_clock::now() + timeout;
  std::array<pollfd, 2> polls = {pollfd{out_read.get(), POLLIN, 0},
                                 pollfd{err_read.get(), POLLIN, 0}};
  bool late = false;
  while (polls[0].fd >= 0 || polls[1].fd >= 0) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    late = left.count() <= 0;
    if (late) break;
    if (poll(polls.data(), polls.size(), static_cast<int>(left.count())) < 0 && errno != EINTR)
      break;
    for (size_t i = 0; i < polls.size(); ++i) {
      pollfd& p = polls.at(i);
      if (p.fd < 0 || p.revents == 0) continue;
      char buffer[16384];
      ssize_t n = read(p.fd, buffer, sizeof buffer);
      std::string& kept = i == 0 ? output.out : output.err;
      if (n > 0 && kept.size() < kKeep) kept.append(buffer, static_cast<size_t>(n));
      if (n == 0) p.fd = -1;
      p.revents = 0;
    }
  }
  if (late) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (late) return make_error(Code::kTimeout, "run " + quoted(argv[0]) + ": timed out");
  output.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return output;
}

}  // namespace base
