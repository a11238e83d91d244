// The doors of the daemon: what callers of other clearances, grants and roles learn and may do. The
// instance runs in a network namespace of the test's own.
#include "tests/root/doors/world.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "tests/harness/shell.h"
#include "zoned/api/idl.h"

namespace {

using doors::Ask;
using doors::code_of;
using doors::Doors;
using doors::Row;
using harness::check_refused;
using harness::eventually;
using harness::shell;
using nlohmann::json;

// Those from whom the hidden zones are hidden, each for another reason.
const std::vector<std::string> kBlind = {
    "nobody",  // no grant
    "daemon",  // all grants, the least clearance
    "bin",     // system administrator of an incomparable clearance
    "sys",     // security administrator, with clearance and grants
};

// What the daemon says that it has.
api::Interface interface_of(const Doors& world) {
  std::string text = world.ask("nobody", "org.varlink.service.GetInterfaceDescription",
                               {{{"interface", "io.zoned"}}, {}, false});
  json reply = json::parse(text.substr(0, text.find('\0')));
  auto parsed = api::parse_interface(reply["parameters"]["description"].get<std::string>());
  REQUIRE(parsed.ok());
  return *parsed;
}

using Answers = std::map<std::string, std::string>;  // by what was asked

Ask with_number(Ask ask, uint64_t number) {
  if (ask.parameters.contains("number")) ask.parameters["number"] = number;
  return ask;
}

// That of the copy which this answer shows, if it shows one.
void note_number(const std::string& message, uint64_t* number) {
  json reply = json::parse(message.substr(0, message.find('\0')))["parameters"];
  if (reply.contains("copy")) *number = reply["copy"]["number"].get<uint64_t>();
}

// Every row and every list, as everybody from whom the zones are hidden. number: of a copy.
Answers ask_all(const Doors& world, const std::vector<Row>& rows, uint64_t number) {
  Answers all;
  const Ask every = {{{"names", json::array()}}, {}, false};
  Ask stat = every;
  stat.parameters["interval_ms"] = 0;
  for (const std::string& user : kBlind) {
    for (const Row& row : rows) {
      std::string text = world.ask(user, row.method, with_number(row.ask, number));
      for (size_t at; (at = text.find(std::to_string(number))) != std::string::npos;)
        text.replace(at, std::to_string(number).size(), "N");
      all[user + " " + row.method + row.ask.parameters.dump()] = text;
    }
    all[user + " List of all"] = world.ask(user, "List", every);
    all[user + " NetPorts of all"] = world.ask(user, "NetPorts", every);
    all[user + " Stat of all"] = world.ask(user, "Stat", stat);
  }
  return all;
}

TEST_CASE("for every method, a hidden zone and one that is not there are answered alike") {
  Doors world;
  harness::write_text(world.box.root() + "/etc/zoned.toml",
                      "downgrade-approval = \"two-person\"\n");
  world.box.restart();
  const std::vector<Row> rows = doors::rows(world.tree);
  std::set<std::string> listed;
  for (const Row& row : rows) listed.insert(row.method);
  for (const auto& [name, method] : interface_of(world).methods) {
    INFO("a method without a row in tests/root/doors/rows.cc: " << name);
    CHECK(listed.contains(name));
  }
  world.make("shown", "PUBLIC", "[[net]]\nnetwork = \"lan\"\n");
  const Answers absent = ask_all(world, rows, 123456);
  world.make_hidden();
  uint64_t number = 0;
  note_number(world.ask(doors::kMay, "Copy", {doors::copy_down(), {}, false}), &number);
  REQUIRE(number != 0);
  const Answers hidden = ask_all(world, rows, number);
  for (const auto& [asked, text] : absent) {
    INFO(asked);
    CHECK(hidden.at(asked) == text);
  }
  // The controls: the same calls by who may.
  for (const Row& row : rows) {
    std::string text = world.ask(row.who, row.method, with_number(row.ask, number));
    if (row.method == "Copy") note_number(text, &number);
    INFO(row.method << " as " << row.who << ": " << text);
    CHECK(code_of(text) == row.code);
    if (row.method == "Run")
      CHECK(eventually([&] { return harness::state_of(world.box, doors::kNative) == "absent"; }));
    // A call that reaches the old program in its last moment would be lost.
    if (row.method == "Upgrade") world.box.restart();
    if (row.method == "StopAll")
      CHECK(eventually([&] { return world.box.zone({"list"}).status != 0; }));
  }
}

json figures_of(const Doors& world, const std::string& user) {
  std::string text =
      world.ask(user, "Stat", {{{"names", json::array()}, {"interval_ms", 0}}, {}, false});
  return json::parse(text.substr(0, text.find('\0')))["parameters"];
}

TEST_CASE("figures and counts know nothing of hidden zones") {
  Doors world;
  world.make("shown", "PUBLIC");
  world.box.zone_ok({"boot", "shown"});
  world.make(doors::kNative, doors::kHiddenLabel, "cpu-shares = 7\n[[net]]\nnetwork = \"lan\"\n");
  world.box.zone_ok({"boot", doors::kNative});
  for (const char* user : {"daemon", "bin"}) {
    INFO(user);
    json figures = figures_of(world, user);
    REQUIRE(figures["zones"].size() == 1);
    CHECK(figures["zones"][0]["name"] == "shown");
    CHECK(figures["zones"][0]["cpu_share"] == 1.0);
    CHECK(figures["pools"].empty());
  }
  CHECK(figures_of(world, "games")["zones"][0]["cpu_share"] < 1.0);
  CHECK(figures_of(world, "root")["pools"].size() == 1);
  base::Output pools = world.run("bin", "pool list --json");
  CHECK(json::parse(pools.out)[0]["zones"] == 1);
  CHECK(json::parse(world.box.zone_ok({"pool", "list", "--json"}))[0]["zones"] == 2);
  base::Output networks = world.run("bin", "net list --json");
  CHECK(json::parse(networks.out)[0]["ports"] == 0);
  CHECK(json::parse(networks.out)[0]["leases"] == 0);
  CHECK(json::parse(world.box.zone_ok({"net", "list", "--json"}))[0]["ports"] == 1);
  json facts = json::parse(world.run("bin", "host --json").out)["facts"];
  CHECK(facts["zones"] == "1");
  CHECK(facts["zones-running"] == "1");
  CHECK_FALSE(facts.contains("keepers"));
  CHECK_FALSE(facts.contains("id-ranges-leased"));
}

TEST_CASE("events tell of seen zones alone, without what the host knows") {
  Doors world;
  world.make("shown", "PUBLIC");
  world.make(doors::kNative, doors::kHiddenLabel);
  std::vector<pid_t> listeners;
  const std::vector<std::string> users = {"nobody", "daemon", "bin", "sys", "games"};
  for (const std::string& user : users) {
    base::Output started =
        world.run(user, "events --json >$R/" + user + ".events 2>&1 </dev/null & echo $!");
    listeners.push_back(std::stoi(started.out));
  }
  harness::sleep_for(std::chrono::milliseconds(500));
  for (const char* name : {doors::kNative, "shown"}) {
    world.box.zone_ok({"boot", name});
    world.box.zone_ok({"halt", name});
  }
  auto text = [&](const std::string& user) {
    return harness::read_text(world.box.root() + "/" + user + ".events");
  };
  CHECK(eventually([&] { return text("bin").find("halted") != std::string::npos; }));
  CHECK(eventually([&] { return text("games").find("shown") != std::string::npos; }));
  for (const char* user : {"nobody", "sys"}) CHECK(text(user).empty());
  for (const char* user : {"daemon", "bin"}) {
    INFO(text(user));
    CHECK(text(user).find("shown") != std::string::npos);
    CHECK(text(user).find("ghost") == std::string::npos);
    CHECK(text(user).find("pid") == std::string::npos);
  }
  CHECK(text("games").find("ghost") != std::string::npos);
  for (pid_t pid : listeners) CHECK(harness::kill_and_wait(pid).ok());
  CHECK(world.box.zone_ok({"list", "--json"}).find("ghost") != std::string::npos);
}

TEST_CASE("a system administrator runs the zones of his range, and makes none") {
  Doors world;
  world.make("low", "PUBLIC");
  world.make("mine", "SECRET HR");
  world.make("other", doors::kHiddenLabel);
  for (const char* name : {"low", "mine"}) {
    INFO(name);
    CHECK(world.run("bin", std::string("boot ") + name).status == 0);
    CHECK(harness::state_of(world.box, name) == "running");
    CHECK_THAT(world.run("bin", std::string("exec ") + name + " -- /bin/true").err,
               Catch::Contains("may not log in"));
    CHECK_THAT(world.run("bin", std::string("set ") + name + " cpu-shares=2").err,
               Catch::Contains("may not configure"));
    CHECK(world.run("bin", std::string("halt ") + name).status == 0);
  }
  CHECK_THAT(world.run("bin", "boot other").err, Catch::Contains("no such zone"));
  CHECK(world.run("bin", "create new").status != 0);
  CHECK(world.run("bin", "pool create p1").status != 0);
  CHECK(world.run("bin", "user list").status != 0);
  // Without the role he is a user like any other.
  world.box.zone_ok({"user", "set", "bin", "role="});
  CHECK_THAT(world.run("bin", "boot mine").err, Catch::Contains("no such zone"));
  CHECK(world.run("bin", "host").status != 0);
}

TEST_CASE("a security administrator gives clearances, but none to himself and no roles") {
  Doors world;
  world.make("low", "PUBLIC");
  CHECK(world.run("sys", "user set list \"clearance=SECRET ENG\" grants=downgrade").status == 0);
  CHECK_THAT(world.run("sys", "user list").out, Catch::Contains("SECRET ENG"));
  // Above his own too.
  CHECK(world.run("sys", "user set list clearance=ADMIN_HIGH").status == 0);
  CHECK_THAT(world.run("sys", "user list").out, Catch::Contains("ADMIN_HIGH  "));
  CHECK(world.run("sys", "user delete list").status == 0);
  check_refused(world.box.zone({"user", "set", "no-such-user", "clearance=SECRET"}),
                {"'no-such-user'"});
  for (const char* line : {"user set sys clearance=ADMIN_HIGH", "user set list role=security",
                           "user set bin clearance=PUBLIC", "user delete bin", "user delete sys"}) {
    INFO(line);
    base::Output refused = world.run("sys", line);
    CHECK(refused.status != 0);
    CHECK_THAT(refused.err, Catch::Contains(std::string(line).find(" sys") == std::string::npos
                                                ? "roles are root's"
                                                : "your own entry"));
  }
  for (const char* line : {"boot low", "exec low -- /bin/true", "info low", "host", "pool list"})
    CHECK(world.run("sys", line).status != 0);
  CHECK(world.run("sys", "list --json").out == "[]\n");
  CHECK(world.run("nobody", "user list").status != 0);
}

TEST_CASE(
    "clearances count at once and after a restart; an open console does not outlive its zone") {
  Doors world;
  world.make("mine", "INTERNAL");
  CHECK_THAT(world.run("daemon", "info mine").err, Catch::Contains("no such zone"));
  world.box.zone_ok({"user", "set", "daemon", "clearance=INTERNAL"});
  CHECK(world.run("daemon", "boot mine").status == 0);
  world.box.restart();
  CHECK(world.run("daemon", "info mine").status == 0);
  world.box.zone_ok({"user", "set", "daemon", "minimum=INTERNAL"});
  base::Output entered = world.run("daemon", "exec mine -- /bin/true");
  INFO(entered.err);
  CHECK(entered.status == 0);
  world.box.zone_ok({"user", "delete", "daemon"});
  CHECK_THAT(world.run("daemon", "exec mine -- /bin/true").err, Catch::Contains("no such zone"));
  base::Output started = shell(world.box, "$Z console mine </dev/zero >/dev/null 2>&1 & echo $!");
  pid_t console = std::stoi(started.out);
  harness::sleep_for(std::chrono::milliseconds(300));
  world.box.zone_ok({"delete", "mine", "--force"});
  CHECK(eventually([&] { return harness::command_of(console).empty(); }));
}

TEST_CASE("the audit log is read by security administrators of the clearance ADMIN_HIGH alone") {
  Doors world;
  world.make("mine", "SECRET HR");
  // The clearance without the role, too.
  world.box.zone_ok({"user", "set", "news", "clearance=ADMIN_HIGH"});
  base::Output read = world.run("lp", "audit");
  CHECK(read.status == 0);
  CHECK_THAT(read.out, Catch::Contains("Install  mine  SECRET HR  allowed"));
  CHECK(world.run("lp", "audit verify").status == 0);
  for (const char* user : {"sys", "bin", "games", "news", "nobody"}) {
    INFO(user);
    for (const char* line : {"audit", "audit --json", "audit verify", "audit accept"}) {
      base::Output refused = world.run(user, line);
      CHECK(refused.status == 1);
      CHECK(refused.out.empty());
      CHECK_THAT(refused.err, !Catch::Contains("mine"));
    }
    const std::string uid = std::to_string(doors::uid_of(user));
    CHECK_THAT(world.run("lp", "audit --refused --uid " + uid).out,
               Catch::Contains("Audit  refused"));
  }
  // What is needed is in the refusal, and it is the clearance that counts.
  CHECK_THAT(world.run("sys", "audit").err, Catch::Contains("ADMIN_HIGH"));
  world.box.zone_ok({"user", "set", "lp", "clearance=SECRET ENG HR"});
  CHECK(world.run("lp", "audit").status == 1);
  CHECK_THAT(world.run("lp", "audit accept").err, Catch::Contains("only root may"));
}

}  // namespace
