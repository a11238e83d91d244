#include "resource/cgroup_limits.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cmath>

#include "base/files.h"
#include "base/strings.h"

namespace resource {
namespace {

base::Status need(const HostAbilities& host, bool wanted, const std::string& limit,
                  const std::string& controller) {
  if (!wanted || host.has(controller)) return {};
  return base::make_error(base::Code::kUnsupported,
                          limit + ": cgroup controller " + base::quoted(controller) + " is missing",
                          "remove the limit, or enable the controller in the kernel; `zone host` "
                          "lists those found");
}

base::Status check_values(const Limits& to, const WeightRange& range) {
  auto bad = [](const std::string& text) { return base::make_error(base::Code::kInvalid, text); };
  if (to.cpu_weight != 0 && (to.cpu_weight < range.min || to.cpu_weight > range.max))
    return bad("cpu weight " + std::to_string(to.cpu_weight) + ": must lie in " +
               std::to_string(range.min) + ".." + std::to_string(range.max));
  if (to.cpus && !(*to.cpus >= 0.01 && *to.cpus <= 8192))
    return bad("cpu cap " + std::to_string(*to.cpus) + ": must lie in 0.01..8192");
  if (to.cpuset) {
    auto cpus = base::parse_cpu_list(*to.cpuset);
    if (!cpus) return std::move(cpus).error().context("cpu set");
    if (cpus->empty()) return bad("cpu set: names no CPU");
  }
  if (to.io_weight && (*to.io_weight < 1 || *to.io_weight > 10000))
    return bad("io weight " + std::to_string(*to.io_weight) + ": must lie in 1..10000");
  if ((to.io_read_bps && *to.io_read_bps == 0) || (to.io_write_bps && *to.io_write_bps == 0))
    return bad("io limit 0: must be at least 1 byte per second");
  return {};
}

template <typename T>
bool newly(const T& from, const T& to) {
  return to != T{} && from != to;
}

}  // namespace

bool HostAbilities::has(std::string_view controller) const {
  return std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
}

IoDevice find_io_device(const std::string& number) {
  IoDevice device{number, false};
  if (number.empty()) return device;
  auto scheduler = base::read_file(AT_FDCWD, "/sys/dev/block/" + number + "/queue/scheduler", 4096);
  device.bfq = scheduler.ok() && scheduler->find("[bfq]") != std::string::npos;
  return device;
}

std::string block_device_of(const std::string& folder) {
  struct stat st = {};
  if (stat(folder.c_str(), &st) != 0 || major(st.st_dev) == 0) return {};
  std::string number = std::to_string(major(st.st_dev)) + ":" + std::to_string(minor(st.st_dev));
  const std::string entry = "/sys/dev/block/" + number;
  // The io controllers refuse partitions: limits are the whole disk's.
  if (!base::exists_at(AT_FDCWD, entry + "/partition")) return number;
  auto disk = base::read_file(AT_FDCWD, entry + "/../dev", 64);
  return disk ? std::string(base::trim(*disk)) : std::string();
}

base::Status check_limits(const Limits& from, const Limits& to, const WeightRange& range,
                          const std::string& io_controller, const HostAbilities& host) {
  TRY(check_values(to, range));
  TRY(need(host, newly(from.cpu_weight, to.cpu_weight), "cpu shares", "cpu"));
  TRY(need(host, newly(from.cpus, to.cpus), "cpu cap", "cpu"));
  TRY(need(host, newly(from.cpuset, to.cpuset), "cpu set", "cpuset"));
  TRY(need(host, newly(from.memory, to.memory), "memory limit", "memory"));
  TRY(need(host, newly(from.swap, to.swap), "swap limit", "memory"));
  TRY(need(host, newly(from.processes, to.processes), "process limit", "pids"));
  bool io = newly(from.io_read_bps, to.io_read_bps) || newly(from.io_write_bps, to.io_write_bps);
  TRY(need(host, io, "io limit", io_controller));
  if (io && host.device.number.empty())
    return base::make_error(base::Code::kUnsupported,
                            "io limit: the zones' file system has no block device of its own",
                            "put the zones on ext4 or xfs on a disk, or remove the limit");
  return {};
}

uint64_t quota_us(double cpus) {
  return std::max(kMinQuotaUs, static_cast<uint64_t>(std::llround(cpus * kCpuPeriodUs)));
}

uint32_t bfq_weight(uint32_t io_weight) { return std::min(io_weight, 1000u); }

void warn(std::vector<std::string>* warnings, std::string text) {
  if (warnings != nullptr) warnings->push_back(std::move(text));
}

void warn_io_weight(const HostAbilities& host, bool has_controller,
                    std::vector<std::string>* warnings) {
  if (!has_controller)
    return warn(warnings, "io-weight has no effect: this host has no io controller");
  if (host.device.number.empty())
    return warn(warnings, "io-weight has no effect: the zones' file system has no block device");
  if (!host.device.bfq)
    warn(warnings, "io-weight has no effect: disk " + host.device.number +
                       " does not use the bfq scheduler (write bfq to /sys/dev/block/" +
                       host.device.number + "/queue/scheduler)");
}

}  // namespace resource
