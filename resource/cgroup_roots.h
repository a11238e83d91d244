// Finding the cgroup hierarchies and our place in them, from values and text that tests can give.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mountinfo.h"
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
// The writable cgroup mounts among all, in order.
std::vector<CgroupMount> cgroup_mounts(const std::vector<base::Mount>& mounts);

struct OwnCgroup {
  std::vector<std::string> controllers;  // empty: v2
  std::string path;                      // from the root of the hierarchy (or cgroup namespace)
};
// /proc/PID/cgroup (cgroups(7)). Takes any bytes and passes over lines that it can't read.
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
