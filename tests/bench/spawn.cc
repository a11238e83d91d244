// spawn CMD [ARG...]: a round starts the command, its output discarded, and waits for its end.
// Its stdin and stdout are files of nobody else: OCI runtimes give theirs to the container's root,
// and /dev/null would be the host's.
#include <spawn.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/strings.h"
#include "tests/bench/serve.h"

int main(int argc, char** argv) {
  if (argc < 2)
    return bench::fail(base::make_error(base::Code::kInvalid, "usage: spawn CMD [ARG...]"));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  int discard = memfd_create("stdio", MFD_CLOEXEC);
  if (discard < 0) return bench::fail(base::sys_error("memfd_create"));
  posix_spawn_file_actions_adddup2(&actions, discard, 0);
  posix_spawn_file_actions_adddup2(&actions, discard, 1);
  return bench::serve([&]() -> base::Status {
    pid_t pid = 0;
    int err = posix_spawnp(&pid, argv[1], &actions, nullptr, argv + 1, environ);
    if (err != 0) return base::sys_error("run " + base::quoted(argv[1]), err);
    return bench::wait_for(pid);
  });
}
