#include "resource/cgroup_v2.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/files.h"
#include "base/strings.h"
#include "resource/cgroup_folder.h"
#include "resource/cgroup_roots.h"
#include "resource/cgroup_zone_v2.h"

namespace resource {
namespace {

// Used in this order; cpuset costs memory in every zone and is enabled when somebody wants it.
constexpr const char* kAlways[] = {"cpu", "io", "memory", "pids"};
constexpr const char* kLate[] = {"cpuset"};

// Empties a list of CPUs, which means the parent's; a write of no bytes would not reach the kernel.
constexpr char kNoCpus[] = "\n";

std::string enable_text(const std::vector<std::string>& available) {
  std::string text;
  for (const char* name : kAlways)
    if (std::find(available.begin(), available.end(), name) != available.end())
      text += (text.empty() ? "+" : " +") + std::string(name);
  return text;
}

// cgroups(7), "no internal processes": a cgroup with controllers for its children holds no
// processes. Only processes that are ours may be moved: all of them in a cgroup delegated to us,
// else ourselves.
base::Status evacuate(int root) {
  TRY_AS(base::UniqueFd leaf, base::make_dirs(root, kSupervisor, 0755));
  bool delegated = is_delegated(root);
  auto own = [&]() -> base::Result<std::vector<pid_t>> {
    TRY_AS(std::string text, read_control(root, "cgroup.procs"));
    std::vector<pid_t> pids;
    for (const std::string& line : base::split(text, '\n')) {
      auto pid = base::parse_uint(line, 1, INT32_MAX);
      if (pid && (delegated || *pid == static_cast<uint64_t>(getpid())))
        pids.push_back(static_cast<pid_t>(*pid));
    }
    return pids;
  };
  return move_processes(own, leaf.get(), "cgroup.procs");
}

base::Status enable_at_root(int root, const std::string& text) {
  base::Status enabled = write_control(root, "cgroup.subtree_control", text);
  if (enabled.ok() || enabled.error().sys_errno != EBUSY) return enabled;
  TRY(evacuate(root));
  enabled = write_control(root, "cgroup.subtree_control", text);
  if (enabled.ok() || enabled.error().sys_errno != EBUSY) return enabled;
  return std::move(enabled).error().with_hint(
      "other processes are in the cgroup given to us; start zoned in one of its own, such as with "
      "systemd-run --scope -p Delegate=yes");
}

// Sums "KEY=N" over the devices of io.stat.
uint64_t io_sum(std::string_view text, std::string_view key) {
  uint64_t sum = 0;
  for (size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
    const char* digits = text.data() + at + key.size();
    uint64_t value = 0;
    std::from_chars(digits, text.data() + text.size(), value);
    sum += value;
  }
  return sum;
}

std::string or_max(const std::optional<uint64_t>& value) {
  return value ? std::to_string(*value) : "max";
}

void plan_io(const Limits& from, const Limits& to, const HostAbilities& host,
             std::vector<std::string>* warnings, std::vector<CgroupWrite>* writes) {
  if (from.io_weight != to.io_weight) {
    if (to.io_weight) warn_io_weight(host, host.has("io"), warnings);
    uint32_t weight = to.io_weight.value_or(100);
    if (host.has("io")) {
      // io.weight takes effect under io.cost, io.bfq.weight under bfq; a kernel may lack either.
      writes->push_back({"io", "io.weight", "default " + std::to_string(weight), false});
      if (host.device.bfq)
        writes->push_back(
            {"io", "io.bfq.weight", "default " + std::to_string(bfq_weight(weight)), false});
    }
  }
  std::string limits;
  if (from.io_read_bps != to.io_read_bps) limits += " rbps=" + or_max(to.io_read_bps);
  if (from.io_write_bps != to.io_write_bps) limits += " wbps=" + or_max(to.io_write_bps);
  if (!limits.empty() && host.has("io") && !host.device.number.empty())
    writes->push_back({"io", "io.max", host.device.number + limits, true});
}

}  // namespace

base::Result<std::unique_ptr<CgroupDriver>> CgroupV2::open(const std::string& root,
                                                           const std::string& subtree,
                                                           const std::string& block_device) {
  TRY_AS(CgroupTree tree, CgroupTree::open(root, subtree));
  TRY_AS(std::string text, read_control(tree.root(), "cgroup.controllers"));
  std::vector<std::string> available = base::split(base::trim(text), ' ');
  HostAbilities host;
  for (const char* name : kAlways)
    if (std::find(available.begin(), available.end(), name) != available.end())
      host.controllers.emplace_back(name);
  for (const char* name : kLate)
    if (std::find(available.begin(), available.end(), name) != available.end())
      host.controllers.emplace_back(name);
  const std::string always = enable_text(available);
  TRY(enable_at_root(tree.root(), always));
  TRY(make_subtree_v2(&tree));
  TRY(write_control(tree.subtree(), "cgroup.subtree_control", always));
  host.swap = base::exists_at(tree.subtree(), "memory.swap.max");
  host.device = find_io_device(block_device);
  return std::unique_ptr<CgroupDriver>(new CgroupV2(std::move(tree), std::move(host)));
}

base::Result<std::vector<CgroupWrite>> CgroupV2::plan(const Limits& limits,
                                                      std::vector<std::string>* warnings) const {
  return plan_change({}, limits, warnings);
}

base::Result<std::vector<CgroupWrite>> CgroupV2::plan_change(
    const Limits& from, const Limits& to, std::vector<std::string>* warnings) const {
  TRY(check_limits(from, to, weight_range(), "io", host_));
  std::vector<CgroupWrite> writes;
  auto add = [&](bool changed, const char* controller, const char* file, std::string value) {
    if (changed && host_.has(controller))
      writes.push_back({controller, file, std::move(value), true});
  };
  uint32_t weight = to.cpu_weight != 0 ? to.cpu_weight : weight_range().default_value;
  add(from.cpu_weight != to.cpu_weight, "cpu", "cpu.weight", std::to_string(weight));
  std::string quota = to.cpus ? std::to_string(quota_us(*to.cpus)) : "max";
  add(from.cpus != to.cpus, "cpu", "cpu.max", quota + " " + std::to_string(kCpuPeriodUs));
  add(from.cpuset != to.cpuset, "cpuset", "cpuset.cpus", to.cpuset.value_or(kNoCpus));
  add(from.memory != to.memory, "memory", "memory.max", or_max(to.memory));
  add(from.swap != to.swap, "memory", "memory.swap.max", or_max(to.swap));
  if (from.swap != to.swap && !writes.empty() && writes.back().file == "memory.swap.max") {
    writes.back().required = false;
    if (to.swap && !host_.swap) warn(warnings, "swap limit has no effect: swap is not accounted");
  }
  add(from.processes != to.processes, "pids", "pids.max", or_max(to.processes));
  plan_io(from, to, host_, warnings, &writes);
  return writes;
}

std::vector<CgroupWrite> CgroupV2::plan_delegation() const {
  return {{"cgroup", "cgroup.subtree_control", enable_text(host_.controllers), true}};
}

base::Status CgroupV2::enable_late(const std::string& controller, const std::string& pool,
                                   bool for_zones) {
  if (std::find(std::begin(kLate), std::end(kLate), controller) == std::end(kLate)) return {};
  const std::string text = "+" + controller;
  if (!late_.contains(controller)) {
    TRY(enable_at_root(tree_.root(), text));
    TRY(write_control(tree_.subtree(), "cgroup.subtree_control", text));
    late_.insert(controller);
  }
  const std::string key = controller + " " + pool;
  if (!for_zones || late_.contains(key)) return {};
  TRY_AS(int at, tree_.pool(pool));
  TRY(write_control(at, "cgroup.subtree_control", text));
  late_.insert(key);
  return {};
}

base::Status CgroupV2::write_all(const std::string& pool, const std::string& zone,
                                 const std::vector<CgroupWrite>& writes) {
  TRY_AS(Place place, tree_.place(pool, zone));
  for (const CgroupWrite& write : writes) {
    TRY(enable_late(write.controller, pool, !zone.empty()));
    base::Status written = write_control(place.at, place.prefix + write.file, write.value);
    if (!written && written.error().sys_errno == ENOSPC && write.value == kNoCpus) {
      // Kernels such as 6.1 don't empty the list under running processes. All CPUs do the same:
      // what counts is their intersection with the parent's.
      TRY_AS(std::string all, read_control(tree_.root(), "cpuset.cpus.effective"));
      written = write_control(place.at, place.prefix + write.file, base::trim(all));
    }
    if (!written && write.required) return written;
  }
  return {};
}

base::Status CgroupV2::create_pool(const std::string& pool,
                                   const std::vector<CgroupWrite>& writes) {
  TRY_AS(int at, tree_.make_pool(pool));
  TRY(write_control(at, "cgroup.subtree_control", enable_text(host_.controllers)));
  base::Status written = write_all(pool, "", writes);
  if (!written) return std::move(written).error().context("cgroup of pool " + base::quoted(pool));
  return {};
}

base::Status CgroupV2::destroy_pool(const std::string& pool) {
  TRY(tree_.remove_pool(pool));
  std::erase_if(late_, [&](const std::string& key) { return key.ends_with(" " + pool); });
  return {};
}

base::Result<ZoneCgroup> CgroupV2::create_zone(const std::string& pool, const std::string& zone,
                                               const std::vector<CgroupWrite>& writes,
                                               uint32_t delegate_uid, uint32_t delegate_gid) {
  TRY_AS(int at, tree_.pool(pool));
  MadeFolders made;
  ZoneCgroup result;
  TRY_AS(result.v2_payload, make_zone_v2(at, zone, delegate_uid, delegate_gid, &made));
  TRY(write_all(pool, zone, writes));
  made.keep();
  return result;
}

base::Result<ZoneCgroup> CgroupV2::open_zone(const std::string& pool, const std::string& zone) {
  TRY_AS(int at, tree_.pool(pool));
  ZoneCgroup result;
  TRY_AS(result.v2_payload, open_payload(at, zone));
  TRY_AS(result.v2_exec, open_exec(at, zone));
  return result;
}

base::Status CgroupV2::apply(const std::string& pool, const std::string& zone,
                             const std::vector<CgroupWrite>& writes) {
  return write_all(pool, zone, writes);
}

base::Status CgroupV2::freeze(const std::string& pool, const std::string& zone, bool frozen) {
  TRY_AS(int at, tree_.pool(pool));
  return freeze_v2(at, zone, frozen);
}

base::Status CgroupV2::kill(const std::string& pool, const std::string& zone) {
  TRY_AS(int at, tree_.pool(pool));
  return kill_v2(at, zone);
}

base::Result<std::vector<pid_t>> CgroupV2::processes(const std::string& pool,
                                                     const std::string& zone) {
  TRY_AS(int at, tree_.pool(pool));
  return processes_below(at, zone);
}

base::Result<Usage> CgroupV2::usage(const std::string& pool, const std::string& zone) {
  TRY_AS(Place place, tree_.place(pool, zone));
  Usage usage;
  TRY_AS(std::string cpu, read_control(place.at, place.prefix + "cpu.stat"));
  usage.cpu_ns = keyed_number(cpu, "usage_usec") * 1000;
  usage.memory_bytes = read_number(place.at, place.prefix + "memory.current");
  usage.memory_peak_bytes = read_number(place.at, place.prefix + "memory.peak");
  usage.memory_limit_bytes = read_number(place.at, place.prefix + "memory.max");  // or "max"
  usage.processes = read_number(place.at, place.prefix + "pids.current");
  if (auto events = read_control(place.at, place.prefix + "memory.events"))
    usage.oom_kills = keyed_number(*events, "oom_kill");
  if (auto io = read_control(place.at, place.prefix + "io.stat")) {
    usage.io_read_bytes = io_sum(*io, "rbytes=");
    usage.io_write_bytes = io_sum(*io, "wbytes=");
  }
  return usage;
}

base::Status CgroupV2::destroy_zone(const std::string& pool, const std::string& zone) {
  TRY_AS(int at, tree_.find_pool(pool));
  if (at < 0) return {};
  return remove_cgroup(at, zone);
}

base::Result<std::vector<CgroupDriver::Found>> CgroupV2::list() {
  std::vector<Found> found;
  TRY(tree_.list(&found));
  return found;
}

}  // namespace resource
