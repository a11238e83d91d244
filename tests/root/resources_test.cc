// Shares, caps and limits, judged by the kernel's own counters, and what idle zones cost.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "base/files.h"
#include "base/strings.h"
#include "tests/harness/rounds.h"
#include "tests/harness/sandbox.h"
#include "tests/root/trial/trial.h"

using harness::Sandbox;
using trial::Clock;
using trial::milliseconds;

namespace {

const char* const kSpin = "while :; do :; done";
const char* const kSleep = R"(command=["/bin/sleep","100000"])";

std::string shell_spin() { return trial::shell_command(kSpin); }

struct Zone {
  std::string pool;
  std::string name;
};

// CPU seconds that each of these has used while the time passed.
std::vector<double> used_over(const Sandbox& box, const std::vector<Zone>& zones,
                              milliseconds time) {
  constexpr double kNsPerSecond = 1e9;
  std::vector<double> before, used;
  for (const Zone& zone : zones)
    before.push_back(static_cast<double>(trial::cpu_ns(box, zone.pool, zone.name)));
  harness::sleep_for(time);
  for (size_t i = 0; i < zones.size(); ++i)
    used.push_back(
        (static_cast<double>(trial::cpu_ns(box, zones[i].pool, zones[i].name)) - before[i]) /
        kNsPerSecond);
  return used;
}

// Percent of the first among all.
double percent_of_first(const std::vector<double>& used) {
  double sum = 0;
  for (double value : used) sum += value;
  return sum > 0 ? used.front() * 100 / sum : 0;
}

void show(const char* what, double measured, double entitled) {
  printf("%s: measured %.1f %%, entitled %.1f %%\n", what, measured, entitled);
}

milliseconds measure_time() { return milliseconds(harness::soaking() ? 20000 : 4000); }

std::string text_of(const std::string& path) {
  auto text = base::read_file(AT_FDCWD, path);
  return text.ok() ? std::string(base::trim(*text)) : std::string();
}

// Latencies of List while something goes on.
std::vector<milliseconds> list_latencies(const Sandbox& box, milliseconds time) {
  std::vector<milliseconds> latencies;
  auto end = Clock::now() + time;
  while (Clock::now() < end) {
    auto before = Clock::now();
    auto reply = trial::call(box, "List", {{"names", nlohmann::json::array()}});
    REQUIRE(reply.ok());
    latencies.push_back(std::chrono::duration_cast<milliseconds>(Clock::now() - before));
    harness::sleep_for(milliseconds(10));
  }
  return latencies;
}

nlohmann::json stat_of(const nlohmann::json& reply, const std::string& list,
                       const std::string& name) {
  for (const auto& item : reply[list])
    if (item["name"] == name) return item;
  return nullptr;
}

// Somebody else's burst on this machine costs both sides, and not in proportion: look again then.
constexpr int kAttempts = 3;
constexpr double kPoints = 3;

// What the first of two has of both, in percent.
double measure_split(const Sandbox& box, const std::vector<Zone>& zones, double entitled) {
  double measured = 0;
  for (int attempt = 0; attempt < kAttempts && std::abs(measured - entitled) > kPoints; ++attempt) {
    measured = percent_of_first(used_over(box, zones, measure_time()));
    show("shares", measured, entitled);
  }
  return measured;
}

}  // namespace

TEST_CASE("pools at 3:1 with two spinning zones each divide the CPUs 3:1, and stat says the same") {
  Sandbox box;
  std::string tree = trial::small_tree(box);
  box.zone_ok({"pool", "create", "gold", "shares=3"});
  box.zone_ok({"pool", "create", "tin", "shares=1"});
  for (const char* pool : {"gold", "tin"})
    for (const char* number : {"1", "2"})
      trial::make_zone(box, std::string(pool) + "-" + number, tree,
                       {shell_spin(), "pool=" + std::string(pool)});
  // Installed and never booted, halted: neither takes a part of what its pool is entitled to.
  trial::make_zone(box, "halted", tree, {shell_spin(), "pool=tin", "cpu-shares=50"});
  box.zone_ok({"halt", "halted"});
  harness::sleep_for(milliseconds(500));

  nlohmann::json ask = {{"names", nlohmann::json::array()}, {"interval_ms", 0}};
  std::vector<double> used;
  double seconds = 0, measured = 0;
  base::Result<nlohmann::json> stat = nlohmann::json();
  for (int attempt = 0; attempt < kAttempts && std::abs(measured - 75) > kPoints; ++attempt) {
    REQUIRE(trial::call(box, "Stat", ask).ok());
    auto start = Clock::now();
    used = used_over(box, {{"gold", ""}, {"tin", ""}}, measure_time());
    seconds = std::chrono::duration<double>(Clock::now() - start).count();
    stat = trial::call(box, "Stat", ask);
    REQUIRE(stat.ok());
    measured = percent_of_first(used);
    show("pools 3:1", measured, 75);
  }
  CHECK(std::abs(measured - 75) <= kPoints);

  INFO(stat->dump());
  auto cpus = static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN));
  nlohmann::json gold = stat_of(*stat, "pools", "gold"), tin = stat_of(*stat, "pools", "tin");
  CHECK(gold["cpu_used"].get<double>() == Approx(used[0] / seconds / cpus).margin(0.03));
  CHECK(tin["cpu_used"].get<double>() == Approx(used[1] / seconds / cpus).margin(0.03));
  CHECK(gold["cpu_share"].get<double>() == Approx(0.75));
  CHECK(gold["cpu_entitled"].get<double>() ==
        Approx(3 * tin["cpu_entitled"].get<double>()).epsilon(0.01));
  nlohmann::json zone = stat_of(*stat, "zones", "tin-1");
  CHECK(zone["cpu_entitled"].get<double>() ==
        Approx(tin["cpu_entitled"].get<double>() / 2).epsilon(0.01));
  nlohmann::json halted = stat_of(*stat, "zones", "halted");
  CHECK((halted.is_null() || halted["cpu_entitled"].get<double>() == 0));
}

TEST_CASE("a change of cpu-shares in running zones changes their split at once") {
  Sandbox box;
  std::string tree = trial::small_tree(box);
  // On one CPU, so that one spinning process each is enough for contention.
  for (const char* name : {"left", "right"})
    trial::make_zone(box, name, tree, {shell_spin(), "dedicated-cpu.ncpus=0"});
  harness::sleep_for(milliseconds(300));
  std::vector<Zone> zones = {{"default", "left"}, {"default", "right"}};
  CHECK(std::abs(measure_split(box, zones, 50) - 50) <= kPoints);
  box.zone_ok({"set", "left", "cpu-shares=4"});
  CHECK(std::abs(measure_split(box, zones, 80) - 80) <= kPoints);
}

TEST_CASE("a CPU cap holds, and a live change of it too") {
  Sandbox box;
  trial::make_zone(box, "capped", trial::small_tree(box), {shell_spin(), "capped-cpu.ncpus=0.2"});
  std::vector<Zone> zones = {{"default", "capped"}};
  double seconds = std::chrono::duration<double>(measure_time()).count();
  harness::sleep_for(milliseconds(300));
  CHECK(used_over(box, zones, measure_time())[0] <= seconds * 0.22);
  box.zone_ok({"set", "capped", "capped-cpu.ncpus=0.4"});
  double used = used_over(box, zones, measure_time())[0];
  CHECK(used <= seconds * 0.44);
  CHECK(used >= seconds * 0.25);
}

TEST_CASE("a memory bomb dies in its zone and takes nobody with it") {
  Sandbox box;
  std::string tree = trial::small_tree(box);
  trial::make_zone(box, "calm", tree, {kSleep});
  pid_t daemon = box.daemon_pid();
  auto keepers = box.keeper_pids();
  // tail keeps what has no line end in memory.
  trial::make_zone(box, "bomb", tree,
                   {trial::shell_command("tail -n 1 /dev/zero; echo status $?; sleep 1000"),
                    "capped-memory.physical=32M"});
  CHECK(harness::eventually(
      [&] {
        return box.zone_ok({"logs", "bomb"}).find("status 137") != std::string::npos;
      },
      std::chrono::seconds(30)));
  CHECK(trial::state_of(box, "bomb") == "running");
  CHECK(trial::state_of(box, "calm") == "running");
  CHECK(box.daemon_pid() == daemon);
  CHECK(box.keeper_pids() == keepers);
  // Whoever must go when the whole host runs out: a process of a zone, before any of ours.
  auto score = [](pid_t pid) {
    return std::stoi(text_of("/proc/" + std::to_string(pid) + "/oom_score_adj"));
  };
  int zones = score(trial::pid_of(box, "calm"));
  CHECK(zones > score(daemon));
  for (pid_t keeper : keepers) CHECK(zones > score(keeper));
}

TEST_CASE("a fork bomb meets its limit, and neither the API nor a neighbour feels it") {
  Sandbox box;
  std::string tree = trial::small_tree(box);
  REQUIRE(std::filesystem::copy_file(box.program("victims/forkbomb"), tree + "/bin/forkbomb"));
  constexpr uint64_t kLimit = 100;
  trial::make_zone(box, "neighbour", tree, {shell_spin(), "dedicated-cpu.ncpus=0"});
  trial::make_zone(box, "bomb", tree,
                   {R"(command=["/bin/forkbomb"])", "dedicated-cpu.ncpus=0",
                    "limits.processes=" + std::to_string(kLimit)});
  auto reached = [&] {
    auto reply = trial::call(box, "Stat", {{"names", {"bomb"}}, {"interval_ms", 0}});
    return reply.ok() && stat_of(*reply, "zones", "bomb").is_object() &&
           stat_of(*reply, "zones", "bomb")["processes"].get<uint64_t>() >= kLimit * 9 / 10;
  };
  CHECK(harness::eventually(reached));
  uint64_t before = trial::cpu_ns(box, "default", "neighbour");
  uint64_t bomb_before = trial::cpu_ns(box, "default", "bomb");
  auto latencies = list_latencies(box, measure_time());
  auto neighbour = static_cast<double>(trial::cpu_ns(box, "default", "neighbour") - before);
  auto bomb = static_cast<double>(trial::cpu_ns(box, "default", "bomb") - bomb_before);
  CHECK(trial::p99(latencies) < milliseconds(100));
  double kept = percent_of_first({neighbour, bomb});
  show("neighbour of a fork bomb", kept, 50);
  CHECK(kept >= 45);  // 90 % of its half
  auto reply = trial::call(box, "Stat", {{"names", {"bomb"}}, {"interval_ms", 0}});
  REQUIRE(reply.ok());
  CHECK(stat_of(*reply, "zones", "bomb")["processes"].get<uint64_t>() <= kLimit);
  box.zone_ok({"halt", "bomb"});
}

TEST_CASE(
    "idle zones wake neither zoned nor keepers and cost a keeper one descriptor each and no pty") {
  Sandbox box;
  std::string tree = trial::small_tree(box);
  std::vector<pid_t> pids = box.keeper_pids();
  size_t fds = 0, ptys = 0;
  auto count_ptys = [] { return std::stoul(text_of("/proc/sys/kernel/pty/nr")); };
  for (pid_t keeper : pids) fds += trial::fds_of(keeper);
  ptys = count_ptys();
  size_t zones = harness::rounds(20, 200);
  for (size_t i = 0; i < zones; ++i)
    trial::make_zone(box, "idle-" + std::to_string(i), tree, {kSleep});
  // The last launcher, a fork of its keeper, may still be there.
  CHECK(harness::eventually([&] { return box.keeper_pids() == pids; }));
  size_t now = 0;
  harness::eventually([&] {
    now = 0;
    for (pid_t keeper : pids) now += trial::fds_of(keeper);
    return now <= fds + zones;
  });
  CHECK(now <= fds + zones);
  CHECK(count_ptys() <= ptys);

  pids.push_back(box.daemon_pid());
  harness::sleep_for(milliseconds(1000));  // the last connection of ours closes
  auto switches = [&] {
    std::vector<uint64_t> values;
    for (pid_t pid : pids) values.push_back(trial::status_field(pid, "voluntary_ctxt_switches"));
    return values;
  };
  auto before = switches();
  harness::sleep_for(milliseconds(3000));
  CHECK(switches() == before);
}
