// The host's files and processes.
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "tests/victims/evilvmm/attempts.h"

namespace evil {
namespace {

// The host's object, not one of the cell's own at the same path.
bool is_that(const struct stat& st, const HostPath& path) {
  return st.st_ino == path.inode && st.st_dev == path.device;
}

Result open_path(const HostPath& path, int flags) {
  int fd = open(path.path.c_str(), flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return verdict(false);
  struct stat st = {};
  errno = ENOENT;
  return verdict(fstat(fd, &st) == 0 && is_that(st, path));
}
Result look_at(const HostPath& path) {
  struct stat st = {};
  bool there = fstatat(AT_FDCWD, path.path.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0;
  if (there) errno = ENOENT;
  return verdict(there && is_that(st, path));
}
Result ask_access(const HostPath& path) {
  // Where the cell has a path of that name it is no success.
  struct stat st = {};
  if (syscall(SYS_access, path.path.c_str(), F_OK) != 0) return verdict(false);
  errno = ENOENT;
  return verdict(fstatat(AT_FDCWD, path.path.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                 is_that(st, path));
}

void add_path(const HostPath& path, Attempts* out) {
  auto add = [&](const char* name, auto run) {
    out->push_back({name, path.path, [path, run](const Target&) { return run(path); }});
  };
  add("stat", [](const HostPath& p) { return look_at(p); });
  add("access", [](const HostPath& p) { return ask_access(p); });
  add("open O_PATH", [](const HostPath& p) { return open_path(p, O_PATH); });
  if (path.kind == 'd')
    add("open a folder", [](const HostPath& p) { return open_path(p, O_RDONLY | O_DIRECTORY); });
  bool opens = path.kind == 'f' || path.kind == 'c';
  if (opens && path.readable)
    add("open for reading", [](const HostPath& p) { return open_path(p, O_RDONLY); });
  if (opens && path.writable)
    add("open for writing", [](const HostPath& p) { return open_path(p, O_WRONLY); });
}

int pidfd_of(long pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

Result read_memory(pid_t pid) {
  char byte = 0;
  iovec here = {&byte, 1};
  // Our own program's, at the same place: the victim is our parent's fork.
  iovec there = {reinterpret_cast<void*>(1), 1};
  return past_privilege(process_vm_readv(pid, &here, 1, &there, 1, 0), EFAULT);
}
Result trace(pid_t pid) {
  bool attached = ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0;
  Result result = verdict(attached);
  if (attached) {
    ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr);
    waitpid(pid, nullptr, __WALL);
    ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
  }
  return result;
}

void add_victim(Attempts* out) {
  auto add = [out](const char* name, auto run) {
    out->push_back(
        {name, "", [run](const Target& t) { return run(static_cast<pid_t>(t.number("victim"))); }});
  };
  add("kill: a process of the host", [](pid_t pid) { return verdict(kill(pid, 0) == 0); });
  add("pidfd_open: a process of the host", [](pid_t pid) { return verdict(pidfd_of(pid) >= 0); });
  add("process_vm_readv: a process of the host", read_memory);
  add("ptrace: a process of the host", trace);
  add("setpriority: a process of the host",
      [](pid_t pid) { return verdict(setpriority(PRIO_PROCESS, static_cast<id_t>(pid), 1) == 0); });
  add("sched_setaffinity: a process of the host", [](pid_t pid) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(0, &cpus);
    return verdict(sched_setaffinity(pid, sizeof cpus, &cpus) == 0);
  });
  add("prlimit64: a process of the host", [](pid_t pid) {
    rlimit64 limit = {};
    return verdict(syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, nullptr, &limit) == 0);
  });
  add("sched_getaffinity: a process of the host", [](pid_t pid) {
    cpu_set_t cpus;
    return verdict(sched_getaffinity(pid, sizeof cpus, &cpus) == 0);
  });
  add("getpgid: a process of the host", [](pid_t pid) { return verdict(getpgid(pid) >= 0); });
  add("kcmp: a process of the host",
      [](pid_t pid) { return verdict(syscall(SYS_kcmp, pid, pid, 1, 0, 0) >= 0); });
  add("setns: a process of the host", [](pid_t pid) {
    int fd = pidfd_of(pid);
    return verdict(fd >= 0 && setns(fd, CLONE_NEWUTS) == 0);
  });
}

Result make_device(const Target& target, const Node& node) {
  std::string path = target.text("scratch") + "/node";
  unlink(path.c_str());
  mode_t mode = (node.kind == 'b' ? S_IFBLK : S_IFCHR) | 0600;
  if (mknod(path.c_str(), mode, makedev(node.major_number, node.minor_number)) != 0)
    return verdict(false);
  int fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  Result result = verdict(fd >= 0);
  if (fd >= 0) close(fd);
  unlink(path.c_str());
  return result;
}

}  // namespace

void add_paths(const Target& target, Attempts* attempts) {
  for (const HostPath& path : target.paths) add_path(path, attempts);
  for (const Node& node : target.nodes)
    attempts->push_back(
        {"mknod and open", node.name, [node](const Target& t) { return make_device(t, node); }});
}

void add_processes(const Target& target, Attempts* attempts) {
  for (pid_t pid : target.pids)
    attempts->push_back(
        {"tgkill: processes of the host", std::to_string(pid), [pid](const Target&) {
           // The cell has numbers of its own.
           errno = ESRCH;
           if (pid == getpid()) return verdict(false);
           return verdict(syscall(SYS_tgkill, pid, pid, 0) == 0);
         }});
  add_victim(attempts);
  attempts->push_back({"shmget: memory of the host", "", [](const Target& t) {
                         return verdict(shmget(static_cast<key_t>(t.number("shm")), 0, 0) >= 0);
                       }});
}

}  // namespace evil
