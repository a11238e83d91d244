// ZonePlan: every decision of a boot, taken before the first side effect. Immutable plain data: it
// travels to the keeper as JSON (plan_json.h), is compared with golden files, and a test can take a
// wall out of it. Objects that planning checked travel beside it as descriptors, by name.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "labels/label.h"
#include "netns/port.h"
#include "resource/cgroup.h"
#include "zoned/core/spec.h"

namespace core {

enum class Profile {
  kApp,  // one command under the built-in init; no_new_privs; few capabilities
  kOs,   // the tree's own init (systemd); may mount inside its own namespaces
  kJob,  // our own helpers (installing): as kApp
  kVmm,  // a VMM in its cell: no capabilities, no kernel file systems, a filter that narrows
  // A network's DHCP and DNS: what dnsmasq(8) insists on, CAP_NET_ADMIN over the zone's own stack.
  kNames,
  kReader,  // hands a zone the files of zones below it (read_down_server.h)
};

// Which namespaces are made new. All of them, always; the fields are walls for the tests.
struct Namespaces {
  bool user = true;
  bool pid = true;
  bool net = true;
  bool uts = true;
  bool ipc = true;
  bool cgroup = true;
  bool time = true;
  bool operator==(const Namespaces&) const = default;
};

// Zone ids 0..65535 are host ids base..base+65535 (user_namespaces(7)). Unique on the machine.
struct IdRange {
  uint32_t base = 0;
  bool operator==(const IdRange&) const = default;
};
inline constexpr uint32_t kIdsPerZone = 65536;

// What is made inside a fresh tmpfs before it is moved into place.
struct TmpfsEntry {
  enum class Kind { kDir, kFile, kSymlink };
  Kind kind = Kind::kDir;
  std::string path;    // relative to the tmpfs
  std::string target;  // symlink text
  uint32_t mode = 0755;
  bool operator==(const TmpfsEntry&) const = default;
};

// One mount, in order. Kernel file systems are made by the child (they must belong to the zone's user
// namespace); trees, devices and masks by the launcher, which attaches everything.
struct MountOp {
  enum class Kind {
    kRoot,     // the zone's tree (descriptor `source`), idmapped; first
    kOverlay,  // instead of kRoot: descriptor `source` idmapped and read-only below, a tmpfs above
    kTree,     // [[fs]]: descriptor `source`
    kTmpfs,
    kProc,
    kSysfs,
    kCgroup2,
    kDevpts,
    kMqueue,
    kDevice,   // a node of the zone's own like /dev/<source> over the (empty) file `target`
    kConsole,  // the zone's own pty over `target`
  };
  Kind kind = Kind::kTree;
  std::string
      target;  // absolute path in the zone, without "." and ".."; resolved in the zone's root
  std::string source;
  bool read_only = false;
  bool nosuid = true;
  bool nodev = true;
  bool noexec = false;
  bool idmap = false;
  std::vector<std::pair<std::string, std::string>> options;  // fsconfig(2) strings: size, mode
  std::vector<TmpfsEntry> entries;                           // kTmpfs
  bool operator==(const MountOp&) const = default;
};

struct Rlimit {
  int resource = 0;  // RLIMIT_*
  uint64_t soft = 0;
  uint64_t hard = 0;
  bool operator==(const Rlimit&) const = default;
};

enum class Stdio {
  kLog,      // stdin is /dev/null, stdout and stderr a pipe that the keeper drains into the log
  kConsole,  // the zone's pty, drained by the keeper
  kClient,   // the descriptors "stdin", "stdout", "stderr" of the request
  kSerial,   // stdout, stderr and the kept descriptor "console" are one stream socket, drained by
             // the keeper: messages of a VMM and the serial console of its guest
};

struct ExecPlan {
  std::string descriptor;  // execveat(2) of this descriptor ("init"); empty: `path`
  std::string path;        // in the zone
  std::vector<std::string> argv;
  std::vector<std::string> env;  // "KEY=value"
  std::string workdir = "/";
  uint32_t uid = 0;  // ids of the zone
  uint32_t gid = 0;
  std::vector<uint32_t> groups;
  bool operator==(const ExecPlan&) const = default;
};

// A descriptor kept open over exec, at a number of its own. All others are closed.
struct KeptFd {
  std::string name;
  int number = 0;  // >= 3
  bool operator==(const KeptFd&) const = default;
};

struct CgroupPlan {
  std::string pool;
  std::string zone;
  std::vector<resource::CgroupWrite> writes;
  bool operator==(const CgroupPlan&) const = default;
};

// landlock(7): a wall behind the mounts and the namespaces. What is not listed can't be done, as far as
// the running kernel knows it.
struct LandlockRule {
  enum class Access {
    kLook,  // read, list, execute
    kUse,   // and write what is there; ioctls of devices
    kOwn,   // look, write, make and remove anything but device nodes
  };
  std::string path;  // absolute, in the zone: a folder with all below it, or one file
  Access access = Access::kLook;
  bool operator==(const LandlockRule&) const = default;
};
struct LandlockPlan {
  std::vector<LandlockRule> rules;  // empty: no Landlock
  bool tcp = false;                 // TCP ports may be bound and connected to
  bool scoped = true;               // no abstract socket and no process outside can be reached
  bool operator==(const LandlockPlan&) const = default;
};

struct ZonePlan {
  std::string name;
  std::string boot_id;  // unique per boot: 32 hex digits
  Brand brand = Brand::kNative;
  Profile profile = Profile::kApp;
  labels::Label label;
  Namespaces namespaces;
  IdRange ids;
  std::string hostname;
  std::vector<MountOp> mounts;
  // Paths below the zone's kernel file systems; one that the kernel lacks is passed over.
  std::vector<std::string> masked;     // covered by an empty read-only file or folder
  std::vector<std::string> read_only;  // bound onto themselves, read-only
  bool lock_mounts =
      true;  // the zone can't take masks off (mounts made in an outer mount namespace)
  uint64_t capabilities = 0;  // bounding, permitted and effective of the zone's first process; bit
                              // numbers of capabilities(7)
  bool no_new_privs = true;
  std::string
      filter;  // seccomp profile: "app", "os"; its bytes are the sealed memfd "filter". Empty
               // only in tests
  // Folders of the tree that dominating zones read while this zone runs. Whoever exports can't watch
  // its files being read: the filter has "+exports".
  std::vector<std::string> exports;
  bool filter_narrows = false;  // the filter has start-only calls: the keeper lets them pass until
                                // it is told to narrow, then they fail with ENOSYS for good
  LandlockPlan landlock;
  std::vector<Rlimit> rlimits;
  int oom_score_adj = 100;
  bool loopback_up = true;
  std::vector<netns::PortPlan> ports;
  CgroupPlan cgroup;
  Stdio stdio = Stdio::kLog;
  uint64_t log_size = 1 << 20;
  std::vector<KeptFd> kept_fds;
  bool close_fds = true;  // everything not listed is closed at exec
  ExecPlan exec;
  bool operator==(const ZonePlan&) const = default;
};

// A process that joins a running zone (zone exec): the zone's namespaces come from its first
// process, what confines comes from here.
struct EnterPlan {
  std::string zone;
  std::string boot_id;
  uint64_t capabilities = 0;
  bool no_new_privs = true;
  std::string filter;
  LandlockPlan
      landlock;      // a domain can't be joined: the same rules again, but not scoped, or it could
                     // not even signal the zone's processes
  bool tty = false;  // a pty of the zone's own devpts
  uint16_t tty_rows = 24;
  uint16_t tty_columns = 80;
  bool close_fds = true;
  ExecPlan exec;
  bool operator==(const EnterPlan&) const = default;
};

}  // namespace core
