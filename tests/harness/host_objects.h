// Reading what exists on this host, for checks that a test leaves nothing behind.
#pragma once

#include <sys/types.h>

#include <set>
#include <string>
#include <vector>

namespace harness {

// Folders named zoned* in all mounted cgroup trees.
std::set<std::string> zoned_cgroups();
// Mount points in this mount namespace at or below path.
std::vector<std::string> mounts_below(const std::string& path);
// Other processes whose command line, working folder, program or a descriptor names `path`.
std::vector<pid_t> processes_naming(const std::string& path);
// /proc/PID/comm (at most 15 bytes) without the newline; empty when the process is gone.
std::string command_of(pid_t pid);
pid_t parent_of(pid_t pid);  // 0: no such process
// Sockets below path, as paths.
std::vector<std::string> sockets_below(const std::string& path);

}  // namespace harness
