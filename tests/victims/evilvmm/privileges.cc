// Processes, namespaces, mounts, keys, and calls that only root may make.
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/io.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/quota.h>
#include <sys/resource.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

#include "tests/victims/evilvmm/attempts.h"

namespace evil {
namespace {

struct Simple {
  const char* name;
  Result (*run)(const Target&);
};

constexpr struct {
  const char* name;
  long flag;
} kNamespaces[] = {{"user", CLONE_NEWUSER}, {"mnt", CLONE_NEWNS},       {"pid", CLONE_NEWPID},
                   {"net", CLONE_NEWNET},   {"uts", CLONE_NEWUTS},      {"ipc", CLONE_NEWIPC},
                   {"time", CLONE_NEWTIME}, {"cgroup", CLONE_NEWCGROUP}};

Result of_raw(long result) {
  errno = result < 0 ? static_cast<int>(-result) : 0;
  return verdict(result >= 0);
}

void add_namespaces(Attempts* out) {
  for (const auto& space : kNamespaces) {
    long flag = space.flag;
    out->push_back({"unshare", space.name, [flag](const Target&) {
                      return verdict(unshare(static_cast<int>(flag)) == 0);
                    }});
    if (flag == CLONE_NEWTIME) continue;  // not by clone(2): the bit is part of its signal
    out->push_back({"clone into a namespace", space.name, [flag](const Target&) {
                      return of_raw(raw_call(SYS_clone, {flag | SIGCHLD, 0, 0, 0, 0, 0}));
                    }});
  }
}

// --- processes -----------------------------------------------------------------------------------

Result fork_one(const Target&) { return of_raw(raw_call(SYS_fork, {0, 0, 0, 0, 0, 0})); }
Result vfork_one(const Target&) { return of_raw(raw_call(SYS_vfork, {0, 0, 0, 0, 0, 0})); }
Result clone_process(const Target&) {
  return of_raw(raw_call(SYS_clone, {SIGCHLD, 0, 0, 0, 0, 0}));
}
Result clone3_process(const Target&) {
  clone_args args = {};
  args.exit_signal = SIGCHLD;
  long result = syscall(SYS_clone3, &args, sizeof args);
  if (result == 0) _exit(0);
  return verdict(result > 0);
}
// Ends with the status that says so.
Result exec_shell(const Target&) {
  char* argv[] = {const_cast<char*>("sh"), const_cast<char*>("-c"), const_cast<char*>("exit 76"),
                  nullptr};
  return verdict(execv("/bin/sh", argv) == 0);
}
Result exec_by_descriptor(const Target& t) {
  char* argv[] = {const_cast<char*>("sh"), nullptr};
  int disk = t.fds.at("disk0");
  return past_privilege(syscall(SYS_execveat, disk, "", argv, nullptr, AT_EMPTY_PATH), EACCES);
}

// --- mounts: in a mount namespace of our own when bare -------------------------------------------

Result change_root(const Target&) { return verdict(chroot("/") == 0); }
Result mount_here(const Target& t, const char* source, const char* type, unsigned long flags) {
  const std::string& place = t.text("scratch");
  Result result = verdict(mount(source, place.c_str(), type, flags, nullptr) == 0);
  if (result == Result::kReached) umount2(place.c_str(), MNT_DETACH);
  return result;
}
Result mount_tmpfs(const Target& t) { return mount_here(t, "none", "tmpfs", 0); }
Result mount_proc(const Target& t) { return mount_here(t, "none", "proc", 0); }
Result bind_mount(const Target& t) { return mount_here(t, "/", nullptr, MS_BIND); }
Result remount(const Target&) {
  return verdict(mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_NOATIME, nullptr) == 0);
}
Result unmount(const Target& t) {
  return past_privilege(umount2(t.text("scratch").c_str(), MNT_DETACH), EINVAL);
}
Result pivot(const Target&) { return past_privilege(syscall(SYS_pivot_root, "/", "/"), EBUSY); }
Result open_filesystem(const Target&) { return verdict(syscall(SYS_fsopen, "tmpfs", 0) >= 0); }
Result copy_tree(const Target&) {
  return verdict(syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE) >= 0);
}
Result open_handle(const Target& t) {
  alignas(file_handle) char space[sizeof(file_handle) + MAX_HANDLE_SZ] = {};
  auto* handle = reinterpret_cast<file_handle*>(space);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  int disk = t.fds.at("disk0");
  if (name_to_handle_at(disk, "", handle, &mount_id, AT_EMPTY_PATH) != 0) return verdict(false);
  return verdict(open_by_handle_at(disk, handle, O_RDONLY) >= 0);
}

// --- other subsystems ----------------------------------------------------------------------------

Result new_keyring(const Target&) {
  return verdict(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) >= 0);
}
Result add_key(const Target&) {
  return verdict(syscall(SYS_add_key, "user", "evil", "x", 1, KEY_SPEC_PROCESS_KEYRING) >= 0);
}
Result bpf_map(const Target&) {
  bpf_attr attributes = {};
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = attributes.value_size = 4;
  attributes.max_entries = 1;
  return verdict(syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes) >= 0);
}
Result perf(const Target&) {
  perf_event_attr attributes = {};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof attributes;
  attributes.config = PERF_COUNT_SW_CPU_CLOCK;
  return verdict(syscall(SYS_perf_event_open, &attributes, -1, 0, -1, 0) >= 0);
}
Result userfault(const Target&) { return verdict(syscall(SYS_userfaultfd, O_CLOEXEC) >= 0); }
Result uring(const Target&) {
  io_uring_params parameters = {};
  return verdict(syscall(SYS_io_uring_setup, 4, &parameters) >= 0);
}
Result landlock_rules(const Target&) {
  uint64_t rights = LANDLOCK_ACCESS_FS_EXECUTE;
  return verdict(syscall(SYS_landlock_create_ruleset, &rights, sizeof rights, 0) >= 0);
}
Result memory_file(const Target&) { return verdict(memfd_create("evil", MFD_CLOEXEC) >= 0); }
Result watch_files(const Target&) { return verdict(syscall(SYS_fanotify_init, 0, O_RDONLY) >= 0); }
Result inotify(const Target&) { return verdict(syscall(SYS_inotify_init1, 0) >= 0); }
Result own_filter(const Target&) {
  return past_privilege(syscall(SYS_seccomp, 1, 0, nullptr), EFAULT);
}
Result host_name(const Target&) {
  utsname name = {};
  return verdict(uname(&name) == 0);
}

// --- root's --------------------------------------------------------------------------------------

Result set_host_name(const Target&) { return verdict(sethostname("evil", 4) == 0); }
Result set_domain_name(const Target&) { return verdict(setdomainname("evil", 4) == 0); }
Result reboot_host(const Target&) {
  constexpr unsigned kNoCommand = 0xdead;
  return past_privilege(
      syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, kNoCommand, nullptr), EINVAL);
}
Result swap_off(const Target&) { return past_privilege(swapoff("/nowhere/evil"), ENOENT); }
Result account(const Target&) { return past_privilege(acct("/nowhere/evil"), ENOENT); }
Result load_module(const Target&) {
  return past_privilege(syscall(SYS_init_module, "evil", 4, ""), ENOEXEC);
}
Result unload_module(const Target&) {
  return past_privilege(syscall(SYS_delete_module, "no_such_module", O_NONBLOCK), ENOENT);
}
// To what it is already.
Result set_clock(const Target&) {
  timex now = {};
  adjtimex(&now);
  now.modes = ADJ_TICK;
  return verdict(adjtimex(&now) >= 0);
}
Result io_port(const Target&) { return verdict(ioperm(0x80, 1, 1) == 0); }
Result io_level(const Target&) { return verdict(iopl(3) == 0); }
Result kernel_log(const Target&) { return verdict(klogctl(10, nullptr, 0) >= 0); }
Result sync_quota(const Target&) {
  return verdict(quotactl(QCMD(Q_SYNC, USRQUOTA), nullptr, 0, nullptr) == 0);
}
Result become_root(const Target&) { return verdict(setresuid(0, 0, 0) == 0); }
Result set_groups(const Target&) { return verdict(setgroups(0, nullptr) == 0); }
Result raise_limit(const Target& t) {
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max = static_cast<rlim_t>(2 * t.number("files"));
  return verdict(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}
Result be_dumpable(const Target&) { return verdict(prctl(PR_SET_DUMPABLE, 1) == 0); }

// --- memory --------------------------------------------------------------------------------------

Result run_written_code(const Target&) {
  constexpr unsigned char kReturn42[] = {0xb8, 42, 0, 0, 0, 0xc3};
  void* at =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return verdict(false);
  std::memcpy(at, kReturn42, sizeof kReturn42);
  return verdict(reinterpret_cast<int (*)()>(at)() == 42);
}
Result map_page_zero(const Target&) {
  void* at = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  return verdict(at != MAP_FAILED);
}
Result poison(const Target&) {
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  constexpr int kSoftOffline = 101;
  // Length 0: nothing is poisoned, but privilege is asked for first.
  return verdict(madvise(page, 0, kSoftOffline) == 0);
}

constexpr Simple kProcesses[] = {
    {"fork", fork_one},
    {"vfork", vfork_one},
    {"clone: a process", clone_process},
    {"clone3: a process", clone3_process},
    {"execve: a shell", exec_shell},
    {"execveat: a descriptor", exec_by_descriptor},
    {"seccomp: another filter", own_filter},
    {"prctl: be dumpable", be_dumpable},
    {"setresuid: root", become_root},
    {"setgroups", set_groups},
    {"setrlimit: more files", raise_limit},
    {"uname: the host's kernel", host_name},
    {"mmap: run written code", run_written_code},
    {"mmap: page zero", map_page_zero},
    {"madvise: take memory offline", poison},
};
constexpr Simple kMounts[] = {
    {"chroot", change_root},        {"mount: tmpfs", mount_tmpfs},
    {"mount: proc", mount_proc},    {"mount: bind", bind_mount},
    {"mount: remount", remount},    {"umount2", unmount},
    {"pivot_root", pivot},          {"fsopen", open_filesystem},
    {"open_tree", copy_tree},       {"open_by_handle_at", open_handle},
    {"fanotify_init", watch_files}, {"inotify_init1", inotify},
};
constexpr Simple kSubsystems[] = {
    {"keyctl: new keyring", new_keyring},
    {"add_key", add_key},
    {"bpf: map", bpf_map},
    {"perf_event_open", perf},
    {"userfaultfd", userfault},
    {"io_uring_setup", uring},
    {"landlock_create_ruleset", landlock_rules},
    {"memfd_create", memory_file},
    {"sethostname", set_host_name},
    {"setdomainname", set_domain_name},
    {"reboot", reboot_host},
    {"swapoff", swap_off},
    {"acct", account},
    {"init_module", load_module},
    {"delete_module", unload_module},
    {"adjtimex", set_clock},
    {"ioperm", io_port},
    {"iopl", io_level},
    {"syslog", kernel_log},
    {"quotactl", sync_quota},
};

}  // namespace

void add_privileges(Attempts* attempts) {
  add_namespaces(attempts);
  for (const Simple& one : kProcesses) attempts->push_back({one.name, "", one.run});
  for (const Simple& one : kMounts) attempts->push_back({one.name, "", one.run});
  for (const Simple& one : kSubsystems) attempts->push_back({one.name, "", one.run});
}

}  // namespace evil
