// Control groups: one small interface, two drivers (v1 and v2). A driver works from root
// descriptors, so unit tests drive it on a plain folder. Sources: cgroups(7), the kernel's
// admin-guide/cgroup-v2.rst and admin-guide/cgroup-v1/.
//
// Layout below every root used:   SUBTREE/POOL/ZONE            limits and shares
//                                 SUBTREE/POOL/ZONE/payload    the zone's own processes (v2; its
//                                                              cgroup namespace is rooted here;
//                                                              controllers: plan_delegation())
//                                 SUBTREE/POOL/ZONE/exec       processes that join (v2; made by
//                                                              the first open_zone)
// On v1 processes sit in SUBTREE/POOL/ZONE itself; only controllers that the limits need are used,
// beside cpu, cpuacct, memory and pids. In a tree that only the pool needs (cpuset), processes sit
// in SUBTREE/POOL. Every zone has a v2 cgroup wherever a cgroup2 tree is
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

// How many cgroups a zone may make below its payload, and how deeply nested: walks stay bounded.
inline constexpr unsigned kMaxZoneCgroups = 1000;
inline constexpr unsigned kMaxZoneCgroupDepth = 32;

// One planned write: data in the plan, compared with golden files.
struct CgroupWrite {
  std::string controller;  // "cpu", "memory", ...; on v2 informative
  std::string file;        // "cpu.max"
  std::string value;       // empty (v1 cpuset only): the pool's CPUs again
  bool required = true;    // false: a failure is a warning (io weight without bfq, swap accounting)
  bool operator==(const CgroupWrite&) const = default;
};

struct Usage {
  uint64_t cpu_ns = 0;
  uint64_t memory_bytes = 0;        // charged now
  uint64_t memory_peak_bytes = 0;   // 0: the kernel does not tell
  uint64_t memory_limit_bytes = 0;  // in force; 0: none
  uint64_t processes = 0;
  uint64_t io_read_bytes = 0;
  uint64_t io_write_bytes = 0;
  uint64_t oom_kills = 0;
};

struct WeightRange {
  uint32_t min;            // v2: 1, v1: 2
  uint32_t max;            // v2: 10000, v1: 262144
  uint32_t default_value;  // v2: 100, v1: 1024
};

// Descriptors by which a launcher puts processes into a zone's cgroups.
struct ZoneCgroup {
  base::UniqueFd v2_payload;             // folder, for CLONE_INTO_CGROUP; empty: no cgroup2 here
  base::UniqueFd v2_exec;                // folder of the exec leaf, likewise; empty from
                                         // create_zone: a boot does not pay for it
  std::vector<base::UniqueFd> v1_procs;  // tasks per v1 tree, write-only; for "0" alone
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
  // Pure: the writes that lead from one set of limits to another, for a zone or pool that exists; a
  // limit that `to` no longer has goes back to the kernel's default. plan(x) is plan_change({}, x).
  virtual base::Result<std::vector<CgroupWrite>> plan_change(
      const Limits& from, const Limits& to, std::vector<std::string>* warnings) const = 0;

  // Pure: the further writes to a new zone that let its own init (systemd) divide among services
  // what the zone has. None where controllers can't be delegated (v1).
  virtual std::vector<CgroupWrite> plan_delegation() const { return {}; }

  // Makes the pool's cgroup (or finds it) and applies the writes.
  virtual base::Status create_pool(const std::string& pool,
                                   const std::vector<CgroupWrite>& writes) = 0;
  // Removes an empty pool. Absent is success; kBusy while zones are in it.
  virtual base::Status destroy_pool(const std::string& pool) = 0;

  // Makes the zone's cgroups and applies the writes; on failure nothing is left. The pool exists.
  // An empty cgroup of that name (left by a crash) is replaced; kBusy when it has processes.
  // delegate_uid/gid own the payload folder and its cgroup.procs, cgroup.subtree_control,
  // cgroup.threads (v2 delegation).
  virtual base::Result<ZoneCgroup> create_zone(const std::string& pool, const std::string& zone,
                                               const std::vector<CgroupWrite>& writes,
                                               uint32_t delegate_uid, uint32_t delegate_gid) = 0;
  // The same descriptors for a zone that exists (to run another process in it).
  virtual base::Result<ZoneCgroup> open_zone(const std::string& pool, const std::string& zone) = 0;
  // Applies changed limits to a zone that exists, a pool (zone empty) or all of ours (both empty:
  // its weight against the host, its share of the machine's memory). Not atomic: on failure the
  // writes before the failed one stay.
  virtual base::Status apply(const std::string& pool, const std::string& zone,
                             const std::vector<CgroupWrite>& writes) = 0;
  // Returns once all processes are stopped (or run); kTimeout after 50 ms, the kernel goes on.
  virtual base::Status freeze(const std::string& pool, const std::string& zone, bool frozen) = 0;
  // SIGKILL to every process in the zone, once and for all that it forks meanwhile: cgroup.kill
  // where there is a v2 cgroup (5.14+), else by walking cgroup.procs until all have it. Returns
  // before they are gone. A killed zone's cgroups take no further process: destroy and create them
  // for the next boot. (Linux 6.18 kills what is cloned by CLONE_INTO_CGROUP unless its cgroup and
  // the caller's have been killed equally often.)
  virtual base::Status kill(const std::string& pool, const std::string& zone) = 0;
  // Host pids of the zone, all leaves.
  virtual base::Result<std::vector<pid_t>> processes(const std::string& pool,
                                                     const std::string& zone) = 0;
  // A pool's usage with zone empty, all of ours with both empty.
  virtual base::Result<Usage> usage(const std::string& pool, const std::string& zone) = 0;
  // Removes the zone's cgroups, with whatever sub-cgroups the zone made. Absent is success; kBusy
  // while processes remain (after waiting about 30 ms for those that are just dying).
  virtual base::Status destroy_zone(const std::string& pool, const std::string& zone) = 0;

  // What exists below our subtree, for recovery.
  struct Found {
    std::string pool;
    std::string zone;
  };
  virtual base::Result<std::vector<Found>> list() = 0;
  // Removes the subtree with its pools when the last daemon of a root stops; kBusy while processes
  // are in it.
  virtual base::Status destroy_subtree() = 0;
};

// Where the trees are, from /proc/self/mountinfo and /proc/self/cgroup, or given by tests. Each
// path is the top of its hierarchy as we see it, or our own cgroup where systemd delegates it to us
// (cgroup_roots.h says when).
struct CgroupRoots {
  std::string v2;  // a cgroup2 folder where we may make our subtree; empty: none
  struct V1 {
    std::string controller;
    std::string path;  // co-mounted controllers have the same one
  };
  std::vector<V1> v1;  // v1 controllers mounted; empty on a pure v2 host
};
base::Result<CgroupRoots> detect_roots();

// "MAJOR:MINOR" of the whole disk that holds `folder`, for the io limits; empty when the file
// system has none (tmpfs, overlay, btrfs).
std::string block_device_of(const std::string& folder);

// subtree: "zoned" or, with --root DIR, "zoned-<hash of DIR>". Picks v2 when its tree carries the
// cpu and memory controllers, v1 otherwise; kUnsupported with a hint when neither has cpu.
// Enables the controllers on the way down (v2) and creates the subtree. block_device: from
// block_device_of(the folder with the zones' data); with an empty one io limits are refused.
base::Result<std::unique_ptr<CgroupDriver>> open_cgroups(const CgroupRoots& roots,
                                                         const std::string& subtree,
                                                         const std::string& block_device = {});

}  // namespace resource
