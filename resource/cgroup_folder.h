// Files and folders of a cgroup hierarchy, relative to a folder descriptor. All of it also works on
// a plain folder, which is how the drivers are tested. Errors name the path as given.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace resource {

// Sleeps 1, 2, 4, 8, 16 ms: about 30 ms in all.
class Backoff {
 public:
  // False without sleeping when the time is used up.
  bool wait();

 private:
  std::chrono::milliseconds next_{1};
};

// Opens for writing as a shell's `>` does: in a plain folder the file is made, the kernel answers
// kNotFound for a file that it does not offer.
base::Result<base::UniqueFd> open_control(int at, const std::string& path);
// One write(2) of the whole value.
base::Status write_control(int at, const std::string& path, std::string_view value);
// At most 4 MiB.
base::Result<std::string> read_control(int at, const std::string& path);
// The file's number; 0 when the file is absent or holds no number ("max").
uint64_t read_number(int at, const std::string& path);
// N of the line "KEY N"; 0 when there is none.
uint64_t keyed_number(std::string_view text, std::string_view key);

// mkdir; an empty cgroup that is in the way is replaced, kBusy when it has processes.
base::Status make_fresh(int at, const std::string& path);
base::Result<std::vector<std::string>> child_folders(int at, const std::string& path = ".");
// Removes the cgroup and all below it, deepest first. Absent is success; kBusy when processes
// remain after a Backoff.
base::Status remove_cgroup(int at, const std::string& path);

// Processes in the cgroup and all below it, sorted. Absent: none.
base::Result<std::vector<pid_t>> processes_below(int at, const std::string& path);
// Moves what `list` returns to the cgroup.procs file, until it returns nothing new. A process that
// ends meanwhile is no error.
base::Status move_processes(const std::function<base::Result<std::vector<pid_t>>()>& list, int at,
                            const std::string& procs);
// SIGKILL to all processes in and below the cgroup, until none without it is left; by pidfd, so
// that none outside is hit. Returns before they are gone. kBusy after 50 rounds of 1 ms. For
// kernels and trees without cgroup.kill.
base::Status kill_below(int at, const std::string& path);

}  // namespace resource
