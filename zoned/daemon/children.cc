#include "zoned/daemon/children.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/strings.h"

namespace zoned {

base::Result<pid_t> Children::spawn(const std::vector<std::string>& argv, Ended ended,
                                    int stdin_fd) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (stdin_fd >= 0)
    posix_spawn_file_actions_adddup2(&actions, stdin_fd, 0);
  else
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  std::vector<char*> args;
  for (const std::string& arg : argv) args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  pid_t pid = 0;
  int error = posix_spawn(&pid, args[0], &actions, &attributes, args.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return base::sys_error("start " + base::quoted(argv[0], 400), error);
  watched_[pid] = std::move(ended);
  return pid;
}

base::Result<pid_t> Children::run(const std::vector<int>& keep, const std::function<int()>& work,
                                  Ended ended) {
  pid_t pid = fork();
  if (pid < 0) return base::sys_error("fork");
  if (pid == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    // Above all the instance's lock must not outlive zoned in us.
    std::vector<int> kept = keep;
    kept.push_back(2);
    std::sort(kept.begin(), kept.end());
    unsigned from = 0;
    for (int fd : kept) {
      unsigned number = static_cast<unsigned>(fd);
      if (number > from) close_range(from, number - 1, 0);
      from = number + 1;
    }
    close_range(from, ~0U, 0);
    _exit(work());
  }
  watched_[pid] = std::move(ended);
  return pid;
}

void Children::reap() {
  int status = 0;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    auto it = watched_.find(pid);
    if (it == watched_.end()) {
      if (stranger_) stranger_(pid, status);
      continue;
    }
    Ended ended = std::move(it->second);
    watched_.erase(it);
    if (ended) ended(status);
  }
}

}  // namespace zoned
