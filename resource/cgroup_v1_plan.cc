#include "resource/cgroup_folder.h"
#include "resource/cgroup_v1.h"

namespace resource {
namespace {

// Bytes of memory and swap together, as v1 counts them; -1: no limit.
std::string memory_and_swap(const Limits& limits) {
  if (!limits.memory || !limits.swap) return "-1";
  uint64_t sum = 0;
  return __builtin_add_overflow(*limits.memory, *limits.swap, &sum) ? "-1" : std::to_string(sum);
}

void plan_memory(const Limits& from, const Limits& to, const HostAbilities& host,
                 std::vector<std::string>* warnings, std::vector<CgroupWrite>* writes) {
  if (from.memory != to.memory)
    writes->push_back(
        {"memory", "memory.limit_in_bytes", to.memory ? std::to_string(*to.memory) : "-1", true});
  if (memory_and_swap(from) != memory_and_swap(to))
    writes->push_back({"memory", "memory.memsw.limit_in_bytes", memory_and_swap(to), false});
  if (to.swap && !host.swap) warn(warnings, "swap limit has no effect: swap is not accounted");
}

void plan_io(const Limits& from, const Limits& to, const HostAbilities& host,
             std::vector<std::string>* warnings, std::vector<CgroupWrite>* writes) {
  if (from.io_weight != to.io_weight) {
    if (to.io_weight) warn_io_weight(host, host.has("blkio"), warnings);
    // Without bfq there is no such file: the blkio hierarchy would be used for nothing.
    if (host.has("blkio") && host.device.bfq)
      writes->push_back({"blkio", "blkio.bfq.weight",
                         std::to_string(bfq_weight(to.io_weight.value_or(100))), false});
  }
  auto throttle = [&](const std::optional<uint64_t>& old_bps,
                      const std::optional<uint64_t>& new_bps, const char* file) {
    if (old_bps == new_bps || !host.has("blkio") || host.device.number.empty()) return;
    // 0 takes the rule away.
    writes->push_back(
        {"blkio", file, host.device.number + " " + std::to_string(new_bps.value_or(0)), true});
  };
  throttle(from.io_read_bps, to.io_read_bps, "blkio.throttle.read_bps_device");
  throttle(from.io_write_bps, to.io_write_bps, "blkio.throttle.write_bps_device");
}

}  // namespace

base::Result<std::vector<CgroupWrite>> CgroupV1::plan(const Limits& limits,
                                                      std::vector<std::string>* warnings) const {
  return plan_change({}, limits, warnings);
}

base::Result<std::vector<CgroupWrite>> CgroupV1::plan_change(
    const Limits& from, const Limits& to, std::vector<std::string>* warnings) const {
  TRY(check_limits(from, to, weight_range(), "blkio", host_));
  if (to.swap && !to.memory)
    return base::make_error(base::Code::kUnsupported,
                            "swap limit: cgroup v1 limits swap only together with memory",
                            "set a limit for physical memory too");
  std::vector<CgroupWrite> writes;
  auto add = [&](bool changed, const char* controller, const char* file, std::string value) {
    if (changed && host_.has(controller))
      writes.push_back({controller, file, std::move(value), true});
  };
  uint32_t weight = to.cpu_weight != 0 ? to.cpu_weight : weight_range().default_value;
  add(from.cpu_weight != to.cpu_weight, "cpu", "cpu.shares", std::to_string(weight));
  add(from.cpus != to.cpus, "cpu", "cpu.cfs_quota_us",
      to.cpus ? std::to_string(quota_us(*to.cpus)) : "-1");
  add(from.cpuset != to.cpuset, "cpuset", "cpuset.cpus", to.cpuset.value_or(""));
  if (host_.has("memory")) plan_memory(from, to, host_, warnings, &writes);
  add(from.processes != to.processes, "pids", "pids.max",
      to.processes ? std::to_string(*to.processes) : "max");
  plan_io(from, to, host_, warnings, &writes);
  return writes;
}

}  // namespace resource
