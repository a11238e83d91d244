#include "zoned/core/kernel_paths.h"

namespace core {

// Power over the kernel, what it knows of the host, and lists and counters of the whole host that any
// zone can write into, such as the ranges of its record locks, and every zone could read.
const std::vector<const char*>& masked_paths() {
  static const std::vector<const char*> kPaths = {"/proc/acpi",
                                                  "/proc/asound",
                                                  "/proc/cmdline",
                                                  "/proc/config.gz",
                                                  "/proc/diskstats",
                                                  "/proc/fs",
                                                  "/proc/interrupts",
                                                  "/proc/kallsyms",
                                                  "/proc/kcore",
                                                  "/proc/key-users",
                                                  "/proc/keys",
                                                  "/proc/kmsg",
                                                  "/proc/kpagecgroup",
                                                  "/proc/kpagecount",
                                                  "/proc/kpageflags",
                                                  "/proc/latency_stats",
                                                  "/proc/locks",
                                                  "/proc/pagetypeinfo",
                                                  "/proc/pressure",
                                                  "/proc/softirqs",
                                                  "/proc/sched_debug",
                                                  "/proc/scsi",
                                                  "/proc/slabinfo",
                                                  "/proc/sys/fs/dentry-state",
                                                  "/proc/sys/fs/file-nr",
                                                  "/proc/sys/fs/inode-nr",
                                                  "/proc/sys/fs/inode-state",
                                                  "/proc/sysrq-trigger",
                                                  "/proc/timer_list",
                                                  "/proc/timer_stats",
                                                  "/proc/vmallocinfo",
                                                  "/proc/vmstat",
                                                  "/proc/zoneinfo",
                                                  "/sys/devices/virtual/powercap",
                                                  "/sys/firmware",
                                                  "/sys/fs/ext4",
                                                  "/sys/fs/xfs",
                                                  "/sys/fs/btrfs",
                                                  "/sys/kernel/security"};
  return kPaths;
}

const std::vector<const char*>& read_only_paths() {
  static const std::vector<const char*> kPaths = {"/proc/bus", "/proc/driver", "/proc/irq",
                                                  "/proc/mtrr", "/proc/sys"};
  return kPaths;
}

}  // namespace core
