// Every fault point (zoned/daemon/fault.h) of boot, halt, install, delete and set, as a kill and as an
// error: the old or the new state, nothing left, and the verb works the next time. The programs are
// those of a build with fault points.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>

#include "base/strings.h"
#include "tests/harness/rounds.h"
#include "tests/harness/sandbox.h"
#include "tests/root/networks/world.h"
#include "tests/root/trial/trial.h"

using harness::Sandbox;
using trial::milliseconds;

namespace {

constexpr const char* kZone = "target";

// One verb: the state that it starts from, where it leads, and its command lines.
struct Verb {
  std::string name;
  std::string before;
  std::string after;
  std::vector<std::string> args;
};

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> all = {
      {"boot", "installed", "running", {"boot", kZone}},
      {"halt", "running", "installed", {"halt", kZone}},
      {"install", "configured", "installed", {"install", kZone, "--from"}},  // + source
      {"uninstall", "installed", "configured", {"uninstall", kZone}},
      {"delete", "installed", "absent", {"delete", kZone}},
      {"set",
       "running",
       "running",
       {"set", kZone, "net.0.bandwidth=20M", "net.1.network=lan", "net.1.name=other"}},
  };
  return all;
}

// The verb that passes the point.
const Verb& verb_of(const std::string& point) {
  std::string name = point.substr(0, point.find('.'));
  if (point.starts_with("delete.tree.")) name = "uninstall";
  if (point.starts_with("audit.")) name = "boot";
  for (const Verb& verb : verbs())
    if (verb.name == name) return verb;
  FAIL("no verb for fault point " << point);
  return verbs().front();
}

class Bench {
 public:
  Bench() : box_(Sandbox::Start::kLater), tree_(trial::small_tree(box_)) {}

  Sandbox& box() { return box_; }
  // What the configuration names is what runs, of which the kernel knows, and nothing else.
  void check_ports() {
    auto words = [](const std::string& text, const std::string& word) {
      size_t count = 0;
      for (size_t at = 0; (at = text.find(word, at)) != std::string::npos; ++at) ++count;
      return count;
    };
    auto ports = nlohmann::json::parse(box_.zone_ok({"net", "ports", kZone, "--json"}));
    std::string config = box_.zone_ok({"export", kZone});
    std::string links = box_.zone_ok({"exec", kZone, "--", "/bin/busybox", "ls", "/sys/class/net"});
    INFO(config << links << ports.dump(1));
    CHECK(words(config, "[[net]]") == ports.size());
    CHECK(words(links, "first") == 1);
    CHECK(words(links, "other") == ports.size() - 1);
    auto queues = base::run_program({"tc", "qdisc", "show"});
    REQUIRE(queues.ok());
    CHECK(words(queues->out, "rate 20Mbit") == 2 * words(config, "20M"));
  }

  std::vector<std::string> points() {
    auto listed = base::run_program({box_.program("zoned"), "--list-fault-points"});
    INFO("zoned --list-fault-points");
    REQUIRE(listed.ok());
    REQUIRE(listed->status == 0);
    return base::split(base::trim(listed->out), '\n');
  }

  // An instance without zones, its daemon without a fault.
  void begin() {
    box_.start();
    box_.zone_ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
    // What a first boot makes and what stays: keepers, the pool's cgroups.
    trial::make_zone(box_, kZone, tree_, {R"(command=["/bin/sleep","1000"])"});
    box_.zone_ok({"delete", "-F", kZone});
    empty_ = trial::settled_census(box_);
  }
  // Brings the zone to where the verb starts, then restarts the daemon with the fault (or without).
  void prepare(const Verb& verb, const std::string& fault) {
    box_.zone_ok({"create", kZone, "--set", R"(command=["/bin/sleep","1000"])"});
    if (verb.name == "set") box_.zone_ok({"set", kZone, "net.0.network=lan", "net.0.name=first"});
    if (verb.name == "boot") box_.zone_ok({"set", kZone, "net.0.network=lan"});
    if (verb.before != "configured") box_.zone_ok({"install", kZone, "--from", "dir:" + tree_});
    if (verb.before == "running") box_.zone_ok({"boot", kZone});
    REQUIRE(trial::state_of(box_, kZone) == verb.before);
    restart(fault);
  }
  void restart(const std::string& fault) {
    box_.kill_daemon();
    start(fault);
  }
  void start(const std::string& fault) {
    if (fault.empty())
      unsetenv("ZONED_FAULT");
    else
      setenv("ZONED_FAULT", fault.c_str(), 1);
    box_.start();
    unsetenv("ZONED_FAULT");
  }
  trial::Ran act(const Verb& verb) {
    constexpr std::chrono::seconds kPatience{3};
    std::vector<std::string> args = {box_.program("zone"), "--root", box_.root()};
    args.insert(args.end(), verb.args.begin(), verb.args.end());
    if (verb.name == "install") args.push_back("dir:" + tree_);
    return trial::run(args, kPatience);
  }
  // The verb still leads where it should; then the zone goes, and all is as in the beginning.
  void finish(const Verb& verb) {
    if (trial::state_of(box_, kZone) != verb.after) {
      trial::Ran again = act(verb);
      INFO("again: " << again.err);
      CHECK(again.status == 0);
    }
    CHECK(trial::state_of(box_, kZone) == verb.after);
    if (verb.after != "absent") box_.zone_ok({"delete", "-F", kZone});
    CHECK(trial::settle_to(box_, empty_) == "");
  }

 private:
  networks::OwnNetwork network_;
  Sandbox box_;
  std::string tree_;
  std::vector<std::string> empty_;
};

// Also "incomplete", which says that an installation was cut short and is a state to start from.
bool old_or_new(const Verb& verb, const std::string& state) {
  return state == verb.before || state == verb.after ||
         (state == "incomplete" && (verb.name == "install" || verb.name == "uninstall"));
}

}  // namespace

TEST_CASE("zoned killed at any step of a verb leaves the old or the new state and nothing else") {
  Bench bench;
  auto points = bench.points();
  REQUIRE(points.size() > 20);
  bench.begin();
  for (size_t round = 0, n = harness::rounds(1, 10); round < n; ++round) {
    for (const std::string& point : points) {
      INFO("fault point " << point);
      const Verb& verb = verb_of(point);
      bench.prepare(verb, point + "=kill");
      trial::Ran killed = bench.act(verb);
      bool alive = trial::call(bench.box(), "List", {{"names", nlohmann::json::array()}}).ok();
      CHECK_FALSE(alive);  // else the point was not passed
      if (alive)
        bench.restart("");
      else
        bench.start("");
      std::string state;
      harness::eventually(
          [&] { return old_or_new(verb, state = trial::state_of(bench.box(), kZone)); });
      INFO("zone: " << killed.err << "state: " << state);
      CHECK(old_or_new(verb, state));
      trial::check_recovery_is_quiet(bench.box());
      CHECK(trial::state_of(bench.box(), kZone) == state);
      if (verb.name == "set") bench.check_ports();
      bench.finish(verb);
    }
  }
}

TEST_CASE(
    "an error at any step of a verb is told, leaves nothing, and the verb works the next time") {
  Bench bench;
  bench.begin();
  for (const char* error : {"ENOSPC", "EIO"}) {
    for (const std::string& point : bench.points()) {
      INFO("fault point " << point << " " << error);
      const Verb& verb = verb_of(point);
      bench.prepare(verb, point + "=errno:" + error);
      trial::Ran failed = bench.act(verb);
      std::string state = trial::state_of(bench.box(), kZone);
      INFO("status " << failed.status << " " << failed.err << "state: " << state);
      // A failure that halting or what follows a boot can do without is logged, not told.
      // A halt that can't clean up goes on trying, and the caller waits.
      if (failed.status == 0) {
        CHECK(state == verb.after);
      } else if (failed.status == -1) {
        CHECK(verb.name == "halt");
        CHECK((state == "down" || state == "shutting_down"));
      } else {
        // Where no record can be written, none is told of zones.
        if (!point.starts_with("audit.")) CHECK(failed.err.find(kZone) != std::string::npos);
        CHECK(failed.err.find(point) != std::string::npos);
        CHECK(failed.err.find(strerror(error == std::string_view("EIO") ? EIO : ENOSPC)) !=
              std::string::npos);
      }
      bench.restart("");
      harness::eventually(
          [&] { return old_or_new(verb, state = trial::state_of(bench.box(), kZone)); });
      CHECK(old_or_new(verb, state));
      if (verb.name == "set") bench.check_ports();
      bench.finish(verb);
    }
    if (!harness::soaking()) break;
  }
}

TEST_CASE("a boot whose rules fail says so and takes the link that was made ahead along") {
  networks::World world;
  Sandbox& box = world.box();
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  box.kill_daemon();
  setenv("ZONED_FAULT", "boot.rules.before=errno:ENOSPC:2", 1);
  box.start();
  unsetenv("ZONED_FAULT");
  const std::vector<std::string> run = {
      "run", "--from",   "dir:" + box.root() + "/tree", "--set", "net.0.network=lan",
      "--",  "/bin/true"};
  world.ok(run);
  REQUIRE(harness::eventually([&] { return world.prepared().size() == 4; }));
  const std::set<std::string> before = world.prepared();
  constexpr int kNotRun = 125;  // zone-run(1)'s own failures
  base::Output failed = world.zone(run);
  CHECK(failed.status == kNotRun);
  CHECK_THAT(failed.err, Catch::Contains("boot.rules.before: " + std::string(strerror(ENOSPC))));
  auto left = [&] {
    std::set<std::string> now = world.prepared(), both;
    std::set_intersection(now.begin(), now.end(), before.begin(), before.end(),
                          std::inserter(both, both.end()));
    return both.size();
  };
  CHECK(harness::eventually([&] { return left() == 3 && world.prepared().size() == 4; }));
  CHECK(harness::eventually([&] { return world.links().empty(); }));
  world.ok({"net", "delete", "lan"});
}
