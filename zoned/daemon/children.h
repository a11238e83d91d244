// Processes that are, or have become, our children: helpers that we started, keepers that have
// detached themselves, and zones whose keeper died (we are their subreaper, prctl(2)).
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace zoned {

class Children {
 public:
  using Ended = std::function<void(int status)>;  // as of waitpid(2)

  // Starts a program with empty stdin, no signals blocked and all descriptors but 0..2 closed
  // (they are close-on-exec). ended is called from reap(). stdin: a descriptor in place of the empty one.
  base::Result<pid_t> spawn(const std::vector<std::string>& argv, Ended ended, int stdin_fd = -1);
  // Forks; the child closes every descriptor but 2 and those in keep, runs work and exits with what
  // it returns (0..255). For removals that would hold up the loop. The work must not use the event
  // loop.
  base::Result<pid_t> run(const std::vector<int>& keep, const std::function<int()>& work,
                          Ended ended);
  // Collects all that have ended. Unknown ones go to on_stranger.
  void reap();
  // Children that nobody watches: adopted zones.
  void on_stranger(std::function<void(pid_t, int status)> callback) {
    stranger_ = std::move(callback);
  }

 private:
  std::unordered_map<pid_t, Ended> watched_;
  std::function<void(pid_t, int)> stranger_;
};

}  // namespace zoned
