// spawn CMD [ARG...]: a round starts the command, its output discarded, and waits for its end.
#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include "base/strings.h"
#include "tests/bench/serve.h"

int main(int argc, char** argv) {
  if (argc < 2)
    return bench::fail(base::make_error(base::Code::kInvalid, "usage: spawn CMD [ARG...]"));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  return bench::serve([&]() -> base::Status {
    pid_t pid = 0;
    int err = posix_spawnp(&pid, argv[1], &actions, nullptr, argv + 1, environ);
    if (err != 0) return base::sys_error("run " + base::quoted(argv[1]), err);
    return bench::wait_for(pid);
  });
}
