// Fault points: named places before and after each kernel effect of boot, halt, install and delete,
// where a test build (ZONED_FAULTS) fails or dies on demand. In other builds they are nothing.
//
// The environment says where and how: ZONED_FAULT="NAME=kill[:N]" or "NAME=errno:ENOSPC[:N]"; N
// counts the passages of the point, from 1 (the default); with errno every passage from the Nth on.
#pragma once

#include <array>
#include <string_view>

#include "base/result.h"

namespace zoned {

inline constexpr std::array<std::string_view, 60> kFaultPoints = {
    "boot.range.before",       "boot.range.after",       "boot.tree.before",
    "boot.tree.after",         "boot.plan.before",       "boot.plan.after",
    "boot.mountpoints.before", "boot.mountpoints.after", "boot.pool.before",
    "boot.pool.after",         "boot.cgroup.before",     "boot.cgroup.after",
    "boot.ports.before",       "boot.ports.after",       "boot.record.before",
    "boot.record.after",       "boot.launch.before",     "boot.launch.after",
    "boot.running.before",     "boot.running.after",     "halt.kill.before",
    "halt.kill.after",         "halt.cgroup.before",     "halt.cgroup.after",
    "halt.ports.before",       "halt.ports.after",       "halt.range.before",
    "halt.range.after",        "halt.record.before",     "halt.record.after",
    "install.state.before",    "install.state.after",    "install.source.before",
    "install.source.after",    "install.launch.before",  "install.launch.after",
    "install.finish.before",   "install.finish.after",   "install.done.before",
    "install.done.after",      "delete.state.before",    "delete.state.after",
    "delete.tree.before",      "delete.tree.after",      "delete.config.before",
    "delete.config.after",     "delete.folder.before",   "delete.folder.after",
    "set.mark.before",         "set.mark.after",         "set.config.before",
    "set.config.after",        "set.ports.before",       "set.ports.after",
    "audit.write.before",      "audit.write.after",      "audit.sync.before",
    "audit.sync.after",        "boot.rules.before",      "boot.rules.after",
};

#ifdef ZONED_FAULTS
// The injected error, or success. An unknown name ends the program: a test would pass in vain.
base::Status fault_point(std::string_view name);
#else
inline base::Status fault_point(std::string_view) { return {}; }
#endif

}  // namespace zoned
