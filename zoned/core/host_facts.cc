#include "zoned/core/host_facts.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/files.h"
#include "base/mountinfo.h"
#include "base/strings.h"
#include "zoned/core/landlock.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using base::Status;

std::string read_text(const std::string& path) {
  auto text = base::read_file(AT_FDCWD, path);
  return text ? std::string(base::trim(*text)) : std::string();
}

uint64_t read_number(const std::string& path, uint64_t otherwise) {
  auto value = base::parse_uint(read_text(path), 0, UINT64_MAX);
  return value ? *value : otherwise;
}

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

uint64_t effective_capabilities() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return 0;
  return (uint64_t{data[1].effective} << 32) | data[0].effective;
}

uint64_t hard_limit(int resource) {
  rlimit limit = {};
  return getrlimit(static_cast<__rlimit_resource_t>(resource), &limit) == 0 ? limit.rlim_max : 0;
}

void detect_kernel(HostFacts* facts) {
  utsname name = {};
  if (uname(&name) != 0) return;
  facts->kernel_release = name.release;
  std::vector<std::string> parts = base::split(facts->kernel_release, '.');
  if (parts.size() < 2) return;
  auto leading = [](const std::string& text) {
    auto value = base::parse_uint(
        std::string_view(text).substr(0, text.find_first_not_of("0123456789")), 0, UINT32_MAX);
    return value ? static_cast<unsigned>(*value) : 0U;
  };
  facts->kernel_major = leading(parts[0]);
  facts->kernel_minor = leading(parts[1]);
}

bool has(const std::vector<std::string>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// A file of the memory controller tells; cgroup2's root has none, so our own cgroup is asked.
bool counts_swap(const std::string& v2, const std::string& v1_memory) {
  if (!v1_memory.empty()) return exists(v1_memory + "/memory.memsw.limit_in_bytes");
  for (const std::string& line : base::split(read_text("/proc/self/cgroup"), '\n'))
    if (line.starts_with("0::/") && exists(v2 + line.substr(3) + "/memory.swap.max")) return true;
  auto names = base::list_dir(AT_FDCWD, v2);
  if (!names) return false;
  return std::any_of(names->begin(), names->end(), [&v2](const std::string& name) {
    return exists(v2 + "/" + name + "/memory.swap.max");
  });
}

// Mirrors the choice of resource::open_cgroups without making anything.
void detect_cgroups(HostFacts* facts) {
  auto text = base::read_file(AT_FDCWD, "/proc/self/mountinfo", 64 << 20);
  auto mounts = text ? base::parse_mountinfo(*text)
                     : base::Result<std::vector<base::Mount>>(std::move(text).error());
  if (!mounts) return;
  constexpr const char* kV1[] = {"cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "freezer"};
  std::string v2, v1_memory;
  std::vector<std::string> v1_controllers;
  for (const base::Mount& mount : *mounts) {
    if (mount.type == "cgroup2" && v2.empty()) v2 = mount.target;
    if (mount.type != "cgroup") continue;
    for (const char* controller : kV1)
      if (base::has_option(mount.super_options, controller) && !has(v1_controllers, controller))
        v1_controllers.emplace_back(controller);
    if (base::has_option(mount.super_options, "memory")) v1_memory = mount.target;
  }
  facts->cgroup_v2_tree = !v2.empty();
  std::vector<std::string> v2_controllers;
  if (!v2.empty()) v2_controllers = base::split(read_text(v2 + "/cgroup.controllers"), ' ');
  if (has(v2_controllers, "cpu") && has(v2_controllers, "memory")) {
    facts->cgroup_driver = "v2";
    facts->cgroup_controllers = std::move(v2_controllers);
    facts->swap_accounting = counts_swap(v2, "");
  } else if (has(v1_controllers, "cpu")) {
    facts->cgroup_driver = "v1";
    facts->cgroup_controllers = std::move(v1_controllers);
    facts->swap_accounting = !v1_memory.empty() && counts_swap("", v1_memory);
  }
}

struct Needed {
  unsigned number;
  const char* name;
};
// What boots, installs and ends zones.
constexpr Needed kNeeded[] = {{CAP_CHOWN, "CAP_CHOWN"},
                              {CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"},
                              {CAP_FOWNER, "CAP_FOWNER"},
                              {CAP_FSETID, "CAP_FSETID"},
                              {CAP_KILL, "CAP_KILL"},
                              {CAP_SETGID, "CAP_SETGID"},
                              {CAP_SETUID, "CAP_SETUID"},
                              {CAP_SETPCAP, "CAP_SETPCAP"},
                              {CAP_SETFCAP, "CAP_SETFCAP"},
                              {CAP_NET_ADMIN, "CAP_NET_ADMIN"},
                              {CAP_SYS_CHROOT, "CAP_SYS_CHROOT"},
                              {CAP_SYS_PTRACE, "CAP_SYS_PTRACE"},
                              {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}};

std::vector<std::string> missing_capabilities(uint64_t effective) {
  std::vector<std::string> missing;
  for (const Needed& needed : kNeeded)
    if ((effective >> needed.number & 1) == 0) missing.emplace_back(needed.name);
  return missing;
}

std::vector<std::string> missing_namespaces() {
  std::vector<std::string> missing;
  for (const char* name : {"user", "pid", "mnt", "net", "uts", "ipc", "cgroup"})
    if (!exists(std::string("/proc/self/ns/") + name)) missing.emplace_back(name);
  return missing;
}

// With size 0 the call does nothing: EINVAL where it exists, ENOSYS where not (or filtered).
bool has_clone3() { return syscall(SYS_clone3, nullptr, 0) != 0 && errno != ENOSYS; }

constexpr unsigned kMinMajor = 5, kMinMinor = 19;

bool kernel_is_enough(const HostFacts& facts) {
  return facts.kernel_major > kMinMajor ||
         (facts.kernel_major == kMinMajor && facts.kernel_minor >= kMinMinor);
}

using Checks = std::vector<HostCheck>;

void add(Checks* checks, const char* subject, const char* state, std::string detail,
         std::string fix = {}) {
  checks->push_back({subject, state, std::move(detail), std::move(fix)});
}

void check_kernel(const HostFacts& facts, Checks* checks) {
  bool good = kernel_is_enough(facts);
  add(checks, "kernel", good ? "ok" : "missing", facts.kernel_release,
      good ? "" : "zones need Linux 5.19 or newer; Debian 12 has 6.1");
  auto capabilities = missing_capabilities(facts.capabilities);
  bool resource = (facts.capabilities >> CAP_SYS_RESOURCE & 1) != 0;
  if (!capabilities.empty()) {
    add(checks, "capabilities", "missing", base::join(capabilities, " "),
        "run zoned as root, outside of a container or in one that keeps these");
  } else if (!resource) {
    add(checks, "capabilities", "limited",
        "CAP_SYS_RESOURCE is missing: no hard limit can be raised",
        "give zoned CAP_SYS_RESOURCE, or raise the limits before it starts");
  } else {
    add(checks, "capabilities", "ok", "all that zones need");
  }
  auto namespaces = missing_namespaces();
  add(checks, "namespaces", namespaces.empty() ? "ok" : "missing",
      namespaces.empty() ? "all kinds" : "without " + base::join(namespaces, " "),
      namespaces.empty() ? "" : "use a kernel built with these namespaces");
  add(checks, "time namespace", facts.time_namespace ? "ok" : "limited",
      facts.time_namespace ? "zones have clocks since boot of their own"
                           : "zones share the host's clocks since boot",
      facts.time_namespace ? "" : "use a kernel built with CONFIG_TIME_NS");
}

void check_cgroups(const HostFacts& facts, Checks* checks) {
  if (facts.cgroup_driver.empty()) {
    add(checks, "cgroups", "missing", "no tree with the cpu controller",
        "mount cgroup2 at /sys/fs/cgroup, with the cpu and memory controllers");
    return;
  }
  std::string detail = facts.cgroup_driver + ": " + base::join(facts.cgroup_controllers, " ");
  if (!facts.cgroup_v2_tree) {
    add(checks, "cgroups", "limited", detail + "; no cgroup2 tree: systemd can't run in zones",
        "mount cgroup2, such as at /sys/fs/cgroup/unified");
  } else {
    add(checks, "cgroups", "ok", detail);
  }
  const char* io = facts.cgroup_driver == "v2" ? "io" : "blkio";
  for (const char* name : {"memory", "pids", "cpuset", io})
    if (!has(facts.cgroup_controllers, name))
      add(checks, "controller", "missing", std::string(name) + " can't be limited",
          std::string("use a kernel with the ") + name + " controller, enabled at boot");
  add(checks, "swap accounting", facts.swap_accounting ? "ok" : "limited",
      facts.swap_accounting ? "capped-memory.swap works" : "capped-memory.swap can't be set",
      facts.swap_accounting ? "" : "boot with swapaccount=1");
}

// io-weight needs bfq as the disk's scheduler on v1; v2's io.weight works with bfq or iocost.
void check_io_weight(const HostFacts& facts, Checks* checks) {
  auto disks = base::list_dir(AT_FDCWD, "/sys/block");
  if (!disks) return;
  std::vector<std::string> without;
  for (const std::string& disk : *disks) {
    std::string schedulers = read_text("/sys/block/" + disk + "/queue/scheduler");
    bool real = !disk.starts_with("loop") && !disk.starts_with("ram") && !schedulers.empty();
    if (real && schedulers.find("[bfq]") == std::string::npos) without.push_back(disk);
  }
  bool cost = facts.cgroup_driver == "v2" && exists("/sys/fs/cgroup/io.cost.qos");
  bool good = without.empty() || cost;
  add(checks, "io weight", good ? "ok" : "limited",
      good ? "limits.io-weight works"
           : "limits.io-weight has no effect on " + base::join(without, " "),
      good ? "" : "echo bfq > /sys/block/DISK/queue/scheduler");
}

void check_landlock(const HostFacts& facts, Checks* checks) {
  uint32_t abi = facts.landlock_abi;
  bool good = abi >= kWholeLandlock;
  add(checks, "landlock",
      good      ? "ok"
      : abi > 0 ? "limited"
                : "missing",
      good      ? "ABI " + std::to_string(abi)
      : abi > 0 ? "ABI " + std::to_string(abi) + " does not cover " + landlock_gaps(abi)
                : "no second wall around VMMs, helpers and app zones",
      good      ? ""
      : abi > 0 ? "Linux 6.12 has the whole of it"
                : "boot with lsm=landlock,... on a kernel built with CONFIG_SECURITY_LANDLOCK");
}

void check_limits(const HostFacts& facts, Checks* checks) {
  constexpr uint64_t kZones = 10000;     // what the design is made for
  constexpr uint64_t kPerKeeper = 2000;  // one descriptor a zone, and as many in zoned
  constexpr uint64_t kProcesses = 3;     // of a small zone
  auto ceiling = [checks](const char* subject, uint64_t value, uint64_t zones, uint64_t wanted,
                          const char* fix) {
    bool good = zones >= wanted;
    std::string detail = std::to_string(value);
    if (!good) detail += ": " + std::to_string(zones) + " zones";
    add(checks, subject, good ? "ok" : "limited", std::move(detail), good ? "" : fix);
  };
  ceiling("open files", facts.nofile_hard, facts.nofile_hard, std::max(kZones, kPerKeeper),
          "raise LimitNOFILE of zoned.service");
  ceiling("pids", facts.pid_max, facts.pid_max / kProcesses, kZones,
          "sysctl kernel.pid_max=4194304");
  ceiling("ptys", facts.pty_max, facts.pty_max, kZones, "sysctl kernel.pty.max=16384");
  ceiling("inotify instances", facts.inotify_instances, facts.inotify_instances >= 128 ? kZones : 0,
          kZones, "sysctl fs.inotify.max_user_instances=128");
  constexpr uint64_t kLocked = 64 << 10;
  add(checks, "locked memory", facts.memlock_hard >= kLocked ? "ok" : "limited",
      facts.memlock_hard == RLIM_INFINITY ? "no limit" : base::format_size(facts.memlock_hard),
      facts.memlock_hard >= kLocked ? "" : "raise LimitMEMLOCK of zoned.service");
}

void check_programs(Checks* checks) {
  bool mmdebstrap = access("/usr/bin/mmdebstrap", X_OK) == 0;
  add(checks, "mmdebstrap", mmdebstrap ? "ok" : "missing",
      mmdebstrap ? "sources debian:SUITE work" : "sources debian:SUITE don't work",
      mmdebstrap ? "" : "apt-get install mmdebstrap");
}

}  // namespace

uint32_t landlock_abi() {
  constexpr uint32_t kVersion = 1;  // LANDLOCK_CREATE_RULESET_VERSION
  long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, kVersion);
  return abi > 0 ? static_cast<uint32_t>(abi) : 0;
}

HostFacts detect_host() {
  HostFacts facts;
  facts.cpus = static_cast<unsigned>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  long pages = sysconf(_SC_PHYS_PAGES);
  long page = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0)
    facts.memory_bytes = static_cast<uint64_t>(pages) * static_cast<uint64_t>(page);
  detect_kernel(&facts);
  facts.capabilities = effective_capabilities();
  facts.nofile_hard = hard_limit(RLIMIT_NOFILE);
  facts.memlock_hard = hard_limit(RLIMIT_MEMLOCK);
  facts.pid_max = read_number("/proc/sys/kernel/pid_max", facts.pid_max);
  facts.pty_max = read_number("/proc/sys/kernel/pty/max", facts.pty_max);
  facts.inotify_instances =
      read_number("/proc/sys/fs/inotify/max_user_instances", facts.inotify_instances);
  facts.time_namespace = exists("/proc/self/ns/time");
  facts.landlock_abi = landlock_abi();
  detect_cgroups(&facts);
  return facts;
}

std::vector<HostCheck> check_host(const HostFacts& facts) {
  Checks checks;
  check_kernel(facts, &checks);
  check_cgroups(facts, &checks);
  check_io_weight(facts, &checks);
  check_landlock(facts, &checks);
  check_limits(facts, &checks);
  check_programs(&checks);
  return checks;
}

Status require_host(const HostFacts& facts) {
  if (!kernel_is_enough(facts))
    return make_error(Code::kUnsupported, "Linux " + facts.kernel_release + " is too old",
                      "zones need Linux 5.19 or newer; Debian 12 has 6.1");
  if (auto missing = missing_capabilities(facts.capabilities); !missing.empty())
    return make_error(Code::kUnsupported, "missing " + base::join(missing, " "),
                      "run zoned as root, outside of a container or in one that keeps these");
  if (auto missing = missing_namespaces(); !missing.empty())
    return make_error(Code::kUnsupported,
                      "this kernel has no namespaces of kind " + base::join(missing, " "),
                      "use a kernel built with these namespaces");
  if (read_number("/proc/sys/user/max_user_namespaces", 1) == 0)
    return make_error(Code::kUnsupported, "user namespaces are switched off",
                      "sysctl user.max_user_namespaces=65536");
  if (!has_clone3())
    return make_error(Code::kUnsupported, "the call clone3 is not available",
                      "run zoned outside of a container, or in one whose filter allows clone3");
  return {};
}

}  // namespace core
