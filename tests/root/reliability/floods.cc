// Zones that write, and that make orphans, without end.
#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <thread>

#include "base/files.h"
#include "base/strings.h"
#include "tests/harness/rounds.h"
#include "tests/harness/sandbox.h"
#include "tests/root/trial/trial.h"

using harness::Sandbox;
using trial::Clock;
using trial::milliseconds;

namespace {

constexpr uint64_t kGrowth = 16 << 20;

// Largest resident memory of zoned and its keepers over what they had, while it is told to watch.
class MemoryWatch {
 public:
  explicit MemoryWatch(const Sandbox& box) {
    pids_ = box.keeper_pids();
    pids_.push_back(box.daemon_pid());
    for (pid_t pid : pids_) before_.push_back(trial::rss_bytes(pid));
  }
  void look() {
    for (size_t i = 0; i < pids_.size(); ++i) {
      uint64_t now = trial::rss_bytes(pids_[i]);
      if (now > before_[i]) growth_ = std::max(growth_, now - before_[i]);
    }
  }
  uint64_t growth() const { return growth_; }

 private:
  std::vector<pid_t> pids_;
  std::vector<uint64_t> before_;
  uint64_t growth_ = 0;
};

struct Zombies {
  std::map<pid_t, std::pair<uint64_t, Clock::time_point>> seen;
  milliseconds oldest{0};

  // Children of `parent` that have ended and that it has not collected.
  void look(pid_t parent) {
    std::string self = std::to_string(parent);
    auto children = base::read_file(AT_FDCWD, "/proc/" + self + "/task/" + self + "/children");
    if (!children.ok()) return;
    std::map<pid_t, std::pair<uint64_t, Clock::time_point>> now;
    for (const std::string& word : base::split(base::trim(*children), ' ')) {
      auto pid = base::parse_uint(word, 1, 1 << 30);
      if (!pid.ok()) continue;
      auto id = static_cast<pid_t>(*pid);
      uint64_t started = trial::start_time(id);
      if (started == 0 || trial::same_process(id, started)) continue;
      auto it = seen.find(id);
      bool same = it != seen.end() && it->second.first == started;
      now[id] = {started, same ? it->second.second : Clock::now()};
      oldest =
          std::max(oldest, std::chrono::duration_cast<milliseconds>(Clock::now() - now[id].second));
    }
    seen = std::move(now);
  }
};

}  // namespace

TEST_CASE("a flood of output takes no memory of zoned and no time of a neighbour") {
  Sandbox box;
  std::string tree = trial::small_tree(box);
  trial::make_zone(box, "calm", tree, {R"(command=["/bin/sleep","1000"])"});
  MemoryWatch memory(box);
  size_t mebibytes = harness::rounds(200, 10240);
  trial::make_zone(box, "flood", tree,
                   {trial::shell_command("dd if=/dev/zero bs=65536 count=" +
                                         std::to_string(mebibytes * 16) + " 2>/dev/null")});
  std::vector<milliseconds> latencies;
  std::string state = "running";
  auto deadline = Clock::now() + std::chrono::seconds(harness::soaking() ? 3600 : 60);
  while (state != "installed" && Clock::now() < deadline) {
    trial::Ran ran =
        trial::run({box.program("zone"), "--root", box.root(), "exec", "calm", "--", "/bin/true"});
    REQUIRE(ran.status == 0);
    latencies.push_back(std::chrono::duration_cast<milliseconds>(ran.ended - ran.started));
    memory.look();
    state = trial::state_of(box, "flood");
    harness::sleep_for(milliseconds(5));
  }
  CHECK(state == "installed");
  CHECK(trial::zone_of(box, "flood")["exit"] == nlohmann::json{{"kind", "exit"}, {"value", 0}});
  CHECK(memory.growth() < kGrowth);
  INFO(latencies.size() << " execs beside the flood");
  CHECK(trial::p99(latencies) < milliseconds(100));
}

TEST_CASE("output of exec that nobody reads takes no memory of zoned") {
  Sandbox box;
  trial::make_zone(box, "chatty", trial::small_tree(box), {R"(command=["/bin/sleep","1000"])"});
  MemoryWatch memory(box);
  std::string line = "exec '" + box.program("zone") + "' --root '" + box.root() +
                     "' exec chatty -- /bin/dd if=/dev/zero bs=65536 count=" +
                     std::to_string(harness::rounds(200, 10240) * 16) + " 2>/dev/null | wc -c";
  trial::Ran ran;
  std::atomic<bool> done = false;
  std::thread thread([&] {
    ran = trial::run({"/bin/sh", "-c", line}, std::chrono::seconds(600));
    done = true;
  });
  while (!done) {
    memory.look();
    harness::sleep_for(milliseconds(20));
  }
  thread.join();
  CHECK(base::trim(ran.out) == std::to_string(harness::rounds(200, 10240) << 20));
  CHECK(memory.growth() < kGrowth);
}

TEST_CASE("no orphan stays a zombie for a second") {
  Sandbox box;
  size_t orphans = harness::rounds(20000, 1000000);
  // Each round leaves one: the subshell in between ends at once.
  std::string script = "i=0; while [ $i -lt " + std::to_string(orphans) +
                       " ]; do ( : & ); i=$((i+1)); done; echo all; sleep 1000";
  trial::make_zone(box, "orphans", trial::small_tree(box), {trial::shell_command(script)});
  pid_t init = trial::pid_of(box, "orphans");
  Zombies zombies;
  bool done = false;
  auto deadline = Clock::now() + std::chrono::seconds(harness::soaking() ? 7200 : 80);
  for (unsigned i = 0; !done && Clock::now() < deadline; ++i) {
    zombies.look(init);
    if (i % 20 == 0) done = box.zone_ok({"logs", "orphans"}) == "all\n";
    harness::sleep_for(milliseconds(20));
  }
  CHECK(done);
  CHECK(zombies.oldest < std::chrono::seconds(1));
  CHECK(harness::eventually(
      [&] {
        zombies.look(init);
        return zombies.seen.empty();
      },
      std::chrono::seconds(1)));
}
