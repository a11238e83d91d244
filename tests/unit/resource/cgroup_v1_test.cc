#include <catch2/catch.hpp>

#include <unistd.h>

#include "resource/cgroup.h"
#include "tests/unit/resource/fake_tree.h"

namespace {

using resource::CgroupWrite;
using resource::Limits;

// Hierarchies as on a hybrid host (or a pure v1 one), cpu and cpuacct mounted together.
struct V1 {
  explicit V1(bool hybrid = true) {
    resource::CgroupRoots roots;
    for (const char* controller :
         {"cpu", "cpuacct", "memory", "pids", "cpuset", "blkio", "freezer"}) {
      std::string folder = controller;
      if (folder == "cpu" || folder == "cpuacct") folder = "cpu,cpuacct";
      tree.folder(folder);
      roots.v1.push_back({controller, tree.path(folder)});
    }
    tree.put("cpuset/cpuset.cpus", "0-3\n");
    tree.put("cpuset/cpuset.mems", "0\n");
    tree.put("memory/memory.memsw.limit_in_bytes", "9\n");
    if (hybrid) {
      tree.put("unified/cgroup.controllers", "hugetlb\n");
      roots.v2 = tree.path("unified");
    }
    auto opened = resource::open_cgroups(roots, "zoned", "8:0");
    REQUIRE(opened.ok());
    driver = *std::move(opened);
  }
  base::Result<resource::ZoneCgroup> zone(const std::string& name,
                                          const std::vector<CgroupWrite>& writes = {}) {
    return driver->create_zone("web", name, writes, getuid(), getgid());
  }
  FakeTree tree;
  std::unique_ptr<resource::CgroupDriver> driver;
};

const CgroupWrite kCpuset{"cpuset", "cpuset.cpus", "1", true};

}  // namespace

TEST_CASE(
    "the v1 driver uses co-mounted controllers once and makes no folder that it does not need") {
  V1 v1;
  CHECK(v1.driver->name() == "v1");
  CHECK(v1.driver->controllers() ==
        std::vector<std::string>{"cpu", "cpuacct", "memory", "pids", "cpuset", "blkio"});
  REQUIRE(v1.driver->create_pool("web", {{"cpu", "cpu.shares", "3000", true}}).ok());
  auto zone = v1.zone("a", {{"pids", "pids.max", "5", true}});
  REQUIRE(zone.ok());
  CHECK(zone->v2_payload.valid());
  CHECK(zone->v1_procs.size() == 3);
  CHECK(v1.tree.get("cpu,cpuacct/zoned/web/cpu.shares") == "3000");
  CHECK(v1.tree.get("pids/zoned/web/a/pids.max") == "5");
  CHECK(v1.tree.has("memory/zoned/web/a"));
  CHECK(v1.tree.has("unified/zoned/web/a/payload"));
  for (const char* unused : {"cpuset", "blkio", "freezer"})
    CHECK_FALSE(v1.tree.has(std::string(unused) + "/zoned"));
}

TEST_CASE("a v1 cpuset is filled in on every level before it takes a process") {
  V1 v1;
  REQUIRE(v1.driver->create_pool("web", {}).ok());
  auto zone = v1.zone("a", {kCpuset});
  REQUIRE(zone.ok());
  CHECK(zone->v1_procs.size() == 4);
  CHECK(v1.tree.get("cpuset/zoned/cpuset.cpus") == "0-3");
  CHECK(v1.tree.get("cpuset/zoned/web/cpuset.cpus") == "0-3");
  CHECK(v1.tree.get("cpuset/zoned/web/a/cpuset.cpus") == "1");
  for (const char* level : {"zoned", "zoned/web", "zoned/web/a"})
    CHECK(v1.tree.get("cpuset/" + std::string(level) + "/cpuset.mems") == "0");
}

TEST_CASE("a zone without CPUs of its own sits in its pool's v1 cpuset") {
  V1 v1;
  REQUIRE(v1.driver->create_pool("web", {kCpuset}).ok());
  auto zone = v1.zone("a");
  REQUIRE(zone.ok());
  REQUIRE(zone->v1_procs.size() == 4);
  CHECK_FALSE(v1.tree.has("cpuset/zoned/web/a"));
  CHECK(v1.tree.has("cpuset/zoned/web/tasks"));
}

TEST_CASE("a v1 cpuset given later takes the zone's processes along and gives them back") {
  V1 v1;
  REQUIRE(v1.driver->create_pool("web", {}).ok());
  REQUIRE(v1.zone("a").ok());
  v1.tree.put("unified/zoned/web/a/payload/cgroup.procs", "41\n42\n");
  REQUIRE(v1.driver->apply("web", "a", {kCpuset}).ok());
  CHECK(v1.tree.get("cpuset/zoned/web/a/cpuset.cpus") == "1");
  CHECK(v1.tree.get("cpuset/zoned/web/a/cgroup.procs") == "4142");

  v1.tree.drop_files("cpuset/zoned/web/a");
  REQUIRE(v1.driver->apply("web", "a", {{"cpuset", "cpuset.cpus", "", true}}).ok());
  CHECK_FALSE(v1.tree.has("cpuset/zoned/web/a"));
  CHECK(v1.tree.get("cpuset/zoned/web/cgroup.procs") == "4142");
}

TEST_CASE("a v1 cpuset given to a pool covers the zones that run in it") {
  V1 v1;
  REQUIRE(v1.driver->create_pool("web", {}).ok());
  REQUIRE(v1.zone("a").ok());
  v1.tree.put("unified/zoned/web/a/payload/cgroup.procs", "41\n");
  REQUIRE(v1.driver->apply("web", "", {kCpuset}).ok());
  CHECK(v1.tree.get("cpuset/zoned/web/cpuset.cpus") == "1");
  CHECK(v1.tree.get("cpuset/zoned/web/cgroup.procs") == "41");
  REQUIRE(v1.driver->apply("web", "", {{"cpuset", "cpuset.cpus", "", true}}).ok());
  CHECK(v1.tree.get("cpuset/zoned/web/cpuset.cpus") == "0-3");
}

TEST_CASE("v1 limits become these writes") {
  V1 v1;
  Limits limits;
  limits.cpu_weight = 320;
  limits.cpus = 1.5;
  limits.cpuset = "0-1";
  limits.memory = 512 << 20;
  limits.swap = 1 << 20;
  limits.processes = 2000;
  limits.io_read_bps = 50;
  limits.io_write_bps = 60;
  std::vector<std::string> warnings;
  auto writes = v1.driver->plan(limits, &warnings);
  REQUIRE(writes.ok());
  CHECK(*writes ==
        std::vector<CgroupWrite>{{"cpu", "cpu.shares", "320", true},
                                 {"cpu", "cpu.cfs_quota_us", "150000", true},
                                 {"cpuset", "cpuset.cpus", "0-1", true},
                                 {"memory", "memory.limit_in_bytes", "536870912", true},
                                 {"memory", "memory.memsw.limit_in_bytes", "537919488", false},
                                 {"pids", "pids.max", "2000", true},
                                 {"blkio", "blkio.throttle.read_bps_device", "8:0 50", true},
                                 {"blkio", "blkio.throttle.write_bps_device", "8:0 60", true}});
  CHECK(warnings.empty());
  auto away = v1.driver->plan_change(limits, {}, nullptr);
  REQUIRE(away.ok());
  CHECK(*away ==
        std::vector<CgroupWrite>{{"cpu", "cpu.shares", "1024", true},
                                 {"cpu", "cpu.cfs_quota_us", "-1", true},
                                 {"cpuset", "cpuset.cpus", "", true},
                                 {"memory", "memory.limit_in_bytes", "-1", true},
                                 {"memory", "memory.memsw.limit_in_bytes", "-1", false},
                                 {"pids", "pids.max", "max", true},
                                 {"blkio", "blkio.throttle.read_bps_device", "8:0 0", true},
                                 {"blkio", "blkio.throttle.write_bps_device", "8:0 0", true}});
}

TEST_CASE("v1 memory with unchanged swap moves their sum too, and swap alone is refused") {
  V1 v1;
  Limits from;
  from.memory = 100;
  from.swap = 10;
  Limits to = from;
  to.memory = 200;
  CHECK(*v1.driver->plan_change(from, to, nullptr) ==
        std::vector<CgroupWrite>{{"memory", "memory.limit_in_bytes", "200", true},
                                 {"memory", "memory.memsw.limit_in_bytes", "210", false}});
  Limits swap_only;
  swap_only.swap = 10;
  auto refused = v1.driver->plan(swap_only, nullptr);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == base::Code::kUnsupported);
}

TEST_CASE("v1 usage comes from the controllers' files") {
  V1 v1;
  REQUIRE(v1.driver->create_pool("web", {}).ok());
  REQUIRE(v1.zone("a").ok());
  v1.tree.put("cpu,cpuacct/zoned/web/a/cpuacct.usage", "123456\n");
  v1.tree.put("memory/zoned/web/a/memory.usage_in_bytes", "4096\n");
  v1.tree.put("memory/zoned/web/a/memory.max_usage_in_bytes", "8192\n");
  v1.tree.put("memory/zoned/web/a/memory.oom_control",
              "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
  v1.tree.put("pids/zoned/web/a/pids.current", "2\n");
  auto usage = v1.driver->usage("web", "a");
  REQUIRE(usage.ok());
  CHECK(usage->cpu_ns == 123456);
  CHECK(usage->memory_bytes == 4096);
  CHECK(usage->memory_peak_bytes == 8192);
  CHECK(usage->oom_kills == 3);
  CHECK(usage->processes == 2);
  CHECK(usage->io_read_bytes == 0);
  v1.tree.put("blkio/zoned/web/a/blkio.throttle.io_service_bytes_recursive",
              "8:0 Read 5\n8:0 Write 6\n8:16 Read 7\n8:16 Total 7\nTotal 18\n");
  auto again = resource::open_cgroups(
      {v1.tree.path("unified"),
       {{"cpu", v1.tree.path("cpu,cpuacct")}, {"blkio", v1.tree.path("blkio")}}},
      "zoned");
  REQUIRE(again.ok());
  CHECK((*again)->usage("web", "a")->io_read_bytes == 12);
  CHECK((*again)->usage("web", "a")->io_write_bytes == 6);
  CHECK(v1.driver->usage("web", "b").error().code == base::Code::kNotFound);
}

TEST_CASE("what any v1 hierarchy still has of a zone is found and removed") {
  V1 v1;
  REQUIRE(v1.driver->create_pool("web", {}).ok());
  REQUIRE(v1.zone("a").ok());
  v1.tree.folder("memory/zoned/web/half-made");
  v1.tree.folder("cpuset/zoned/web/odd");
  v1.tree.drop_files("unified/zoned/web");
  auto found = v1.driver->list();
  REQUIRE(found.ok());
  std::vector<std::string> names;
  for (const auto& f : *found) names.push_back(f.zone);
  CHECK(names == std::vector<std::string>{"a", "half-made"});
  for (const char* name : {"a", "half-made"}) {
    for (const char* tree : {"cpu,cpuacct", "memory", "pids"})
      v1.tree.drop_files(std::string(tree) + "/zoned/web");
    REQUIRE(v1.driver->destroy_zone("web", name).ok());
  }
  for (const char* tree : {"cpu,cpuacct", "memory", "pids", "unified"})
    CHECK_FALSE(v1.tree.has(std::string(tree) + "/zoned/web/a"));
  CHECK(v1.driver->list()->empty());
}

TEST_CASE("a pure v1 host freezes by the freezer hierarchy and has no payload") {
  V1 v1(false);
  REQUIRE(v1.driver->create_pool("web", {}).ok());
  auto zone = v1.zone("a");
  REQUIRE(zone.ok());
  CHECK_FALSE(zone->v2_payload.valid());
  CHECK(zone->v1_procs.size() == 4);
  CHECK(v1.driver->freeze("web", "a", true).ok());
  CHECK(v1.tree.get("freezer/zoned/web/a/freezer.state") == "FROZEN");
  CHECK(v1.driver->freeze("web", "a", false).ok());
  CHECK(v1.tree.get("freezer/zoned/web/a/freezer.state") == "THAWED");
}

TEST_CASE(
    "a write for a controller that is not mounted is refused and an advisory one passed over") {
  FakeTree tree;
  tree.folder("cpu");
  auto driver = resource::open_cgroups({"", {{"cpu", tree.path("cpu")}}}, "zoned");
  REQUIRE(driver.ok());
  auto refused = (*driver)->create_pool("web", {{"memory", "memory.limit_in_bytes", "1", true}});
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message == "cgroup of pool 'web': cgroup controller 'memory' is missing");
  CHECK((*driver)->create_pool("web", {{"memory", "x", "1", false}}).ok());
}
