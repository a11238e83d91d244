// kill -9 of zone-keepers, alone and together with zoned.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <set>
#include <thread>

#include "base/process.h"
#include "base/strings.h"
#include "tests/harness/rounds.h"
#include "tests/harness/sandbox.h"
#include "tests/root/trial/trial.h"

using harness::Sandbox;
using trial::milliseconds;

namespace {

constexpr int kZones = 4;

std::string name_of(int i) { return "count-" + std::to_string(i); }

struct Counting {
  std::vector<pid_t> pids;
  std::vector<uint64_t> started;
};

Counting boot_counting_zones(const Sandbox& box, const std::string& tree) {
  Counting zones;
  for (int i = 0; i < kZones; ++i) {
    trial::make_zone(box, name_of(i), tree, {trial::numbering_command(), "log-size=64M"});
    zones.pids.push_back(trial::pid_of(box, name_of(i)));
    zones.started.push_back(trial::start_time(zones.pids.back()));
  }
  return zones;
}

size_t lines_of(const Sandbox& box, int zone) {
  std::string text = box.zone_ok({"logs", name_of(zone)});
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

// Zones run on, their logs go on growing, and the numbers in them have no gap.
void check_counting(const Sandbox& box, const Counting& zones) {
  for (int i = 0; i < kZones; ++i) {
    INFO(name_of(i));
    auto n = static_cast<size_t>(i);
    CHECK(trial::same_process(zones.pids.at(n), zones.started.at(n)));
    CHECK(trial::state_of(box, name_of(i)) == "running");
    size_t before = lines_of(box, i);
    CHECK(harness::eventually([&] { return lines_of(box, i) > before; }));
    CHECK(trial::gap_in(box.zone_ok({"logs", name_of(i)}), before) == "");
  }
}

// The keepers that replaced those that were killed have taken up their work.
bool all_replaced(const Sandbox& box, const std::vector<pid_t>& dead, size_t count) {
  auto now = box.keeper_pids();
  return now.size() == count && std::none_of(now.begin(), now.end(), [&](pid_t pid) {
           return std::find(dead.begin(), dead.end(), pid) != dead.end();
         });
}

// What a keeper has forked and not put into a zone: launchers, and what serves them.
std::vector<pid_t> helpers_of(pid_t keeper) {
  std::string tasks = "/proc/" + std::to_string(keeper) + "/task/" + std::to_string(keeper);
  std::ifstream children(tasks + "/children");
  std::vector<pid_t> helpers;
  for (pid_t pid; children >> pid;) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    std::string line;
    while (std::getline(status, line) && !line.starts_with("NSpid:")) {
    }
    // One number: it is in no pid namespace of a zone.
    if (std::count(line.begin(), line.end(), '\t') == 1) helpers.push_back(pid);
  }
  return helpers;
}

// While it lives each helper of these keepers is killed, sooner and later in its life.
class HelperKiller {
 public:
  explicit HelperKiller(std::vector<pid_t> keepers)
      : thread_([this, keepers = std::move(keepers)] { work(keepers); }) {}
  ~HelperKiller() {
    done_ = true;
    thread_.join();
  }
  HelperKiller(const HelperKiller&) = delete;
  HelperKiller& operator=(const HelperKiller&) = delete;

 private:
  void work(const std::vector<pid_t>& keepers) {
    constexpr int kSteps = 12;
    std::set<pid_t> seen;
    for (int turn = 0; !done_;) {
      for (pid_t keeper : keepers)
        for (pid_t helper : helpers_of(keeper)) {
          if (!seen.insert(helper).second) continue;
          auto pidfd = base::open_pidfd(helper);
          if (!pidfd) continue;
          std::this_thread::sleep_for(std::chrono::microseconds(300) * (turn++ % kSteps));
          static_cast<void>(base::signal_pidfd(pidfd->get(), SIGKILL));  // it may have ended
        }
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }

  std::atomic<bool> done_ = false;
  std::thread thread_;
};

}  // namespace

TEST_CASE("zones outlive kill -9 of each zone-keeper and of zoned, and no line is lost") {
  Sandbox box;
  Counting zones = boot_counting_zones(box, trial::small_tree(box));
  auto held = trial::settled_census(box);
  size_t count = box.keeper_pids().size();
  size_t outputs = trial::pipes_of(box.daemon_pid());
  REQUIRE(outputs >= kZones);
  REQUIRE(count >= 1);
  for (size_t i = 0, n = harness::rounds(20, 200); i < n; ++i) {
    auto keepers = box.keeper_pids();
    REQUIRE(keepers.size() == count);
    pid_t victim = keepers.at(i % count);
    size_t fds = trial::fds_of(victim);
    REQUIRE(harness::kill_and_wait(victim).ok());
    // Outputs have two holders. Whoever has just come must have taken his part before the other may
    // go: what follows from the loss of both is the other test's subject.
    REQUIRE(harness::eventually([&] {
      auto now = box.keeper_pids();
      if (!all_replaced(box, {victim}, count)) return false;
      for (pid_t keeper : now)
        if (std::find(keepers.begin(), keepers.end(), keeper) == keepers.end())
          return trial::fds_of(keeper) >= fds;
      return false;
    }));
    if (i % 3 == 2) {
      box.restart();
      CHECK(trial::pipes_of(box.daemon_pid()) >= outputs);  // it answers: it holds the outputs
    }
    if (i % 5 == 4) check_counting(box, zones);
  }
  check_counting(box, zones);
  trial::check_recovery_is_quiet(box);
  for (int i = 0; i < kZones; ++i) {
    box.zone_ok({"halt", name_of(i)});
    CHECK(trial::state_of(box, name_of(i)) == "installed");
    box.zone_ok({"boot", name_of(i)});
    CHECK(trial::state_of(box, name_of(i)) == "running");
  }
  CHECK(trial::settle_to(box, held) == "");
}

TEST_CASE("after kill -9 of zoned and all keepers at once each zone is adopted or reported ended") {
  Sandbox box;
  std::string tree = trial::small_tree(box);
  trial::make_zone(box, "still", tree, {R"(command=["/bin/sleep","100000"])"});
  trial::make_zone(box, "writer", tree, {trial::numbering_command()});
  pid_t still = trial::pid_of(box, "still");
  uint64_t started = trial::start_time(still);
  for (size_t i = 0, n = harness::rounds(5, 50); i < n; ++i) {
    auto keepers = box.keeper_pids();
    box.kill_daemon();
    for (pid_t keeper : keepers) REQUIRE(harness::kill_and_wait(keeper).ok());
    box.start();
    // The last holder of its log has gone with the two: a writer may be killed by SIGPIPE.
    bool settled = harness::eventually([&] {
      std::string state = trial::state_of(box, "writer");
      pid_t pid = trial::pid_of(box, "writer");
      return state == "installed" || (state == "running" && trial::start_time(pid) != 0);
    });
    CHECK(settled);
    CHECK(trial::same_process(still, started));
    CHECK(trial::state_of(box, "still") == "running");
    CHECK(box.zone_ok({"exec", "still", "--", "/bin/echo", "in"}) == "in\n");
    if (trial::state_of(box, "writer") == "installed") box.zone_ok({"boot", "writer"});
  }
  trial::check_recovery_is_quiet(box);
}

TEST_CASE("a launcher that is killed alone fails its boot at once, and leaves nothing") {
  Sandbox box;
  std::string tree = trial::small_tree(box);
  trial::make_zone(box, "still", tree, {R"(command=["/bin/sleep","100000"])"});
  box.zone_ok({"halt", "still"});
  auto held = trial::settled_census(box);
  std::string told;
  size_t booted = 0;
  {
    HelperKiller killer(box.keeper_pids());
    for (size_t i = 0, n = harness::rounds(60, 1000); i < n; ++i) {
      auto before = trial::Clock::now();
      base::Output boot = box.zone({"boot", "still"});
      CHECK(trial::Clock::now() - before < std::chrono::seconds(5));
      CHECK(trial::state_of(box, "still") == (boot.status == 0 ? "running" : "installed"));
      if (boot.status == 0) {
        ++booted;
        box.zone_ok({"halt", "still"});
      } else {
        told += boot.err;
      }
    }
  }
  INFO(booted << " boots were over before");
  CHECK_THAT(told, Catch::Contains("the launcher was killed"));
  box.zone_ok({"boot", "still"});
  CHECK(box.zone_ok({"exec", "still", "--", "/bin/echo", "in"}) == "in\n");
  box.zone_ok({"halt", "still"});
  CHECK(trial::settle_to(box, held) == "");
}
