#include "zoned/core/kernel_paths.h"

namespace core {

const std::vector<const char*>& masked_paths() {
  static const std::vector<const char*> kPaths = {
      "/proc/acpi",          "/proc/asound",
      "/proc/cmdline",       "/proc/config.gz",
      "/proc/interrupts",    "/proc/kallsyms",
      "/proc/kcore",         "/proc/key-users",
      "/proc/keys",          "/proc/kmsg",
      "/proc/kpagecgroup",   "/proc/kpagecount",
      "/proc/kpageflags",    "/proc/latency_stats",
      "/proc/pagetypeinfo",  "/proc/pressure",
      "/proc/softirqs",      "/proc/sched_debug",
      "/proc/scsi",          "/proc/slabinfo",
      "/proc/sysrq-trigger", "/proc/timer_list",
      "/proc/timer_stats",   "/proc/vmallocinfo",
      "/proc/zoneinfo",      "/sys/devices/virtual/powercap",
      "/sys/firmware",       "/sys/kernel/security"};
  return kPaths;
}

const std::vector<const char*>& read_only_paths() {
  static const std::vector<const char*> kPaths = {"/proc/bus", "/proc/driver", "/proc/fs",
                                                  "/proc/irq", "/proc/mtrr",   "/proc/sys"};
  return kPaths;
}

}  // namespace core
