// One source for both drivers: what detect_roots() finds on this host is tested.
// ZONED_TEST_DRIVER=v1|v2 says which one that must be.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "base/files.h"
#include "resource/shares.h"
#include "tests/harness/sandbox.h"
#include "tests/harness/skip.h"
#include "tests/root/cgroup/cage.h"

namespace {

using resource::Limits;

constexpr size_t kMiB = 1 << 20;

// How many of `wanted` children that wait can be forked.
int count_forks(int wanted) {
  int made = 0;
  for (; made < wanted; ++made) {
    pid_t pid = fork();
    if (pid < 0) break;
    if (pid == 0) {
      pause();
      _exit(0);
    }
  }
  ::kill(0, SIGTERM);
  return made;
}

int forks_in_own_group(int wanted) {
  setpgid(0, 0);
  signal(SIGTERM, SIG_IGN);
  return count_forks(wanted);
}

int touch_memory(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 98;
  memset(memory, 1, bytes);
  return 0;
}

int allowed_cpus(pid_t pid) {
  cpu_set_t set;
  return sched_getaffinity(pid, sizeof set, &set) == 0 ? CPU_COUNT(&set) : -1;
}

int wait_forever() {
  while (true) pause();
}

Limits with(const std::function<void(Limits&)>& set) {
  Limits limits;
  set(limits);
  return limits;
}

}  // namespace

TEST_CASE("the driver is the one that is expected on this host") {
  Cage cage;
  const char* expected = getenv("ZONED_TEST_DRIVER");
  if (expected != nullptr) CHECK(cage.driver().name() == expected);
  CHECK((cage.driver().name() == "v1" || cage.driver().name() == "v2"));
  auto controllers = cage.driver().controllers();
  for (const char* needed : {"cpu", "memory", "pids"})
    CHECK(std::count(controllers.begin(), controllers.end(), needed) == 1);
}

TEST_CASE("a limit on processes makes fork fail") {
  Cage cage;
  cage.pool("p");
  const auto& tight = cage.zone("p", "tight", with([](Limits& l) { l.processes = 3; }));
  const auto& wide = cage.zone("p", "wide", with([](Limits& l) { l.processes = 20; }));
  CHECK(cage.wait_for(cage.spawn(tight, [] { return forks_in_own_group(6); })) == 2);
  CHECK(cage.wait_for(cage.spawn(wide, [] { return forks_in_own_group(6); })) == 6);
}

TEST_CASE("a process that takes more than the zone's memory dies and is counted") {
  Cage cage;
  cage.pool("p");
  Limits limits = with([](Limits& l) {
    l.memory = 32 * kMiB;
    l.swap = 0;
  });
  const auto& zone = cage.zone("p", "small", limits);
  CHECK(cage.wait_for(cage.spawn(zone, [] { return touch_memory(8 * kMiB); })) == 0);
  CHECK(cage.wait_for(cage.spawn(zone, [] { return touch_memory(128 * kMiB); })) == 128 + SIGKILL);
  resource::Usage usage = cage.usage("p", "small");
  CHECK(usage.oom_kills >= 1);
  CHECK(usage.memory_peak_bytes <= 32 * kMiB);

  // Raised while it runs, then lowered, then taken away.
  Limits raised = limits;
  raised.memory = 256 * kMiB;
  REQUIRE(cage.driver().apply("p", "small", planned(cage.driver(), limits, raised)).ok());
  CHECK(cage.wait_for(cage.spawn(zone, [] { return touch_memory(128 * kMiB); })) == 0);
  REQUIRE(cage.driver().apply("p", "small", planned(cage.driver(), raised, limits)).ok());
  CHECK(cage.wait_for(cage.spawn(zone, [] { return touch_memory(128 * kMiB); })) == 128 + SIGKILL);
  REQUIRE(cage.driver().apply("p", "small", planned(cage.driver(), limits, {})).ok());
  CHECK(cage.wait_for(cage.spawn(zone, [] { return touch_memory(128 * kMiB); })) == 0);
}

TEST_CASE("a cap on CPU holds, and the same work without it takes more") {
  Cage cage;
  cage.pool("p");
  Limits cap = with([](Limits& l) { l.cpus = 0.2; });
  const auto& zone = cage.zone("p", "capped", cap);
  for (int i = 0; i < 2; ++i)
    cage.spawn(zone, [] {
      spin();
      return 0;
    });
  double capped = cage.cpu_seconds("p", "capped", 2) / 2;
  CHECK(capped > 0.1);
  CHECK(capped < 0.25);
  REQUIRE(cage.driver().apply("p", "capped", planned(cage.driver(), cap, {})).ok());
  CHECK(cage.cpu_seconds("p", "capped", 2) / 2 > 0.3);
}

TEST_CASE("a cap on a pool holds for its zones together") {
  Cage cage;
  cage.pool("p", with([](Limits& l) { l.cpus = 0.2; }));
  for (const char* name : {"a", "b"})
    cage.spawn(cage.zone("p", name), [] {
      spin();
      return 0;
    });
  double used = cage.cpu_seconds("p", "", 2) / 2;
  CHECK(used > 0.1);
  CHECK(used < 0.25);
}

TEST_CASE("two spinning zones with shares 1 and 3 get a quarter and three quarters") {
  Cage cage;
  cage.pool("p");
  auto weights = resource::weights_for({1, 3}, cage.driver().weight_range());
  REQUIRE(weights.ok());
  const auto& one = cage.zone("p", "one", with([&](Limits& l) { l.cpu_weight = (*weights)[0]; }));
  const auto& three =
      cage.zone("p", "three", with([&](Limits& l) { l.cpu_weight = (*weights)[1]; }));
  for (unsigned i = 0; i <= std::thread::hardware_concurrency(); ++i) {
    cage.spawn(one, [] {
      spin();
      return 0;
    });
    cage.spawn(three, [] {
      spin();
      return 0;
    });
  }
  harness::sleep_for(std::chrono::milliseconds(300));
  uint64_t before_one = cage.usage("p", "one").cpu_ns;
  uint64_t before_three = cage.usage("p", "three").cpu_ns;
  harness::sleep_for(std::chrono::seconds(4));
  auto used_one = static_cast<double>(cage.usage("p", "one").cpu_ns - before_one);
  auto used_three = static_cast<double>(cage.usage("p", "three").cpu_ns - before_three);
  INFO(used_one / 1e9 << " s and " << used_three / 1e9 << " s");
  CHECK(100 * used_one / (used_one + used_three) == Approx(25).margin(3));

  // Live: 1 and 1.
  REQUIRE(cage.driver()
              .apply("p", "three", planned(cage.driver(), {}, with([&](Limits& l) {
                                             l.cpu_weight = (*weights)[0];
                                           })))
              .ok());
  before_one = cage.usage("p", "one").cpu_ns;
  before_three = cage.usage("p", "three").cpu_ns;
  harness::sleep_for(std::chrono::seconds(3));
  used_one = static_cast<double>(cage.usage("p", "one").cpu_ns - before_one);
  used_three = static_cast<double>(cage.usage("p", "three").cpu_ns - before_three);
  CHECK(100 * used_one / (used_one + used_three) == Approx(50).margin(4));
}

TEST_CASE("a frozen zone uses no CPU until it is thawed, and can be killed while frozen") {
  Cage cage;
  cage.pool("p");
  cage.spawn(cage.zone("p", "z"), [] {
    spin();
    return 0;
  });
  CHECK(cage.cpu_seconds("p", "z", 0.3) > 0.02);
  REQUIRE(cage.driver().freeze("p", "z", true).ok());
  CHECK(cage.cpu_seconds("p", "z", 0.3) < 0.005);
  REQUIRE(cage.driver().freeze("p", "z", false).ok());
  CHECK(cage.cpu_seconds("p", "z", 0.3) > 0.02);
  REQUIRE(cage.driver().freeze("p", "z", true).ok());
  cage.kill("p", "z");
}

TEST_CASE("kill ends every process of a fork bomb, and the zone can be removed") {
  for (auto tree : {Cage::Tree::kDetected, Cage::Tree::kWithoutV2}) {
    if (tree == Cage::Tree::kWithoutV2 && resource::detect_roots()->v1.empty()) continue;
    Cage cage(tree);
    cage.pool("p");
    const auto& zone = cage.zone("p", "bomb", with([](Limits& l) {
                                   l.processes = 150;
                                   l.cpus = 0.5;
                                 }));
    cage.spawn(zone, [] {
      setsid();
      while (true) fork();
      return 0;
    });
    CHECK(harness::eventually([&] { return cage.driver().processes("p", "bomb")->size() > 100; }));
    CHECK(cage.usage("p", "bomb").processes > 100);
    auto busy = cage.driver().destroy_zone("p", "bomb");
    REQUIRE_FALSE(busy.ok());
    CHECK(busy.error().code == base::Code::kBusy);
    cage.kill("p", "bomb");
    CHECK(cage.driver().destroy_zone("p", "bomb").ok());
    CHECK(cage.driver().list()->empty());
  }
}

TEST_CASE("without cgroup2 a zone is frozen by the freezer hierarchy") {
  if (resource::detect_roots()->v1.empty()) SKIP_TEST("cgroup v1 is not mounted");
  Cage cage(Cage::Tree::kWithoutV2);
  cage.pool("p");
  cage.spawn(cage.zone("p", "z"), [] {
    spin();
    return 0;
  });
  CHECK(cage.cpu_seconds("p", "z", 0.3) > 0.02);
  REQUIRE(cage.driver().freeze("p", "z", true).ok());
  CHECK(cage.cpu_seconds("p", "z", 0.3) < 0.005);
  cage.kill("p", "z");
}

TEST_CASE("CPU sets of zones and pools are taken on, changed and given up while the zone runs") {
  int all = allowed_cpus(0);
  if (all < 2) SKIP_TEST("one CPU is not enough");
  Cage cage;
  cage.pool("p");
  pid_t pid = cage.spawn(cage.zone("p", "z"), wait_forever);
  pid_t other = cage.spawn(cage.zone("p", "other"), wait_forever);
  harness::sleep_for(std::chrono::milliseconds(50));
  REQUIRE(allowed_cpus(pid) == all);
  Limits one = with([](Limits& l) { l.cpuset = "1"; });
  auto apply = [&](const char* zone, const Limits& from, const Limits& to) {
    auto status = cage.driver().apply("p", zone, planned(cage.driver(), from, to));
    INFO((status.ok() ? "" : status.error().message));
    CHECK(status.ok());
  };
  apply("z", {}, one);
  CHECK(allowed_cpus(pid) == 1);
  CHECK(allowed_cpus(other) == all);
  apply("z", one, {});
  CHECK(allowed_cpus(pid) == all);
  apply("", {}, one);
  CHECK(allowed_cpus(pid) == 1);
  CHECK(allowed_cpus(other) == 1);
  // A zone made now is in the pool's set from the start.
  pid_t third = cage.spawn(cage.zone("p", "third"), wait_forever);
  CHECK(harness::eventually([&] { return allowed_cpus(third) == 1; }));
  apply("", one, {});
  CHECK(allowed_cpus(pid) == all);
  CHECK(allowed_cpus(third) == all);
}

TEST_CASE("a zone may make cgroups of its own below its payload, so many and no limits of ours") {
  Cage cage;
  if (cage.roots().v2.empty()) SKIP_TEST("cgroup2 is not mounted");
  constexpr uint32_t kUid = 54321;
  cage.pool("p");
  const auto& zone = cage.zone("p", "z", with([](Limits& l) { l.processes = 50; }), kUid);
  const int payload = zone.v2_payload.get();
  pid_t pid = cage.spawn(zone, [payload] {
    if (setresuid(kUid, kUid, kUid) != 0) return 90;
    if (mkdirat(payload, "own", 0755) != 0) return 91;
    if (!base::write_value(payload, "own/cgroup.procs", "0").ok()) return 92;
    for (const char* ours : {"cgroup.max.descendants", "../cgroup.max.descendants", "../pids.max",
                             "cgroup.freeze", "../cgroup.kill"})
      if (openat(payload, ours, O_WRONLY | O_CLOEXEC) >= 0) return 93;
    unsigned made = 1;
    while (made < 2000 && mkdirat(payload, ("n" + std::to_string(made)).c_str(), 0755) == 0) ++made;
    if (made < resource::kMaxZoneCgroups || made > resource::kMaxZoneCgroups + 1) return 94;
    return wait_forever();
  });
  CHECK(harness::eventually([&] {
    return base::exists_at(payload, "n999") || waitpid(pid, nullptr, WNOHANG | WNOWAIT) == pid;
  }));
  CHECK(*cage.driver().processes("p", "z") == std::vector<pid_t>{pid});
  cage.kill("p", "z");
  CHECK(cage.driver().destroy_zone("p", "z").ok());
}

TEST_CASE("cgroups can't be nested more deeply than a walk goes") {
  Cage cage;
  if (cage.roots().v2.empty()) SKIP_TEST("cgroup2 is not mounted");
  cage.pool("p");
  const auto& zone = cage.zone("p", "z");
  std::string path = "d";
  unsigned depth = 0;
  while (depth < 100 && mkdirat(zone.v2_payload.get(), path.c_str(), 0755) == 0) {
    ++depth;
    path += "/d";
  }
  CHECK(depth == resource::kMaxZoneCgroupDepth);
  CHECK(cage.driver().destroy_zone("p", "z").ok());
}

TEST_CASE("a zone that a crash left behind is replaced when empty and refused when in use") {
  Cage cage;
  cage.pool("p");
  cage.zone("p", "z", with([](Limits& l) {
              l.processes = 2;
              l.cpuset = "0";
            }));
  const auto& again = cage.zone("p", "z");
  CHECK(cage.wait_for(cage.spawn(again, [] { return forks_in_own_group(6); })) == 6);
  cage.kill("p", "z");
  cage.spawn(cage.zone("p", "z"), wait_forever);
  CHECK(harness::eventually([&] { return cage.driver().processes("p", "z")->size() == 1; }));
  auto refused = cage.driver().create_zone("p", "z", {}, 0, 0);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == base::Code::kBusy);
  CHECK(cage.driver().processes("p", "z")->size() == 1);
}

TEST_CASE("a zone that can't be made because a write is refused leaves nothing") {
  Cage cage;
  cage.pool("p");
  for (const char* file : {"cpu.no-such-file", "cgroup.procs"}) {
    auto refused = cage.driver().create_zone(
        "p", "z", {{"pids", "pids.max", "9", true}, {"cpu", file, "not-a-pid", true}}, 0, 0);
    REQUIRE_FALSE(refused.ok());
    CHECK(cage.driver().list()->empty());
  }
  auto missing = cage.driver().create_zone("p", "z", {{"cpu", "cpu.nothing", "1", true}}, 0, 0);
  CHECK(missing.error().code == base::Code::kNotFound);
}

TEST_CASE("a cap above the pool's is honoured, or refused with a hint where the kernel can't") {
  Cage cage;
  cage.pool("p", with([](Limits& l) { l.cpus = 0.5; }));
  auto made = cage.driver().create_zone(
      "p", "z", planned(cage.driver(), {}, with([](Limits& l) { l.cpus = 1; })), 0, 0);
  if (cage.driver().name() == "v2") {
    CHECK(made.ok());
  } else {
    REQUIRE_FALSE(made.ok());
    CHECK_FALSE(made.error().hint.empty());
    CHECK(cage.driver().list()->empty());
  }
}

TEST_CASE("another process joins a running zone and is counted and killed with it") {
  Cage cage;
  cage.pool("p");
  pid_t first = cage.spawn(cage.zone("p", "z"), wait_forever);
  auto opened = cage.driver().open_zone("p", "z");
  REQUIRE(opened.ok());
  resource::ZoneCgroup place;
  place.v2_payload = std::move(opened->v2_exec);
  pid_t joiner = cage.spawn(place, wait_forever);
  const std::string text = std::to_string(joiner);
  for (const auto& procs : opened->v1_procs)
    CHECK(write(procs.get(), text.data(), text.size()) > 0);
  CHECK(harness::eventually([&] { return cage.usage("p", "z").processes == 2; }));
  CHECK(*cage.driver().processes("p", "z") ==
        std::vector<pid_t>{std::min(first, joiner), std::max(first, joiner)});
  cage.kill("p", "z");
  // It may have left the cgroup and not yet been reaped.
  CHECK(harness::eventually([&] {
    waitpid(joiner, nullptr, WNOHANG);
    return ::kill(joiner, 0) != 0;
  }));
}

TEST_CASE("a limit on writing to the disk slows a writer down") {
  const std::string device = resource::block_device_of(kDataFolder);
  if (device.empty()) SKIP_TEST(std::string(kDataFolder) + " has no block device");
  Cage cage;
  auto seconds_to_write = [&](const char* name, const Limits& limits) {
    pid_t pid = cage.spawn(cage.zone("p", name, limits), [] {
      std::string path = std::string(kDataFolder) + "/zoned-io-XXXXXX";
      int fd = mkostemp(path.data(), O_DIRECT | O_CLOEXEC);
      unlink(path.c_str());
      void* block = nullptr;
      if (fd < 0 || posix_memalign(&block, 4096, 128 << 10) != 0) return 97;
      for (int i = 0; i < 16; ++i)
        if (write(fd, block, 128 << 10) != 128 << 10) return 96;
      return 0;
    });
    auto start = std::chrono::steady_clock::now();
    CHECK(cage.wait_for(pid) == 0);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  cage.pool("p");
  double free_running = seconds_to_write("free", {});
  double limited = seconds_to_write("slow", with([](Limits& l) { l.io_write_bps = kMiB; }));
  INFO(free_running << " s free, " << limited << " s limited");
  CHECK(limited > 1.4);  // 2 MiB at 1 MiB/s
  CHECK(limited > free_running + 1);
  CHECK(cage.usage("p", "slow").io_write_bytes >= 2 * kMiB);
}

TEST_CASE("in a delegated cgroup our own processes make room in a supervisor leaf") {
  auto roots = resource::detect_roots();
  REQUIRE(roots.ok());
  {
    Cage cage;
    if (cage.driver().name() != "v2") SKIP_TEST("the controllers are on cgroup v1");
  }
  // As systemd leaves it to a scope: controllers offered, delegation marked, processes inside.
  const std::string scope = roots->v2 + "/zoned-cgroup-test.scope";
  REQUIRE(mkdir(scope.c_str(), 0755) == 0);
  REQUIRE(setxattr(scope.c_str(), "trusted.delegate", "1", 1, 0) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    if (!base::write_value(AT_FDCWD, scope + "/cgroup.procs", "0").ok()) _exit(90);
    if (fork() == 0) wait_forever();  // another process of ours, such as a keeper
    if (resource::detect_roots()->v2 != scope) _exit(91);
    auto driver = resource::open_cgroups({scope, {}}, "zoned");
    if (!driver || !(*driver)->create_pool("p", {}).ok()) _exit(92);
    // The next daemon starts in the leaf and finds the same place.
    if (resource::detect_roots()->v2 != scope) _exit(93);
    auto zone = (*driver)->create_zone("p", "z", {{"pids", "pids.max", "5", true}}, 0, 0);
    if (!zone || !(*driver)->destroy_zone("p", "z").ok()) _exit(94);
    _exit((*driver)->destroy_subtree().ok() ? 0 : 95);
  }
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  CHECK(WEXITSTATUS(status) == 0);
  auto in_leaf = base::read_file(AT_FDCWD, scope + "/supervisor/cgroup.procs");
  REQUIRE(in_leaf.ok());
  CHECK_FALSE(in_leaf->empty());
  CHECK(base::read_file(AT_FDCWD, scope + "/cgroup.procs")->empty());
  CHECK(base::write_value(AT_FDCWD, scope + "/cgroup.kill", "1").ok());
  CHECK(harness::eventually([&] {
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    return rmdir((scope + "/supervisor").c_str()) == 0 || errno == ENOENT;
  }));
  CHECK(harness::eventually([&] { return rmdir(scope.c_str()) == 0; }));
}
