// Helper programs and process identity.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace base {

// pidfd_open(2).
Result<UniqueFd> open_pidfd(pid_t pid);
// pidfd_send_signal(2). ESRCH (gone already) is success.
Status signal_pidfd(int pidfd, int signal);
// Field 22 of /proc/PID/stat: start time in clock ticks since boot. With the pid it names a process
// for good. `proc` is a descriptor on /proc or AT_FDCWD (then /proc is used).
Result<uint64_t> start_time_of(pid_t pid);

// pipe(2), both ends closed at exec.
struct Pipe {
  UniqueFd read;
  UniqueFd write;
};
Result<Pipe> make_pipe();

struct Output {
  int status = 0;   // 0..255, or 128 + signal
  std::string out;  // stdout, at most 1 MiB kept
  std::string err;  // stderr, likewise
};
// Runs a program with an empty stdin, waits for it, kills it after the time-out (kTimeout). argv[0]
// is searched in PATH. Blocks: for tests, tools and start-up only.
Result<Output> run_program(const std::vector<std::string>& argv,
                           std::chrono::milliseconds timeout = std::chrono::minutes(5));

}  // namespace base
