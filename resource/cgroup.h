// Control groups: one small interface, two drivers (v1 and v2). A driver works from root descriptors,
// so unit tests drive it on a plain folder. Sources: cgroups(7), the kernel's
// admin-guide/cgroup-v2.rst and admin-guide/cgroup-v1/.
//
// Layout below every root used:   SUBTREE/POOL/ZONE            limits and shares
//                                 SUBTREE/POOL/ZONE/payload    the zone's own processes (v2; its
//                                                              cgroup namespace is rooted here)
//                                 SUBTREE/POOL/ZONE/exec       processes that join (v2)
// On v1 processes sit in SUBTREE/POOL/ZONE itself; only controllers that the limits need are used,
// beside cpu, cpuacct, memory and pids. Every zone has a v2 cgroup wherever a cgroup2 tree is
// mounted, also on hybrid hosts where it carries no controllers: clone3(CLONE_INTO_CGROUP),
// cgroup.kill and systemd inside the zone need it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace resource {

// What a zone or a pool may use; unset fields are not limited.
struct Limits {
  uint32_t cpu_weight = 0;               // the kernel's own unit of the driver in use (see
                                         // weight_range()); 0: leave the default
  std::optional<double> cpus;            // cap in CPUs, 0.01 and up (cfs quota / cpu.max)
  std::optional<std::string> cpuset;     // cpulist(7), such as "0-1"
  std::optional<uint64_t> memory;        // bytes
  std::optional<uint64_t> swap;          // bytes of swap beside the memory
  std::optional<uint64_t> processes;     // pids.max
  std::optional<uint32_t> io_weight;     // 1..10000, 100 is the default (io.weight's unit)
  std::optional<uint64_t> io_read_bps;   // bytes per second on the device that holds the zones
  std::optional<uint64_t> io_write_bps;  // likewise
  bool operator==(const Limits&) const = default;
};

// One planned write: data in the plan, compared with golden files.
struct CgroupWrite {
  std::string controller;  // "cpu", "memory", ...; on v2 informative
  std::string file;        // "cpu.max"
  std::string value;
  bool required = true;    // false: a failure is a warning (io weight without bfq, swap accounting)
  bool operator==(const CgroupWrite&) const = default;
};

struct Usage {
  uint64_t cpu_ns = 0;
  uint64_t memory_bytes = 0;       // charged now
  uint64_t memory_peak_bytes = 0;  // 0: the kernel does not tell
  uint64_t processes = 0;
  uint64_t io_read_bytes = 0;
  uint64_t io_write_bytes = 0;
  uint64_t oom_kills = 0;
};

struct WeightRange {
  uint32_t min;           // v2: 1, v1: 2
  uint32_t max;           // v2: 10000, v1: 262144
  uint32_t default_value; // v2: 100, v1: 1024
};

// Descriptors by which a launcher puts processes into a zone's cgroups.
struct ZoneCgroup {
  base::UniqueFd v2_payload;              // folder, for CLONE_INTO_CGROUP; empty: no cgroup2 here
  base::UniqueFd v2_exec_procs;           // cgroup.procs of the exec leaf, write-only
  std::vector<base::UniqueFd> v1_procs;   // cgroup.procs per v1 tree, write-only
};

class CgroupDriver {
 public:
  virtual ~CgroupDriver() = default;

  virtual std::string_view name() const = 0;  // "v1" or "v2"
  virtual WeightRange weight_range() const = 0;
  // Controllers usable here, such as {"cpu", "memory", "pids"}.
  virtual std::vector<std::string> controllers() const = 0;

  // Pure: what the limits mean for this kernel. A limit whose controller is missing is an error
  // that names it, unless it is advisory (io-weight): then a line goes to warnings.
  virtual base::Result<std::vector<CgroupWrite>> plan(const Limits& limits,
                                                      std::vector<std::string>* warnings) const = 0;

  // Makes the pool's cgroup (or finds it) and applies the writes.
  virtual base::Status create_pool(const std::string& pool,
                                   const std::vector<CgroupWrite>& writes) = 0;
  // Removes an empty pool. Absent is success; kBusy while zones are in it.
  virtual base::Status destroy_pool(const std::string& pool) = 0;

  // Makes the zone's cgroups and applies the writes; on failure nothing is left. The pool exists.
  // delegate_uid/gid own the payload folder and its cgroup.procs, cgroup.subtree_control,
  // cgroup.threads (v2 delegation).
  virtual base::Result<ZoneCgroup> create_zone(const std::string& pool, const std::string& zone,
                                               const std::vector<CgroupWrite>& writes,
                                               uint32_t delegate_uid, uint32_t delegate_gid) = 0;
  // The same descriptors for a zone that exists (to run another process in it).
  virtual base::Result<ZoneCgroup> open_zone(const std::string& pool, const std::string& zone) = 0;
  // Applies changed limits to a pool (zone empty) or a zone that exists.
  virtual base::Status apply(const std::string& pool, const std::string& zone,
                             const std::vector<CgroupWrite>& writes) = 0;
  virtual base::Status freeze(const std::string& pool, const std::string& zone, bool frozen) = 0;
  // SIGKILL to every process in the zone, once and for all that it forks meanwhile: cgroup.kill
  // where there is a v2 cgroup (5.14+), else by walking cgroup.procs until empty.
  virtual base::Status kill(const std::string& pool, const std::string& zone) = 0;
  // Host pids of the zone, all leaves.
  virtual base::Result<std::vector<pid_t>> processes(const std::string& pool,
                                                     const std::string& zone) = 0;
  // A pool's usage with zone empty.
  virtual base::Result<Usage> usage(const std::string& pool, const std::string& zone) = 0;
  // Removes the zone's cgroups, with whatever sub-cgroups the zone made. Absent is success; kBusy
  // while processes remain.
  virtual base::Status destroy_zone(const std::string& pool, const std::string& zone) = 0;

  // What exists below our subtree, for recovery.
  struct Found {
    std::string pool;
    std::string zone;
  };
  virtual base::Result<std::vector<Found>> list() = 0;
  // Removes the (empty) subtree itself: when the last daemon of a root stops.
  virtual base::Status destroy_subtree() = 0;
};

// Where the trees are. Detected from /proc/self/mountinfo and /proc/self/cgroup, or given by tests.
struct CgroupRoots {
  std::string v2;  // a cgroup2 folder where we may make our subtree; empty: none
  struct V1 {
    std::string controller;
    std::string path;
  };
  std::vector<V1> v1;  // v1 controllers mounted; empty on a pure v2 host
};
base::Result<CgroupRoots> detect_roots();

// subtree: "zoned" or, with --root DIR, "zoned-<hash of DIR>". Picks v2 when its tree carries the
// cpu and memory controllers, v1 otherwise; kUnsupported with a hint when neither has cpu.
// Enables the controllers on the way down (v2) and creates the subtree.
base::Result<std::unique_ptr<CgroupDriver>> open_cgroups(const CgroupRoots& roots,
                                                         const std::string& subtree);

}  // namespace resource
