// kill -9 of zoned while everything is going on: zones never notice, what was in flight arrives, and
// nothing is left behind. Counts: ../harness/rounds.h.
#include <sys/types.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <random>
#include <thread>

#include "base/files.h"
#include "base/strings.h"
#include "base/unix_socket.h"
#include "tests/harness/rounds.h"
#include "tests/harness/sandbox.h"
#include "tests/harness/shell.h"
#include "tests/root/trial/trial.h"
#include "zoned/api/client.h"
#include "zoned/api/idl.h"
#include "zoned/daemon/recovery.h"

using harness::Sandbox;
using trial::Clock;
using trial::milliseconds;

namespace {

constexpr int kFlightStatus = 7;
constexpr int kOurFailure = 125;
constexpr int kFlightLines = 20;
const char* const kFlight =
    "i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo $i; usleep 15000; done; exit 7";

// What several threads saw of `exec` and `run` that were in flight.
struct Flights {
  std::mutex lock;
  std::vector<trial::Ran> exec;
  std::vector<trial::Ran> run;
  void add(std::vector<trial::Ran>* list, trial::Ran ran) {
    std::lock_guard<std::mutex> hold(lock);
    list->push_back(std::move(ran));
  }
};

struct Kill {
  Clock::time_point at;
  milliseconds until_ready;
};

// Verbs that change zones, over and over, in threads of their own; most fail while zoned is away.
class Churn {
 public:
  Churn(const Sandbox& box, const std::string& tree, Flights* flights) {
    std::string zone = box.program("zone"), root = box.root();
    auto verb = [zone, root](std::vector<std::string> args) {
      args.insert(args.begin(), {zone, "--root", root});
      return trial::run(args);
    };
    repeat([verb] {
      verb({"boot", "turning"});
      verb({"halt", "turning"});
    });
    repeat([verb, tree] {
      verb({"create", "passing", "--from", "dir:" + tree, "--boot"});
      verb({"delete", "-F", "passing"});
    });
    repeat([verb, shares = std::make_shared<int>(1)] {
      *shares = *shares % 9 + 1;
      verb({"set", "steady-0", "cpu-shares=" + std::to_string(*shares)});
      harness::sleep_for(milliseconds(5));
    });
    repeat([verb, flights] {
      flights->add(&flights->exec, verb({"exec", "steady-1", "--", "/bin/sh", "-c", kFlight}));
    });
    repeat([verb, flights, tree] {
      flights->add(&flights->run,
                   verb({"run", "--from", "dir:" + tree, "--", "/bin/sh", "-c", kFlight}));
    });
  }
  ~Churn() { stop(); }
  void stop() {
    stopping_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  void repeat(std::function<void()> round) {
    threads_.emplace_back([this, round = std::move(round)] {
      while (!stopping_) round();
    });
  }
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> threads_;
};

// What began before a kill may have been refused, but only if zoned was away between its start and
// the answer that it waited for. All others deliver everything. Returns how many spanned a kill.
size_t check_flights(const std::vector<trial::Ran>& flights, const std::vector<Kill>& kills) {
  constexpr milliseconds kAnswer{500};
  size_t spanning = 0;
  std::vector<std::string> wrong;
  for (const trial::Ran& flight : flights) {
    bool killed_early = false, killed_later = false;
    for (const Kill& kill : kills) {
      bool away_at_start = flight.started >= kill.at &&
                           flight.started <= kill.at + kill.until_ready + milliseconds(50);
      killed_early |=
          away_at_start || (kill.at >= flight.started && kill.at <= flight.first_output + kAnswer);
      killed_later |= kill.at > flight.first_output && kill.at < flight.ended;
    }
    bool whole = flight.status == kFlightStatus && trial::gap_in(flight.out, kFlightLines) == "";
    bool refused = (flight.status == kOurFailure || flight.status == 1) && killed_early;
    if (whole && killed_later) ++spanning;
    if (!whole && !refused)
      wrong.push_back("status " + std::to_string(flight.status) + ", output " +
                      base::quoted(flight.out, 200) + ", stderr " + base::quoted(flight.err, 200));
  }
  CHECK(wrong == std::vector<std::string>{});
  return spanning;
}

struct Steady {
  std::string name;
  pid_t pid;
  uint64_t started;
};

std::vector<Steady> make_steady_zones(const Sandbox& box, const std::string& tree, int count) {
  std::vector<Steady> zones;
  for (int i = 0; i < count; ++i) {
    std::string name = "steady-" + std::to_string(i);
    trial::make_zone(box, name, tree, {trial::numbering_command(), "log-size=64M"});
    pid_t pid = trial::pid_of(box, name);
    zones.push_back({name, pid, trial::start_time(pid)});
  }
  return zones;
}

void check_steady(const Sandbox& box, const std::vector<Steady>& zones) {
  for (const Steady& zone : zones) {
    INFO(zone.name);
    CHECK(trial::same_process(zone.pid, zone.started));
    CHECK(trial::state_of(box, zone.name) == "running");
    CHECK(trial::pid_of(box, zone.name) == zone.pid);
    CHECK(trial::gap_in(box.zone_ok({"logs", zone.name}), 10) == "");
  }
}

// Ends what churn may have left in any state.
void remove_churned(const Sandbox& box) {
  for (const char* name : {"turning", "passing"}) {
    if (trial::state_of(box, name) == "absent") continue;
    box.zone_ok({"delete", "-F", name});
  }
  // Ephemeral zones go by themselves.
  CHECK(harness::eventually([&] {
    auto reply = trial::call(box, "List", {{"names", nlohmann::json::array()}});
    if (!reply.ok()) return false;
    for (const auto& zone : (*reply)["zones"])
      if (zone["name"].get<std::string>().starts_with("run-")) return false;
    return true;
  }));
}

}  // namespace

TEST_CASE("each method of the interface has a handler") {
  Sandbox box;
  size_t methods = 0;
  for (const std::string& line : base::split(std::string(api::interface_text()), '\n')) {
    if (!line.starts_with("method ")) continue;
    std::string name = line.substr(7, line.find('(') - 7);
    if (name == "StopAll" || name == "Upgrade" || name == "Events") continue;
    ++methods;
    // Without parameters most are refused, but by their handlers or for what they lack.
    auto reply = trial::call(box, name, nlohmann::json::object());
    INFO(name);
    CHECK((reply.ok() || reply.error().message.find("handler") == std::string::npos));
  }
  CHECK(methods > 20);
}

TEST_CASE("zones, exec and run survive kill -9 of zoned at random times under churn") {
  Sandbox box;
  std::string tree = trial::small_tree(box);
  auto steady = make_steady_zones(box, tree, 3);
  box.zone_ok({"exec", "steady-1", "--", "/bin/true"});  // makes the zone's leaf for exec
  auto held = trial::settled_census(box);
  trial::make_zone(box, "turning", tree, {R"(command=["/bin/sleep","1000"])"}, false);

  Flights flights;
  std::vector<Kill> kills;
  milliseconds slowest(0);
  {
    Churn churn(box, tree, &flights);
    std::mt19937 random(20261121);  // NOLINT(cert-msc51-cpp): the same order in every run
    std::uniform_int_distribution<int> alive_ms(0, 250);
    for (size_t i = 0, n = harness::rounds(100, 1000); i < n; ++i) {
      harness::sleep_for(milliseconds(alive_ms(random)));
      Clock::time_point before = Clock::now();
      box.kill_daemon();
      box.start();
      auto away = std::chrono::duration_cast<milliseconds>(Clock::now() - before);
      kills.push_back({before, away});
      slowest = std::max(slowest, away);
    }
  }
  UNSCOPED_INFO("slowest recovery: " << slowest.count() << " ms");
  CHECK((slowest < std::chrono::seconds(2) || harness::slow_machine()));
  size_t execs = check_flights(flights.exec, kills), runs = check_flights(flights.run, kills);
  // A few kills may all fall between them.
  constexpr size_t kEnough = 20;
  CHECK((execs > kills.size() / 20 || kills.size() < kEnough));
  CHECK((runs > kills.size() / 20 || kills.size() < kEnough));
  check_steady(box, steady);
  remove_churned(box);
  CHECK(trial::settle_to(box, held, std::chrono::seconds(10)) == "");
  trial::check_recovery_is_quiet(box);
  check_steady(box, steady);
}

TEST_CASE("an upgrade in place loses no zone, no output and nothing in flight") {
  Sandbox box;
  std::string tree = trial::small_tree(box);
  auto steady = make_steady_zones(box, tree, 3);
  auto answers = [&] {
    return harness::eventually([&] {
      return trial::call(box, "List", {{"names", nlohmann::json::array()}}).ok();
    });
  };
  pid_t daemon = box.daemon_pid();
  auto keepers = box.keeper_pids();
  // What is held is counted after the first: a keeper that was replaced holds less than a fresh one.
  box.zone_ok({"exec", "steady-1", "--", "/bin/true"});
  trial::Ran upgraded = trial::run({box.program("zoned"), "--root", box.root(), "--upgrade"});
  INFO(upgraded.err);
  REQUIRE(upgraded.status == 0);
  REQUIRE(trial::call(box, "List", {{"names", nlohmann::json::array()}}).ok());
  auto held = trial::settled_census(box);

  for (size_t i = 0, n = harness::rounds(10, 100); i < n; ++i) {
    std::vector<trial::Ran> in_flight(3);
    std::vector<std::thread> threads;
    for (trial::Ran& ran : in_flight)
      threads.emplace_back([&] {
        ran = trial::run({box.program("zone"), "--root", box.root(), "exec", "steady-1", "--",
                          "/bin/sh", "-c", kFlight});
      });
    harness::sleep_for(milliseconds(120));
    // Refused as long as one is only being started.
    bool begun = harness::eventually([&] { return trial::call(box, "Upgrade").ok(); });
    for (std::thread& thread : threads) thread.join();
    REQUIRE(begun);
    REQUIRE(answers());
    for (const trial::Ran& ran : in_flight) {
      INFO(ran.err);
      CHECK(ran.status == kFlightStatus);
      CHECK(trial::gap_in(ran.out, kFlightLines) == "");
    }
  }
  CHECK(box.daemon_pid() == daemon);
  CHECK(box.keeper_pids() == keepers);
  check_steady(box, steady);
  CHECK(trial::settle_to(box, held) == "");
}

TEST_CASE("several that stop all at once all wait until it is done, with and without a zoned") {
  Sandbox box;
  for (size_t round = 0; round < harness::rounds(4, 40); ++round) {
    bool daemon = round % 2 == 0;
    INFO((daemon ? "with" : "without"));
    // Deaf to being asked: ended at its deadline.
    harness::boot_script(box, "deaf" + std::to_string(round),
                         "trap '' TERM; while :; do sleep 1; done", {"stop-timeout=1s"});
    const std::string pid = std::to_string(harness::pid_of(box, "deaf" + std::to_string(round)));
    if (!daemon) box.kill_daemon();
    std::string ends = harness::shell_ok(
        box, "for i in 1 2 3; do ($B/zoned --root $R --stop-all; echo $? $(kill -0 " + pid +
                 " 2>/dev/null && echo too early)) & sleep 0.3; done; wait");
    CHECK(ends == "0\n0\n0\n");
    box.start();
    CHECK(harness::state_of(box, "deaf" + std::to_string(round)) == "installed");
  }
}

TEST_CASE("a console stays connected while zoned is killed and starts again") {
  Sandbox box;
  std::string tree = trial::small_tree(box, "init", true);
  trial::make_zone(box, "os", tree, {});
  auto client = api::Client::connect(box.root());
  REQUIRE(client.ok());
  auto reply = client->call("Console", {{"name", "os"}});
  REQUIRE(reply.ok());
  REQUIRE(reply->fds.size() == 1);
  int console = reply->fds[0].get();

  std::string seen;
  auto answers = [&](int number) {
    std::string line = "echo got-$((" + std::to_string(number) + "*2))\n";
    auto sent = base::send_message(console, line);
    if (!sent.ok()) return false;
    std::string want = "got-" + std::to_string(number * 2);
    return harness::eventually([&] {
      char buffer[4096];
      ssize_t n = recv(console, buffer, sizeof buffer, MSG_DONTWAIT);
      if (n > 0) seen.append(buffer, static_cast<size_t>(n));
      return seen.find(want) != std::string::npos;
    });
  };
  INFO("console: " << seen);
  CHECK(answers(21));
  box.kill_daemon();
  CHECK(answers(22));
  box.start();
  CHECK(answers(23));
  CHECK(trial::state_of(box, "os") == "running");
}

TEST_CASE("a process that was given a zone's old pid is neither adopted nor signalled") {
  CHECK(zoned::process_alive(getpid(), trial::start_time(getpid())));
  CHECK_FALSE(zoned::process_alive(getpid(), trial::start_time(getpid()) + 1));

  Sandbox box;
  trial::make_zone(box, "gone", trial::small_tree(box), {R"(command=["/bin/sleep","1000"])"});
  pid_t zone = trial::pid_of(box, "gone");
  auto keepers = box.keeper_pids();
  box.kill_daemon();
  for (pid_t keeper : keepers) REQUIRE(harness::kill_and_wait(keeper).ok());
  REQUIRE(harness::kill_and_wait(zone).ok());
  // As if the kernel had come round to the same number: our own, which must not be touched.
  auto folder = base::open_at(AT_FDCWD, box.root() + "/run/zones", O_RDONLY | O_DIRECTORY);
  REQUIRE(folder.ok());
  auto text = base::read_file(folder->get(), "gone.json");
  REQUIRE(text.ok());
  auto record = nlohmann::json::parse(*text);
  record["pid"] = getpid();
  REQUIRE(base::replace_file(folder->get(), "gone.json", record.dump(), base::Durability::kRuntime)
              .ok());
  box.start();
  CHECK(harness::eventually([&] { return trial::state_of(box, "gone") == "installed"; }));
  box.zone_ok({"boot", "gone"});
  CHECK(trial::pid_of(box, "gone") != getpid());
}

TEST_CASE("create, boot, halt and delete over and over leave nothing and take no memory") {
  Sandbox box;
  std::string tree = trial::small_tree(box);
  // The ring of events and the allocator fill up first.
  constexpr size_t kWarm = 150;
  constexpr uint64_t kGrowth = 2 << 20;
  std::vector<std::string> held;
  uint64_t daemon_before = 0, keepers_before = 0;
  auto keepers_rss = [&] {
    uint64_t sum = 0;
    for (pid_t pid : box.keeper_pids()) sum += trial::rss_bytes(pid);
    return sum;
  };
  for (size_t i = 0, n = kWarm + harness::rounds(100, 10000); i < n; ++i) {
    std::string name = "zone-" + std::to_string(i);
    trial::make_zone(box, name, tree, {R"(command=["/bin/sleep","1000"])"});
    box.zone_ok({"halt", name});
    box.zone_ok({"delete", name});
    if (i + 1 != kWarm) continue;
    held = trial::settled_census(box);
    daemon_before = trial::rss_bytes(box.daemon_pid());
    keepers_before = keepers_rss();
  }
  CHECK(trial::settle_to(box, held) == "");
  CHECK(trial::rss_bytes(box.daemon_pid()) < daemon_before + kGrowth);
  CHECK(keepers_rss() < keepers_before + kGrowth);
}
