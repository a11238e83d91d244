#include "zoned/core/parser_cell.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <string>

#include "base/files.h"
#include "base/process.h"
#include "zoned/core/host_facts.h"
#include "zoned/core/landlock.h"

namespace core {
namespace {

using base::Result;
using base::Status;
using base::sys_error;
using base::UniqueFd;

constexpr uid_t kInnerId = 1000;
constexpr rlim_t kAddressSpace = 512 << 20;

Status check(bool good, const char* what) {
  if (good) return {};
  return sys_error(what);
}

// Over /proc, which every host has; the host's tree goes with its descriptors.
Status empty_root() {
  constexpr unsigned long kFlags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  TRY(check(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "make / private"));
  TRY(check(mount("none", "/proc", "tmpfs", kFlags, "size=4k,nr_inodes=2,mode=0555") == 0,
            "mount the root"));
  TRY(check(chdir("/proc") == 0, "chdir"));
  TRY(check(syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root"));
  TRY(check(umount2(".", MNT_DETACH) == 0, "umount the old root"));
  return check(chdir("/") == 0, "chdir /");
}

Status take_id(uid_t id) {
  // Capabilities last until they are dropped.
  TRY(check(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0, "keep capabilities"));
  TRY(check(syscall(SYS_setgroups, 0, nullptr) == 0, "setgroups"));
  TRY(check(setresgid(id, id, id) == 0, "setresgid"));
  TRY(check(setresuid(id, id, id) == 0, "setresuid"));
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  TRY(check(syscall(SYS_capget, &header, data) == 0, "capget"));
  for (auto& half : data) half.effective = half.permitted;
  return check(syscall(SYS_capset, &header, data) == 0, "capset");
}

Status drop_capabilities() {
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
    TRY(check(prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0, "drop the bounding set"));
  TRY(check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0, "clear ambient"));
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  return check(syscall(SYS_capset, &header, none) == 0, "drop capabilities");
}

Status set_limits() {
  auto limit = [](__rlimit_resource which, rlim_t value) {
    rlimit both = {value, value};
    return check(setrlimit(which, &both) == 0, "setrlimit");
  };
  TRY(limit(RLIMIT_AS, kAddressSpace));
  for (__rlimit_resource which :
       {RLIMIT_CORE, RLIMIT_FSIZE, RLIMIT_NPROC, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NOFILE})
    TRY(limit(which, 0));
  return {};
}

// All that this kernel's landlock(7) can refuse, without exception.
Status landlock() {
  constexpr unsigned kLeastNet = 4;
  constexpr unsigned kLeastScope = 6;
  uint32_t abi = landlock_abi();
  if (abi == 0) return {};
  uint64_t refused[3] = {landlock_handled(abi), 3,
                         3};  // TCP bind and connect; abstract sockets and signals
  size_t size = sizeof(uint64_t) * (abi >= kLeastScope ? 3 : abi >= kLeastNet ? 2 : 1);
  UniqueFd ruleset(static_cast<int>(syscall(SYS_landlock_create_ruleset, &refused, size, 0)));
  TRY(check(static_cast<bool>(ruleset), "landlock"));
  return check(syscall(SYS_landlock_restrict_self, ruleset.get(), 0) == 0, "landlock");
}

Status load_filter(const FilterProgram& filter) {
  sock_fprog program = {static_cast<unsigned short>(filter.size()),
                        const_cast<sock_filter*>(filter.data())};
  return check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0, "seccomp");
}

Status wait_for(int gate) {
  char byte;
  ssize_t n;
  do {
    n = read(gate, &byte, 1);
  } while (n < 0 && errno == EINTR);
  return check(n == 1, "the starter has gone");
}

// Leaves the socket as 0 and the report as 1.
Status place_descriptors(int socket, bool close_others, UniqueFd* report) {
  TRY(check(dup2(report->get(), 1) == 1, "dup2"));
  TRY(check(dup2(socket, 0) == 0, "dup2"));
  *report = UniqueFd(1);
  if (!close_others) return {};
  return check(syscall(SYS_close_range, 2U, ~0U, 0U) == 0, "close_range");
}

// In the child. The report is closed, without a word, when all is done.
Status shut(const ParserCell& cell, int socket, int gate, UniqueFd* report) {
  TRY(wait_for(gate));
  sigset_t none;
  sigemptyset(&none);
  TRY(check(sigprocmask(SIG_SETMASK, &none, nullptr) == 0, "sigprocmask"));
  if (cell.host_id != 0) TRY(take_id(kInnerId));
  if (cell.new_namespaces && cell.empty_root) TRY(empty_root());
  TRY(check(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0, "pdeathsig"));
  TRY(check(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, "dumpable"));
  TRY(place_descriptors(socket, cell.close_descriptors, report));
  if (cell.no_new_privs) TRY(check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs"));
  if (cell.landlock) TRY(landlock());
  if (cell.drop_capabilities) TRY(drop_capabilities());
  if (cell.limits) TRY(set_limits());
  if (!cell.filter.empty()) TRY(load_filter(cell.filter));
  report->reset();
  return {};
}

[[noreturn]] void be_child(const ParserCell& cell, int socket, int gate, UniqueFd report,
                           const std::function<int(int)>& work) {
  Status done = shut(cell, socket, gate, &report);
  if (done) _exit(work(0));
  // Where nobody listens any more, the end itself is the message.
  static_cast<void>(base::write_all(report.get(), done.error().message));
  _exit(1);
}

// Who the cell's one id is on the host.
Status map_ids(pid_t pid, uid_t host_id) {
  TRY_AS(UniqueFd proc,
         base::open_at(AT_FDCWD, "/proc/" + std::to_string(pid), O_RDONLY | O_DIRECTORY));
  std::string line = std::to_string(kInnerId) + " " + std::to_string(host_id) + " 1\n";
  TRY(base::write_value(proc.get(), "uid_map", line));
  return base::write_value(proc.get(), "gid_map", line);
}

}  // namespace

Result<ParserCell> parser_cell(uid_t host_id) {
  ParserCell cell;
  cell.host_id = host_id;
  TRY_AS(cell.filter, compile_filter("parse"));
  return cell;
}

Result<CelledProcess> start_in_cell(const ParserCell& cell, int socket,
                                    const std::function<int(int)>& work) {
  // What goes first when memory is short.
  TRY(base::write_value(AT_FDCWD, "/proc/self/oom_score_adj", "1000"));
  TRY_AS(base::Pipe gate, base::make_pipe());
  TRY_AS(base::Pipe report, base::make_pipe());
  int pidfd = -1;
  clone_args args = {};
  args.flags = CLONE_PARENT | CLONE_PIDFD;
  if (cell.host_id != 0) args.flags |= CLONE_NEWUSER;
  if (cell.new_namespaces)
    args.flags |= CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC |
                  CLONE_NEWCGROUP | CLONE_NEWTIME;
  args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  long pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid < 0) return sys_error("clone3");
  if (pid == 0) {
    gate.write.reset();
    report.read.reset();
    be_child(cell, socket, gate.read.get(), std::move(report.write), work);
  }
  CelledProcess process{static_cast<pid_t>(pid), UniqueFd(pidfd)};
  report.write.reset();
  auto finish = [&]() -> Status {
    if (cell.host_id != 0) TRY(map_ids(process.pid, cell.host_id));
    TRY(base::write_all(gate.write.get(), "+"));
    TRY_AS(std::string said, base::read_fd(report.read.get(), 4096));
    if (said.empty()) return {};
    return base::make_error(base::Code::kIo, said);
  };
  Status done = finish();
  if (done) return process;
  static_cast<void>(base::signal_pidfd(process.pidfd.get(), SIGKILL));
  return std::move(done).error().context("cell of zone-parse");
}

}  // namespace core
