// What this host can do, found out once at start. Code asks these facts; it never assumes a kernel.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace core {

struct HostFacts {
  unsigned cpus = 1;  // online
  uint64_t memory_bytes = 0;
  unsigned kernel_major = 0, kernel_minor = 0;
  std::string kernel_release;
  uint64_t capabilities = 0;  // our effective set
  uint64_t nofile_hard = 0;   // RLIMIT_NOFILE, hard
  uint64_t memlock_hard = 0;
  uint64_t pid_max = 0;
  uint64_t pty_max = 0;            // kernel.pty.max
  uint64_t inotify_instances = 0;  // fs.inotify.max_user_instances
  bool cgroup_v2_tree = false;     // a cgroup2 mount exists (maybe without controllers)
  std::string cgroup_driver;       // "v1" or "v2"
  std::vector<std::string> cgroup_controllers;
  bool time_namespace = false;
  bool swap_accounting = false;
  uint32_t landlock_abi = 0;  // landlock(7); 0: none
};

// One line of `zone host`.
struct HostCheck {
  std::string subject;  // "cgroups"
  std::string state;    // "ok" | "limited" | "missing"
  std::string detail;
  std::string fix;  // empty when ok
};

// The kernel's Landlock ABI; 0: none.
uint32_t landlock_abi();
// Reads /proc, /sys and asks the kernel. Never fails as a whole; an unreadable fact keeps its default.
HostFacts detect_host();
// The checks, from facts and a few probes of helper programs (mmdebstrap, ...).
std::vector<HostCheck> check_host(const HostFacts& facts);
// What is indispensable: root's capabilities (all but CAP_SYS_RESOURCE), a kernel >= 5.19, user
// namespaces, idmapped mounts, clone3. kUnsupported naming what is missing and the fix.
base::Status require_host(const HostFacts& facts);

}  // namespace core
