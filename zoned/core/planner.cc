#include "zoned/core/planner.h"

#include <sys/resource.h>

#include <algorithm>

#include "base/strings.h"
#include "zoned/core/capabilities.h"
#include "zoned/core/kernel_paths.h"
#include "zoned/core/landlock.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using base::quoted;
using base::Result;
using base::Status;

constexpr const char* kDefaultPath =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

bool is_os(const PlanInputs& in) { return in.spec.command.empty() && !in.tree.init.empty(); }

MountOp filesystem(MountOp::Kind kind, const char* target, bool noexec = true) {
  MountOp op;
  op.kind = kind;
  op.target = target;
  op.noexec = noexec;
  return op;
}

MountOp tmpfs(const char* target, const char* mode, bool noexec = false) {
  MountOp op = filesystem(MountOp::Kind::kTmpfs, target, noexec);
  op.options = {{"mode", mode}};
  return op;
}

MountOp root_mount(const PlanInputs& in) {
  MountOp op;
  op.kind = in.ephemeral ? MountOp::Kind::kOverlay : MountOp::Kind::kRoot;
  op.target = "/";
  op.source = "root";
  op.idmap = true;
  op.nosuid = false;  // set-uid programs of the zone switch among the zone's own ids
  op.read_only = in.spec.read_only_root;
  return op;
}

void add_dev(bool console, std::vector<MountOp>* mounts) {
  constexpr const char* kDevices[] = {"null", "zero", "full", "random", "urandom", "tty"};
  using Kind = TmpfsEntry::Kind;
  MountOp dev = tmpfs("/dev", "0755", true);
  dev.options.emplace_back("size", "1m");
  for (const char* name : kDevices) dev.entries.push_back({Kind::kFile, name, "", 0666});
  if (console) dev.entries.push_back({Kind::kFile, "console", "", 0600});
  for (const char* name : {"pts", "shm", "mqueue"})
    dev.entries.push_back({Kind::kDir, name, "", 0755});
  dev.entries.push_back({Kind::kSymlink, "ptmx", "pts/ptmx", 0});
  dev.entries.push_back({Kind::kSymlink, "fd", "/proc/self/fd", 0});
  dev.entries.push_back({Kind::kSymlink, "stdin", "/proc/self/fd/0", 0});
  dev.entries.push_back({Kind::kSymlink, "stdout", "/proc/self/fd/1", 0});
  dev.entries.push_back({Kind::kSymlink, "stderr", "/proc/self/fd/2", 0});
  mounts->push_back(std::move(dev));
  for (const char* name : kDevices) {
    MountOp op = filesystem(MountOp::Kind::kDevice, "", true);
    op.target = std::string("/dev/") + name;
    op.source = name;
    op.nodev = false;
    mounts->push_back(std::move(op));
  }
  MountOp pts = filesystem(MountOp::Kind::kDevpts, "/dev/pts");
  pts.nodev = false;
  pts.options = {{"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}};
  mounts->push_back(std::move(pts));
  MountOp shm = tmpfs("/dev/shm", "1777");
  mounts->push_back(std::move(shm));
  mounts->push_back(filesystem(MountOp::Kind::kMqueue, "/dev/mqueue"));
  if (console) {
    MountOp op = filesystem(MountOp::Kind::kConsole, "/dev/console");
    op.nodev = false;
    mounts->push_back(std::move(op));
  }
}

void add_name_files(const PlanInputs& in, std::vector<MountOp>* mounts) {
  auto add = [mounts](const char* target, const char* descriptor) {
    mounts->push_back(filesystem(MountOp::Kind::kTree, target));
    mounts->back().source = descriptor;
    mounts->back().read_only = true;
  };
  add(kHostsFile, "hosts");
  // A DHCP client writes its own.
  bool asks = std::any_of(in.ports.begin(), in.ports.end(),
                          [](const netns::PortPlan& port) { return port.dhcp_server.valid(); });
  if (!in.tree.own_resolver && !asks) add(kResolverFile, "resolver");
}

void add_user_trees(const PlanInputs& in, Planned* out) {
  for (size_t i = 0; i < in.spec.fs.size(); ++i) {
    const FsSpec& fs = in.spec.fs[i];
    MountOp op;
    op.kind = MountOp::Kind::kTree;
    op.target = fs.dir;
    op.source = "fs." + std::to_string(i);
    op.read_only = fs.read_only;
    op.nosuid = fs.nosuid;
    op.noexec = fs.noexec;
    op.idmap = i < in.private_trees.size() && in.private_trees[i];
    if (!op.idmap && !fs.read_only)
      out->warnings.push_back("fs " + quoted(fs.dir) + ": " + quoted(fs.special) +
                              " is not below a folder that only root may enter (mode 0700): its "
                              "files keep the host's owners, and the zone can't own any");
    out->plan.mounts.push_back(std::move(op));
  }
}

void add_mounts(const PlanInputs& in, Planned* out) {
  std::vector<MountOp>& mounts = out->plan.mounts;
  bool os = out->plan.profile == Profile::kOs;
  mounts.push_back(root_mount(in));
  mounts.push_back(filesystem(MountOp::Kind::kProc, "/proc"));
  mounts.push_back(filesystem(MountOp::Kind::kSysfs, "/sys"));
  mounts.back().read_only = true;
  if (in.host.cgroup_v2_tree) {
    mounts.push_back(filesystem(MountOp::Kind::kCgroup2, "/sys/fs/cgroup"));
    mounts.back().read_only = !os;
  }
  add_dev(out->plan.stdio == Stdio::kConsole, &mounts);
  // An overlay is fresh at each boot; a tree on disk is not. An init of its own mounts /tmp as it
  // likes, and unmounts it at shutdown, which it could not do with a mount of ours.
  bool lasting = !in.ephemeral || in.spec.read_only_root;
  if (lasting) mounts.push_back(tmpfs("/run", "0755"));
  if (lasting && !os) mounts.push_back(tmpfs("/tmp", "1777"));
  if (!in.ports.empty()) add_name_files(in, &mounts);
  add_user_trees(in, out);
  out->plan.masked.assign(masked_paths().begin(), masked_paths().end());
  out->plan.read_only.assign(read_only_paths().begin(), read_only_paths().end());
}

void add_rlimits(const PlanInputs& in, Planned* out) {
  constexpr uint64_t kSoftFiles = 1024;
  constexpr uint64_t kHardFiles = 524288;
  uint64_t ceiling = in.host.nofile_hard == 0 ? kHardFiles : in.host.nofile_hard;
  uint64_t files = in.spec.open_files.value_or(std::min(kHardFiles, ceiling));
  if (files > ceiling) {
    out->warnings.push_back("limits.open-files " + std::to_string(files) +
                            " is above what this host allows us to give; using " +
                            std::to_string(ceiling));
    files = ceiling;
  }
  uint64_t soft = in.spec.open_files ? files : std::min(kSoftFiles, files);
  out->plan.rlimits.push_back({RLIMIT_NOFILE, soft, files});
  constexpr uint64_t kLocked = 64 << 10;
  uint64_t locked = in.spec.memory_locked.value_or(std::min(kLocked, in.host.memlock_hard));
  if (locked > in.host.memlock_hard) {
    out->warnings.push_back(
        "capped-memory.locked is above what this host allows us to give; using " +
        base::format_size(in.host.memlock_hard));
    locked = in.host.memlock_hard;
  }
  out->plan.rlimits.push_back({RLIMIT_MEMLOCK, locked, locked});
  out->plan.rlimits.push_back({RLIMIT_CORE, 0, 0});
}

std::vector<std::string> environment(const PlanInputs& in, bool os) {
  std::vector<std::string> env = {"container=zoned"};
  if (!in.spec.env.contains("PATH")) env.push_back(kDefaultPath);
  if (!os && !in.spec.env.contains("HOME")) env.push_back("HOME=" + in.tree.home);
  for (const auto& [key, value] : in.spec.env) env.push_back(key + "=" + value);
  return env;
}

base::Error no_command(const TreeFacts& tree, const std::string& command) {
  if (tree.command_exists)
    return make_error(Code::kNotRunnable, "command " + quoted(command) + " can't be executed",
                      "it must be a file with a bit for execution");
  return make_error(Code::kNoCommand, "no command " + quoted(command),
                    "give its path in the zone, or install a tree that holds it");
}

Status add_exec(const PlanInputs& in, bool os, ZonePlan* plan) {
  if (in.spec.brand != Brand::kNative)
    return make_error(Code::kUnsupported, "a zone of brand vm can't be booted by this version");
  plan->exec.env = environment(in, os);
  if (os) {
    plan->exec.path = in.tree.init;
    plan->exec.argv = {in.tree.init};
    return {};
  }
  plan->exec.descriptor = "init";
  plan->exec.argv = {"zone-init"};
  if (in.spec.command.empty()) return {};
  if (!in.tree.command_found) return no_command(in.tree, in.spec.command[0]);
  std::vector<std::string> groups;
  for (uint32_t group : in.tree.groups) groups.push_back(std::to_string(group));
  auto& argv = plan->exec.argv;
  argv.insert(argv.end(), {std::to_string(in.tree.uid), std::to_string(in.tree.gid),
                           groups.empty() ? "-" : base::join(groups, ","), in.spec.workdir,
                           in.tree.command_path});
  argv.insert(argv.end(), in.spec.command.begin(), in.spec.command.end());
  return {};
}

Status add_landlock(const PlanInputs& in, bool os, Planned* out) {
  if (!in.spec.landlock) return {};
  const char* mounts = os                ? "it runs an init of its own, which mounts"
                       : in.spec.nesting ? "nesting is for zones that mount"
                                         : nullptr;
  if (mounts != nullptr)
    return make_error(Code::kUnsupported, std::string("landlock: ") + mounts,
                      "no mount works inside Landlock: remove 'landlock', or give the zone one "
                      "command and no nesting");
  uint32_t abi = in.host.landlock_abi;
  if (abi == 0) {
    out->warnings.emplace_back("landlock: this kernel has none; the zone lacks its second wall");
    return {};
  }
  out->plan.landlock = landlock_of(out->plan);
  if (std::string gaps = landlock_gaps(abi); !gaps.empty())
    out->warnings.push_back("landlock: version " + std::to_string(abi) +
                            " of this kernel does not cover " + gaps);
  return {};
}

Status check_host_for(const PlanInputs& in) {
  if (in.spec.memory_physical && *in.spec.memory_physical > in.host.memory_bytes)
    return make_error(
        Code::kInvalid,
        "capped-memory.physical is more than the host's " + base::format_size(in.host.memory_bytes),
        "lower it");
  if (!in.spec.dedicated_cpus) return {};
  TRY_AS(auto cpus, base::parse_cpu_list(*in.spec.dedicated_cpus));
  if (cpus.back() < in.host.cpus) return {};
  return make_error(Code::kInvalid, "dedicated-cpu.ncpus " + quoted(*in.spec.dedicated_cpus) +
                                        ": this host has CPUs 0-" +
                                        std::to_string(in.host.cpus - 1));
}

}  // namespace

resource::Limits limits_of(const ZoneSpec& spec, uint32_t cpu_weight) {
  resource::Limits limits;
  limits.cpu_weight = cpu_weight;
  limits.cpus = spec.capped_cpus;
  limits.cpuset = spec.dedicated_cpus;
  limits.memory = spec.memory_physical;
  limits.swap = spec.memory_swap;
  limits.processes = spec.processes;
  limits.io_weight = spec.io_weight;
  limits.io_read_bps = spec.io_read_bps;
  limits.io_write_bps = spec.io_write_bps;
  return limits;
}

resource::Limits limits_of(const PoolSpec& spec, uint32_t cpu_weight) {
  resource::Limits limits;
  limits.cpu_weight = cpu_weight;
  limits.cpus = spec.capped_cpus;
  limits.cpuset = spec.cpus;
  limits.memory = spec.memory_physical;
  limits.processes = spec.processes;
  return limits;
}

Result<Planned> plan_common(const PlanInputs& in) {
  TRY(check_host_for(in));
  Planned out;
  ZonePlan& plan = out.plan;
  plan.name = in.spec.name;
  plan.boot_id = in.boot_id;
  plan.brand = in.spec.brand;
  plan.label = in.label;
  plan.namespaces.time = in.host.time_namespace;
  plan.ids = in.ids;
  plan.hostname = in.spec.hostname.empty() ? in.spec.name : in.spec.hostname;
  plan.log_size = in.spec.log_size;
  plan.ports = in.ports;
  add_rlimits(in, &out);
  plan.cgroup.pool = in.spec.pool;
  plan.cgroup.zone = in.spec.name;
  if (in.cgroups != nullptr) {
    TRY_AS(plan.cgroup.writes, in.cgroups->plan(limits_of(in.spec, in.cpu_weight), &out.warnings));
  }
  return out;
}

Result<Planned> plan_zone(const PlanInputs& in) {
  TRY_AS(Planned out, plan_common(in));
  ZonePlan& plan = out.plan;
  bool os = is_os(in);
  plan.profile = os ? Profile::kOs : Profile::kApp;
  plan.stdio = os ? Stdio::kConsole : Stdio::kLog;
  if (in.client_stdio) plan.stdio = in.client_tty ? Stdio::kConsole : Stdio::kClient;
  plan.capabilities = capabilities_of(plan.profile);
  plan.no_new_privs = !os;
  plan.filter = os ? "os" : "app";
  if (in.spec.nesting) plan.filter += "+nesting";
  plan.exports = in.tree.exports;
  if (!plan.exports.empty()) plan.filter += "+exports";
  add_mounts(in, &out);
  TRY(add_landlock(in, os, &out));
  TRY(add_exec(in, os, &plan));
  // Controllers cost memory in every cgroup: only an init of its own has use for them.
  if (os && in.cgroups != nullptr)
    for (resource::CgroupWrite& write : in.cgroups->plan_delegation())
      plan.cgroup.writes.push_back(std::move(write));
  return out;
}

bool mounts_tree(const ZonePlan& plan, std::string_view descriptor) {
  return std::any_of(plan.mounts.begin(), plan.mounts.end(), [&](const MountOp& op) {
    return op.kind == MountOp::Kind::kTree && op.source == descriptor;
  });
}

Result<EnterPlan> plan_enter(const ZonePlan& zone, const std::vector<std::string>& argv,
                             const std::vector<std::string>& env, const TreeFacts& tree,
                             const std::string& workdir, bool tty) {
  if (argv.empty()) return make_error(Code::kInvalid, "no command given");
  if (!tree.command_found) return no_command(tree, argv[0]);
  EnterPlan plan;
  plan.zone = zone.name;
  plan.boot_id = zone.boot_id;
  plan.capabilities = zone.capabilities;
  plan.no_new_privs = zone.no_new_privs;
  plan.filter = zone.filter;
  plan.landlock = zone.landlock;
  plan.landlock.scoped = false;
  plan.tty = tty;
  plan.exec.path = tree.command_path;
  plan.exec.argv = argv;
  auto has = [&env](std::string_view key) {
    return std::any_of(env.begin(), env.end(),
                       [key](const std::string& item) { return item.starts_with(key); });
  };
  plan.exec.env = {"container=zoned"};
  if (!has("PATH=")) plan.exec.env.push_back(kDefaultPath);
  if (!has("HOME=")) plan.exec.env.push_back("HOME=" + tree.home);
  plan.exec.env.insert(plan.exec.env.end(), env.begin(), env.end());
  plan.exec.workdir = workdir.empty() ? "/" : workdir;
  plan.exec.uid = tree.uid;
  plan.exec.gid = tree.gid;
  plan.exec.groups = tree.groups;
  return plan;
}

}  // namespace core
