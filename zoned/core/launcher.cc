#include "zoned/core/launcher.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <csignal>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"
#include "base/unix_socket.h"
#include "netns/links.h"
#include "zoned/core/capabilities.h"
#include "zoned/core/child_setup.h"
#include "zoned/core/frozen.h"
#include "zoned/core/helper_process.h"
#include "zoned/core/keeper_protocol.h"
#include "zoned/core/namespaces.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::sys_error;
using base::UniqueFd;
using nlohmann::json;

void enter_cgroup(const FdTable& fds, clone_args* args) {
  auto cgroup = fds.find("cgroup");
  if (cgroup == fds.end()) return;
  args->flags |= CLONE_INTO_CGROUP;
  args->cgroup = static_cast<uint64_t>(cgroup->second);
}

// Writing "0" into tasks moves the writing thread, which is all of us; what it clones starts there.
Status join_cgroups(const FdTable& fds) {
  for (const auto& [name, fd] : fds) {
    if (!name.starts_with("procs")) continue;
    if (write(fd, "0", 1) != 1) return sys_error("join cgroup");
  }
  return {};
}

// What zoned had made ahead (keeper_protocol.h).
PreparedNamespaces prepared_in(const FdTable& fds) {
  auto find = [&fds](const char* name) {
    auto it = fds.find(name);
    return it == fds.end() ? -1 : it->second;
  };
  return {find("user"), find("net")};
}

// The failure pipe: EOF means that exec has happened.
Status await_exec(int report, const char* (*step_name)(uint32_t), const std::string& path) {
  ChildFailure failure = {};
  ssize_t n;
  do {
    n = read(report, &failure, sizeof failure);
  } while (n < 0 && errno == EINTR);
  if (n == 0) return {};
  if (n != sizeof failure) return sys_error("read the child's report", n < 0 ? errno : EIO);
  std::string step = step_name(failure.step);
  if (step == "exec") step += " " + base::quoted(path);
  if (failure.index != 0) step += " [" + std::to_string(failure.index) + "]";
  base::Error error = sys_error(step, failure.error);
  // The file was there when the tree was looked at: its interpreter is missing, or it is no program.
  if (step.starts_with("exec ")) error.code = base::Code::kNotRunnable;
  return error;
}

// --- the launcher --------------------------------------------------------------------------------

class Launcher {
 public:
  Launcher(const ZonePlan& plan, FdTable fds, int keeper)
      : plan_(plan), fds_(std::move(fds)), keeper_(keeper), prepared_(prepared_in(fds_)) {}
  Status run();

 private:
  Status enter_own_world();
  Status make_taps();
  Status clone_child();
  Status clone_inside(clone_args args, const ChildPlan& child);
  Status await_rules();
  Status make_ports();
  Result<UniqueFd> build_mounts();
  Status hand_on_listener();
  Result<UniqueFd> zone_mount_namespace();
  uint64_t clone_flags() const;

  const ZonePlan& plan_;
  FdTable fds_;
  std::vector<UniqueFd> taps_;
  int keeper_;
  UniqueFd proc_self_;  // the host's /proc/self, reachable after the pivot
  UniqueFd gate_;
  UniqueFd report_;
  pid_t child_ = 0;
  pid_t passer_ = 0;
  UniqueFd child_pidfd_;
  UniqueFd child_user_namespace_;
  PreparedNamespaces prepared_;
  bool rules_known_ = false;  // to be there
};

Status Launcher::enter_own_world() {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return sys_error("make mounts private");
  TRY_AS(proc_self_, base::open_at(AT_FDCWD, "/proc/self", O_PATH | O_DIRECTORY));
  TRY(join_cgroups(fds_));
  return base::write_value(proc_self_.get(), "oom_score_adj", std::to_string(plan_.oom_score_adj));
}

uint64_t Launcher::clone_flags() const {
  const Namespaces& n = plan_.namespaces;
  uint64_t flags = CLONE_NEWNS | CLONE_PARENT | CLONE_CLEAR_SIGHAND | CLONE_PIDFD;
  if (n.user) flags |= CLONE_NEWUSER;
  if (n.pid) flags |= CLONE_NEWPID;
  if (n.net) flags |= CLONE_NEWNET;
  if (n.uts) flags |= CLONE_NEWUTS;
  if (n.ipc) flags |= CLONE_NEWIPC;
  if (n.time) flags |= CLONE_NEWTIME;
  return flags;
}

Status Launcher::clone_child() {
  TRY_AS(auto gate, base::socket_pair(SOCK_SEQPACKET));
  TRY_AS(base::Pipe report, base::make_pipe());
  TRY_AS(auto frozen, Frozen::boot(plan_, fds_, gate, report.write.get()));
  clone_args args = {};
  args.flags = clone_flags();
  enter_cgroup(fds_, &args);
  if (prepared_.user >= 0) {
    TRY(clone_inside(args, frozen->child()));
  } else {
    int pidfd = -1;
    args.pidfd = reinterpret_cast<uintptr_t>(&pidfd);
    TRY_AS(child_, clone_owned(args, plan_.namespaces.user ? plan_.ids : IdRange{}));
    if (child_ == 0) run_boot_steps(frozen->child());
    child_pidfd_.reset(pidfd);
    if (plan_.namespaces.user) {
      TRY(map_ids(child_, plan_.ids));
      TRY_AS(child_user_namespace_, namespace_of(child_, "user"));
    }
  }
  gate_ = std::move(gate.second);
  report_ = std::move(report.read);
  return {};
}

Status Launcher::clone_inside(clone_args args, const ChildPlan& child) {
  args.flags &= ~uint64_t{CLONE_NEWUSER | CLONE_NEWNET};
  TRY_AS(ZoneProcess made, clone_into(prepared_, args, child));
  child_ = made.pid;
  child_pidfd_ = std::move(made.pidfd);
  passer_ = made.passer;
  TRY_AS(child_user_namespace_, base::dup_fd(prepared_.user));
  return {};
}

// A VMM is given its taps; they stay in the host's namespace.
Status Launcher::make_taps() {
  size_t taps = 0;
  for (const netns::PortPlan& port : plan_.ports) taps += port.kind == netns::PortKind::kTap;
  if (taps == 0) return {};
  TRY(await_rules());
  TRY_AS(netns::Links host, netns::Links::open());
  for (const netns::PortPlan& port : plan_.ports) {
    if (port.kind != netns::PortKind::kTap) continue;
    TRY_AS(UniqueFd tap, netns::make_tap(host, port));
    fds_["tap" + std::to_string(taps_.size())] = tap.get();
    taps_.push_back(std::move(tap));
  }
  return {};
}

// zoned sees to the rules while we are at work. No link is made before them, and none is used.
Status Launcher::await_rules() {
  auto go = fds_.find("go");
  if (rules_known_ || go == fds_.end()) return {};
  char byte = 0;
  ssize_t n;
  do {
    n = read(go->second, &byte, 1);
  } while (n < 0 && errno == EINTR);
  if (n != 1) return make_error(Code::kIo, "the rules of the zone's ports are not there");
  rules_known_ = true;
  return {};
}

// Before the pivot, while the host's /proc/sys is there.
Status Launcher::make_ports() {
  if (plan_.ports.size() == taps_.size()) return {};
  TRY(await_rules());
  UniqueFd own;
  if (prepared_.net < 0) {
    TRY_AS(own, namespace_of(child_, "net"));
  }
  int zone = own ? own.get() : prepared_.net;
  TRY_AS(netns::Links host, netns::Links::open());
  for (const netns::PortPlan& port : plan_.ports)
    if (port.kind != netns::PortKind::kTap) TRY(netns::make_port(host, port, zone));
  return {};
}

// Joins the zone's user namespace and copies the mount namespace there: mounts that came from a more
// privileged namespace are locked in the copy (mount_namespaces(7)).
Result<UniqueFd> Launcher::zone_mount_namespace() {
  if (child_user_namespace_ && setns(child_user_namespace_.get(), CLONE_NEWUSER) != 0)
    return sys_error("join the zone's user namespace");
  if (unshare(CLONE_NEWNS) != 0) return sys_error("copy the mount namespace");
  return base::open_at(proc_self_.get(), "ns/mnt", O_RDONLY);
}

Result<UniqueFd> Launcher::build_mounts() {
  RootAssembler root(plan_, fds_, child_user_namespace_ ? child_user_namespace_.get() : -1);
  if (write(gate_.get(), "g", 1) != 1) return sys_error("open the gate");
  // For whoever has to kill a child that hangs; before the gate none does.
  TRY(tell_keeper(keeper_, {{"pid", child_}, {"passer", passer_}}));
  TRY(make_ports());
  TRY(root.prepare());
  TRY_AS(base::Message offer, base::receive_message(gate_.get(), 16));
  if (offer.eof) return make_error(Code::kIo, "the zone's first process ended early");
  UniqueFd console;
  if (plan_.stdio == Stdio::kConsole && !offer.fds.empty()) {
    console = std::move(offer.fds.back());
    offer.fds.pop_back();
  }
  root.take_offer(std::move(offer.fds));
  TRY(root.assemble());
  UniqueFd mounts;
  if (plan_.lock_mounts) TRY(root.protect());
  TRY_AS(mounts, zone_mount_namespace());
  if (!plan_.lock_mounts) TRY(root.protect());
  TRY(await_rules());
  auto sent = base::send_message(gate_.get(), "m", {mounts.get()});
  if (!sent) return std::move(sent).error();
  return console;
}

// Before exec: that is a start-only call too.
Status Launcher::hand_on_listener() {
  if (!plan_.filter_narrows) return {};
  TRY_AS(base::Message message, base::receive_message(gate_.get(), 16));
  if (message.eof || message.fds.size() != 1) return {};  // its report tells why
  return tell_keeper(keeper_, {{"listener", true}}, {message.fds[0].get()});
}

Status Launcher::run() {
  TRY(enter_own_world());
  TRY(make_taps());
  TRY(clone_child());
  auto console = build_mounts();
  if (!console) {
    // When the child failed first, its own report says more than the broken gate.
    pollfd report = {report_.get(), POLLIN, 0};
    bool reported = poll(&report, 1, 0) > 0 && (report.revents & POLLIN) != 0;
    Status own = reported ? await_exec(report_.get(), boot_step_name, plan_.exec.path) : Status();
    TRY(base::signal_pidfd(child_pidfd_.get(), SIGKILL));
    return own ? std::move(console).error() : std::move(own).error();
  }
  TRY(hand_on_listener());
  TRY(await_exec(report_.get(), boot_step_name, plan_.exec.path));
  if (!*console) return tell_keeper(keeper_, {{"ready", true}});
  return tell_keeper(keeper_, {{"ready", true}}, {console->get()});
}

// --- the joiner ----------------------------------------------------------------------------------

// A pty of the zone's own devpts; identity checked on the open file, not on the path.
Result<std::pair<UniqueFd, UniqueFd>> open_zone_pty(uint16_t rows, uint16_t columns) {
  TRY_AS(UniqueFd root, base::open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
  auto master = base::open_in_root(root.get(), "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW);
  if (!master) return std::move(master).error().context("open a pty in the zone");
  struct statfs fs = {};
  if (fstatfs(master->get(), &fs) != 0) return sys_error("statfs");
  if (fs.f_type != DEVPTS_SUPER_MAGIC)
    return make_error(Code::kIo, "the zone's /dev/pts is not a devpts");
  int unlock = 0;
  if (ioctl(master->get(), TIOCSPTLCK, &unlock) != 0) return sys_error("unlock the pty");
  UniqueFd slave(ioctl(master->get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!slave) return sys_error("open the pty's slave");
  winsize size = {rows, columns, 0, 0};
  if (ioctl(master->get(), TIOCSWINSZ, &size) != 0) return sys_error("size the pty");
  return std::pair(*std::move(master), std::move(slave));
}

Status join_zone(const EnterPlan& plan, const FdTable& fds, int zone_pidfd, int keeper) {
  constexpr int kAll = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS |
                       CLONE_NEWIPC | CLONE_NEWCGROUP | CLONE_NEWTIME;
  TRY(join_cgroups(fds));
  TRY_AS(auto gate, base::socket_pair(SOCK_SEQPACKET));
  TRY_AS(base::Pipe report, base::make_pipe());
  if (plan.close_fds) {
    std::vector<int> keep = {keeper,
                             zone_pidfd,
                             gate.first.get(),
                             gate.second.get(),
                             report.read.get(),
                             report.write.get()};
    for (const auto& [name, fd] : fds)
      if (!name.starts_with("procs")) keep.push_back(fd);
    TRY(close_all_but(keep));
  }
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return sys_error("PR_SET_DUMPABLE");
  if (setns(zone_pidfd, kAll) != 0) return sys_error("enter the zone's namespaces");
  if (syscall(SYS_setresgid, 0, 0, 0) != 0 || syscall(SYS_setresuid, 0, 0, 0) != 0)
    return sys_error("become root of the zone");
  std::pair<UniqueFd, UniqueFd> pty;
  if (plan.tty) {
    TRY_AS(pty, open_zone_pty(plan.tty_rows, plan.tty_columns));
  }
  int terminal = plan.tty ? pty.second.get() : -1;
  TRY_AS(auto frozen, Frozen::enter(plan, fds, terminal, gate, report.write.get()));
  clone_args args = {};
  args.flags = CLONE_PARENT | CLONE_CLEAR_SIGHAND;
  // The change of ids may have made us dumpable again (/proc/sys/fs/suid_dumpable).
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return sys_error("PR_SET_DUMPABLE");
  TRY_AS(pid_t child, clone_process(args));
  if (child == 0) run_enter_steps(frozen->child());
  TRY(tell_keeper(keeper, {{"pid", child}}));
  // Not before somebody knows of it. Where it has been killed meanwhile its status tells.
  static_cast<void>(base::send_message(gate.second.get(), "g"));
  report.write.reset();
  frozen.reset();
  TRY(await_exec(report.read.get(), enter_step_name, plan.exec.path));
  if (!plan.tty) return tell_keeper(keeper, {{"ready", true}});
  return tell_keeper(keeper, {{"ready", true}}, {pty.first.get()});
}

Status check_capabilities(uint64_t capabilities, Profile profile) {
  if ((capabilities & ~capabilities_of(profile)) != 0)
    return make_error(Code::kDenied, "the plan has more capabilities than its profile");
  return {};
}

Status check_filter(const std::string& filter, const FdTable& fds) {
  TRY_AS(int fd, find_fd(fds, "filter"));
  if (filter.empty() || !base::is_sealed(fd))
    return make_error(Code::kDenied, "the plan's filter is missing or not sealed");
  return {};
}

}  // namespace

Result<pid_t> fork_launcher(const ZonePlan& plan, const FdTable& fds, int keeper) {
  clone_args args = {};
  args.flags = CLONE_NEWNS;
  args.exit_signal = SIGCHLD;
  TRY_AS(pid_t pid, clone_process(args));
  if (pid != 0) return pid;
  reset_signals();
  // A copy of another zone's descriptors would outlive the keeper's: a listener that is closed there
  // must be closed everywhere.
  if (plan.close_fds) {
    std::vector<int> keep = {keeper};
    for (const auto& [name, fd] : fds) keep.push_back(fd);
    if (Status closed = close_all_but(keep); !closed) finish(keeper, closed);
  }
  finish(keeper, Launcher(plan, fds, keeper).run());
}

Result<pid_t> fork_joiner(const EnterPlan& plan, const FdTable& fds, int zone_pidfd, int keeper) {
  clone_args args = {};
  args.exit_signal = SIGCHLD;
  // A move later on would wait for a grace period of RCU, some milliseconds.
  enter_cgroup(fds, &args);
  TRY_AS(pid_t pid, clone_process(args));
  if (pid != 0) return pid;
  reset_signals();
  finish(keeper, join_zone(plan, fds, zone_pidfd, keeper));
}

Status check_range(const IdRange& ids) {
  if (ids.base < kFirstId || ids.base % kIdsPerZone != 0 || ids.base > kLastId - (kIdsPerZone - 1))
    return make_error(Code::kDenied, "the ids are outside the registry's space");
  return {};
}

Status check_plan(const ZonePlan& plan, const FdTable& fds) {
  const Namespaces& n = plan.namespaces;
  if (!n.user) return make_error(Code::kDenied, "the plan has no user namespace");
  if (!n.pid || !n.uts || !n.ipc || !n.cgroup || !plan.lock_mounts || !plan.close_fds)
    return make_error(Code::kDenied, "the plan lacks a namespace or another wall");
  if (!n.net && !plan.ports.empty())
    return make_error(Code::kDenied, "the plan has ports in the host's network");
  if (!n.net && (plan.profile != Profile::kJob || plan.filter != "job-net"))
    return make_error(Code::kDenied, "the plan shares the host's network");
  TRY(check_range(plan.ids));
  bool cell = plan.profile == Profile::kVmm;
  if (cell != plan.filter_narrows || cell != plan.filter.starts_with("vmm"))
    return make_error(Code::kDenied, "the plan's filter is not its profile's");
  if ((plan.profile == Profile::kReader) != (plan.filter == "reader"))
    return make_error(Code::kDenied, "the plan's filter is not its profile's");
  if (plan.exports.empty() != !plan.filter.ends_with("+exports"))
    return make_error(Code::kDenied, "the plan's filter does not fit what the zone exports");
  if (plan.profile != Profile::kOs && !plan.no_new_privs)
    return make_error(Code::kDenied, "the plan lacks no_new_privs");
  PreparedNamespaces prepared = prepared_in(fds);
  if (prepared.user >= 0 || prepared.net >= 0) TRY(check_prepared(prepared, plan.ids));
  TRY(check_capabilities(plan.capabilities, plan.profile));
  return check_filter(plan.filter, fds);
}

Status check_plan(const EnterPlan& plan, const FdTable& fds) {
  if (!plan.close_fds) return make_error(Code::kDenied, "the plan lacks a wall");
  TRY(check_capabilities(plan.capabilities, Profile::kOs));
  return check_filter(plan.filter, fds);
}

}  // namespace core
