#include "zoned/core/seccomp_filter.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/files.h"
#include "zoned/core/seccomp_calls.h"

namespace {

// What the kernel does with one program: classic BPF over seccomp_data. With `constant` set, as in
// seccomp_is_const_allow(): looking at anything but number and architecture gives no answer.
std::optional<uint32_t> evaluate(const std::vector<sock_filter>& program, const seccomp_data& data,
                                 bool constant) {
  uint32_t accumulator = 0;
  for (size_t pc = 0; pc < program.size(); ++pc) {
    const sock_filter& op = program[pc];
    auto jump = [&](bool yes) { pc += yes ? op.jt : op.jf; };
    switch (op.code) {
      case BPF_LD | BPF_W | BPF_ABS: {
        bool known = op.k == offsetof(seccomp_data, nr) || op.k == offsetof(seccomp_data, arch);
        if (constant && !known) return std::nullopt;
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + op.k, 4);
        break;
      }
      case BPF_JMP | BPF_JA:
        pc += op.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        jump(accumulator == op.k);
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        jump(accumulator >= op.k);
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        jump(accumulator > op.k);
        break;
      case BPF_JMP | BPF_JSET | BPF_K:
        jump((accumulator & op.k) != 0);
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        accumulator &= op.k;
        break;
      case BPF_RET | BPF_K:
        return op.k;
      default:
        FAIL("unknown instruction " << op.code);
    }
  }
  FAIL("the program has no end");
  return std::nullopt;
}

uint32_t verdict(const core::FilterProgram& program, const seccomp_data& data) {
  return *evaluate(program, data, false);
}

seccomp_data call(const char* name, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0) {
  seccomp_data data = {};
  data.nr = seccomp_syscall_resolve_name(name);
  REQUIRE(data.nr >= 0);
  data.arch = AUDIT_ARCH_X86_64;
  data.args[0] = a;
  data.args[1] = b;
  data.args[2] = c;
  return data;
}

core::FilterProgram filter(const char* profile) {
  auto program = core::compile_filter(profile);
  REQUIRE(program.ok());
  return *program;
}

constexpr int kLastCall = 500;
constexpr uint32_t kEperm = SECCOMP_RET_ERRNO | EPERM;
// What a kernel without the family or the protocol says.
constexpr uint32_t kNoFamily = SECCOMP_RET_ERRNO | EAFNOSUPPORT;
constexpr uint32_t kNoProtocol = SECCOMP_RET_ERRNO | EPROTONOSUPPORT;
constexpr uint32_t kEnosys = SECCOMP_RET_ERRNO | ENOSYS;

}  // namespace

TEST_CASE("hot calls are allowed without a look at their arguments") {
  for (const char* profile : {"app", "os"}) {
    auto program = filter(profile);
    for (const std::string& name : core::hot_calls()) {
      INFO(profile << " " << name);
      CHECK(evaluate(program, call(name.c_str()), true) == SECCOMP_RET_ALLOW);
    }
    // The control: a call with an argument rule is none of them.
    CHECK_FALSE(evaluate(program, call("socket", AF_INET), true).has_value());
  }
}

TEST_CASE("what is always denied is denied in every profile") {
  for (const char* profile : {"app", "os", "app+nesting", "os+nesting", "job-net"}) {
    auto program = filter(profile);
    for (const char* name : {"kexec_load",
                             "init_module",
                             "finit_module",
                             "delete_module",
                             "open_by_handle_at",
                             "bpf",
                             "perf_event_open",
                             "userfaultfd",
                             "keyctl",
                             "add_key",
                             "request_key",
                             "io_uring_setup",
                             "io_uring_enter",
                             "swapon",
                             "clock_settime",
                             "settimeofday",
                             "iopl",
                             "ioperm",
                             "quotactl",
                             "acct",
                             "syslog",
                             "fanotify_init",
                             "uselib"}) {
      INFO(profile << " " << name);
      CHECK(verdict(program, call(name)) == kEperm);
    }
    CHECK(verdict(program, call("read")) == SECCOMP_RET_ALLOW);
  }
}

TEST_CASE("socket families are an allow list, whatever the high bits say") {
  auto app = filter("app");
  auto os = filter("os");
  auto job = filter("job-net");
  for (uint64_t high : {uint64_t{0}, uint64_t{0xffffffff00000000}}) {
    for (uint64_t family : {AF_ALG, AF_RXRPC, AF_KEY, AF_VSOCK, AF_PACKET, 44, 30}) {
      INFO(family);
      CHECK(verdict(app, call("socket", high | family, SOCK_RAW)) == kNoFamily);
    }
    CHECK(verdict(app, call("socket", high | AF_NETLINK, SOCK_RAW, high | 6)) == kNoProtocol);
    CHECK(verdict(app, call("socket", high | AF_NETLINK, SOCK_RAW, high | 9)) == kNoProtocol);
    CHECK(verdict(job, call("socket", high | AF_UNIX, SOCK_STREAM)) == kNoFamily);
  }
  for (uint64_t family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK})
    CHECK(verdict(app, call("socket", family, SOCK_STREAM)) == SECCOMP_RET_ALLOW);
  CHECK(verdict(os, call("socket", AF_PACKET, SOCK_RAW)) == SECCOMP_RET_ALLOW);
  CHECK(verdict(job, call("socket", AF_INET, SOCK_STREAM)) == SECCOMP_RET_ALLOW);
}

TEST_CASE("terminal input can't be injected, whatever the high bits say") {
  for (const char* profile : {"app", "os"}) {
    auto program = filter(profile);
    for (uint64_t high : {uint64_t{0}, uint64_t{0xdeadbeef00000000}})
      for (uint64_t request : {TIOCSTI, TIOCLINUX})
        CHECK(verdict(program, call("ioctl", 0, high | request)) == kEperm);
    CHECK(verdict(program, call("ioctl", 0, TIOCGWINSZ)) == SECCOMP_RET_ALLOW);
  }
}

TEST_CASE("no memory is offered for merging, whatever the high bits say") {
  constexpr uint64_t kHigh = 0xdeadbeef00000000;
  constexpr uint32_t kEinval = SECCOMP_RET_ERRNO | EINVAL;
  for (const char* profile : {"app", "os", "app+nesting", "job-net", "vmm", "vmm+kvm"}) {
    INFO(profile);
    auto program = filter(profile);
    bool vmm = std::string_view(profile).starts_with("vmm");
    for (uint64_t high : {uint64_t{0}, kHigh}) {
      CHECK(verdict(program, call("madvise", 0, 0, high | MADV_MERGEABLE)) == kEinval);
      CHECK(verdict(program, call("prctl", high | 67, 1)) == kEinval);
      seccomp_data other = call("process_madvise");
      other.args[3] = high | MADV_MERGEABLE;
      CHECK(verdict(program, other) == kEinval);
    }
    for (uint64_t advice : {MADV_DONTNEED, MADV_UNMERGEABLE, MADV_HUGEPAGE})
      CHECK(verdict(program, call("madvise", 0, 0, advice)) == SECCOMP_RET_ALLOW);
    CHECK(verdict(program, call("prctl", 15)) ==
          (vmm ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW));
  }
}

TEST_CASE("namespaces: none in app, all but user in os, all with nesting") {
  constexpr uint64_t kNewUser = 0x10000000;
  constexpr uint64_t kNewNet = 0x40000000;
  auto app = filter("app");
  CHECK(verdict(app, call("clone", kNewUser)) == kEperm);
  CHECK(verdict(app, call("clone", kNewNet)) == kEperm);
  CHECK(verdict(app, call("clone", 0x1200011)) == SECCOMP_RET_ALLOW);
  CHECK(verdict(app, call("unshare", kNewNet)) == kEperm);
  CHECK(verdict(app, call("clone3")) == kEnosys);
  auto os = filter("os");
  CHECK(verdict(os, call("unshare", kNewNet)) == SECCOMP_RET_ALLOW);
  CHECK(verdict(os, call("unshare", kNewNet | kNewUser)) == kEperm);
  CHECK(verdict(os, call("clone", kNewUser)) == kEperm);
  CHECK(verdict(os, call("clone3")) == kEnosys);
  auto nesting = filter("os+nesting");
  CHECK(verdict(nesting, call("unshare", kNewUser)) == SECCOMP_RET_ALLOW);
  CHECK(verdict(nesting, call("clone3")) == SECCOMP_RET_ALLOW);
}

TEST_CASE("a zone that exports can neither take leases nor watch for reading") {
  constexpr uint32_t kEinval = SECCOMP_RET_ERRNO | EINVAL;
  constexpr uint64_t kHigh = 0xdeadbeef00000000;
  for (const std::string profile : {"app", "os", "os+nesting"}) {
    auto plain = filter(profile.c_str());
    auto exporting = filter((profile + "+exports").c_str());
    for (uint64_t command : {F_SETLEASE, F_NOTIFY}) {
      INFO(profile << " " << command);
      CHECK(verdict(plain, call("fcntl", 3, command)) == SECCOMP_RET_ALLOW);
      CHECK(verdict(exporting, call("fcntl", 3, command)) == kEinval);
      CHECK(verdict(exporting, call("fcntl", 3, kHigh | command)) == kEinval);
    }
    for (uint64_t event : {IN_OPEN, IN_ACCESS}) {
      INFO(profile << " " << event);
      CHECK(verdict(plain, call("inotify_add_watch", 3, 0, event)) == SECCOMP_RET_ALLOW);
      CHECK(verdict(exporting, call("inotify_add_watch", 3, 0, event)) == kEperm);
      CHECK(verdict(exporting, call("inotify_add_watch", 3, 0, kHigh | IN_MODIFY | event)) ==
            kEperm);
    }
    for (uint64_t other = 1; other <= uint64_t{1} << 31; other <<= 1)
      if ((other & IN_CLOSE) == 0) {
        INFO(other);
        CHECK(verdict(exporting, call("inotify_add_watch", 3, 0, IN_CLOSE_NOWRITE | other)) ==
              kEperm);
      }
    for (uint64_t high : {uint64_t{0}, kHigh})
      for (uint64_t mask : {IN_CLOSE, IN_CLOSE_NOWRITE}) {
        CHECK(verdict(plain, call("inotify_add_watch", 3, 0, high | mask)) == SECCOMP_RET_ALLOW);
        CHECK(verdict(exporting, call("inotify_add_watch", 3, 0, high | mask)) ==
              SECCOMP_RET_ERRNO);
      }
    CHECK(verdict(exporting, call("inotify_add_watch", 3, 0, IN_MODIFY | IN_CLOSE_WRITE)) ==
          SECCOMP_RET_ALLOW);
    CHECK(verdict(exporting, call("fcntl", 3, F_SETLK)) == SECCOMP_RET_ALLOW);
    CHECK(verdict(exporting, call("fanotify_init")) == kEperm);
  }
}

TEST_CASE("what zone-readdown does not call kills it") {
  auto program = filter("reader");
  for (int flags : {O_RDONLY | O_DIRECT, O_RDONLY | O_DIRECTORY, O_PATH | O_NOFOLLOW})
    CHECK(verdict(program, call("openat", 3, 0, static_cast<uint64_t>(flags))) ==
          SECCOMP_RET_ALLOW);
  CHECK(verdict(program, call("openat", 3, 0, O_RDWR)) == (SECCOMP_RET_ERRNO | EROFS));
  for (int flags : {O_WRONLY | O_NONBLOCK, O_RDONLY | O_CREAT, O_RDONLY | O_TRUNC})
    CHECK(verdict(program, call("openat", 3, 0, static_cast<uint64_t>(flags))) ==
          SECCOMP_RET_KILL_PROCESS);
  for (const char* name : {"preadv2", "mincore", "recvmsg"})
    CHECK(verdict(program, call(name)) == SECCOMP_RET_ALLOW);
  CHECK(verdict(program, call("fcntl", 3, F_SETFL)) == SECCOMP_RET_ALLOW);
  for (uint64_t command : {F_SETLK, F_OFD_SETLK, F_SETLEASE})
    CHECK(verdict(program, call("fcntl", 3, command)) == SECCOMP_RET_KILL_PROCESS);
  for (const char* name : {"socket", "clone", "clone3", "fork", "connect", "mount", "fsopen",
                           "setns", "ptrace", "unlinkat", "flock", "inotify_init1",
                           "io_uring_setup", "open", "openat2", "creat", "pwrite64"})
    CHECK(verdict(program, call(name)) == SECCOMP_RET_KILL_PROCESS);
}

TEST_CASE("unknown calls get ENOSYS, foreign architectures are killed") {
  auto app = filter("app");
  seccomp_data data = call("read");
  data.nr = 4000;
  CHECK(verdict(app, data) == kEnosys);
  data = call("read");
  data.arch = AUDIT_ARCH_I386;
  CHECK(verdict(app, data) == SECCOMP_RET_KILL_PROCESS);
}

TEST_CASE("what a VMM calls while its guest runs is allowed without a look at arguments") {
  for (const char* profile : {"vmm", "vmm+kvm"}) {
    auto program = filter(profile);
    for (const char* name : core::seccomp_calls::vmm()) {
      if (std::string_view(name) == "madvise") continue;
      INFO(profile << " " << name);
      CHECK(evaluate(program, call(name), true) == SECCOMP_RET_ALLOW);
    }
    // The controls: calls with argument rules are none of them.
    CHECK_FALSE(evaluate(program, call("ioctl"), true).has_value());
    CHECK_FALSE(evaluate(program, call("clone"), true).has_value());
  }
}

TEST_CASE("start-only calls of a VMM ask the listener; what no list names kills the process") {
  auto program = filter("vmm");
  auto listed = core::seccomp_calls::vmm();
  auto start = core::seccomp_calls::vmm_start();
  for (const char* name : start) {
    INFO(name);
    CHECK(std::count(listed.begin(), listed.end(), std::string_view(name)) == 0);
    CHECK(verdict(program, call(name)) == SECCOMP_RET_USER_NOTIF);
  }
  int killed = 0;
  for (int number = 0; number <= kLastCall; ++number) {
    const char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, number);
    seccomp_data data = {};
    data.nr = number;
    data.arch = AUDIT_ARCH_X86_64;
    std::string text = name == nullptr ? "" : name;
    std::free(const_cast<char*>(name));
    auto is_text = [&text](const char* other) { return text == other; };
    bool known = std::any_of(listed.begin(), listed.end(), is_text) ||
                 std::any_of(start.begin(), start.end(), is_text) || text == "clone3" ||
                 text == "io_uring_setup" || text == "setsockopt";
    INFO(number << " " << text);
    if (known) {
      CHECK(verdict(program, data) != SECCOMP_RET_KILL_PROCESS);
    } else {
      CHECK(verdict(program, data) == SECCOMP_RET_KILL_PROCESS);
      ++killed;
    }
  }
  CHECK(killed > 200);
}

TEST_CASE("a VMM's ioctls are an allow list by value") {
  auto vmm = filter("vmm");
  auto kvm = filter("vmm+kvm");
  constexpr uint64_t kHigh = 0xdeadbeef00000000;
  for (uint64_t request : {uint64_t{FIONBIO}, uint64_t{TUNSETOFFLOAD}, uint64_t{TUNSETVNETHDRSZ}}) {
    CHECK(verdict(vmm, call("ioctl", 0, request)) == SECCOMP_RET_ALLOW);
    CHECK(verdict(vmm, call("ioctl", 0, kHigh | request)) == SECCOMP_RET_ALLOW);
  }
  for (uint64_t request :
       {uint64_t{TUNSETIFF}, uint64_t{TUNSETPERSIST}, uint64_t{TUNSETOWNER}, uint64_t{TUNSETGROUP},
        uint64_t{TUNSETLINK}, uint64_t{TUNSETCARRIER}, uint64_t{TUNSETSTEERINGEBPF},
        uint64_t{TUNSETFILTEREBPF}, uint64_t{TUNATTACHFILTER}, uint64_t{TUNGETDEVNETNS},
        uint64_t{SIOCSIFHWADDR}, uint64_t{SIOCGIFCONF}, uint64_t{TIOCSTI}, uint64_t{TIOCLINUX},
        uint64_t{TIOCSCTTY}, uint64_t{FIOASYNC}}) {
    INFO(request);
    for (uint64_t high : {uint64_t{0}, kHigh}) {
      CHECK(verdict(vmm, call("ioctl", 0, high | request)) == SECCOMP_RET_KILL_PROCESS);
      CHECK(verdict(kvm, call("ioctl", 0, high | request)) == SECCOMP_RET_KILL_PROCESS);
    }
  }
  constexpr uint64_t kKvmRun = 0xae80;
  CHECK(verdict(kvm, call("ioctl", 0, kKvmRun)) == SECCOMP_RET_ALLOW);
  CHECK(verdict(vmm, call("ioctl", 0, kKvmRun)) == SECCOMP_RET_KILL_PROCESS);
}

TEST_CASE("a VMM makes threads and no processes") {
  auto program = filter("vmm");
  // What glibc's pthread_create asks for.
  constexpr uint64_t kPthread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                                CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
                                CLONE_CHILD_CLEARTID;
  CHECK(verdict(program, call("clone", kPthread)) == SECCOMP_RET_ALLOW);
  CHECK(verdict(program, call("clone", SIGCHLD)) == SECCOMP_RET_KILL_PROCESS);
  CHECK(verdict(program, call("clone", CLONE_VM | CLONE_VFORK | SIGCHLD)) ==
        SECCOMP_RET_KILL_PROCESS);
  CHECK(verdict(program, call("clone", kPthread & ~uint64_t{CLONE_THREAD})) ==
        SECCOMP_RET_KILL_PROCESS);
  for (uint64_t flag : {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWUTS,
                        CLONE_NEWIPC, CLONE_NEWCGROUP})
    CHECK(verdict(program, call("clone", kPthread | flag)) == SECCOMP_RET_KILL_PROCESS);
  CHECK(verdict(program, call("clone3")) == kEnosys);
  for (const char* name : {"fork", "vfork", "execveat", "unshare", "setns"})
    CHECK(verdict(program, call(name)) == SECCOMP_RET_KILL_PROCESS);
}

TEST_CASE("a foreign architecture kills the whole VMM, not one thread of it") {
  auto program = filter("vmm");
  seccomp_data data = call("getpid");
  CHECK(verdict(program, data) == SECCOMP_RET_ALLOW);
  data.arch = AUDIT_ARCH_I386;
  CHECK(verdict(program, data) == SECCOMP_RET_KILL_PROCESS);
  data.arch = AUDIT_ARCH_X86_64;
  data.nr |= 0x40000000;  // x32
  CHECK(verdict(program, data) == SECCOMP_RET_KILL_PROCESS);
}

TEST_CASE("filters travel as sealed bytes; an unknown profile has none") {
  auto program = filter("os");
  auto file = core::filter_memfd("os");
  REQUIRE(file.ok());
  CHECK(base::is_sealed(file->get()));
  auto bytes = base::read_fd(file->get());
  REQUIRE(bytes.ok());
  REQUIRE(bytes->size() == program.size() * sizeof(sock_filter));
  CHECK(std::memcmp(bytes->data(), program.data(), bytes->size()) == 0);
  CHECK_FALSE(core::compile_filter("none").ok());
}
