#include "cli/verbs.h"

#include <set>

#include "base/strings.h"
#include "tests/unit/cli/fake_daemon.h"

namespace {

using cli_test::FakeDaemon;
using cli_test::take;
using nlohmann::json;

// ".It Cm pool create Ar NAME ..." -> {"pool create", the whole line}.
std::map<std::string, std::string> verbs_of_page(const std::string& page) {
  std::map<std::string, std::string> found;
  size_t start = page.find("\n.Sh VERBS"), end = page.find("\n.Ss Solaris spelling");
  REQUIRE(start != std::string::npos);
  REQUIRE(end != std::string::npos);
  for (const std::string& line : base::split(page.substr(start, end - start), '\n')) {
    if (!line.starts_with(".It Cm ")) continue;
    std::string name;
    for (const std::string& word : base::split(line.substr(7), ' ')) {
      if (word == "Ar" || word == "Oo" || word == "Op" || word == "Fl") break;
      name += (name.empty() ? "" : " ") + word;
    }
    found[name] = line;
  }
  return found;
}

TEST_CASE("the manual page has each verb with its options, and no other") {
  std::string page = take(base::read_file(AT_FDCWD, "man/zone.1"));
  auto in_page = verbs_of_page(page);
  std::set<std::string> in_table;
  for (const cli::Verb& verb : cli::verbs()) {
    std::string name(verb.name);
    CAPTURE(name);
    in_table.insert(name);
    REQUIRE(in_page.contains(name));
    for (const cli::Option& option : verb.grammar.options) {
      CAPTURE(option.name);
      CHECK(page.find("Fl -" + std::string(option.name)) != std::string::npos);
      if (option.letter == 0 || option.letter == 'a') continue;
      bool bundled = option.letter == 't' || option.letter == 'T';
      bool letter = in_page[name].find(std::string("Fl ") + option.letter) != std::string::npos ||
                    (bundled && in_page[name].find("Fl tT") != std::string::npos);
      CHECK(letter);
    }
  }
  for (const auto& [name, line] : in_page) {
    CAPTURE(name);
    CHECK(in_table.contains(name));
  }
}

TEST_CASE("the usage of each verb names each of its options") {
  for (const cli::Verb& verb : cli::verbs()) {
    std::string usage(verb.usage);
    for (const cli::Option& option : verb.grammar.options) {
      CAPTURE(verb.name, option.name);
      bool named = usage.find("--" + std::string(option.name)) != std::string::npos ||
                   (option.letter != 0 &&
                    (usage.find(std::string("-") + option.letter) != std::string::npos ||
                     usage.find("-tT") != std::string::npos)) ||
                   (option.name == "set" && usage.find("KEY=VALUE") != std::string::npos);
      CHECK(named);
      CHECK_FALSE(option.help.empty());
    }
    CHECK(cli::help_text().find(verb.help) != std::string::npos);
  }
}

TEST_CASE("wrong command lines exit with 2 and name the nearest verb") {
  FakeDaemon daemon;
  auto outcome = daemon.zone({"lsit"});
  CHECK(outcome.status == 2);
  CHECK(outcome.err == "zone: unknown verb 'lsit'\nhint: did you mean list?\n");
  CHECK(daemon.zone({}).status == 2);
  CHECK(daemon.zone({"create"}).status == 2);
  CHECK(daemon.zone({"exec"}).status == 125);
  CHECK(daemon.zone({"pool", "crete", "x"}).err.find("did you mean pool create?") !=
        std::string::npos);
  CHECK(daemon.called.empty());
}

TEST_CASE("help and version need no daemon, also behind a verb and --root") {
  FakeDaemon daemon;
  CHECK(daemon.zone({"--help"}).out == cli::help_text());
  CHECK(daemon.zone({"--version"}).out.starts_with("zone "));
  CHECK(daemon.zone({"--root", "/x", "create", "--help"}).out.starts_with("usage: zone create "));
  CHECK(daemon.zone({"exec", "--help"}).status == 0);
  CHECK(daemon.called.empty());
}

TEST_CASE("without a daemon every verb says how to start one") {
  FakeDaemon daemon;
  auto outcome = daemon.zone({"--root", "/nowhere", "list"});
  CHECK(outcome.status == 1);
  CHECK(outcome.err ==
        "zone: no zoned is running for this root\nhint: start it: zoned --background --root "
        "/nowhere\n");
  outcome = daemon.zone({"--json", "--root", "/nowhere", "list"});
  CHECK(outcome.out.empty());
  CHECK(json::parse(outcome.err)["error"]["code"] == "not-found");
  CHECK(daemon.zone({"--root", "/nowhere", "exec", "web", "ls"}).status == 125);
}

TEST_CASE("list as JSON has exactly the members that scripts rely on, sorted by name") {
  FakeDaemon daemon;
  auto zone = [](const char* name) {
    return json{{"name", name},      {"state", "running"}, {"brand", "native"},
                {"label", "PUBLIC"}, {"pool", "default"},  {"pid", 7},
                {"id", "abc"},       {"boots", 1},         {"ephemeral", false}};
  };
  json second = zone("a");
  second.erase("pid");
  daemon.reply("List", {{"zones", {zone("b"), second}}});
  auto outcome = daemon.zone({"list", "--json"});
  json out = json::parse(outcome.out);
  REQUIRE(out.size() == 2);
  CHECK(out[0] == json{{"name", "a"},
                       {"state", "running"},
                       {"brand", "native"},
                       {"label", "PUBLIC"},
                       {"pool", "default"},
                       {"pid", nullptr},
                       {"id", "abc"}});
  CHECK(out[1]["pid"] == 7);
  outcome = daemon.zone({"list"});
  CHECK(outcome.out ==
        "NAME  STATE    BRAND   LABEL   POOL     PID\n"
        "a     running  native  PUBLIC  default    -\n"
        "b     running  native  PUBLIC  default    7\n");
}

TEST_CASE("info shows the zone, its facts and its configuration") {
  FakeDaemon daemon;
  daemon.reply("Info", {{"zone",
                         {{"name", "web"},
                          {"state", "installed"},
                          {"boots", 2},
                          {"exit", {{"kind", "signal"}, {"value", 9}}}}},
                        {"config", "cpu-shares = 5\n"},
                        {"facts", {{"tree", "/t"}, {"x", "a\x1b[2J"}}}});
  auto outcome = daemon.zone({"info", "web"});
  CHECK(outcome.status == 0);
  CHECK(outcome.out ==
        "name:         web\nstate:        installed\nlast end:     signal 9\nboots:        2\n"
        "tree:         /t\nx:            a\\x1b[2J\n\ncpu-shares = 5\n");
  CHECK(json::parse(daemon.zone({"info", "web", "--json"}).out)["facts"]["tree"] == "/t");
}

TEST_CASE("host shows each check with its fix, events one line each") {
  FakeDaemon daemon;
  daemon.reply(
      "Host",
      {{"version", "1"},
       {"kernel", "6.1"},
       {"facts", {{"cpus", "2"}}},
       {"checks",
        {{{"subject", "ptys"}, {"state", "limited"}, {"detail", "4096"}, {"fix", "raise it"}}}}});
  CHECK(daemon.zone({"host"}).out ==
        "zoned 1 on 6.1\n\nSUBJECT  STATE    DETAIL\nptys     limited  4096\n"
        "                  fix: raise it\n\nFACT  VALUE\ncpus  2\n");
  daemon.methods["Events"] = [](api::Call& call) {
    CHECK(call.more);
    json event = {{"time", "T"}, {"zone", "web"}, {"kind", "booted"}, {"detail", "pid 7"}};
    call.answer.next({{"event", event}});
    event["detail"] = "";
    call.answer.reply({{"event", event}});
  };
  CHECK(daemon.zone({"events"}).out == "T  web  booted  pid 7\nT  web  booted\n");
  auto lines = base::split(daemon.zone({"events", "--json"}).out, '\n');
  REQUIRE(lines.size() == 3);
  CHECK(json::parse(lines[0])["detail"] == "pid 7");
}

TEST_CASE("edit replaces the configuration by what the editor left, and nothing if unchanged") {
  FakeDaemon daemon;
  daemon.reply("Export", {{"config", "cpu-shares = 5\n"}});
  json configured;
  daemon.methods["Configure"] = [&](api::Call& call) {
    configured = call.parameters;
    call.answer.reply({{"changes", json::array()}, {"warnings", json::array()}});
  };
  setenv("VISUAL", "sed -i s/5/7/", 1);
  CHECK(daemon.zone({"edit", "web"}).status == 0);
  CHECK(configured == json{{"name", "web"}, {"config", "cpu-shares = 7\n"}});
  configured = nullptr;
  setenv("VISUAL", "true", 1);
  CHECK(daemon.zone({"edit", "web"}).err == "zone: zone 'web': nothing changed\n");
  setenv("VISUAL", "false", 1);
  CHECK(daemon.zone({"edit", "web"}).status == 1);
  unsetenv("VISUAL");
  CHECK(configured.is_null());
}

TEST_CASE("stat and pools print what the daemon tells") {
  FakeDaemon daemon;
  daemon.methods["Stat"] = [](api::Call& call) {
    json reply = {{"zones", {{{"name", "web"}, {"cpu_used", 0.5}}}}, {"pools", json::array()}};
    CHECK(call.more == (call.parameters["interval_ms"] != 0));
    for (int i = 0; i < 5; ++i) call.answer.next(reply);
    call.answer.reply(reply);
  };
  CHECK(daemon.zone({"stat"}).out.find("0.50") != std::string::npos);
  auto lines = base::split(daemon.zone({"stat", "--json", "-i", "1", "-c", "3"}).out, '\n');
  CHECK(lines.size() == 4);
  CHECK(daemon.zone({"stat", "-i", "1ms"}).status == 1);
  daemon.reply("PoolList",
               {{"pools", {{{"name", "p"}, {"shares", 3}, {"zones", 1}, {"running", 1}}}}});
  CHECK(daemon.zone({"pool", "list"}).out ==
        "NAME  SHARES  CPUS  ZONES  RUNNING\np          3  -         1        1\n");
}

TEST_CASE("create installs and boots in one step") {
  FakeDaemon daemon;
  json created, installed;
  daemon.methods["Create"] = [&](api::Call& call) {
    created = call.parameters;
    call.answer.reply({{"warnings", {"io-weight has no effect here"}}});
  };
  daemon.methods["Install"] = [&](api::Call& call) {
    installed = call.parameters;
    CHECK(call.more);
    call.answer.next({{"stage", "copy"}, {"done", 1}, {"total", 2}});
    call.answer.reply({{"stage", "done"}, {"done", 2}, {"total", 2}});
  };
  daemon.reply("Boot", {{"zone", {{"name", "web"}}}, {"warnings", json::array()}});
  auto outcome = daemon.zone(
      {"create", "web", "--set", "cpu-shares=2", "--from", "dir:/tree", "--boot", "-f", "-"},
      "pool = \"web\"\n");
  INFO(outcome.err);
  CHECK(outcome.status == 0);
  CHECK(daemon.called == std::vector<std::string>{"Create", "Install", "Boot"});
  CHECK(created ==
        json{{"name", "web"}, {"config", "pool = \"web\"\n"}, {"assignments", {"cpu-shares=2"}}});
  CHECK(installed["source"] == "dir:/tree");
  CHECK(outcome.err == "zone: warning: io-weight has no effect here\n");
  CHECK(outcome.out.empty());
}

TEST_CASE("a zone that can't be installed is deleted again by create") {
  FakeDaemon daemon;
  daemon.reply("Create", {{"warnings", json::array()}});
  daemon.methods["Install"] = [](api::Call& call) {
    call.answer.fail(base::make_error(base::Code::kNotFound, "source 'dir:/no': not found"));
  };
  daemon.reply("Delete", json::object());
  auto outcome = daemon.zone({"create", "web", "--from", "dir:/no", "--boot"});
  CHECK(outcome.status == 1);
  CHECK(daemon.called == std::vector<std::string>{"Create", "Install", "Delete"});
  CHECK(outcome.err ==
        "zone: zone 'web' could not be installed and was deleted again\n"
        "zone: source 'dir:/no': not found\n");
}

TEST_CASE("verbs on several zones go on after a failure and then exit with 1") {
  FakeDaemon daemon;
  std::set<std::string> halted;
  daemon.methods["Halt"] = [&](api::Call& call) {
    std::string name = call.parameters["name"];
    if (name == "b") {
      call.answer.fail(base::make_error(base::Code::kNotFound, "zone 'b' not found"));
    } else {
      halted.insert(name);
      call.answer.reply({{"zone", {{"name", name}}}});
    }
  };
  std::vector<std::string> words = {"halt", "--json", "b"};
  for (int i = 0; i < 40; ++i) words.push_back("z" + std::to_string(i));
  auto outcome = daemon.zone(words);
  CHECK(outcome.status == 1);
  CHECK(halted.size() == 40);
  CHECK(json::parse(outcome.out).size() == 40);
  CHECK(json::parse(outcome.err)["error"]["message"] == "zone 'b' not found");
}

TEST_CASE("--all takes the zones whose state fits") {
  FakeDaemon daemon;
  daemon.reply(
      "List", {{"zones",
                {{{"name", "a"}, {"state", "installed"}}, {{"name", "b"}, {"state", "running"}}}}});
  std::vector<std::string> booted;
  daemon.methods["Boot"] = [&](api::Call& call) {
    booted.push_back(call.parameters["name"]);
    call.answer.reply({{"zone", {{"name", "a"}}}, {"warnings", json::array()}});
  };
  CHECK(daemon.zone({"boot", "--all"}).status == 0);
  CHECK(booted == std::vector<std::string>{"a"});
  CHECK(daemon.zone({"boot"}).err == "zone: no zone given\nhint: name zones, or say --all\n");
}

TEST_CASE("set tells names from assignments and notes what waits for the next boot") {
  FakeDaemon daemon;
  daemon.methods["Set"] = [](api::Call& call) {
    CHECK(call.parameters["assignments"] == json{"cpu-shares=5", "command=[\"/a\"]"});
    call.answer.reply(
        {{"changes",
          {{{"key", "cpu-shares"}, {"live", true}}, {{"key", "command"}, {"live", false}}}},
         {"warnings", json::array()}});
  };
  auto outcome = daemon.zone({"set", "a", "b", "cpu-shares=5", "command=[\"/a\"]"});
  CHECK(outcome.status == 0);
  CHECK(outcome.err ==
        "zone: zone 'a': command waits for the next boot\n"
        "zone: zone 'b': command waits for the next boot\n");
  CHECK(daemon.zone({"set", "-q", "a", "cpu-shares=5", "command=[\"/a\"]"}).err.empty());
}

TEST_CASE("zonecfg commits a whole script as one change") {
  FakeDaemon daemon;
  json created;
  daemon.methods["Create"] = [&](api::Call& call) {
    created = call.parameters;
    call.answer.reply({{"warnings", json::array()}});
  };
  auto outcome = daemon.run("zonecfg", {"-z", "web", "-f", "-"},
                            "create\nset autoboot=true\nadd capped-cpu\nset ncpus=1\nend\n");
  INFO(outcome.err);
  CHECK(outcome.status == 0);
  CHECK(created["assignments"] == json{"autoboot=true", "capped-cpu.ncpus=1"});
  created = nullptr;
  outcome = daemon.run("zonecfg", {"-z", "web", "create; set autobot=true; commit"});
  CHECK(outcome.status == 1);
  CHECK(outcome.err.find("line 1: unknown property 'autobot'") != std::string::npos);
  CHECK(created.is_null());
}

TEST_CASE("zoneadm lists running zones, all with -c, and the global zone") {
  FakeDaemon daemon;
  daemon.reply(
      "List",
      {{"zones",
        {{{"name", "a"}, {"state", "configured"}, {"brand", "native"}, {"id", "u1"}},
         {{"name", "b"}, {"state", "running"}, {"brand", "native"}, {"id", "u2"}, {"pid", 9}}}}});
  CHECK(daemon.run("zoneadm", {"list"}).out == "global\nb\n");
  CHECK(daemon.run("zoneadm", {"list", "-c"}).out == "global\na\nb\n");
  CHECK(daemon.run("zoneadm", {"list", "-cp"}).out ==
        "0:global:running:/::native:shared\n-:a:configured:" + daemon.root() +
            "/lib/zones/a:u1:native:excl\n9:b:running:" + daemon.root() +
            "/lib/zones/b:u2:native:excl\n");
  CHECK(daemon.run("zoneadm", {"-z", "b", "hlat"}).err.find("did you mean halt?") !=
        std::string::npos);
}

}  // namespace
