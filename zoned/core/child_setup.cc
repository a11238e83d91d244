#include "zoned/core/child_setup.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

namespace core {
namespace {

// --- raw system calls: -errno instead of errno, and nothing of libc in between -------------------

long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  long result = 0;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                   : "rcx", "r11", "memory");
  return result;
}

template <typename T>
long arg(const T* pointer) {
  return reinterpret_cast<long>(pointer);
}

int status(long result) { return result < 0 ? static_cast<int>(result) : 0; }

size_t length_of(const char* text) {
  size_t n = 0;
  while (text[n] != '\0') ++n;
  return n;
}

// --- the gate ------------------------------------------------------------------------------------

struct FdMessage {
  alignas(cmsghdr) unsigned char control[CMSG_SPACE(sizeof(int) * (kMaxChildFilesystems + 1))];
  char byte;
  iovec iov;
  msghdr header;
};

void prepare(FdMessage* message, size_t fd_count) {
  message->byte = 'g';
  message->iov = {&message->byte, 1};
  message->header = {};
  message->header.msg_iov = &message->iov;
  message->header.msg_iovlen = 1;
  message->header.msg_control = message->control;
  message->header.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
}

int send_fds(int socket, const int* fds, size_t count) {
  FdMessage message = {};
  prepare(&message, count);
  cmsghdr* header = reinterpret_cast<cmsghdr*>(message.control);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * count);
  int* data = reinterpret_cast<int*>(CMSG_DATA(header));
  for (size_t i = 0; i < count; ++i) data[i] = fds[i];
  return status(call(__NR_sendmsg, socket, arg(&message.header), MSG_NOSIGNAL));
}

int receive_fd(int socket, int* fd) {
  FdMessage message = {};
  prepare(&message, 1);
  long n = call(__NR_recvmsg, socket, arg(&message.header), MSG_CMSG_CLOEXEC);
  if (n < 0) return status(n);
  const cmsghdr* header = reinterpret_cast<const cmsghdr*>(message.control);
  if (n == 0 || message.header.msg_controllen < CMSG_LEN(sizeof(int))) return -EPIPE;
  *fd = *reinterpret_cast<const int*>(CMSG_DATA(const_cast<cmsghdr*>(header)));
  return 0;
}

// --- state that steps hand on --------------------------------------------------------------------

struct State {
  const ChildPlan& plan;
  uint32_t index = 0;                         // for the failure report
  int mounts[kMaxChildFilesystems + 1] = {};  // detached file systems, then the console's master
  size_t mount_count = 0;
  int terminal = -1;  // slave of the console
};

// --- steps ---------------------------------------------------------------------------------------

int gate(State& state) {
  if (int err = status(call(__NR_close, state.plan.gate_peer)); err != 0) return err;
  char byte = 0;
  long n = call(__NR_read, state.plan.gate, arg(&byte), 1);
  return n == 1 ? 0 : n == 0 ? -EPIPE : status(n);
}

int become_root(State&) {
  if (int err = status(call(__NR_setgroups, 0, 0)); err != 0) return err;
  if (int err = status(call(__NR_setresgid, 0, 0, 0)); err != 0) return err;
  return status(call(__NR_setresuid, 0, 0, 0));
}

// After the move into the zone's cgroup: the namespace's root is where the process is.
int cgroup_namespace(State& state) {
  return state.plan.unshare_cgroup ? status(call(__NR_unshare, CLONE_NEWCGROUP)) : 0;
}

int make_entry(int folder, const ChildEntry& entry) {
  if (entry.kind == 0) return status(call(__NR_mkdirat, folder, arg(entry.path), entry.mode));
  if (entry.kind == 2)
    return status(call(__NR_symlinkat, arg(entry.target), folder, arg(entry.path)));
  long fd = call(__NR_openat, folder, arg(entry.path), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC,
                 entry.mode);
  if (fd < 0) return status(fd);
  return status(call(__NR_close, fd));
}

int make_filesystem(const ChildFilesystem& fs, int* mount) {
  constexpr long kCloexec = FSOPEN_CLOEXEC;
  long context = call(__NR_fsopen, arg(fs.type), kCloexec);
  if (context < 0) return status(context);
  for (size_t i = 0; i < fs.option_count; ++i) {
    long result = call(__NR_fsconfig, context, FSCONFIG_SET_STRING, arg(fs.options[i].key),
                       arg(fs.options[i].value), 0);
    if (result < 0) return status(result);
  }
  if (int err = status(call(__NR_fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0)); err != 0)
    return err;
  long fd = call(__NR_fsmount, context, FSMOUNT_CLOEXEC, fs.attributes);
  if (fd < 0) return status(fd);
  *mount = static_cast<int>(fd);
  for (size_t i = 0; i < fs.entry_count; ++i)
    if (int err = make_entry(*mount, fs.entries[i]); err != 0) return err;
  return status(call(__NR_close, context));
}

int filesystems(State& state) {
  for (size_t i = 0; i < state.plan.filesystem_count; ++i) {
    state.index = static_cast<uint32_t>(i);
    int* mount = &state.mounts[state.mount_count];
    if (int err = make_filesystem(state.plan.filesystems[i], mount); err != 0) return err;
    ++state.mount_count;
  }
  return 0;
}

// The pty is the zone's own (its devpts), and the slave is opened without a path.
int console(State& state) {
  if (state.plan.console_filesystem < 0) return 0;
  long master = call(__NR_openat, state.mounts[state.plan.console_filesystem], arg("ptmx"),
                     O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0) return status(master);
  int unlock = 0;
  if (int err = status(call(__NR_ioctl, master, TIOCSPTLCK, arg(&unlock))); err != 0) return err;
  long slave = call(__NR_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) return status(slave);
  state.terminal = static_cast<int>(slave);
  state.mounts[state.mount_count++] = static_cast<int>(master);
  return 0;
}

int offer(State& state) { return send_fds(state.plan.gate, state.mounts, state.mount_count); }

int mount_namespace(State& state) {
  int fd = -1;
  if (int err = receive_fd(state.plan.gate, &fd); err != 0) return err;
  return status(call(__NR_setns, fd, CLONE_NEWNS));
}

int session(State& state) {
  long id = call(__NR_setsid);
  if (id < 0) return status(id);
  int terminal = state.terminal >= 0 ? state.terminal : state.plan.terminal;
  return terminal < 0 ? 0 : status(call(__NR_ioctl, terminal, TIOCSCTTY, 0));
}

int loopback(State& state) {
  if (!state.plan.loopback_up) return 0;
  long socket = call(__NR_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return status(socket);
  ifreq request = {};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (int err = status(call(__NR_ioctl, socket, SIOCSIFFLAGS, arg(&request))); err != 0) return err;
  return status(call(__NR_close, socket));
}

int hostname(State& state) {
  const char* name = state.plan.hostname;
  if (name == nullptr) return 0;
  return status(call(__NR_sethostname, arg(name), static_cast<long>(length_of(name))));
}

int rlimits(State& state) {
  for (size_t i = 0; i < state.plan.rlimit_count; ++i) {
    state.index = static_cast<uint32_t>(i);
    const ChildRlimit& limit = state.plan.rlimits[i];
    if (int err = status(call(__NR_prlimit64, 0, limit.resource, arg(&limit.limit), 0)); err != 0)
      return err;
  }
  return 0;
}

int stdio(State& state) {
  int terminal = state.terminal >= 0 ? state.terminal : state.plan.terminal;
  for (int i = 0; i < 3; ++i) {
    state.index = static_cast<uint32_t>(i);
    int from = state.plan.stdio[i] >= 0 ? state.plan.stdio[i] : terminal;
    if (int err = status(call(__NR_dup3, from, i, 0)); err != 0) return err;
  }
  return 0;
}

int workdir(State& state) { return status(call(__NR_chdir, arg(state.plan.workdir))); }

// Everything is marked for closing; what is kept is made anew at its number.
int descriptors(State& state) {
  if (state.plan.close_fds)
    if (int err = status(call(__NR_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC)); err != 0) return err;
  for (size_t i = 0; i < state.plan.kept_count; ++i) {
    state.index = static_cast<uint32_t>(i);
    const ChildKeptFd& kept = state.plan.kept[i];
    if (int err = status(call(__NR_dup3, kept.from, kept.number, 0)); err != 0) return err;
  }
  return 0;
}

int drop_bounding(State& state) {
  for (uint32_t capability = 0; capability < 64; ++capability) {
    state.index = capability;
    if ((state.plan.capabilities >> capability & 1) != 0) continue;
    long result = call(__NR_prctl, PR_CAPBSET_DROP, capability, 0, 0, 0);
    if (result == -EINVAL) return 0;  // beyond the kernel's last capability
    if (result < 0) return status(result);
  }
  return 0;
}

// Without no_new_privs only CAP_SYS_ADMIN may load a filter: another user than root holds it until
// then. Not the other way round: the filter is not written to let `ids` through.
bool filter_needs_privilege(const ChildPlan& plan) {
  return plan.uid != 0 && !plan.no_new_privs && plan.filter != nullptr;
}

int hold(uint64_t capabilities) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  for (int i = 0; i < 2; ++i)
    data[i].effective = data[i].permitted = static_cast<uint32_t>(capabilities >> (32 * i));
  return status(call(__NR_capset, arg(&header), arg(data)));
}

int ids(State& state) {
  const ChildPlan& plan = state.plan;
  long count = static_cast<long>(plan.group_count);
  if (int err = status(call(__NR_setgroups, count, arg(plan.groups))); err != 0) return err;
  if (int err = status(call(__NR_setresgid, plan.gid, plan.gid, plan.gid)); err != 0) return err;
  if (filter_needs_privilege(plan))
    if (int err = status(call(__NR_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0)); err != 0) return err;
  return status(call(__NR_setresuid, plan.uid, plan.uid, plan.uid));
}

// Inheritable and ambient sets are empty; another user than root holds nothing.
int capabilities(State& state) {
  const ChildPlan& plan = state.plan;
  long ambient = call(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (ambient < 0) return status(ambient);
  if (filter_needs_privilege(plan)) return hold(uint64_t{1} << CAP_SYS_ADMIN);
  return hold(plan.uid == 0 ? plan.capabilities : 0);
}

int no_new_privs(State& state) {
  if (!state.plan.no_new_privs) return 0;
  return status(call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

// Rights of folders are refused for a file.
int landlock_rule(long ruleset, const ChildLandlockRule& given) {
  constexpr uint64_t kOfFiles = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                LANDLOCK_ACCESS_FS_READ_FILE | 1U << 14 | 1U << 15;
  open_how how = {O_PATH | O_CLOEXEC, 0, RESOLVE_NO_MAGICLINKS};
  long place = call(__NR_openat2, AT_FDCWD, arg(given.path), arg(&how), sizeof how);
  if (place < 0) return status(place);
  landlock_path_beneath_attr rule = {given.access, static_cast<int>(place)};
  long added = call(__NR_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, arg(&rule), 0);
  if (added == -EINVAL) {
    rule.allowed_access &= kOfFiles;
    added = call(__NR_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, arg(&rule), 0);
  }
  if (added < 0) return status(added);
  return status(call(__NR_close, place));
}

int landlock(State& state) {
  const ChildPlan& plan = state.plan;
  if (plan.landlock_size == 0) return 0;
  long ruleset = call(__NR_landlock_create_ruleset, arg(&plan.landlock),
                      static_cast<long>(plan.landlock_size), 0);
  if (ruleset < 0) return status(ruleset);
  for (size_t i = 0; i < plan.landlock_rule_count; ++i) {
    state.index = static_cast<uint32_t>(i);
    if (int err = landlock_rule(ruleset, plan.landlock_rules[i]); err != 0) return err;
  }
  state.index = 0;
  return status(call(__NR_landlock_restrict_self, ruleset, 0));
}

int seccomp(State& state) {
  if (state.plan.filter == nullptr) return 0;
  sock_fprog program = {state.plan.filter_length, const_cast<sock_filter*>(state.plan.filter)};
  long flags = state.plan.filter_listener ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  long listener = call(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, arg(&program));
  if (listener < 0 || !state.plan.filter_listener) return status(listener);
  // Close-on-exec already; nobody in the cell may answer for the keeper.
  int fd = static_cast<int>(listener);
  return send_fds(state.plan.gate, &fd, 1);
}

int last_capabilities(State& state) { return filter_needs_privilege(state.plan) ? hold(0) : 0; }

int exec(State& state) {
  const ChildPlan& plan = state.plan;
  if (plan.exec_fd >= 0)
    return status(
        call(__NR_execveat, plan.exec_fd, arg(""), arg(plan.argv), arg(plan.envp), AT_EMPTY_PATH));
  return status(call(__NR_execve, arg(plan.path), arg(plan.argv), arg(plan.envp)));
}

// --- the tables ----------------------------------------------------------------------------------

struct Step {
  const char* name;
  int (*run)(State&);
};

constexpr Step kBootSteps[] = {
    {"gate", gate},
    {"become root of the namespace", become_root},
    {"cgroup namespace", cgroup_namespace},
    {"make file systems", filesystems},
    {"console", console},
    {"offer mounts", offer},
    // While the launcher attaches what was offered:
    {"session", session},
    {"loopback", loopback},
    {"hostname", hostname},
    {"bounding set", drop_bounding},
    {"mount namespace", mount_namespace},
    {"rlimits", rlimits},
    {"standard descriptors", stdio},
    {"working folder", workdir},
    {"descriptors", descriptors},
    {"ids", ids},
    {"capabilities", capabilities},
    {"no_new_privs", no_new_privs},
    {"landlock", landlock},
    {"seccomp", seccomp},
    {"last capabilities", last_capabilities},
    {"exec", exec},
};

constexpr Step kEnterSteps[] = {
    {"session", session},
    {"rlimits", rlimits},
    {"standard descriptors", stdio},
    {"working folder", workdir},
    // Late, so that the joiner has opened it by then; it is closed next.
    {"gate", gate},
    {"descriptors", descriptors},
    {"bounding set", drop_bounding},
    {"ids", ids},
    {"capabilities", capabilities},
    {"no_new_privs", no_new_privs},
    {"landlock", landlock},
    {"seccomp", seccomp},
    {"last capabilities", last_capabilities},
    {"exec", exec},
};

template <size_t N>
[[noreturn]] void run_steps(const ChildPlan& plan, const Step (&steps)[N]) {
  State state{plan};
  for (uint32_t i = 0; i < N; ++i) {
    state.index = 0;
    int err = steps[i].run(state);
    if (err == 0) continue;
    ChildFailure failure = {i, state.index, -err};
    call(__NR_write, plan.report, arg(&failure), sizeof failure);
    break;
  }
  while (true) call(__NR_exit_group, 127);
}

}  // namespace

void run_boot_steps(const ChildPlan& plan) { run_steps(plan, kBootSteps); }
void run_enter_steps(const ChildPlan& plan) { run_steps(plan, kEnterSteps); }

const char* boot_step_name(uint32_t step) {
  return step < sizeof kBootSteps / sizeof kBootSteps[0] ? kBootSteps[step].name : "?";
}
const char* enter_step_name(uint32_t step) {
  return step < sizeof kEnterSteps / sizeof kEnterSteps[0] ? kEnterSteps[step].name : "?";
}

}  // namespace core
