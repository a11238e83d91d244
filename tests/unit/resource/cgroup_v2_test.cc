#include <catch2/catch.hpp>

#include <unistd.h>

#include "resource/cgroup.h"
#include "tests/unit/resource/fake_tree.h"

namespace {

using resource::CgroupWrite;
using resource::Limits;

// A cgroup2 hierarchy with these controllers, and the driver on it.
struct V2 {
  explicit V2(const std::string& controllers = "cpuset cpu io memory pids",
              const std::string& device = "4000:1") {
    tree.put("cgroup.controllers", controllers + "\n");
    tree.put("zoned/memory.swap.max", "max\n");
    auto opened = resource::open_cgroups({tree.path(""), {}}, "zoned", device);
    INFO((opened.ok() ? "" : opened.error().message));
    REQUIRE(opened.ok());
    driver = *std::move(opened);
  }
  FakeTree tree;
  std::unique_ptr<resource::CgroupDriver> driver;
};

}  // namespace

TEST_CASE("the v2 driver enables its controllers down to the pool, and cpuset only when wanted") {
  V2 v2;
  CHECK(v2.driver->name() == "v2");
  CHECK(v2.driver->controllers() ==
        std::vector<std::string>{"cpu", "io", "memory", "pids", "cpuset"});
  REQUIRE(v2.driver->create_pool("web", {{"cpu", "cpu.weight", "300", true}}).ok());
  for (const char* level : {"", "zoned/", "zoned/web/"})
    CHECK(v2.tree.get(std::string(level) + "cgroup.subtree_control") == "+cpu +io +memory +pids");
  CHECK(v2.tree.get("zoned/web/cpu.weight") == "300");
  CHECK(v2.tree.get("zoned/cgroup.max.depth") == "35");

  REQUIRE(
      v2.driver->create_zone("web", "a", {{"cpuset", "cpuset.cpus", "1", true}}, getuid(), getgid())
          .ok());
  for (const char* level : {"", "zoned/", "zoned/web/"})
    CHECK(v2.tree.get(std::string(level) + "cgroup.subtree_control") == "+cpuset");
}

TEST_CASE("a v2 zone has a payload and, once opened, an exec leaf") {
  V2 v2;
  REQUIRE(v2.driver->create_pool("web", {}).ok());
  auto zone =
      v2.driver->create_zone("web", "a", {{"pids", "pids.max", "5", true}}, getuid(), getgid());
  REQUIRE(zone.ok());
  CHECK(zone->v2_payload.valid());
  CHECK_FALSE(zone->v2_exec.valid());
  CHECK(zone->v1_procs.empty());
  CHECK(v2.tree.get("zoned/web/a/pids.max") == "5");
  CHECK(v2.tree.get("zoned/web/a/cgroup.max.descendants") == "1002");
  CHECK(v2.tree.has("zoned/web/a/payload"));
  CHECK_FALSE(v2.tree.has("zoned/web/a/exec"));

  auto opened = v2.driver->open_zone("web", "a");
  REQUIRE(opened.ok());
  CHECK(opened->v2_exec.valid());
  CHECK(v2.tree.has("zoned/web/a/exec"));
  CHECK(v2.driver->open_zone("web", "b").error().code == base::Code::kNotFound);
}

TEST_CASE("delegation passes the v2 controllers on to the zone's leaves, cpuset not") {
  V2 v2;
  REQUIRE(v2.driver->create_pool("web", {}).ok());
  auto writes = v2.driver->plan_delegation();
  CHECK(writes == std::vector<CgroupWrite>{
                      {"cgroup", "cgroup.subtree_control", "+cpu +io +memory +pids", true}});
  REQUIRE(v2.driver->create_zone("web", "os", writes, getuid(), getgid()).ok());
  CHECK(v2.tree.get("zoned/web/os/cgroup.subtree_control") == "+cpu +io +memory +pids");
  CHECK(V2("cpu memory").driver->plan_delegation()[0].value == "+cpu +memory");
}

TEST_CASE("a v2 zone that can't be made leaves nothing and an unknown pool is named") {
  V2 v2;
  REQUIRE(v2.driver->create_pool("web", {}).ok());
  // A write that fails before any file of the fake tree stands in the way of removing the folders.
  auto zone = v2.driver->create_zone("nowhere", "a", {}, getuid(), getgid());
  REQUIRE_FALSE(zone.ok());
  CHECK(zone.error().code == base::Code::kNotFound);
  CHECK(zone.error().message == "pool 'nowhere' has no cgroup");
  CHECK(v2.driver->list()->empty());
}

TEST_CASE("v2 limits become these writes") {
  V2 v2;
  Limits limits;
  limits.cpu_weight = 320;
  limits.cpus = 1.5;
  limits.cpuset = "0-1";
  limits.memory = 512 << 20;
  limits.swap = 0;
  limits.processes = 2000;
  limits.io_weight = 200;
  limits.io_read_bps = 50 << 20;
  limits.io_write_bps = 10 << 20;
  std::vector<std::string> warnings;
  auto writes = v2.driver->plan(limits, &warnings);
  REQUIRE(writes.ok());
  CHECK(*writes ==
        std::vector<CgroupWrite>{{"cpu", "cpu.weight", "320", true},
                                 {"cpu", "cpu.max", "150000 100000", true},
                                 {"cpuset", "cpuset.cpus", "0-1", true},
                                 {"memory", "memory.max", "536870912", true},
                                 {"memory", "memory.swap.max", "0", false},
                                 {"pids", "pids.max", "2000", true},
                                 {"io", "io.weight", "default 200", false},
                                 {"io", "io.max", "4000:1 rbps=52428800 wbps=10485760", true}});
  REQUIRE(warnings.size() == 1);  // there is no disk of that number, so none with bfq
  CHECK(warnings[0].starts_with("io-weight has no effect: disk 4000:1 does not use the bfq"));
  CHECK(v2.driver->plan({}, nullptr)->empty());
}

TEST_CASE("taking v2 limits away writes the kernel's defaults, and only what changed") {
  V2 v2;
  Limits from;
  from.cpu_weight = 320;
  from.cpus = 0.01;
  from.cpuset = "0";
  from.memory = 1 << 20;
  from.swap = 1 << 20;
  from.processes = 3;
  from.io_read_bps = 5;
  auto writes = v2.driver->plan_change(from, {}, nullptr);
  REQUIRE(writes.ok());
  CHECK(*writes == std::vector<CgroupWrite>{{"cpu", "cpu.weight", "100", true},
                                            {"cpu", "cpu.max", "max 100000", true},
                                            {"cpuset", "cpuset.cpus", "\n", true},
                                            {"memory", "memory.max", "max", true},
                                            {"memory", "memory.swap.max", "max", false},
                                            {"pids", "pids.max", "max", true},
                                            {"io", "io.max", "4000:1 rbps=max", true}});
  CHECK(v2.driver->plan_change(from, from, nullptr)->empty());
  Limits to = from;
  to.processes = 4;
  CHECK(*v2.driver->plan_change(from, to, nullptr) ==
        std::vector<CgroupWrite>{{"pids", "pids.max", "4", true}});
}

TEST_CASE("a limit without its controller is refused by name and an io weight only warned about") {
  V2 v2("cpu memory", "");
  Limits limits;
  limits.processes = 5;
  auto writes = v2.driver->plan(limits, nullptr);
  REQUIRE_FALSE(writes.ok());
  CHECK(writes.error().code == base::Code::kUnsupported);
  CHECK(writes.error().message == "process limit: cgroup controller 'pids' is missing");
  CHECK_FALSE(writes.error().hint.empty());

  limits = {};
  limits.io_weight = 10;
  std::vector<std::string> warnings;
  writes = v2.driver->plan(limits, &warnings);
  REQUIRE(writes.ok());
  CHECK(writes->empty());
  CHECK(warnings ==
        std::vector<std::string>{"io-weight has no effect: this host has no io controller"});

  V2 diskless("cpu io memory pids", "");
  limits = {};
  limits.io_read_bps = 100;
  CHECK(diskless.driver->plan(limits, nullptr).error().message ==
        "io limit: the zones' file system has no block device of its own");
}

TEST_CASE("limits out of range are invalid") {
  V2 v2;
  auto refused = [&](auto set) {
    Limits limits;
    set(limits);
    auto writes = v2.driver->plan(limits, nullptr);
    return !writes.ok() && writes.error().code == base::Code::kInvalid;
  };
  CHECK(refused([](Limits& l) { l.cpu_weight = 10001; }));
  CHECK(refused([](Limits& l) { l.cpus = 0.009; }));
  CHECK(refused([](Limits& l) { l.cpus = 8193; }));
  CHECK(refused([](Limits& l) { l.cpuset = "0-"; }));
  CHECK(refused([](Limits& l) { l.cpuset = ""; }));
  CHECK(refused([](Limits& l) { l.io_weight = 0; }));
  CHECK(refused([](Limits& l) { l.io_write_bps = 0; }));
  CHECK_FALSE(refused([](Limits& l) { l.cpus = 0.01; }));
}

TEST_CASE("v2 usage is read from the zone's files, and absent ones count as zero") {
  V2 v2;
  REQUIRE(v2.driver->create_pool("web", {}).ok());
  REQUIRE(v2.driver->create_zone("web", "a", {}, getuid(), getgid()).ok());
  CHECK(v2.driver->usage("web", "a").error().code == base::Code::kNotFound);
  v2.tree.put("zoned/web/a/cpu.stat", "usage_usec 1500\nuser_usec 9\nnr_usage_usec 4\n");
  v2.tree.put("zoned/web/a/memory.current", "4096\n");
  v2.tree.put("zoned/web/a/pids.current", "3\n");
  v2.tree.put("zoned/web/a/memory.events", "low 1\noom 5\noom_kill 2\noom_group_kill 9\n");
  v2.tree.put("zoned/web/a/io.stat",
              "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=7 dios=0\n"
              "8:16 rbytes=100 wbytes=200 rios=1 wios=2 dbytes=7 dios=0\n");
  auto usage = v2.driver->usage("web", "a");
  REQUIRE(usage.ok());
  CHECK(usage->cpu_ns == 1500000);
  CHECK(usage->memory_bytes == 4096);
  CHECK(usage->memory_peak_bytes == 0);
  CHECK(usage->processes == 3);
  CHECK(usage->oom_kills == 2);
  CHECK(usage->io_read_bytes == 110);
  CHECK(usage->io_write_bytes == 220);
}

TEST_CASE("v2 freezing waits for the kernel's word and kill is one write") {
  V2 v2;
  REQUIRE(v2.driver->create_pool("web", {}).ok());
  REQUIRE(v2.driver->create_zone("web", "a", {}, getuid(), getgid()).ok());
  v2.tree.put("zoned/web/a/cgroup.events", "populated 1\nfrozen 1\n");
  CHECK(v2.driver->freeze("web", "a", true).ok());
  CHECK(v2.tree.get("zoned/web/a/cgroup.freeze") == "1");
  auto thaw = v2.driver->freeze("web", "a", false);
  REQUIRE_FALSE(thaw.ok());
  CHECK(thaw.error().code == base::Code::kTimeout);
  CHECK(v2.tree.get("zoned/web/a/cgroup.freeze") == "0");
  CHECK(v2.driver->kill("web", "a").ok());
  CHECK(v2.tree.get("zoned/web/a/cgroup.kill") == "1");
  CHECK(v2.driver->kill("web", "gone").ok());
}

TEST_CASE("v2 processes are those of all leaves and of the zone's own cgroups") {
  V2 v2;
  REQUIRE(v2.driver->create_pool("web", {}).ok());
  REQUIRE(v2.driver->create_zone("web", "a", {}, getuid(), getgid()).ok());
  v2.tree.put("zoned/web/a/payload/cgroup.procs", "30\n0\n7\n");
  v2.tree.put("zoned/web/a/payload/system.slice/x.service/cgroup.procs", "8\n");
  v2.tree.put("zoned/web/a/exec/cgroup.procs", "2\n");
  CHECK(*v2.driver->processes("web", "a") == std::vector<pid_t>{2, 7, 8, 30});
  CHECK(v2.driver->processes("web", "b")->empty());
}

TEST_CASE("destroying a v2 zone removes what the zone nested, and is quiet about an absent one") {
  V2 v2;
  REQUIRE(v2.driver->create_pool("web", {}).ok());
  REQUIRE(v2.driver->create_zone("web", "a", {}, getuid(), getgid()).ok());
  v2.tree.folder("zoned/web/a/payload/system.slice/x.service");
  v2.tree.folder("zoned/web/a/payload/init.scope");
  CHECK((*v2.driver->list()).size() == 1);
  v2.tree.drop_files("zoned/web");
  REQUIRE(v2.driver->destroy_pool("web").error().code == base::Code::kBusy);
  REQUIRE(v2.driver->destroy_zone("web", "a").ok());
  CHECK_FALSE(v2.tree.has("zoned/web/a"));
  CHECK(v2.driver->destroy_zone("web", "a").ok());
  CHECK(v2.driver->destroy_zone("nowhere", "a").ok());
  REQUIRE(v2.driver->destroy_pool("web").ok());
  CHECK(v2.driver->destroy_pool("web").ok());
  v2.tree.drop_files("zoned");
  REQUIRE(v2.driver->destroy_subtree().ok());
  CHECK_FALSE(v2.tree.has("zoned"));
}

TEST_CASE("a v2 zone that can't be removed is busy after a short wait") {
  V2 v2;
  REQUIRE(v2.driver->create_pool("web", {}).ok());
  REQUIRE(v2.driver->create_zone("web", "a", {}, getuid(), getgid()).ok());
  v2.tree.put("zoned/web/a/payload/stands-in-for-a-process", "");
  auto start = std::chrono::steady_clock::now();
  auto destroyed = v2.driver->destroy_zone("web", "a");
  auto took = std::chrono::steady_clock::now() - start;
  REQUIRE_FALSE(destroyed.ok());
  CHECK(destroyed.error().code == base::Code::kBusy);
  CHECK(took >= std::chrono::milliseconds(30));
  CHECK(took < std::chrono::seconds(2));
}

TEST_CASE("the subtree as a whole takes limits and reports usage") {
  V2 v2;
  REQUIRE(v2.driver->apply("", "", {{"cpu", "cpu.weight", "500", true}}).ok());
  CHECK(v2.tree.get("zoned/cpu.weight") == "500");
  v2.tree.put("zoned/cpu.stat", "usage_usec 7\n");
  CHECK(v2.driver->usage("", "")->cpu_ns == 7000);
}

TEST_CASE("a subtree left by an earlier daemon is taken over with its zones") {
  V2 v2;
  REQUIRE(v2.driver->create_pool("web", {}).ok());
  REQUIRE(v2.driver->create_zone("web", "a", {}, getuid(), getgid()).ok());
  auto again = resource::open_cgroups({v2.tree.path(""), {}}, "zoned");
  REQUIRE(again.ok());
  auto found = (*again)->list();
  REQUIRE(found->size() == 1);
  CHECK((*found)[0].pool == "web");
  CHECK((*found)[0].zone == "a");
  CHECK((*again)->open_zone("web", "a").ok());
}

TEST_CASE("without a cpu controller anywhere opening is refused with a hint") {
  FakeTree tree;
  tree.put("cgroup.controllers", "hugetlb\n");
  auto driver = resource::open_cgroups({tree.path(""), {}}, "zoned");
  REQUIRE_FALSE(driver.ok());
  CHECK(driver.error().code == base::Code::kUnsupported);
  CHECK_FALSE(driver.error().hint.empty());
  CHECK_FALSE(tree.has("zoned"));
}
