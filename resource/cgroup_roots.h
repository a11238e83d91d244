// Finding the cgroup hierarchies and our place in them. The parsers take text, so that they can be
// tested and fuzzed; they accept any bytes and pass over lines that they can't read.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "resource/cgroup.h"

namespace resource {

// Leaf of a delegated cgroup2 folder that holds our own processes (no-internal-processes rule).
inline constexpr char kSupervisor[] = "supervisor";

struct CgroupMount {
  std::string mount_point;
  std::string root;  // the folder of the hierarchy that is mounted there
  bool v2 = false;
  std::vector<std::string> controllers;  // v1: "cpu", "cpuacct", "name=systemd"
};
// Writable cgroup mounts of /proc/PID/mountinfo (proc_pid_mountinfo(5)), in order.
std::vector<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo);

struct OwnCgroup {
  std::vector<std::string> controllers;  // empty: v2
  std::string path;                      // from the root of the hierarchy (or cgroup namespace)
};
// /proc/PID/cgroup (cgroups(7)).
std::vector<OwnCgroup> parse_own_cgroups(std::string_view text);

// True when systemd delegated the cgroup: attribute trusted.delegate or user.delegate is "1"
// (systemd.resource-control(5)).
bool is_delegated(int folder);

// Our place in every hierarchy is its mounted top, except where systemd delegates our own cgroup to
// us. A delegated service counts only when we run in its leaf "supervisor" (DelegateSubgroup=,
// systemd 254): before that systemd starts the next daemon in the service's own cgroup, which the
// kernel refuses as long as zones with controllers are below. `delegated` answers for a path.
CgroupRoots roots_from(const std::vector<CgroupMount>& mounts, const std::vector<OwnCgroup>& own,
                       const std::function<bool(const std::string&)>& delegated);

}  // namespace resource
