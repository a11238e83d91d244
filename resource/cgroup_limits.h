// What the two drivers share in turning limits into writes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "resource/cgroup.h"

namespace resource {

// Of the kernel's bandwidth control, the default period and the least quota (sched-bwc.rst).
inline constexpr uint64_t kCpuPeriodUs = 100000;
inline constexpr uint64_t kMinQuotaUs = 1000;

// The disk that io limits name.
struct IoDevice {
  std::string number;  // "8:0"; empty: none
  bool bfq = false;    // its scheduler is bfq, which weights need
};
IoDevice find_io_device(const std::string& number);

// What a driver knows of its host when it plans.
struct HostAbilities {
  std::vector<std::string> controllers;
  bool swap = false;  // swap is accounted
  IoDevice device;
  bool has(std::string_view controller) const;
};

// Checks the values' own ranges and that every controller is there that `to` needs for a value that
// differs from `from`. io_controller: "io" or "blkio".
base::Status check_limits(const Limits& from, const Limits& to, const WeightRange& range,
                          const std::string& io_controller, const HostAbilities& host);

// Microseconds of a period; kMinQuotaUs at least.
uint64_t quota_us(double cpus);
// bfq's weights are 1..1000 with the same default, 100 (bfq-iosched.rst).
uint32_t bfq_weight(uint32_t io_weight);
void warn(std::vector<std::string>* warnings, std::string text);
// "io-weight" without bfq; says what to do.
void warn_io_weight(const HostAbilities& host, bool has_controller,
                    std::vector<std::string>* warnings);

}  // namespace resource
