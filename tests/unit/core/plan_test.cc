#include "zoned/core/plan.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "tests/unit/resource/fake_tree.h"
#include "zoned/core/capabilities.h"
#include "zoned/core/landlock.h"
#include "zoned/core/launcher.h"
#include "zoned/core/plan_json.h"
#include "zoned/core/planner.h"
#include "zoned/core/seccomp_filter.h"

namespace {

const labels::Label kPublic(1, {});
constexpr const char* kGolden = "tests/unit/core/golden/";

core::HostFacts host() {
  core::HostFacts facts;
  facts.cpus = 4;
  facts.memory_bytes = uint64_t{8} << 30;
  facts.nofile_hard = 20000;
  facts.memlock_hard = 8 << 20;
  facts.cgroup_v2_tree = true;
  facts.time_namespace = true;
  return facts;
}

core::ZoneSpec app_spec() {
  core::ZoneSpec spec;
  spec.name = "web";
  spec.command = {"nginx", "-g", "daemon off;"};
  spec.env = {{"LANG", "C.UTF-8"}};
  spec.user = "www-data";
  spec.fs.push_back({"/data", "/srv/data", true});
  spec.fs.push_back({"/state", "/srv/state"});
  return spec;
}

core::TreeFacts app_tree() {
  core::TreeFacts tree;
  tree.command_path = "/usr/sbin/nginx";
  tree.uid = tree.gid = 33;
  tree.groups = {33, 44};
  tree.home = "/var/www";
  return tree;
}

base::Result<core::Planned> plan(const core::ZoneSpec& spec, const core::TreeFacts& tree,
                                 const core::HostFacts& facts, bool ephemeral = false,
                                 const resource::CgroupDriver* cgroups = nullptr) {
  return core::plan_zone({spec,
                          facts,
                          tree,
                          {589824},
                          "0123456789abcdef0123456789abcdef",
                          0,
                          cgroups,
                          ephemeral,
                          ephemeral,
                          false,
                          {false, true},
                          {},
                          kPublic,
                          "PUBLIC"});
}

void check_golden(const std::string& name, const core::ZonePlan& plan) {
  std::string text = core::to_json(plan).dump(1) + "\n";
  std::string file = kGolden + name + ".json";
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    auto folder = base::open_at(AT_FDCWD, kGolden, O_RDONLY | O_DIRECTORY);
    REQUIRE(folder.ok());
    REQUIRE(
        base::replace_file(folder->get(), name + ".json", text, base::Durability::kRuntime, 0644));
  }
  auto golden = base::read_file(AT_FDCWD, file);
  REQUIRE(golden.ok());
  CHECK(*golden == text);  // UPDATE_GOLDEN=1 writes the files anew; look at the diff
}

}  // namespace

TEST_CASE("the plan of an app zone is the golden one") {
  auto planned = plan(app_spec(), app_tree(), host());
  REQUIRE(planned.ok());
  check_golden("app", planned->plan);
  CHECK(planned->warnings.empty());
}

TEST_CASE("the plan of a zone with a port is the golden one") {
  netns::Instance instance("/srv/zoned");
  auto network =
      netns::parse_network("lan", {{"subnet", "10.1.2.0/24"}, {"subnet", "fd00:1::/64"}});
  REQUIRE(network.ok());
  netns::PortRequest request;
  request.zone = "web";
  request.name = "net0";
  for (const char* text : {"10.1.2.3", "fd00:1::3"}) {
    auto address = netns::Address::parse(text);
    REQUIRE(address.ok());
    request.addresses.push_back(*address);
  }
  request.outward = true;
  request.multilevel = {"udp:514"};
  request.relax = {"restricted"};
  request.send_bits = 1000000;
  auto publish = netns::parse_publish("8080:80");
  REQUIRE(publish.ok());
  request.publish.push_back(*publish);
  auto port = netns::plan_port(request, *network, instance);
  REQUIRE(port.ok());
  auto planned = core::plan_zone({app_spec(),
                                  host(),
                                  app_tree(),
                                  {589824},
                                  "0123456789abcdef0123456789abcdef",
                                  0,
                                  nullptr,
                                  false,
                                  false,
                                  false,
                                  {false, true},
                                  {*port},
                                  kPublic,
                                  "PUBLIC"});
  REQUIRE(planned.ok());
  check_golden("port", planned->plan);
  auto back = core::zone_plan_from_json(core::to_json(planned->plan));
  REQUIRE(back.ok());
  CHECK(back->ports == planned->plan.ports);
}

TEST_CASE("the plan of an os zone is the golden one") {
  core::ZoneSpec spec;
  spec.name = "debian";
  core::TreeFacts tree;
  tree.init = "/sbin/init";
  tree.systemd = true;
  auto planned = plan(spec, tree, host());
  REQUIRE(planned.ok());
  check_golden("os", planned->plan);
}

TEST_CASE("a zone with an init of its own gets controllers to divide, an app zone does not") {
  FakeTree hierarchy;
  hierarchy.put("cgroup.controllers", "cpu memory pids\n");
  hierarchy.folder("zoned");
  auto cgroups = resource::open_cgroups({hierarchy.path(""), {}}, "zoned");
  REQUIRE(cgroups.ok());
  core::ZoneSpec spec;
  spec.name = "debian";
  core::TreeFacts tree;
  tree.init = "/sbin/init";
  auto os = plan(spec, tree, host(), false, cgroups->get());
  REQUIRE(os.ok());
  CHECK(os->plan.cgroup.writes == (*cgroups)->plan_delegation());
  CHECK(os->plan.cgroup.writes.size() == 1);
  auto app = plan(app_spec(), app_tree(), host(), false, cgroups->get());
  REQUIRE(app.ok());
  CHECK(app->plan.cgroup.writes.empty());
}

TEST_CASE("the plan of an ephemeral zone is the golden one") {
  core::ZoneSpec spec;
  spec.name = "run-1";
  spec.command = {"/bin/true"};
  core::TreeFacts tree;
  tree.command_path = "/bin/true";
  auto planned = plan(spec, tree, host(), true);
  REQUIRE(planned.ok());
  check_golden("run", planned->plan);
}

TEST_CASE("plans survive the way through JSON, and JSON that is off is refused") {
  auto planned = plan(app_spec(), app_tree(), host());
  REQUIRE(planned.ok());
  nlohmann::json value = core::to_json(planned->plan);
  auto back = core::zone_plan_from_json(value);
  REQUIRE(back.ok());
  CHECK(*back == planned->plan);
  auto refused = [](nlohmann::json changed) { return !core::zone_plan_from_json(changed).ok(); };
  for (const auto& [key, member] : value.items()) {
    nlohmann::json without = value;
    without.erase(key);
    CHECK(refused(without));
    nlohmann::json wrong = value;
    wrong[key] = nlohmann::json::array({nlohmann::json::array({nullptr})});
    CHECK(refused(wrong));
  }
  nlohmann::json more = value;
  more["extra"] = 1;
  CHECK(refused(more));
  nlohmann::json nul = value;
  nul["hostname"] = std::string("a\0b", 3);
  CHECK(refused(nul));
  nlohmann::json negative = value;
  negative["ids"]["base"] = -1;
  CHECK(refused(negative));
}

TEST_CASE("planning refuses what the host or the tree does not have") {
  core::TreeFacts no_command = app_tree();
  no_command.command_found = false;
  auto missing = plan(app_spec(), no_command, host());
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().code == base::Code::kNoCommand);
  CHECK(missing.error().message == "no command 'nginx'");
  core::ZoneSpec large = app_spec();
  large.memory_physical = uint64_t{64} << 30;
  CHECK_FALSE(plan(large, app_tree(), host()).ok());
  core::ZoneSpec far_cpu = app_spec();
  far_cpu.dedicated_cpus = "2-4";
  CHECK_FALSE(plan(far_cpu, app_tree(), host()).ok());
  far_cpu.dedicated_cpus = "2-3";
  CHECK(plan(far_cpu, app_tree(), host()).ok());
}

TEST_CASE("Landlock is for app zones that ask for it, as far as the kernel has it") {
  using Access = core::LandlockRule::Access;
  core::ZoneSpec spec = app_spec();
  core::HostFacts facts = host();
  facts.landlock_abi = core::kWholeLandlock;
  auto without = plan(spec, app_tree(), facts);
  REQUIRE(without.ok());
  CHECK(without->plan.landlock.rules.empty());
  spec.landlock = true;
  auto planned = plan(spec, app_tree(), facts);
  REQUIRE(planned.ok());
  CHECK(planned->warnings.empty());
  CHECK(planned->plan.landlock ==
        core::LandlockPlan{{{"/", Access::kOwn}, {"/dev", Access::kUse}}, false, true});
  // Whoever joins gets the same, but may signal the zone's processes.
  auto enter = core::plan_enter(planned->plan, {"/bin/true"}, {}, app_tree(), "/", false);
  REQUIRE(enter.ok());
  CHECK(enter->landlock.rules == planned->plan.landlock.rules);
  CHECK_FALSE(enter->landlock.scoped);
  // Under a read-only root what is mounted writable, and no more.
  spec.read_only_root = true;
  auto fixed = plan(spec, app_tree(), facts);
  REQUIRE(fixed.ok());
  std::vector<std::string> own;
  for (const core::LandlockRule& rule : fixed->plan.landlock.rules)
    if (rule.access == Access::kOwn) own.push_back(rule.path);
  CHECK(own ==
        std::vector<std::string>{"/dev", "/dev/shm", "/dev/mqueue", "/run", "/tmp", "/state"});
  facts.landlock_abi = 2;
  auto old = plan(spec, app_tree(), facts);
  REQUIRE(old.ok());
  REQUIRE(old->warnings.size() == 1);
  CHECK(old->warnings[0] ==
        "landlock: version 2 of this kernel does not cover truncation, TCP ports, ioctls of "
        "devices, abstract sockets and signals");
  CHECK(core::landlock_rights(Access::kOwn, 2) == (core::landlock_handled(2) & ~uint64_t{0x840}));
  facts.landlock_abi = 0;
  auto none = plan(spec, app_tree(), facts);
  REQUIRE(none.ok());
  CHECK(none->plan.landlock.rules.empty());
  CHECK(none->warnings.size() == 1);
}

TEST_CASE("Landlock is refused to zones that mount") {
  core::ZoneSpec spec = app_spec();
  spec.landlock = true;
  spec.nesting = true;
  auto nesting = plan(spec, app_tree(), host());
  REQUIRE_FALSE(nesting.ok());
  CHECK(nesting.error().message == "landlock: nesting is for zones that mount");
  spec.nesting = false;
  spec.command.clear();
  core::TreeFacts tree;
  tree.init = "/sbin/init";
  auto os = plan(spec, tree, host());
  REQUIRE_FALSE(os.ok());
  CHECK(os.error().message == "landlock: it runs an init of its own, which mounts");
}

TEST_CASE("limits that this host can't give are lowered with a warning") {
  core::ZoneSpec spec = app_spec();
  spec.open_files = 100000;
  spec.memory_locked = uint64_t{1} << 30;
  auto planned = plan(spec, app_tree(), host());
  REQUIRE(planned.ok());
  CHECK(planned->warnings.size() == 2);
  CHECK(planned->plan.rlimits[0].hard == 20000);
}

TEST_CASE("a writable tree of the host that others may enter is not idmapped, and that is said") {
  auto spec = app_spec();
  std::swap(spec.fs[0], spec.fs[1]);
  auto planned = plan(spec, app_tree(), host());
  REQUIRE(planned.ok());
  REQUIRE(planned->warnings.size() == 1);
  CHECK(planned->warnings[0].find("mode 0700") != std::string::npos);
}

TEST_CASE("the keeper refuses a plan that lacks a wall, and takes the whole one") {
  auto planned = plan(app_spec(), app_tree(), host());
  REQUIRE(planned.ok());
  auto filter = core::filter_memfd("app");
  REQUIRE(filter.ok());
  core::FdTable fds = {{"filter", filter->get()}};
  REQUIRE(core::check_plan(planned->plan, fds).ok());
  auto refused = [&](auto change) {
    core::ZonePlan copy = planned->plan;
    change(copy);
    return !core::check_plan(copy, fds).ok();
  };
  CHECK(refused([](core::ZonePlan& p) { p.namespaces.user = false; }));
  CHECK(refused([](core::ZonePlan& p) { p.namespaces.pid = false; }));
  CHECK(refused([](core::ZonePlan& p) { p.namespaces.net = false; }));
  CHECK(refused([](core::ZonePlan& p) { p.ids.base = 0; }));
  CHECK(refused([](core::ZonePlan& p) { p.ids.base += 1; }));
  CHECK(refused([](core::ZonePlan& p) { p.ids.base = 1879048192U; }));
  CHECK(refused([](core::ZonePlan& p) { p.capabilities |= uint64_t{1} << 21; }));
  CHECK(refused([](core::ZonePlan& p) { p.no_new_privs = false; }));
  CHECK(refused([](core::ZonePlan& p) { p.filter.clear(); }));
  CHECK(refused([](core::ZonePlan& p) { p.lock_mounts = false; }));
  CHECK(refused([](core::ZonePlan& p) { p.close_fds = false; }));
  base::UniqueFd open_memfd(memfd_create("filter", MFD_CLOEXEC));
  fds["filter"] = open_memfd.get();
  CHECK_FALSE(core::check_plan(planned->plan, fds).ok());
}

TEST_CASE("no profile but os holds CAP_SYS_ADMIN, CAP_NET_ADMIN or CAP_SYS_PTRACE") {
  constexpr uint64_t kStrong = uint64_t{1} << 21 | uint64_t{1} << 12 | uint64_t{1} << 19;
  CHECK((core::capabilities_of(core::Profile::kApp) & kStrong) == 0);
  CHECK((core::capabilities_of(core::Profile::kJob) & kStrong) == 0);
  CHECK((core::capabilities_of(core::Profile::kOs) & kStrong) == kStrong);
}
