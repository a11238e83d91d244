#include "zoned/core/host_facts.h"

#include <algorithm>
#include <catch2/catch.hpp>

namespace {

core::HostFacts good_host() {
  core::HostFacts facts;
  facts.kernel_major = 6;
  facts.kernel_minor = 1;
  facts.kernel_release = "6.1.0-test";
  facts.capabilities = (uint64_t{1} << 41) - 1;
  facts.nofile_hard = 524288;
  facts.pid_max = 4194304;
  facts.pty_max = 16384;
  facts.inotify_instances = 128;
  facts.memlock_hard = 1 << 20;
  facts.cgroup_v2_tree = true;
  facts.cgroup_driver = "v2";
  facts.cgroup_controllers = {"cpu", "cpuset", "io", "memory", "pids"};
  facts.time_namespace = true;
  facts.swap_accounting = true;
  return facts;
}

std::string state_of(const core::HostFacts& facts, const std::string& subject) {
  auto checks = core::check_host(facts);
  auto it = std::find_if(checks.begin(), checks.end(),
                         [&](const core::HostCheck& c) { return c.subject == subject; });
  return it == checks.end() ? "" : it->state;
}

}  // namespace

TEST_CASE("this host's facts are plausible") {
  core::HostFacts facts = core::detect_host();
  CHECK(facts.cpus >= 1);
  CHECK(facts.memory_bytes > 1 << 20);
  CHECK(facts.kernel_major >= 5);
  CHECK(facts.pid_max > 0);
}

TEST_CASE("an old kernel is refused by name") {
  core::HostFacts facts = good_host();
  facts.kernel_major = 5;
  facts.kernel_minor = 18;
  facts.kernel_release = "5.18.0";
  auto status = core::require_host(facts);
  REQUIRE_FALSE(status);
  CHECK(status.error().code == base::Code::kUnsupported);
  CHECK(status.error().message == "Linux 5.18.0 is too old");
  CHECK_FALSE(status.error().hint.empty());
  CHECK(state_of(facts, "kernel") == "missing");
  facts.kernel_minor = 19;
  CHECK(state_of(facts, "kernel") == "ok");
}

TEST_CASE("missing capabilities are named, CAP_SYS_RESOURCE alone is a limit") {
  core::HostFacts facts = good_host();
  facts.capabilities &= ~(uint64_t{1} << 21 | uint64_t{1} << 7);
  auto status = core::require_host(facts);
  REQUIRE_FALSE(status);
  CHECK(status.error().message == "missing CAP_SETUID CAP_SYS_ADMIN");
  CHECK(state_of(facts, "capabilities") == "missing");
  facts = good_host();
  facts.capabilities &= ~(uint64_t{1} << 24);
  CHECK(state_of(facts, "capabilities") == "limited");
}

TEST_CASE("what limits zones is told with a fix") {
  core::HostFacts facts = good_host();
  CHECK(state_of(facts, "ptys") == "ok");
  CHECK(state_of(facts, "cgroups") == "ok");
  facts.pty_max = 4096;
  CHECK(state_of(facts, "ptys") == "limited");
  facts.cgroup_v2_tree = false;
  CHECK(state_of(facts, "cgroups") == "limited");
  facts.cgroup_driver.clear();
  CHECK(state_of(facts, "cgroups") == "missing");
  for (const core::HostCheck& check : core::check_host(facts)) {
    INFO(check.subject);
    CHECK((check.state == "ok") == check.fix.empty());
  }
}
