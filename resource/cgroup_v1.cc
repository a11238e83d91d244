#include "resource/cgroup_v1.h"

#include <algorithm>
#include <tuple>

#include "base/files.h"
#include "base/strings.h"
#include "resource/cgroup_folder.h"
#include "resource/cgroup_zone_v2.h"

namespace resource {
namespace {

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// A v1 cpuset takes no process before it has CPUs and memory nodes (cpusets.rst).
base::Status fill_cpuset(int parent, int at, const std::string& prefix) {
  for (const char* file : {"cpuset.cpus", "cpuset.mems"}) {
    auto now = read_control(at, prefix + file);
    if (now && !base::trim(*now).empty()) continue;
    TRY_AS(std::string above, read_control(parent, file));
    TRY(write_control(at, prefix + file, base::trim(above)));
  }
  return {};
}

bool is_reset(const CgroupWrite& write) {
  return write.file == "cpuset.cpus" && write.value.empty();
}

// What the kernel's bare errno means here.
base::Error explained(base::Error error, const CgroupWrite& write) {
  if (write.file == "cpu.cfs_quota_us" && error.sys_errno == EINVAL)
    return std::move(error).with_hint(
        "on cgroup v1 a zone's cpu cap can't exceed its pool's: change the one that is in the way");
  if (write.file == "cpuset.cpus" && (error.sys_errno == EACCES || error.sys_errno == EBUSY))
    return std::move(error).with_hint(
        "on cgroup v1 a zone's CPUs must lie within its pool's: change the one that is in the way");
  if (write.file == "memory.limit_in_bytes" && error.sys_errno == EBUSY)
    return std::move(error).with_hint("more memory than that is in use and can't be reclaimed");
  return error;
}

// Sums "MAJ:MIN KIND N" over the devices.
uint64_t blkio_sum(std::string_view text, const std::string& kind) {
  uint64_t sum = 0;
  for (const std::string& line : base::split(text, '\n')) {
    auto fields = base::split(line, ' ');
    if (fields.size() != 3 || fields[1] != kind) continue;
    if (auto value = base::parse_uint(fields[2], 0, UINT64_MAX)) sum += *value;
  }
  return sum;
}

}  // namespace

CgroupV1::Tree* CgroupV1::tree_of(const std::string& controller) {
  for (Tree& tree : trees_)
    if (contains(tree.controllers, controller)) return &tree;
  return nullptr;
}

base::Result<std::unique_ptr<CgroupDriver>> CgroupV1::open(const CgroupRoots& roots,
                                                           const std::string& subtree,
                                                           const std::string& block_device) {
  std::optional<CgroupTree> v2;
  if (!roots.v2.empty()) {
    TRY_AS(v2, CgroupTree::open(roots.v2, subtree));
    TRY(make_subtree_v2(&*v2));
  }
  std::vector<std::string> always{"cpu", "cpuacct", "memory", "pids"};
  if (!v2) always.emplace_back("freezer");
  HostAbilities host;
  std::vector<std::pair<std::string, Tree>> by_path;
  for (const CgroupRoots::V1& root : roots.v1) {
    bool late = root.controller == "cpuset" || root.controller == "blkio";
    if (!late && !contains(always, root.controller)) continue;
    host.controllers.push_back(root.controller);
    auto known = std::find_if(by_path.begin(), by_path.end(),
                              [&](const auto& entry) { return entry.first == root.path; });
    if (known == by_path.end()) {
      TRY_AS(CgroupTree folders, CgroupTree::open(root.path, subtree));
      known = by_path.insert(known, {root.path, Tree{std::move(folders), {}, false, false}});
    }
    known->second.controllers.push_back(root.controller);
    known->second.always |= !late;
    known->second.cpuset |= root.controller == "cpuset";
    if (root.controller == "memory")
      host.swap = base::exists_at(known->second.folders.root(), "memory.memsw.limit_in_bytes");
  }
  host.device = find_io_device(block_device);
  std::vector<Tree> trees;
  for (auto& [path, tree] : by_path) trees.push_back(std::move(tree));
  std::stable_partition(trees.begin(), trees.end(), [](const Tree& tree) { return tree.always; });
  for (Tree& tree : trees) {
    if (!tree.always) continue;
    TRY(tree.folders.make_subtree());
    if (tree.cpuset) TRY(fill_cpuset(tree.folders.root(), tree.folders.subtree(), ""));
  }
  return std::unique_ptr<CgroupDriver>(
      new CgroupV1(std::move(trees), std::move(v2), std::move(host)));
}

base::Status CgroupV1::make_pool_in(Tree* tree, const std::string& pool) {
  bool had_subtree = tree->folders.has_subtree();
  TRY_AS(int at, tree->folders.make_pool(pool));
  if (!tree->cpuset) return {};
  if (!had_subtree) TRY(fill_cpuset(tree->folders.root(), tree->folders.subtree(), ""));
  return fill_cpuset(tree->folders.subtree(), at, "");
}

base::Status CgroupV1::make_zone_in(Tree* tree, const std::string& pool, const std::string& zone,
                                    MadeFolders* made) {
  TRY_AS(int at, tree->folders.pool(pool));
  TRY(made->make(at, zone));
  if (!tree->cpuset) return {};
  return fill_cpuset(at, at, zone + "/");
}

base::Status CgroupV1::move_zone(const std::string& pool, const std::string& zone, int at,
                                 const std::string& procs) {
  return move_processes([&] { return processes(pool, zone); }, at, procs);
}

base::Status CgroupV1::extend(Tree* tree, const std::string& pool, const std::string& zone) {
  if (pool.empty()) {
    if (tree->folders.has_subtree()) return {};
    TRY(tree->folders.make_subtree());
    return tree->cpuset ? fill_cpuset(tree->folders.root(), tree->folders.subtree(), "")
                        : base::Status();
  }
  TRY_AS(int at, tree->folders.find_pool(pool));
  if (at < 0) {
    TRY(make_pool_in(tree, pool));
    TRY_AS(at, tree->folders.pool(pool));
    // Every zone of the pool comes along, so that the pool's limit covers it.
    TRY_AS(int listed, reference().pool(pool));
    TRY_AS(auto zones, child_folders(listed));
    for (const std::string& other : zones) TRY(move_zone(pool, other, at, "cgroup.procs"));
  }
  if (zone.empty() || base::exists_at(at, zone)) return {};
  MadeFolders made;
  TRY(make_zone_in(tree, pool, zone, &made));
  TRY(move_zone(pool, zone, at, zone + "/cgroup.procs"));
  made.keep();
  return {};
}

base::Status CgroupV1::retract(Tree* tree, const std::string& pool, const std::string& zone) {
  TRY_AS(int at, tree->folders.find_pool(pool));
  if (at < 0) return {};
  if (zone.empty()) {
    TRY_AS(std::string above, read_control(tree->folders.subtree(), "cpuset.cpus"));
    return write_control(at, "cpuset.cpus", base::trim(above));
  }
  if (!base::exists_at(at, zone)) return {};
  TRY(move_zone(pool, zone, at, "cgroup.procs"));
  return remove_cgroup(at, zone);
}

base::Status CgroupV1::write_all(const std::string& pool, const std::string& zone,
                                 const std::vector<CgroupWrite>& writes) {
  std::vector<CgroupWrite> postponed;
  auto write_one = [&](const CgroupWrite& write, bool last) -> base::Status {
    Tree* tree = tree_of(write.controller);
    if (tree == nullptr && !write.required) return {};
    if (tree == nullptr)
      return base::make_error(
          base::Code::kUnsupported,
          "cgroup controller " + base::quoted(write.controller) + " is missing");
    if (is_reset(write)) return retract(tree, pool, zone);
    if (!tree->always) TRY(extend(tree, pool, zone));
    TRY_AS(Place place, tree->folders.place(pool, zone));
    base::Status written = write_control(place.at, place.prefix + write.file, write.value);
    if (written.ok()) return {};
    // Memory alone may never exceed memory and swap together: when raising, the other comes first.
    if (!last && write.file == "memory.limit_in_bytes" && written.error().sys_errno == EINVAL) {
      postponed.push_back(write);
      return {};
    }
    if (!write.required) return {};
    return explained(std::move(written).error(), write);
  };
  for (const CgroupWrite& write : writes) TRY(write_one(write, false));
  for (const CgroupWrite& write : postponed) TRY(write_one(write, true));
  return {};
}

base::Status CgroupV1::create_pool(const std::string& pool,
                                   const std::vector<CgroupWrite>& writes) {
  if (v2_) {
    TRY_AS([[maybe_unused]] int at, v2_->make_pool(pool));
  }
  for (Tree& tree : trees_)
    if (tree.always) TRY(make_pool_in(&tree, pool));
  base::Status written = write_all(pool, "", writes);
  if (!written) return std::move(written).error().context("cgroup of pool " + base::quoted(pool));
  return {};
}

base::Status CgroupV1::destroy_pool(const std::string& pool) {
  // The reference knows every zone: it refuses before any other hierarchy has lost the pool.
  TRY(reference().remove_pool(pool));
  for (Tree& tree : trees_) TRY(tree.folders.remove_pool(pool));
  return {};
}

base::Status CgroupV1::open_procs(const std::string& pool, const std::string& zone,
                                  ZoneCgroup* result) {
  for (Tree& tree : trees_) {
    TRY_AS(int at, tree.folders.find_pool(pool));
    if (at < 0) continue;
    bool own = tree.always || base::exists_at(at, zone);
    // Not cgroup.procs: a thread that moves itself has nobody to wait for, while the move of a process
    // waits for a grace period of RCU, 15 ms on an idle machine (cgroup_procs_write_start in
    // kernel/cgroup/cgroup.c).
    TRY_AS(base::UniqueFd procs, open_control(at, own ? zone + "/tasks" : "tasks"));
    result->v1_procs.push_back(std::move(procs));
  }
  return {};
}

base::Result<ZoneCgroup> CgroupV1::create_zone(const std::string& pool, const std::string& zone,
                                               const std::vector<CgroupWrite>& writes,
                                               uint32_t delegate_uid, uint32_t delegate_gid) {
  MadeFolders made;
  ZoneCgroup result;
  if (v2_) {
    TRY_AS(int at, v2_->pool(pool));
    TRY_AS(result.v2_payload, make_zone_v2(at, zone, delegate_uid, delegate_gid, &made));
  }
  for (Tree& tree : trees_) {
    bool wanted = tree.always;
    for (const CgroupWrite& write : writes)
      wanted |= contains(tree.controllers, write.controller) && !is_reset(write);
    TRY_AS(int at, tree.folders.find_pool(pool));
    // A zone of this name that a crash left behind has a limit that this one may not have.
    if (!wanted && at >= 0) TRY(remove_cgroup(at, zone));
    if (!wanted) continue;
    if (at < 0 && !tree.always) TRY(extend(&tree, pool, ""));
    TRY(make_zone_in(&tree, pool, zone, &made));
  }
  TRY(write_all(pool, zone, writes));
  TRY(open_procs(pool, zone, &result));
  made.keep();
  return result;
}

base::Result<ZoneCgroup> CgroupV1::open_zone(const std::string& pool, const std::string& zone) {
  ZoneCgroup result;
  if (v2_) {
    TRY_AS(int at, v2_->pool(pool));
    TRY_AS(result.v2_payload, open_payload(at, zone));
    TRY_AS(result.v2_exec, open_exec(at, zone));
  }
  TRY_AS(int at, reference().pool(pool));
  if (!base::exists_at(at, zone))
    return base::make_error(base::Code::kNotFound, "zone " + base::quoted(zone) + " has no cgroup");
  TRY(open_procs(pool, zone, &result));
  return result;
}

base::Status CgroupV1::apply(const std::string& pool, const std::string& zone,
                             const std::vector<CgroupWrite>& writes) {
  return write_all(pool, zone, writes);
}

base::Status CgroupV1::set_freezer(const std::string& pool, const std::string& zone, bool frozen) {
  Tree* tree = tree_of("freezer");
  if (tree == nullptr)
    return base::make_error(base::Code::kUnsupported, "no cgroup hierarchy can freeze processes",
                            "mount cgroup2, or the v1 freezer");
  TRY_AS(Place place, tree->folders.place(pool, zone));
  const std::string want = frozen ? "FROZEN" : "THAWED";
  const std::string file = place.prefix + "freezer.state";
  Backoff backoff;
  while (true) {
    // Written again each time: a process that forked meanwhile may have been missed.
    TRY(write_control(place.at, file, want));
    TRY_AS(std::string state, read_control(place.at, file));
    if (base::trim(state) == want) return {};
    if (!backoff.wait())
      return base::make_error(base::Code::kTimeout,
                              "cgroup " + base::quoted(zone) + ": some processes do not stop yet");
  }
}

base::Status CgroupV1::freeze(const std::string& pool, const std::string& zone, bool frozen) {
  if (!v2_) return set_freezer(pool, zone, frozen);
  TRY_AS(int at, v2_->pool(pool));
  return freeze_v2(at, zone, frozen);
}

base::Status CgroupV1::kill(const std::string& pool, const std::string& zone) {
  TRY_AS(int at, reference().pool(pool));
  if (v2_) return kill_v2(at, zone);
  // Frozen processes don't fork while they are signalled; without that there are more rounds. The
  // thaw is needed in any case: a frozen process does not even die.
  [[maybe_unused]] base::Status advisory = set_freezer(pool, zone, true);
  base::Status killed = kill_below(at, zone);
  advisory = set_freezer(pool, zone, false);
  return killed;
}

base::Result<std::vector<pid_t>> CgroupV1::processes(const std::string& pool,
                                                     const std::string& zone) {
  TRY_AS(int at, reference().pool(pool));
  return processes_below(at, zone);
}

base::Result<Usage> CgroupV1::usage(const std::string& pool, const std::string& zone) {
  Usage usage;
  TRY_AS(Place checked, reference().place(pool, zone));
  if (!zone.empty() && !base::exists_at(checked.at, zone))
    return base::make_error(base::Code::kNotFound, "zone " + base::quoted(zone) + " has no cgroup");
  auto number = [&](const char* controller, const char* file) -> uint64_t {
    Tree* tree = tree_of(controller);
    if (tree == nullptr) return 0;
    auto place = tree->folders.place(pool, zone);
    return place ? read_number(place->at, place->prefix + file) : 0;
  };
  auto text = [&](const char* controller, const char* file) -> std::string {
    Tree* tree = tree_of(controller);
    if (tree == nullptr) return {};
    auto place = tree->folders.place(pool, zone);
    if (!place) return {};
    auto read = read_control(place->at, place->prefix + file);
    return read ? *std::move(read) : std::string();
  };
  usage.cpu_ns = number("cpuacct", "cpuacct.usage");
  usage.memory_bytes = number("memory", "memory.usage_in_bytes");
  usage.memory_peak_bytes = number("memory", "memory.max_usage_in_bytes");
  // Without a limit the file has the largest number of pages (PAGE_COUNTER_MAX, mm/page_counter.c).
  constexpr uint64_t kNoLimit = uint64_t{1} << 62;
  const uint64_t limit = number("memory", "memory.limit_in_bytes");
  usage.memory_limit_bytes = limit < kNoLimit ? limit : 0;
  usage.processes = number("pids", "pids.current");
  usage.oom_kills = keyed_number(text("memory", "memory.oom_control"), "oom_kill");
  const std::string io = text("blkio", "blkio.throttle.io_service_bytes_recursive");
  usage.io_read_bytes = blkio_sum(io, "Read");
  usage.io_write_bytes = blkio_sum(io, "Write");
  return usage;
}

base::Status CgroupV1::destroy_zone(const std::string& pool, const std::string& zone) {
  for (Tree& tree : trees_) {
    TRY_AS(int at, tree.folders.find_pool(pool));
    if (at >= 0) TRY(remove_cgroup(at, zone));
  }
  if (!v2_) return {};
  TRY_AS(int at, v2_->find_pool(pool));
  return at < 0 ? base::Status() : remove_cgroup(at, zone);
}

base::Result<std::vector<CgroupDriver::Found>> CgroupV1::list() {
  std::vector<Found> found;
  if (v2_) TRY(v2_->list(&found));
  for (Tree& tree : trees_) TRY(tree.folders.list(&found));
  auto key = [](const Found& f) { return std::tie(f.pool, f.zone); };
  std::sort(found.begin(), found.end(), [&](auto& a, auto& b) { return key(a) < key(b); });
  found.erase(
      std::unique(found.begin(), found.end(), [&](auto& a, auto& b) { return key(a) == key(b); }),
      found.end());
  return found;
}

base::Status CgroupV1::destroy_subtree() {
  for (Tree& tree : trees_) TRY(tree.folders.remove_subtree());
  return v2_ ? v2_->remove_subtree() : base::Status();
}

}  // namespace resource
