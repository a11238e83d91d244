#include "zoned/core/frozen.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/strings.h"
#include "zoned/core/host_facts.h"
#include "zoned/core/landlock.h"

namespace core {

using base::Result;
using base::Status;

Result<int> Frozen::high(int fd) {
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, kFirstFreeFd);
  if (copy < 0) return base::sys_error("dup");
  duplicates_.emplace_back(copy);
  return copy;
}

Status Frozen::freeze_exec(const ExecPlan& exec, const FdTable& fds) {
  exec_ = exec;
  for (std::string& arg : exec_.argv) argv_.push_back(arg.data());
  argv_.push_back(nullptr);
  for (std::string& variable : exec_.env) envp_.push_back(variable.data());
  envp_.push_back(nullptr);
  child_.argv = argv_.data();
  child_.envp = envp_.data();
  child_.path = exec_.path.c_str();
  child_.workdir = exec_.workdir.c_str();
  child_.uid = exec_.uid;
  child_.gid = exec_.gid;
  child_.groups = exec_.groups.data();
  child_.group_count = exec_.groups.size();
  if (!exec_.descriptor.empty()) {
    TRY_AS(int fd, find_fd(fds, exec_.descriptor));
    TRY_AS(child_.exec_fd, high(fd));
  }
  return {};
}

Status Frozen::freeze_filter(const std::string& filter, const FdTable& fds) {
  if (filter.empty()) return {};
  TRY_AS(int fd, find_fd(fds, "filter"));
  struct stat st = {};
  if (fstat(fd, &st) != 0) return base::sys_error("stat the filter");
  // The memfd is shared by all zones of the profile: read it without moving its offset.
  constexpr size_t kUnit = sizeof(sock_filter);
  size_t length = static_cast<size_t>(st.st_size) / kUnit;
  if (length == 0 || length > BPF_MAXINSNS || length * kUnit != static_cast<size_t>(st.st_size))
    return base::make_error(base::Code::kInvalid, "malformed filter");
  filter_.resize(length);
  if (pread(fd, filter_.data(), length * kUnit, 0) != st.st_size)
    return base::sys_error("read the filter");
  child_.filter = filter_.data();
  child_.filter_length = static_cast<unsigned short>(length);
  return {};
}

Status Frozen::freeze_stdio(const FdTable& fds) {
  constexpr const char* kNames[] = {"stdin", "stdout", "stderr"};
  for (int i = 0; i < 3; ++i) {
    if (!fds.contains(kNames[i])) continue;  // the console
    TRY_AS(int fd, find_fd(fds, kNames[i]));
    TRY_AS(child_.stdio[i], high(fd));
  }
  return {};
}

Status Frozen::freeze_landlock(const LandlockPlan& plan) {
  if (plan.rules.empty()) return {};
  uint32_t abi = landlock_abi();
  if (abi == 0) return base::make_error(base::Code::kUnsupported, "no Landlock in this kernel");
  constexpr uint64_t kTcp = 3;      // bind and connect
  constexpr uint64_t kOutside = 3;  // abstract sockets and signals
  child_.landlock[0] = landlock_handled(abi);
  child_.landlock[1] = plan.tcp ? 0 : kTcp;
  child_.landlock[2] = plan.scoped ? kOutside : 0;
  size_t members = abi >= 6 ? 3 : abi >= 4 ? 2 : 1;
  child_.landlock_size = members * sizeof(uint64_t);
  landlock_paths_.reserve(plan.rules.size());
  for (const LandlockRule& rule : plan.rules)
    landlock_.push_back(
        {landlock_paths_.emplace_back(rule.path).c_str(), landlock_rights(rule.access, abi)});
  child_.landlock_rules = landlock_.data();
  child_.landlock_rule_count = landlock_.size();
  return {};
}

void Frozen::freeze_filesystems(const ZonePlan& plan) {
  mounts_ = plan.mounts;
  // Inner vectors must not move once their data is referred to.
  options_.reserve(mounts_.size());
  entries_.reserve(mounts_.size());
  for (const MountOp& op : mounts_) {
    if (op.kind == MountOp::Kind::kConsole) {
      for (size_t i = 0; i < filesystems_.size(); ++i)
        if (std::string_view(filesystems_[i].type) == "devpts")
          child_.console_filesystem = static_cast<int>(i);
    }
    if (!made_by_child(op.kind)) continue;
    auto& options = options_.emplace_back();
    for (const auto& [key, value] : op.options) options.push_back({key.c_str(), value.c_str()});
    auto& entries = entries_.emplace_back();
    for (const TmpfsEntry& entry : op.entries)
      entries.push_back(
          {static_cast<int>(entry.kind), entry.path.c_str(), entry.target.c_str(), entry.mode});
    filesystems_.push_back({filesystem_type(op.kind), options.data(), options.size(),
                            mount_attributes(op), entries.data(), entries.size()});
  }
  child_.filesystems = filesystems_.data();
  child_.filesystem_count = filesystems_.size();
}

Status Frozen::freeze_gate(const Gate& gate, int report) {
  TRY_AS(child_.gate, high(gate.first.get()));
  TRY_AS(child_.report, high(report));
  child_.gate_peer = gate.second.get();
  return {};
}

Result<std::unique_ptr<Frozen>> Frozen::boot(const ZonePlan& plan, const FdTable& fds,
                                             const Gate& gate, int report) {
  std::unique_ptr<Frozen> frozen(new Frozen);
  ChildPlan& child = frozen->child_;
  TRY(frozen->freeze_gate(gate, report));
  frozen->freeze_filesystems(plan);
  if (frozen->filesystems_.size() > kMaxChildFilesystems)
    return base::make_error(base::Code::kInvalid, "too many file systems in the plan");
  if (!plan.hostname.empty()) {
    frozen->hostname_ = plan.hostname;
    child.hostname = frozen->hostname_.c_str();
  }
  for (const Rlimit& limit : plan.rlimits)
    frozen->rlimits_.push_back({limit.resource, {limit.soft, limit.hard}});
  child.rlimits = frozen->rlimits_.data();
  child.rlimit_count = frozen->rlimits_.size();
  for (const KeptFd& kept : plan.kept_fds) {
    TRY_AS(int fd, find_fd(fds, kept.name));
    TRY_AS(int from, frozen->high(fd));
    frozen->kept_.push_back({from, kept.number});
  }
  child.kept = frozen->kept_.data();
  child.kept_count = frozen->kept_.size();
  child.unshare_cgroup = plan.namespaces.cgroup;
  child.loopback_up = plan.loopback_up;
  child.close_fds = plan.close_fds;
  child.capabilities = plan.capabilities;
  child.no_new_privs = plan.no_new_privs;
  child.filter_listener = plan.filter_narrows;
  TRY(frozen->freeze_landlock(plan.landlock));
  TRY(frozen->freeze_stdio(fds));
  TRY(frozen->freeze_filter(plan.filter, fds));
  TRY(frozen->freeze_exec(plan.exec, fds));
  return frozen;
}

Result<std::unique_ptr<Frozen>> Frozen::enter(const EnterPlan& plan, const FdTable& fds,
                                              int terminal, const Gate& gate, int report) {
  std::unique_ptr<Frozen> frozen(new Frozen);
  ChildPlan& child = frozen->child_;
  TRY(frozen->freeze_gate(gate, report));
  if (terminal >= 0) {
    TRY_AS(child.terminal, frozen->high(terminal));
  } else {
    TRY(frozen->freeze_stdio(fds));
  }
  child.close_fds = plan.close_fds;
  child.capabilities = plan.capabilities;
  child.no_new_privs = plan.no_new_privs;
  TRY(frozen->freeze_landlock(plan.landlock));
  TRY(frozen->freeze_filter(plan.filter, fds));
  TRY(frozen->freeze_exec(plan.exec, fds));
  return frozen;
}

}  // namespace core
