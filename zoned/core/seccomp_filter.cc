#include "zoned/core/seccomp_filter.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cstring>
#include <memory>

#include "base/files.h"
#include "base/strings.h"
#include "zoned/core/seccomp_calls.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using base::Status;

struct ContextRelease {
  void operator()(void* context) const { seccomp_release(context); }
};
using Context = std::unique_ptr<void, ContextRelease>;

struct Traits {
  bool os = false;
  bool nesting = false;
  bool exports = false;
  bool unix_sockets = true;
};

base::Result<Traits> traits_of(std::string_view profile) {
  Traits traits;
  auto has = [&profile](std::string_view suffix) {
    bool found = profile.ends_with(suffix);
    if (found) profile.remove_suffix(suffix.size());
    return found;
  };
  traits.exports = has("+exports");
  traits.nesting = has("+nesting");
  if (profile == "os") {
    traits.os = true;
  } else if (profile == "job-net") {
    traits.unix_sockets = false;
  } else if (profile != "app") {
    return make_error(Code::kInvalid, base::quoted(profile) + " is not a filter profile");
  }
  return traits;
}

base::Result<Context> new_context(uint32_t default_action) {
  Context context(seccomp_init(default_action));
  if (!context) return make_error(Code::kNoSpace, "seccomp_init failed");
  // 2: a binary tree over call numbers instead of a list.
  if (int err = seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2); err != 0)
    return base::sys_error("seccomp optimize", -err);
  // libseccomp's own choice would end one thread and let the others go on.
  if (int err = seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
      err != 0)
    return base::sys_error("seccomp architecture", -err);
  return context;
}

// Calls that this libseccomp or this architecture does not know are left to the default (ENOSYS).
Status add_calls(void* context, uint32_t action, const std::vector<const char*>& names) {
  for (const char* name : names) {
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR || number < 0) continue;
    if (int err = seccomp_rule_add_array(context, action, number, 0, nullptr); err != 0)
      return base::sys_error(std::string("seccomp rule for ") + name, -err);
  }
  return {};
}

Status refuse(void* context, int call, std::vector<scmp_arg_cmp> args, int answer = EPERM) {
  int err = seccomp_rule_add_array(context, SCMP_ACT_ERRNO(static_cast<unsigned>(answer)), call,
                                   static_cast<unsigned>(args.size()), args.data());
  if (err != 0) return base::sys_error("seccomp argument rule", -err);
  return {};
}

scmp_arg_cmp low32_is(unsigned argument, uint64_t value) {
  return scmp_arg_cmp{argument, SCMP_CMP_MASKED_EQ, 0xffffffff, value};
}

scmp_arg_cmp has_bit(unsigned argument, uint64_t bit) {
  return scmp_arg_cmp{argument, SCMP_CMP_MASKED_EQ, bit, bit};
}

base::Result<FilterProgram> export_program(void* context) {
  base::UniqueFd file(memfd_create("filter", MFD_CLOEXEC));
  if (!file) return base::sys_error("memfd_create");
  if (int err = seccomp_export_bpf(context, file.get()); err != 0)
    return base::sys_error("seccomp_export_bpf", -err);
  if (lseek(file.get(), 0, SEEK_SET) != 0) return base::sys_error("lseek");
  TRY_AS(std::string bytes, base::read_fd(file.get()));
  FilterProgram program(bytes.size() / sizeof(sock_filter));
  std::memcpy(program.data(), bytes.data(), program.size() * sizeof(sock_filter));
  return program;
}

base::Result<FilterProgram> allow_list(const Traits& traits) {
  TRY_AS(Context context, new_context(SCMP_ACT_ERRNO(ENOSYS)));
  TRY(add_calls(context.get(), SCMP_ACT_ALLOW, seccomp_calls::common()));
  TRY(add_calls(context.get(), traits.os || traits.nesting ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM),
                seccomp_calls::os_only()));
  // clone3(2) hides its flags in memory: where some are refused, ENOSYS sends libc back to clone(2).
  if (traits.nesting) TRY(add_calls(context.get(), SCMP_ACT_ALLOW, {"clone3"}));
  TRY(add_calls(context.get(), SCMP_ACT_ERRNO(EPERM), seccomp_calls::never()));
  return export_program(context.get());
}

// socket(2): the families that zones use; the family is an int, so high bits make it "over 17". The
// answers are those of a kernel without them: with EPERM, programs such as groupadd(8) give up where
// they otherwise do without audit.
Status refuse_sockets(void* context, const Traits& traits) {
  int call = SCMP_SYS(socket);
  for (uint64_t family = 0; family <= AF_PACKET; ++family) {
    bool allowed = (family == AF_UNIX && traits.unix_sockets) || family == AF_INET ||
                   family == AF_INET6 || family == AF_NETLINK || (family == AF_PACKET && traits.os);
    if (!allowed) TRY(refuse(context, call, {low32_is(0, family)}, EAFNOSUPPORT));
  }
  TRY(refuse(context, call, {scmp_arg_cmp{0, SCMP_CMP_GT, AF_PACKET, 0}}, EAFNOSUPPORT));
  for (uint64_t protocol : {NETLINK_AUDIT, NETLINK_XFRM})
    TRY(refuse(context, call, {low32_is(0, AF_NETLINK), low32_is(2, protocol)}, EPROTONOSUPPORT));
  return {};
}

// Pages that KSM merges tell the time of writing to them, and are shared with whoever holds the same
// bytes. The answer is that of a kernel without KSM (madvise(2)).
Status refuse_merging(void* context) {
  constexpr uint64_t kSetMemoryMerge = 67;  // PR_SET_MEMORY_MERGE of linux/prctl.h
  TRY(refuse(context, SCMP_SYS(madvise), {low32_is(2, MADV_MERGEABLE)}, EINVAL));
  TRY(refuse(context, SCMP_SYS(process_madvise), {low32_is(3, MADV_MERGEABLE)}, EINVAL));
  return refuse(context, SCMP_SYS(prctl), {low32_is(0, kSetMemoryMerge)}, EINVAL);
}

// What would tell a zone that somebody above it reads its files. A lease is broken by whoever opens the
// file for reading, and is refused while it is open (fcntl(2)); fsnotify tells of every open.
Status refuse_watching(void* context) {
  constexpr uint64_t kDelegation = 1040;  // F_SETDELEG, since Linux 6.19
  for (uint64_t command : {uint64_t{F_SETLEASE}, uint64_t{F_NOTIFY}, kDelegation})
    TRY(refuse(context, SCMP_SYS(fcntl), {low32_is(1, command)}, EINVAL));
  const int call = SCMP_SYS(inotify_add_watch);
  for (uint64_t event : {IN_OPEN, IN_ACCESS}) TRY(refuse(context, call, {has_bit(2, event)}));
  // systemd waits so until its console is free, and libmount until its file is; both take an error as
  // a failure and do without the event. They get a watch that never tells anything. The rules are
  // disjoint: libseccomp orders them as it likes.
  for (uint64_t mask : {IN_CLOSE, IN_CLOSE_NOWRITE})
    TRY(refuse(context, call, {low32_is(2, mask)}, 0));
  for (uint64_t other = 1; other <= uint64_t{1} << 31; other <<= 1)
    if ((other & IN_CLOSE) == 0) TRY(refuse(context, call, {has_bit(2, IN_CLOSE_NOWRITE | other)}));
  return {};
}

base::Result<FilterProgram> argument_rules(const Traits& traits) {
  TRY_AS(Context context, new_context(SCMP_ACT_ALLOW));
  // Input injection into a terminal; the kernel looks at the low 32 bits only.
  for (uint64_t request : {TIOCSTI, TIOCLINUX})
    TRY(refuse(context.get(), SCMP_SYS(ioctl), {low32_is(1, request)}));
  TRY(refuse_sockets(context.get(), traits));
  TRY(refuse_merging(context.get()));
  if (traits.exports) TRY(refuse_watching(context.get()));
  if (!traits.nesting) {
    std::vector<uint64_t> flags = {CLONE_NEWUSER};
    if (!traits.os)
      flags.insert(flags.end(), {CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWUTS,
                                 CLONE_NEWIPC, CLONE_NEWCGROUP});
    for (uint64_t flag : flags) {
      TRY(refuse(context.get(), SCMP_SYS(clone), {has_bit(0, flag)}));
      if (traits.os) TRY(refuse(context.get(), SCMP_SYS(unshare), {has_bit(0, flag)}));
    }
  }
  return export_program(context.get());
}

Status allow_with(void* context, int call, std::vector<scmp_arg_cmp> args) {
  int err = seccomp_rule_add_array(context, SCMP_ACT_ALLOW, call,
                                   static_cast<unsigned>(args.size()), args.data());
  if (err != 0) return base::sys_error("seccomp argument rule", -err);
  return {};
}

// A tap's descriptor can also rename, persist and hand over the link: those requests are not here.
// SG_IO and friends never reach a disk of ours: a regular file.
constexpr uint64_t kVmmRequests[] = {
    TCGETS,          FIONBIO,         FIONREAD,     TUNGETIFF,    TUNGETFEATURES, TUNSETOFFLOAD,
    TUNGETVNETHDRSZ, TUNSETVNETHDRSZ, TUNSETVNETLE, TUNSETVNETBE, TUNSETSNDBUF,   TUNSETQUEUE};

base::Result<FilterProgram> vmm_arguments() {
  TRY_AS(Context context, new_context(SCMP_ACT_ALLOW));
  TRY(refuse_merging(context.get()));
  return export_program(context.get());
}

base::Result<FilterProgram> vmm_list(bool kvm) {
  constexpr uint64_t kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
  constexpr uint64_t kNew = CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                            CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP;
  constexpr uint64_t kRequestType = 0xff00;
  constexpr uint64_t kKvmType = 0xae00;  // KVMIO of linux/kvm.h
  TRY_AS(Context context, new_context(SCMP_ACT_KILL_PROCESS));
  TRY(add_calls(context.get(), SCMP_ACT_ALLOW, seccomp_calls::vmm()));
  TRY(add_calls(context.get(), SCMP_ACT_NOTIFY, seccomp_calls::vmm_start()));
  // Flags of the first are in memory, where a filter can't look: libc goes back to clone(2). QEMU
  // does without io_uring.
  TRY(add_calls(context.get(), SCMP_ACT_ERRNO(ENOSYS), {"clone3", "io_uring_setup"}));
  TRY(allow_with(context.get(), SCMP_SYS(clone),
                 {scmp_arg_cmp{0, SCMP_CMP_MASKED_EQ, kThread | kNew, kThread}}));
  for (uint64_t request : kVmmRequests)
    TRY(allow_with(context.get(), SCMP_SYS(ioctl), {low32_is(1, request)}));
  // Of sockets it only asks what they are; options would take filters in and other processes' pidfds
  // out. TCP_NODELAY, which it also tries on unix sockets, it can do without.
  for (uint64_t option : {SO_TYPE, SO_ERROR, SO_ACCEPTCONN, SO_DOMAIN, SO_PROTOCOL})
    TRY(allow_with(context.get(), SCMP_SYS(getsockopt),
                   {low32_is(1, SOL_SOCKET), low32_is(2, option)}));
  TRY(add_calls(context.get(), SCMP_ACT_ERRNO(ENOPROTOOPT), {"setsockopt"}));
  if (kvm)
    TRY(allow_with(context.get(), SCMP_SYS(ioctl),
                   {scmp_arg_cmp{1, SCMP_CMP_MASKED_EQ, kRequestType, kKvmType}}));
  return export_program(context.get());
}

// Memory of its own, and the one descriptor that it has.
base::Result<FilterProgram> parse_program() {
  constexpr uint64_t kKind = MAP_TYPE | MAP_ANONYMOUS | MAP_FIXED;
  TRY_AS(Context context, new_context(SCMP_ACT_KILL_PROCESS));
  TRY(add_calls(context.get(), SCMP_ACT_ALLOW, {"close", "brk", "munmap", "mremap", "exit_group"}));
  for (int call : {SCMP_SYS(read), SCMP_SYS(write)})
    TRY(allow_with(context.get(), call, {low32_is(0, 0)}));
  // pthread_once(3), at the first exception.
  TRY(allow_with(context.get(), SCMP_SYS(futex), {low32_is(1, FUTEX_WAKE_PRIVATE)}));
  TRY(allow_with(context.get(), SCMP_SYS(mmap),
                 {scmp_arg_cmp{2, SCMP_CMP_MASKED_EQ, ~uint64_t{PROT_READ | PROT_WRITE}, 0},
                  scmp_arg_cmp{3, SCMP_CMP_MASKED_EQ, kKind, MAP_PRIVATE | MAP_ANONYMOUS}}));
  return export_program(context.get());
}

base::Result<FilterProgram> reader_program() {
  TRY_AS(Context context, new_context(SCMP_ACT_KILL_PROCESS));
  TRY(add_calls(context.get(), SCMP_ACT_ALLOW, seccomp_calls::reader()));
  for (uint64_t command : {F_GETFD, F_SETFD, F_GETFL, F_SETFL})  // no locks
    TRY(allow_with(context.get(), SCMP_SYS(fcntl), {low32_is(1, command)}));
  // For looking and reading alone. A read-only mount does not keep anybody from writing into its FIFOs.
  constexpr uint64_t kWrites = O_ACCMODE | O_CREAT | O_TRUNC;
  TRY(allow_with(context.get(), SCMP_SYS(openat),
                 {scmp_arg_cmp{2, SCMP_CMP_MASKED_EQ, kWrites, O_RDONLY}}));
  // libfuse3 looks for a /dev/null as it starts.
  TRY(refuse(context.get(), SCMP_SYS(openat),
             {scmp_arg_cmp{2, SCMP_CMP_MASKED_EQ, O_ACCMODE, O_RDWR}}, EROFS));
  return export_program(context.get());
}

}  // namespace

base::Result<FilterProgram> compile_filter(std::string_view profile) {
  if (profile == "parse") return parse_program();
  if (profile == "reader") return reader_program();
  FilterProgram program;
  FilterProgram allow;
  if (profile == "vmm" || profile == "vmm+kvm") {
    TRY_AS(program, vmm_arguments());
    TRY_AS(allow, vmm_list(profile != "vmm"));
  } else {
    TRY_AS(Traits traits, traits_of(profile));
    TRY_AS(program, argument_rules(traits));
    TRY_AS(allow, allow_list(traits));
  }
  // What the arguments allow is for the allow list to decide. One program costs a boot half of two.
  for (size_t i = 0; i < program.size(); ++i)
    if (program[i].code == (BPF_RET | BPF_K) && program[i].k == SECCOMP_RET_ALLOW)
      program[i] = BPF_STMT(BPF_JMP | BPF_JA, static_cast<uint32_t>(program.size() - i - 1));
  program.insert(program.end(), allow.begin(), allow.end());
  if (program.size() > BPF_MAXINSNS) return make_error(Code::kInternal, "the filter is too long");
  return program;
}

base::Result<base::UniqueFd> filter_memfd(std::string_view profile) {
  TRY_AS(FilterProgram program, compile_filter(profile));
  std::string bytes(reinterpret_cast<const char*>(program.data()),
                    program.size() * sizeof(sock_filter));
  return base::sealed_memfd("zone-filter", bytes);
}

const std::vector<std::string>& hot_calls() {
  static const std::vector<std::string> kHot = {
      "read",         "write",          "readv",        "writev",        "pread64",
      "pwrite64",     "close",          "fstat",        "newfstatat",    "lseek",
      "poll",         "ppoll",          "epoll_wait",   "epoll_pwait",   "epoll_ctl",
      "futex",        "mmap",           "munmap",       "mprotect",      "brk",
      "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "nanosleep",     "clock_nanosleep",
      "sched_yield",  "getpid",         "gettid",       "clock_gettime", "sendto",
      "recvfrom",     "sendmsg",        "recvmsg",      "accept4",       "openat",
      "wait4",        "execve",         "exit",         "exit_group",    "pipe2"};
  return kHot;
}

}  // namespace core
