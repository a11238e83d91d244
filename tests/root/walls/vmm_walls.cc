#include "tests/root/walls/vmm_walls.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>

#include "base/files.h"
#include "tests/root/cells/must.h"
#include "vmzone/plan.h"

namespace walls {
namespace {

using cells::must;
using cells::VmmYard;
using core::MountOp;
using core::ZonePlan;

constexpr int kShmKey = 0x7a6f6e66;

void no_filter(ZonePlan& plan) {
  plan.filter.clear();
  plan.filter_narrows = false;
}
void no_landlock(ZonePlan& plan) { plan.landlock = {}; }
void as_root(ZonePlan& plan) { plan.exec.uid = plan.exec.gid = 0; }
void writable_root(ZonePlan& plan) { plan.mounts.at(0).read_only = false; }
void add_proc(ZonePlan& plan) {
  MountOp op;
  op.kind = MountOp::Kind::kProc;
  op.target = "/proc";
  plan.mounts.push_back(op);
}
void add_shared(ZonePlan& plan) {
  MountOp op;
  op.kind = MountOp::Kind::kTree;
  op.target = "/shared";
  op.source = "shared";
  op.nosuid = false;
  plan.mounts.push_back(op);
}
auto all_of(std::vector<std::function<void(ZonePlan&)>> changes) {
  return [changes](ZonePlan& plan) {
    for (const auto& change : changes) change(plan);
  };
}
auto capability(int number) {
  return [number](ZonePlan& plan) { plan.capabilities |= uint64_t{1} << number; };
}

std::string abstract_name() { return "zoned-vmm-canary-" + std::to_string(getpid()); }
std::string host_name() {
  utsname name = {};
  uname(&name);
  return name.nodename;
}
std::string host_time_namespace() {
  char target[64] = {};
  REQUIRE(readlink("/proc/self/ns/time", target, sizeof target - 1) > 0);
  return target;
}

// In the namespace that the yard's cells would share; once per program.
void listen_abstract(VmmYard&) {
  static base::UniqueFd listener;
  if (listener) return;
  listener.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::string name = abstract_name();
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  REQUIRE(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(listen(listener.get(), 8) == 0);
}
void make_shared_memory(VmmYard&) {
  struct SharedMemory {
    int id = shmget(kShmKey, 4096, IPC_CREAT | IPC_EXCL | 0666);
    ~SharedMemory() { shmctl(id, IPC_RMID, nullptr); }
  };
  static SharedMemory memory;
  REQUIRE(memory.id >= 0);
}
// A secret in the shared tree for one id of the host alone.
auto secret_of(uid_t owner) {
  return [owner](VmmYard& yard) {
    std::string path = yard.shared() + "/secret";
    unlink(path.c_str());
    auto fd = must(base::open_at(AT_FDCWD, path, O_CREAT | O_EXCL | O_WRONLY, 0600));
    must(base::write_all(fd.get(), "secret"));
    REQUIRE(fchown(fd.get(), owner, owner) == 0);
  };
}
// The program once more, set-uid for the zone's root.
auto setuid_copy(uid_t owner) {
  return [owner](VmmYard& yard) {
    std::string path = yard.shared() + "/setuid";
    unlink(path.c_str());
    std::string bytes = must(base::read_file(AT_FDCWD, yard.program(), 64 << 20));
    auto fd = must(base::open_at(AT_FDCWD, path, O_CREAT | O_EXCL | O_WRONLY, 0700));
    must(base::write_all(fd.get(), bytes));
    REQUIRE(fchown(fd.get(), owner, owner) == 0);
    REQUIRE(fchmod(fd.get(), 04755) == 0);
  };
}
void remove_made(VmmYard& yard) { unlink((yard.shared() + "/made").c_str()); }
void leak_descriptor(VmmYard&) {
  static int leaked = dup2(open("/etc/passwd", O_RDONLY), 200);  // NOLINT: the point
  REQUIRE(leaked == 200);
}

void add_namespaces(std::vector<VmmWall>* walls) {
  walls->push_back({"vmm namespace: user",
                    {"read", "/shared/secret"},
                    [](ZonePlan& p) { p.namespaces.user = false; },
                    add_shared,
                    secret_of(vmzone::kVmmUid)});
  walls->push_back({"vmm namespace: pid",
                    {"see-thread", std::to_string(getpid())},
                    [](ZonePlan& p) { p.namespaces.pid = false; }});
  walls->push_back({"vmm namespace: net",
                    {"abstract", abstract_name()},
                    [](ZonePlan& p) { p.namespaces.net = false; },
                    all_of({no_filter, no_landlock}),
                    listen_abstract});
  walls->push_back({"vmm namespace: uts", {"host-name", host_name()}, [](ZonePlan& p) {
                      p.namespaces.uts = false;
                      p.hostname.clear();
                    }});
  walls->push_back({"vmm namespace: ipc",
                    {"shm", std::to_string(kShmKey)},
                    [](ZonePlan& p) { p.namespaces.ipc = false; },
                    no_filter,
                    make_shared_memory});
  walls->push_back({"vmm namespace: cgroup",
                    {"cgroup-path"},
                    [](ZonePlan& p) { p.namespaces.cgroup = false; },
                    add_proc});
  walls->push_back({"vmm namespace: time",
                    {"same-ns", "time", host_time_namespace()},
                    [](ZonePlan& p) { p.namespaces.time = false; },
                    add_proc});
}

void add_rights(std::vector<VmmWall>* walls, uint32_t base) {
  auto set_uid_works = [](ZonePlan& p) { p.no_new_privs = false; };
  walls->push_back({"vmm ids: a range of its own",
                    {"read", "/shared/secret"},
                    [](ZonePlan& p) { p.ids.base += core::kIdsPerZone; },
                    add_shared,
                    secret_of(base + core::kIdsPerZone + vmzone::kVmmUid)});
  walls->push_back({"vmm user: not the cell's root",
                    {"read", "/shared/secret"},
                    as_root,
                    add_shared,
                    secret_of(base)});
  walls->push_back({"vmm capabilities: none",
                    {"net-admin"},
                    capability(CAP_NET_ADMIN),
                    all_of({no_filter, as_root})});
  walls->push_back({"vmm bounding set: empty",
                    {"setuid-exec", "/shared/setuid", "net-admin"},
                    capability(CAP_NET_ADMIN),
                    all_of({no_filter, no_landlock, add_shared, set_uid_works}),
                    setuid_copy(base)});
  walls->push_back({"vmm no_new_privs",
                    {"setuid-exec", "/shared/setuid"},
                    set_uid_works,
                    all_of({no_filter, no_landlock, add_shared}),
                    setuid_copy(base)});
}

void add_tree(std::vector<VmmWall>* walls, const std::string& program) {
  walls->push_back(
      {"vmm root: read-only", {"create", "/made"}, writable_root, all_of({as_root, no_landlock})});
  walls->push_back({"vmm root: no /proc", {"read", "/proc/1/status"}, add_proc});
  walls->push_back({"vmm root: no other program",
                    {"run", "/usr/bin/echo", "reached"},
                    [](ZonePlan&) {},
                    no_filter,
                    {},
                    {"/usr/bin/echo"}});
  walls->push_back({"vmm descriptors: closed at exec",
                    {"census", "64"},
                    [](ZonePlan& p) { p.close_fds = false; },
                    {},
                    leak_descriptor});
  VmmWall late{"vmm filter: narrows", {"late-read", program}, [](ZonePlan&) {}};
  late.listener_closes = true;
  walls->push_back(late);
}

void add_filter(std::vector<VmmWall>* walls) {
  const std::vector<std::vector<std::string>> kCalls = {
      {"fork"}, {"userns"}, {"keyring"}, {"io-uring"}, {"foreign-entry"}, {"tap-persist"}};
  for (std::vector<std::string> call : kCalls) {
    VmmWall wall{"vmm filter: " + call[0], call, no_filter};
    if (call[0] == "tap-persist") wall.attack.push_back("TAP");
    walls->push_back(wall);
  }
}

void add_landlock(std::vector<VmmWall>* walls, pid_t victim) {
  walls->push_back({"vmm landlock: new files",
                    {"create", "/shared/made"},
                    no_landlock,
                    add_shared,
                    remove_made});
  walls->push_back({"vmm landlock: TCP", {"tcp"}, no_landlock, no_filter});
  walls->push_back({"vmm landlock: abstract sockets",
                    {"abstract", abstract_name()},
                    no_landlock,
                    all_of({no_filter, [](ZonePlan& p) { p.namespaces.net = false; }}),
                    listen_abstract});
  walls->push_back({"vmm landlock: signals",
                    {"signal-thread", std::to_string(victim)},
                    no_landlock,
                    [](ZonePlan& p) { p.namespaces.pid = false; }});
}

void add_limits(std::vector<VmmWall>* walls) {
  auto no_limits = [](ZonePlan& p) { p.cgroup.writes.clear(); };
  walls->push_back({"vmm limit: open files",
                    {"open-many", std::to_string(2 * VmmYard::kOpenFiles)},
                    [](ZonePlan& p) { p.rlimits.clear(); }});
  walls->push_back({"vmm limit: memory", {"eat", std::to_string(1 << 30)}, no_limits});
  walls->push_back({"vmm limit: processes", {"threads", "400"}, no_limits});
}

}  // namespace

std::vector<VmmWall> vmm_walls(VmmYard& yard, pid_t victim) {
  std::vector<VmmWall> walls;
  add_namespaces(&walls);
  add_rights(&walls, yard.plan({}).ids.base);
  add_tree(&walls, yard.program());
  add_filter(&walls);
  add_landlock(&walls, victim);
  add_limits(&walls);
  return walls;
}

namespace {

int tap_of(const ZonePlan& plan) {
  for (const core::KeptFd& kept : plan.kept_fds)
    if (kept.name == "tap0") return kept.number;
  FAIL("the plan has no tap");
  return -1;
}

// "refused" is also what a killed attacker does not say.
std::string attempt(VmmYard& yard, const VmmWall& wall, bool with_wall) {
  static int number = 0;
  if (wall.prepare) wall.prepare(yard);
  ZonePlan plan = yard.plan(wall.attack, {"vmm" + std::to_string(number++)});
  if (plan.exec.argv.back() == "TAP") plan.exec.argv.back() = std::to_string(tap_of(plan));
  if (wall.alone) wall.alone(plan);
  cells::VmmStart start;
  if (!with_wall) {
    wall.remove(plan);
    start.more_programs = wall.removed_adds_programs;
  }
  std::string text;
  {
    cells::Vmm vmm(yard, plan, start);
    if (wall.listener_closes) {
      vmm.await("ready\n");
      if (with_wall) vmm.narrow();
      vmm.say("g");
    }
    bool said = vmm.await("reached\n") || vmm.await("refused", std::chrono::seconds(0));
    int status = said ? 0 : vmm.end(std::chrono::seconds(0));
    text = vmm.launched() ? vmm.output() : vmm.error();
    if (text.starts_with("ready\n")) text.erase(0, text.find('\n') + 1);
    if (WIFSIGNALED(status))
      text += "refused: killed by signal " + std::to_string(WTERMSIG(status));
  }
  yard.forget(plan);
  return text;
}

}  // namespace

Judgement judge(VmmYard& yard, const VmmWall& wall) {
  Judgement judgement;
  judgement.with_wall = attempt(yard, wall, true);
  judgement.without_wall = attempt(yard, wall, false);
  auto reached = [](const std::string& text) {
    return text.find("reached\n") != std::string::npos;
  };
  judgement.holds =
      judgement.with_wall.find("refused") != std::string::npos && !reached(judgement.with_wall);
  judgement.is_needed = reached(judgement.without_wall);
  return judgement;
}

}  // namespace walls
