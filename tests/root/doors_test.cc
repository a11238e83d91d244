// The doors of the daemon: what callers of other clearances, grants and roles learn and may do. The
// instance runs in a network namespace of the test's own.
#include "tests/root/doors/client.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <set>

#include "labels/encodings.h"
#include "tests/harness/host_objects.h"
#include "tests/harness/shell.h"
#include "tests/root/doors/rows.h"
#include "tests/root/networks/world.h"
#include "zoned/api/idl.h"

namespace {

using doors::answer;
using doors::Ask;
using doors::kGrants;
using doors::Row;
using harness::check_refused;
using harness::eventually;
using harness::Sandbox;
using harness::shell;
using nlohmann::json;

// Those from whom the hidden zones are hidden, each for another reason.
const std::vector<std::string> kBlind = {
    "nobody",  // no grant
    "daemon",  // all grants, the least clearance
    "bin",     // system administrator of an incomparable clearance
    "sys",     // security administrator, with clearance and grants
};

class Doors {
 public:
  Doors() {
    doors::open_to_others(box);
    harness::shell_ok(box, "ip link set lo up");
    tree = box.busybox_tree();
    harness::shell_ok(box, "cp /usr/lib/grub-rescue/grub-rescue-cdrom.iso $R/tree.iso");
    Sandbox::label_public(tree + ".iso");
    box.zone_ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
    box.zone_ok({"user", "set", "bin", "clearance=SECRET HR", "role=system"});
    box.zone_ok({"user", "set", "sys", "clearance=SECRET ENG", "role=security"});
    box.zone_ok({"user", "set", "lp", "clearance=ADMIN_HIGH", "role=security"});
    box.zone_ok({"user", "set", "games", "clearance=SECRET ENG", "grants=upgrade,downgrade"});
  }
  // A native zone with kGrants, installed.
  void make(const std::string& name, const std::string& label, const std::string& more = "") {
    harness::write_text(
        box.root() + "/" + name + ".toml",
        "command = [\"/bin/sleep\", \"1000\"]\nlabel = \"" + label + "\"\n" + more + kGrants);
    box.zone_ok({"create", name, "-f", box.root() + "/" + name + ".toml", "--from", "dir:" + tree});
  }
  void make_hidden() {
    make(doors::kNative, doors::kHiddenLabel, "[[net]]\nnetwork = \"lan\"\n");
    box.zone_ok({"boot", doors::kNative});
    harness::write_text(box.root() + "/vm.toml",
                        "brand = \"vm\"\nlabel = \"" + std::string(doors::kHiddenLabel) +
                            "\"\n[vm]\nprofile = \"generic-bios\"\nmemory = \"64M\"\n" + kGrants);
    box.zone_ok({"create", doors::kVm, "-f", box.root() + "/vm.toml", "--from",
                 "iso:/usr/lib/grub-rescue/grub-rescue-cdrom.iso", "--boot"},
                std::chrono::minutes(2));
  }
  std::string ask(const std::string& user, const std::string& method, const Ask& what) const {
    return answer(box, user, method, what);
  }
  // Through the client, as that user.
  base::Output run(const std::string& user, const std::string& line) {
    if (!client_) harness::shell_ok(box, "install -m 755 $B/zone $R/client");
    client_ = true;
    std::string uid = std::to_string(doors::uid_of(user));
    return shell(box, "cd /; setpriv --reuid " + uid + " --regid " + uid +
                          " --clear-groups $R/client --root $R " + line);
  }

  networks::OwnNetwork network;
  Sandbox box;
  std::string tree;

 private:
  bool client_ = false;
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

// Of the first message; empty: none.
std::string code_of(const std::string& message) {
  auto reply = json::parse(message.substr(0, message.find('\0')), nullptr, false);
  if (!reply.is_object()) return "no JSON";
  if (!reply.contains("error")) return "";
  return reply["parameters"].value("code", reply["error"].get<std::string>());
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

TEST_CASE("a user learns the names of labels up to his clearance, and none above") {
  Doors world;
  base::Output all = world.run("root", "label list");
  base::Output mine = world.run("games", "label list");
  base::Output least = world.run("daemon", "label list");
  for (const char* name : {"PUBLIC", "SECRET", "ENG"}) {
    CHECK_THAT(all.out, Catch::Contains(name));
    CHECK_THAT(mine.out, Catch::Contains(name));
  }
  CHECK_THAT(all.out, Catch::Contains("HR"));
  CHECK_THAT(mine.out, !Catch::Contains("HR"));
  CHECK_THAT(least.out, Catch::Contains("PUBLIC"));
  CHECK_THAT(least.out, !Catch::Contains("SECRET") && !Catch::Contains("ENG"));
  CHECK(world.run("games", "label dominates \"SECRET ENG\" PUBLIC").out == "dominates\n");
  CHECK(world.run("root", "label dominates \"SECRET HR\" PUBLIC").out == "dominates\n");
  // One above, one that is none, one with a word that is none: the same but for what was asked.
  const Ask above = {{{"first", "PUBLIC"}, {"second", "SECRET HR"}}, {}, false};
  const std::string hidden = world.ask("games", "LabelDominates", above);
  CHECK(code_of(hidden) == "invalid");
  for (const char* name : {"SECRET XX", "WHATEVER"}) {
    Ask none = above;
    none.parameters["second"] = name;
    std::string text = world.ask("games", "LabelDominates", none);
    for (size_t at = 0; (at = text.find(name)) != std::string::npos;)
      text.replace(at, std::string(name).size(), "SECRET HR");
    CHECK(text == hidden);
  }
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

TEST_CASE("a label that is none is refused at creation, and a full zone keeps its own") {
  Doors world;
  check_refused(world.box.zone({"create", "bad", "--set", "label=SECRIT"}), {"SECRIT"});
  check_refused(world.box.zone({"create", "bad", "--set", "label=ADMIN_HIGH"}), {"ADMIN_HIGH"});
  CHECK(harness::state_of(world.box, "bad") == "absent");
  world.box.zone_ok({"create", "empty"});
  CHECK(harness::listed(world.box, "empty")["label"] == "PUBLIC");
  world.box.zone_ok({"set", "empty", "label=int eng"});
  CHECK(harness::listed(world.box, "empty")["label"] == "INTERNAL ENG");
  world.make("full", "SECRET");
  check_refused(world.box.zone({"set", "full", "label=PUBLIC"}), {"'SECRET'", "zone copy"});
  world.box.zone_ok({"set", "full", "label=sec"});
  CHECK(harness::listed(world.box, "full")["label"] == "SECRET");
}

// Of CONFIDENTIAL all but CONFIDENTIAL HR, of SECRET only SECRET ENG.
std::string narrowed() {
  std::string text(labels::Encodings::built_in_text());
  for (const auto& [from, to] : std::map<std::string, std::string>{
           {"CONFIDENTIAL; all compartment combinations valid;",
            "CONFIDENTIAL; all compartment combinations valid except:\nCONFIDENTIAL HR\n"},
           {"SECRET;       all compartment combinations valid;",
            "SECRET; only valid compartment combinations:\nSECRET ENG\n"}}) {
    REQUIRE(text.find(from) != std::string::npos);
    text.replace(text.find(from), from.size(), to);
  }
  return text;
}

TEST_CASE("a label outside of the accreditation range is refused at every door; nothing is left") {
  Sandbox box;
  box.kill_daemon();
  harness::write_text(box.root() + "/etc/label_encodings", narrowed());
  REQUIRE(shell(box, "$B/zoned --root $R --background").status == 0);
  const std::string tree = box.busybox_tree("inside");
  harness::shell_ok(box, "$Z label clear " + tree);
  const std::string kOut = "outside of the accreditation range";
  auto made = [&](const std::string& folder) {
    return std::filesystem::exists(box.root() + folder);
  };
  const std::vector<std::vector<std::string>> kRefused = {
      {"create", "bad", "--set", "label=SECRET"},
      {"create", "bad", "--set", "label=CONFIDENTIAL HR"}};
  for (const std::vector<std::string>& line : kRefused)
    check_refused(box.zone(line), {"zone 'bad'", "label '", kOut, "combination"});
  base::Output run = box.zone({"run", "--name", "bad", "--from", "dir:" + tree, "--set",
                               "label=SECRET", "--", "/bin/true"});
  CHECK(run.status == 125);
  CHECK_THAT(run.err, Catch::Contains("zone 'bad'") && Catch::Contains(kOut));
  CHECK(box.zone_ok({"list", "--json"}) == "[]\n");
  for (const char* folder : {"/etc/zones/bad.toml", "/lib/zones/bad"}) CHECK_FALSE(made(folder));
  // The control: the same inside of the range.
  box.zone_ok({"create", "good", "--set", "label=SECRET ENG"});
  box.zone_ok({"create", "fine", "--set", "label=CONFIDENTIAL"});
  CHECK((made("/etc/zones/good.toml") && made("/lib/zones/good")));

  const std::string before = harness::read_text(box.root() + "/etc/zones/fine.toml");
  check_refused(box.zone({"set", "fine", "label=CONFIDENTIAL HR"}),
                {"zone 'fine'", "'CONFIDENTIAL HR'", kOut, "excepted"});
  CHECK(harness::read_text(box.root() + "/etc/zones/fine.toml") == before);
  CHECK(harness::listed(box, "fine")["label"] == "CONFIDENTIAL");
  box.zone_ok({"set", "fine", "label=CONFIDENTIAL ENG"});
  CHECK(harness::listed(box, "fine")["label"] == "CONFIDENTIAL ENG");

  check_refused(box.zone({"label", "set", tree, "SECRET"}), {"'SECRET'", kOut});
  CHECK(box.zone_ok({"label", "get", tree}) == "ADMIN_HIGH\n");
  box.zone_ok({"label", "set", tree, "SECRET ENG"});
  box.zone_ok({"label", "clear", tree});

  check_refused(box.zone({"user", "set", "games", "minimum=SECRET", "clearance=SECRET"}),
                {"minimum", "'SECRET'", kOut});
  check_refused(box.zone({"user", "set", "games", "clearance=SECRET XX"}), {"clearance", "'xx'"});
  check_refused(box.zone({"user", "set", "games", "clearance=ADMIN_LOW"}), {"below every label"});
  CHECK_FALSE(made("/etc/users.toml"));
  box.zone_ok({"user", "set", "games", "clearance=SECRET HR"});  // ranges don't bind clearances
  check_refused(box.zone({"set", "fine", "admin.0.user=no-such-user", "admin.0.auths=[\"login\"]"}),
                {"zone 'fine'", "admin", "'no-such-user'", "useradd"});
  box.zone_ok({"set", "fine", "admin.0.user=games", "admin.0.auths=[\"login\"]"});
}

TEST_CASE("a label edited by hand is told wherever root looks, and the stored one holds") {
  Doors world;
  world.make("mine", "SECRET HR");
  world.make("other", "PUBLIC");
  world.box.zone_ok({"boot", "mine"});
  CHECK(world.box.zone({"list"}).err.empty());
  world.box.zone_ok({"verify", "mine"});
  world.box.kill_daemon();
  const std::string file = world.box.root() + "/etc/zones/mine.toml";
  std::string text = harness::read_text(file);
  text.replace(text.find("SECRET HR"), 9, "PUBLIC");
  harness::write_text(file, text);
  REQUIRE(shell(world.box, "$B/zoned --root $R --background").status == 0);
  CHECK(harness::listed(world.box, "mine")["label"] == "SECRET HR");
  CHECK(harness::state_of(world.box, "mine") == "running");
  const std::vector<std::string> kTold = {"mine.toml", "'PUBLIC' is not the zone's", "'SECRET HR'"};
  for (const std::string& piece : kTold) {
    CHECK_THAT(world.box.zone({"list"}).err, Catch::Contains(piece));
    CHECK_THAT(world.box.zone_ok({"info", "mine"}), Catch::Contains(piece));
  }
  check_refused(world.box.zone({"verify", "mine"}), kTold);
  world.box.zone_ok({"verify", "other"});
  check_refused(world.box.zone({"reboot", "mine"}), kTold);
  // Whom the edited label would let in is still out; nobody but root is told.
  CHECK(world.run("daemon", "list --json").out.find("mine") == std::string::npos);
  world.box.zone_ok({"user", "set", "bin", "clearance=SECRET HR", "role=system"});
  base::Output seen = world.run("bin", "list");
  CHECK_THAT(seen.out, Catch::Contains("SECRET HR"));
  CHECK(seen.err.empty());
  world.box.zone_ok({"set", "mine", "label=SECRET HR"});
  CHECK(world.box.zone({"list"}).err.empty());
  world.box.zone_ok({"verify", "mine"});
}

TEST_CASE("zoned does not start with encodings that are wrong or that a zone's label is not of") {
  Doors world;
  world.make("mine", "SECRET HR");
  world.box.zone_ok({"boot", "mine"});
  world.box.kill_daemon();
  const std::string file = world.box.root() + "/etc/label_encodings";
  // Its labels are names of the old encodings too, and would be told first.
  std::filesystem::remove(world.box.root() + "/etc/users.toml");
  auto start = [&](const std::string& text) {
    harness::write_text(file, text);
    return shell(world.box, "$B/zoned --root $R --background");
  };
  std::string text(labels::Encodings::built_in_text());
  base::Output broken = start("VERSION= x\nCLASSIFICATIONS:\nname= A;\n");
  CHECK(broken.status != 0);
  CHECK_THAT(broken.err, Catch::Contains("etc/label_encodings:3:"));
  std::string twice = text;
  twice.replace(twice.find("value= 2"), 8, "value= 1");
  base::Output contradictory = start(twice);
  CHECK(contradictory.status != 0);
  for (const char* piece :
       {"etc/label_encodings:7:", "CLASSIFICATIONS: value", "'INTERNAL'", "'PUBLIC'"})
    CHECK_THAT(contradictory.err, Catch::Contains(piece));
  std::string other = text;
  other.replace(other.find("value= 6"), 8, "value= 7");
  base::Output foreign = start(other);
  CHECK(foreign.status != 0);
  for (const char* piece : {"label_encodings", "'mine'", "mine.toml: label", "'SECRET HR'"})
    CHECK_THAT(foreign.err, Catch::Contains(piece));
  // The zone runs on; names may change; ending needs no names at all.
  other = text;
  for (size_t at = 0; (at = other.find("SECRET", at)) != std::string::npos; at += 6)
    other.replace(at, 6, "GEHEIM");
  CHECK(start(other).status == 0);
  CHECK(harness::listed(world.box, "mine")["label"] == "GEHEIM HR");
  CHECK(harness::state_of(world.box, "mine") == "running");
  check_refused(world.box.zone({"reboot", "mine"}), {"'SECRET HR'", "GEHEIM HR"});
  world.box.kill_daemon();
  harness::write_text(file, "nonsense");
  CHECK(shell(world.box, "$B/zoned --root $R --stop-all").status == 0);
  std::filesystem::remove(file);
}

}  // namespace
