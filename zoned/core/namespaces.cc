#include "zoned/core/namespaces.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "base/files.h"
#include "zoned/core/helper_process.h"

namespace core {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::sys_error;
using base::UniqueFd;

namespace {

// --- the passer ----------------------------------------------------------------------------------

struct Passage {
  PreparedNamespaces prepared;
  clone_args args;
  const ChildPlan* child;
  const char* refused = nullptr;  // what could not be joined
  int error = 0;
  pid_t pid = 0;  // by the kernel, so that it is there whatever becomes of the passer
};

// Shares our memory until it ends: nothing here but system calls.
[[noreturn]] void pass(void* argument) {
  Passage& passage = *static_cast<Passage*>(argument);
  if (setns(passage.prepared.user, CLONE_NEWUSER) != 0) {
    passage.refused = "join the user namespace";
  } else if (setns(passage.prepared.net, CLONE_NEWNET) != 0) {
    passage.refused = "join the network namespace";
  } else {
    long pid = syscall(SYS_clone3, &passage.args, sizeof passage.args);
    if (pid == 0) run_boot_steps(*passage.child);
    if (pid > 0) _exit(0);
  }
  passage.error = errno;
  _exit(0);
}

// vfork(2) with the flags of clone3(2), for which libc has no wrapper: returns when the new process has
// ended. That one has a stack of its own, since our frames must be as we left them.
long clone_and_wait(clone_args* args, void (*run)(void*), void* argument) {
  long result = 0;
  __asm__ volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%rdx, %%rdi\n\t"
      "call *%%rbx\n"
      "1:"
      : "=a"(result)
      : "a"(SYS_clone3), "D"(args), "S"(sizeof *args), "b"(run), "d"(argument)
      : "rcx", "r11", "memory");
  return result;
}

}  // namespace

Result<pid_t> clone_owned(const clone_args& args, const IdRange& ids) {
  if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) != 0) return sys_error("securebits");
  if (syscall(SYS_setresuid, -1, ids.base, -1) != 0) return sys_error("setresuid");
  TRY_AS(pid_t pid, clone_process(args));
  if (pid != 0 && syscall(SYS_setresuid, -1, 0, -1) != 0) return sys_error("setresuid");
  return pid;
}

Status map_ids(pid_t process, const IdRange& ids) {
  TRY_AS(UniqueFd proc,
         base::open_at(AT_FDCWD, "/proc/" + std::to_string(process), O_PATH | O_DIRECTORY));
  std::string map = "0 " + std::to_string(ids.base) + " " + std::to_string(kIdsPerZone);
  TRY(base::write_value(proc.get(), "gid_map", map));
  return base::write_value(proc.get(), "uid_map", map);
}

Result<UniqueFd> namespace_of(pid_t process, const char* kind) {
  return base::open_at(AT_FDCWD, "/proc/" + std::to_string(process) + "/ns/" + kind, O_RDONLY);
}

Status check_prepared(const PreparedNamespaces& prepared, const IdRange& ids) {
  uid_t owner = 0;
  if (ioctl(prepared.user, NS_GET_NSTYPE) != CLONE_NEWUSER ||
      ioctl(prepared.user, NS_GET_OWNER_UID, &owner) != 0 || owner != ids.base)
    return make_error(Code::kDenied, "the prepared user namespace is not the range's");
  bool is_net = ioctl(prepared.net, NS_GET_NSTYPE) == CLONE_NEWNET;
  UniqueFd of_net(is_net ? ioctl(prepared.net, NS_GET_USERNS) : -1);
  struct stat own = {}, given = {};
  if (!of_net || fstat(of_net.get(), &own) != 0 || fstat(prepared.user, &given) != 0 ||
      own.st_ino != given.st_ino || own.st_dev != given.st_dev)
    return make_error(Code::kDenied, "the prepared network namespace is not the zone's");
  return {};
}

Result<ZoneProcess> clone_into(const PreparedNamespaces& prepared, const clone_args& args,
                               const ChildPlan& child) {
  constexpr size_t kStack = 64 << 10;
  struct alignas(16) Stack {
    unsigned char bytes[kStack];
  };
  auto stack = std::make_unique_for_overwrite<Stack>();
  int pidfd = -1;
  Passage passage = {prepared, args, &child};
  passage.args.flags &= ~uint64_t{CLONE_INTO_CGROUP};  // where the passer is
  passage.args.flags |= CLONE_PIDFD | CLONE_PARENT_SETTID;
  passage.args.parent_tid = reinterpret_cast<uintptr_t>(&passage.pid);
  passage.args.pidfd = reinterpret_cast<uintptr_t>(&pidfd);
  clone_args passer = {};
  passer.flags =
      CLONE_VM | CLONE_VFORK | CLONE_FILES | (args.flags & (CLONE_PARENT | CLONE_INTO_CGROUP));
  passer.cgroup = args.cgroup;
  passer.stack = reinterpret_cast<uintptr_t>(stack->bytes);
  passer.stack_size = sizeof stack->bytes;
  long pid = clone_and_wait(&passer, pass, &passage);
  if (pid < 0) return clone_failed(static_cast<int>(-pid));
  if (passage.refused != nullptr) return sys_error(passage.refused, passage.error);
  if (passage.pid > 0) return ZoneProcess{passage.pid, UniqueFd(pidfd), static_cast<pid_t>(pid)};
  if (passage.error != 0) return clone_failed(passage.error);
  return make_error(Code::kIo, "what was to clone the zone's first process was killed");
}

}  // namespace core
