#include "tests/root/walls/walls.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>

#include "base/files.h"
#include "zoned/core/host_facts.h"
#include "zoned/core/kernel_paths.h"
#include "zoned/core/landlock.h"

namespace walls {
namespace {

using core::MountOp;
using core::ZonePlan;
using Kind = MountOp::Kind;

constexpr int kShmKey = 0x7a6f6e65;

// Kernel file systems can't be made for a namespace that the zone's user namespace does not own.
void drop(ZonePlan& plan, Kind kind) {
  std::erase_if(plan.mounts, [kind](const MountOp& op) { return op.kind == kind; });
}
void drop_below(ZonePlan& plan, const std::string& folder) {
  std::erase_if(plan.mounts, [&](const MountOp& op) { return op.target.starts_with(folder); });
}
void drop_path(std::vector<std::string>& paths, const std::string& path) {
  REQUIRE(std::erase(paths, path) == 1);
}
MountOp& mount_at(ZonePlan& plan, const std::string& target) {
  auto it = std::find_if(plan.mounts.begin(), plan.mounts.end(),
                         [&](const MountOp& op) { return op.target == target; });
  REQUIRE(it != plan.mounts.end());
  return *it;
}

std::string host_link(const std::string& path) {
  char target[64] = {};
  REQUIRE(readlink(path.c_str(), target, sizeof target - 1) > 0);
  return target;
}
std::string host_name() {
  utsname name = {};
  uname(&name);
  return name.nodename;
}
std::string abstract_name() { return "zoned-canary-" + std::to_string(getpid()); }

// Since Linux 6.4, which Debian 12's headers don't know.
constexpr int kGetMemoryMerge = 68;

// process_madvise(2) takes this advice since Linux 6.13.
bool takes_advice_to_merge() {
  constexpr size_t kSize = 4096;
  base::UniqueFd self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  void* at = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  iovec page = {at, kSize};
  bool taken = syscall(SYS_process_madvise, self.get(), &page, 1, MADV_MERGEABLE, 0) >= 0;
  munmap(at, kSize);
  return taken;
}

// Lives as long as the program: attacks on the host's objects need the object.
void listen_abstract(Yard&) {
  static int fd = [] {
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::string name = abstract_name();
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    socklen_t length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    REQUIRE(bind(s, reinterpret_cast<sockaddr*>(&address), length) == 0);
    REQUIRE(listen(s, 8) == 0);
    return s;
  }();
  REQUIRE(fd >= 0);
}
struct SharedMemory {
  int id = shmget(kShmKey, 4096, IPC_CREAT | IPC_EXCL | 0666);
  ~SharedMemory() { shmctl(id, IPC_RMID, nullptr); }
};
void make_shared_memory(Yard&) {
  static SharedMemory memory;
  REQUIRE(memory.id >= 0);
}

// A file that another zone's root has made, for its eyes only.
void neighbours_file(Yard& yard) {
  std::string path = yard.shared() + "/private";
  unlink(path.c_str());
  auto fd = base::open_at(AT_FDCWD, path, O_CREAT | O_EXCL | O_WRONLY, 0600);
  REQUIRE(fd.ok());
  REQUIRE(base::write_all(fd->get(), "secret").ok());
  uid_t neighbour = yard.plan({}).ids.base + core::kIdsPerZone;
  REQUIRE(fchown(fd->get(), neighbour, neighbour) == 0);
}

// Without close-on-exec, as a library of ours might forget it one day.
void leak_descriptor(Yard&) {
  static int leaked = [] {
    int fd = open("/etc/passwd", O_RDONLY);  // NOLINT: the point
    return dup2(fd, 200);
  }();
  REQUIRE(leaked == 200);
}

// Likewise the host's whole tree.
constexpr int kLeakedRoot = 201;
void leak_root(Yard&) {
  static bool leaked = dup2(open("/", O_PATH | O_DIRECTORY), kLeakedRoot) == kLeakedRoot;  // NOLINT
  REQUIRE(leaked);
}

void add_namespaces(std::vector<Wall>* walls) {
  walls->push_back({"namespace: user",
                    "8",
                    {"create", "/shared/made"},
                    [](ZonePlan& p) { p.namespaces.user = false; },
                    false,
                    0,
                    [](Yard& y) { unlink((y.shared() + "/made").c_str()); },
                    [](Yard& y) {
                      struct stat st = {};
                      return stat((y.shared() + "/made").c_str(), &st) == 0 && st.st_uid == 0;
                    }});
  walls->push_back({"namespace: pid", "2", {"see-pid", std::to_string(getpid())}, [](ZonePlan& p) {
                      p.namespaces.pid = false;
                      drop_below(p, "/proc");
                    }});
  walls->push_back({"namespace: net",
                    "9",
                    {"abstract", abstract_name()},
                    [](ZonePlan& p) {
                      p.namespaces.net = false;
                      p.loopback_up = false;
                      drop_below(p, "/sys");
                    },
                    false,
                    0,
                    listen_abstract});
  walls->push_back({"namespace: uts", "8", {"host-name", host_name()}, [](ZonePlan& p) {
                      p.namespaces.uts = false;
                      p.hostname.clear();
                    }});
  walls->push_back({"namespace: ipc",
                    "8",
                    {"shm", std::to_string(kShmKey)},
                    [](ZonePlan& p) {
                      p.namespaces.ipc = false;
                      drop(p, Kind::kMqueue);
                    },
                    false,
                    0,
                    make_shared_memory});
  walls->push_back({"namespace: cgroup", "10", {"cgroup-path"}, [](ZonePlan& p) {
                      p.namespaces.cgroup = false;
                      drop(p, Kind::kCgroup2);
                    }});
  walls->push_back({"namespace: time",
                    "8",
                    {"same-ns", "time", host_link("/proc/self/ns/time")},
                    [](ZonePlan& p) { p.namespaces.time = false; }});
}

void add_rights(std::vector<Wall>* walls) {
  walls->push_back({"ids: a range of its own",
                    "8",
                    {"read", "/shared/private"},
                    [](ZonePlan& p) { p.ids.base += core::kIdsPerZone; },
                    false,
                    0,
                    neighbours_file});
  walls->push_back({"capabilities", "8", {"net-admin"}, [](ZonePlan& p) {
                      p.capabilities |= uint64_t{1} << CAP_NET_ADMIN;
                    }});
  walls->push_back({"no_new_privs",
                    "8",
                    {"setuid-exec", "/bin/setuid-attacker"},
                    [](ZonePlan& p) {
                      p.no_new_privs = false;
                      // Without it the filter can be loaded with this capability only.
                      p.capabilities |= uint64_t{1} << CAP_SYS_ADMIN;
                    },
                    false,
                    1000});
  std::vector<std::vector<std::string>> kCalls = {{"keyring"},     {"io-uring"}, {"packet"},
                                                  {"packet-high"}, {"xfrm"},     {"userns"}};
  if (base::exists_at(AT_FDCWD, "/sys/kernel/mm/ksm")) {
    kCalls.push_back({"merge"});
    if (prctl(kGetMemoryMerge, 0, 0, 0, 0) >= 0) kCalls.push_back({"merge-all"});
    if (takes_advice_to_merge()) kCalls.push_back({"merge-process"});
  }
  for (const auto& call : kCalls)
    walls->push_back({"seccomp: " + call[0], call[0] == "userns" ? "2" : "12", call,
                      [](ZonePlan& p) { p.filter.clear(); }});
  walls->push_back({"descriptors: closed at exec",
                    "2",
                    {"census"},
                    [](ZonePlan& p) { p.close_fds = false; },
                    false,
                    0,
                    leak_descriptor});
  walls->push_back(
      {"rlimit: open files", "17", {"open-many", "400"}, [](ZonePlan& p) { p.rlimits.clear(); }});
  walls->push_back({"cgroup: processes", "17", {"fork-many", "100"}, [](ZonePlan& p) {
                      std::erase_if(p.cgroup.writes, [](const resource::CgroupWrite& w) {
                        return w.file == "pids.max";
                      });
                    }});
}

void add_mounts(std::vector<Wall>* walls) {
  walls->push_back({"mount: /dev noexec", "15", {"exec-script", "/dev/script"}, [](ZonePlan& p) {
                      mount_at(p, "/dev").noexec = false;
                    }});
  walls->push_back({"mount: /sys read-only", "10", {"writable", "/sys"}, [](ZonePlan& p) {
                      mount_at(p, "/sys").read_only = false;
                    }});
  if (base::exists_at(AT_FDCWD, "/sys/fs/cgroup"))
    walls->push_back({"mount: /sys/fs/cgroup read-only",
                      "10",
                      {"mkdir", "/sys/fs/cgroup/mine"},
                      [](ZonePlan& p) { mount_at(p, "/sys/fs/cgroup").read_only = false; }});
  for (const char* path : core::read_only_paths()) {
    std::string name = path;
    if (!base::exists_at(AT_FDCWD, name)) continue;
    walls->push_back({"read-only: " + name, "10", {"writable", name}, [name](ZonePlan& p) {
                        drop_path(p.read_only, name);
                      }});
  }
  // A mask is proven by what can be read without it; some files of the kernel are empty, or closed to
  // a zone by their owner, and there a mask is a second wall that can't be told from here.
  for (const char* path : {"/proc/kallsyms", "/proc/zoneinfo"}) {
    std::string name = path;
    if (!base::exists_at(AT_FDCWD, name)) continue;
    walls->push_back({"mask: " + name, "10", {"read", name}, [name](ZonePlan& p) {
                        drop_path(p.masked, name);
                      }});
  }
  walls->push_back({"masks are locked",
                    "10",
                    {"unmask", "/proc/kallsyms"},
                    [](ZonePlan& p) { p.lock_mounts = false; },
                    true});
  walls->push_back({"read-only paths are locked",
                    "10",
                    {"unmask-write", "/proc/sys"},
                    [](ZonePlan& p) { p.lock_mounts = false; },
                    true});
}

// Each by itself: the wall that it stands behind is down both times.
void add_landlock(std::vector<Wall>* walls, pid_t neighbour) {
  uint32_t abi = core::landlock_abi();
  if (abi == 0) return;
  auto add = [&](const char* name, std::vector<std::string> attack, auto also,
                 std::function<void(Yard&)> prepare) {
    Wall wall = {std::string("landlock: ") + name, "landlock", std::move(attack),
                 [](ZonePlan& p) { p.landlock = {}; }};
    wall.prepare = std::move(prepare);
    wall.alone = [also](ZonePlan& p) {
      p.landlock = core::landlock_of(p);
      also(p);
    };
    walls->push_back(std::move(wall));
  };
  auto leak = [](ZonePlan& p) { p.close_fds = false; };
  add("reading outside", {"read-at", std::to_string(kLeakedRoot), "etc/passwd"}, leak, leak_root);
  add("making outside", {"make-at", std::to_string(kLeakedRoot)}, leak, leak_root);
  add(
      "writing below a read-only root", {"create", "/made"},
      [](ZonePlan& p) {
        mount_at(p, "/").read_only = true;
        p.landlock = core::landlock_of(p);
        mount_at(p, "/").read_only = false;
      },
      [](Yard& y) { unlink((y.path() + "/tree/made").c_str()); });
  if (abi < core::kWholeLandlock) return;
  add("TCP without ports", {"tcp"}, [](ZonePlan&) {}, {});
  add(
      "abstract sockets", {"abstract", abstract_name()},
      [](ZonePlan& p) {
        p.namespaces.net = false;
        p.loopback_up = false;
        drop_below(p, "/sys");
      },
      listen_abstract);
  add("signals", {"signal-thread", std::to_string(neighbour)},
      [](ZonePlan& p) {
        p.namespaces.pid = false;
        drop_below(p, "/proc");
      },
      {});
}

}  // namespace

std::vector<Wall> all_walls(pid_t neighbour) {
  std::vector<Wall> walls;
  add_namespaces(&walls);
  add_rights(&walls);
  add_mounts(&walls);
  add_landlock(&walls, neighbour);
  return walls;
}

Judgement judge(Yard& yard, const Wall& wall) {
  Judgement judgement;
  auto attempt = [&](bool with_wall, std::string* text) {
    if (wall.prepare) wall.prepare(yard);
    ZonePlan plan = yard.plan(wall.attack, wall.os, wall.user);
    if (wall.alone) wall.alone(plan);
    if (!with_wall) wall.remove(plan);
    Outcome outcome = run(yard, plan);
    *text = outcome.output;
    if (!outcome.launched) return false;
    return wall.reached_outside ? wall.reached_outside(yard) : outcome.reached;
  };
  bool reached_with = attempt(true, &judgement.with_wall);
  // A refusal is the attacker's word "refused", or what is seen outside; not a launch that failed.
  bool tried = wall.reached_outside ? judgement.with_wall.find("reached") != std::string::npos
                                    : judgement.with_wall.find("refused") != std::string::npos;
  judgement.holds = tried && !reached_with;
  judgement.is_needed = attempt(false, &judgement.without_wall);
  return judgement;
}

}  // namespace walls
