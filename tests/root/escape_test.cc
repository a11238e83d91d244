// Row 18: each verb, asked by each kind of user, of a zone that is his, hidden from him, or absent.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "base/strings.h"
#include "tests/harness/shell.h"

namespace {

using harness::Sandbox;
using harness::shell;
using harness::shell_ok;

// Users that Debian always has; nobody gives the third any right.
const std::map<std::string, std::string> kUids = {
    {"login", "1"}, {"manage", "2"}, {"nobody", "12345"}};

struct Verb {
  std::string line;  // NAME is the zone
  std::set<std::string> allowed;
  std::string refusal = "";  // of a native zone, for those who are allowed
};
constexpr const char* kNoGuest = "zone 'web': it is of the brand native";
const std::vector<Verb> kVerbs = {
    {"list NAME", {"login", "manage"}},
    {"info NAME", {"login", "manage"}},
    {"stat NAME", {"login", "manage"}},
    {"exec NAME -- /bin/true", {"login"}},
    {"logs NAME", {"login"}},
    {"reboot NAME", {"manage"}},
    {"shutdown NAME", {"manage"}},
    {"boot NAME", {"manage"}},
    {"halt NAME", {"manage"}},
    {"boot NAME ", {"manage"}},
    {"screenshot NAME -o -", {"login"}, kNoGuest},
    {"key NAME a", {"login"}, kNoGuest},
    {"vnc NAME", {"login"}, "zone 'web': it has no display"},
    {"pause NAME", {"manage"}, kNoGuest},
    {"resume NAME", {"manage"}, kNoGuest},
    {"insert NAME /dev/null", {}},
    {"eject NAME", {}},
    {"set NAME cpu-shares=2", {}},
    {"export NAME", {}},
    {"verify NAME", {}},
    {"install NAME --from dir:/nowhere", {}},
    {"uninstall NAME", {}},
    {"delete -F NAME", {}},
    {"create NAME", {}},
    {"run --name NAME --from dir:/nowhere -- /bin/true", {}},
};
const std::vector<std::string> kHostVerbs = {"host",
                                             "pool list",
                                             "pool create mine",
                                             "pool set default shares=9",
                                             "pool info default",
                                             "pool delete default",
                                             "create fresh",
                                             "run --from dir:/nowhere -- /bin/true",
                                             "verify -f /dev/null"};

// The client where others may run it, and the socket where they may reach it.
void open_to_others(const Sandbox& box) {
  shell_ok(box, "chmod 711 $R; install -m 755 $B/zone $R/client");
}

base::Output ask(const Sandbox& box, const std::string& who, const std::string& line) {
  const std::string& uid = kUids.at(who);
  return shell(box, "cd /; setpriv --reuid " + uid + " --regid " + uid +
                        " --clear-groups $R/client --root $R " + line);
}

std::string with_name(std::string line, const std::string& name) {
  return line.replace(line.find("NAME"), 4, name);
}

TEST_CASE("a user may do with a zone what its grants say, and nothing else") {
  Sandbox box;
  open_to_others(box);
  harness::boot_script(box, "web", "sleep 1000",
                       {"admin.0.user=daemon", "admin.0.auths=[\"login\"]",  //
                        "admin.1.user=bin", "admin.1.auths=[\"manage\"]"});
  for (const auto& [who, uid] : kUids) {
    for (const Verb& verb : kVerbs) {
      base::Output output = ask(box, who, with_name(verb.line, "web"));
      INFO(who << ": " << verb.line << "\n" << output.out << output.err);
      if (verb.allowed.contains(who)) {
        CHECK((output.status == 0) == verb.refusal.empty());
        CHECK_THAT(output.err, Catch::Contains(verb.refusal));
        continue;
      }
      CHECK(output.status != 0);
      CHECK(output.out.empty());
      bool sees = who != "nobody";
      CHECK_THAT(output.err, Catch::Contains(sees ? "may not" : "no such zone"));
    }
    CHECK(harness::state_of(box, "web") == "running");
    for (const std::string& line : kHostVerbs) {
      base::Output output = ask(box, who, line);
      INFO(who << ": " << line << "\n" << output.out << output.err);
      CHECK(output.status != 0);
      CHECK(output.out.empty());
    }
    bool listed = ask(box, who, "list --json").out.find("\"web\"") != std::string::npos;
    CHECK(listed == (who != "nobody"));
  }
  CHECK(shell_ok(box, "$Z list --json | grep -c '\"name\"'") == "1\n");
}

TEST_CASE("a hidden zone answers as one that is not there, to the byte") {
  Sandbox box;
  open_to_others(box);
  box.busybox_tree();
  auto answers = [&] {
    std::vector<std::string> all;
    for (const auto& [who, uid] : kUids) {
      for (const Verb& verb : kVerbs) {
        base::Output output = ask(box, who, with_name(verb.line, "ghost"));
        all.push_back(who + " " + verb.line + ": " + std::to_string(output.status) + "\n" +
                      output.out + "\n" + output.err);
      }
      for (const char* line : {"list --json", "console ghost", "login ghost", "stat --json"})
        all.push_back(ask(box, who, line).out + ask(box, who, line).err);
    }
    return all;
  };
  const std::vector<std::string> absent = answers();
  harness::boot_script(box, "ghost", "sleep 1000");
  CHECK(answers() == absent);
  box.zone_ok({"halt", "ghost"});
  CHECK(answers() == absent);
  // Granted, the answers differ: it was the same zone all along.
  box.zone_ok({"set", "ghost", "admin.0.user=daemon", "admin.0.auths=[\"login\"]"});
  CHECK(ask(box, "login", "list --json").out.find("ghost") != std::string::npos);
}

TEST_CASE("who has no rights learns no events of a zone, who has some does") {
  Sandbox box;
  open_to_others(box);
  std::string pids;
  for (const auto& [who, uid] : kUids)
    pids += shell_ok(box, "setpriv --reuid " + uid + " --regid " + uid +
                              " --clear-groups $R/client --root $R events >$R/" + who +
                              ".events 2>&1 & echo $!");
  harness::sleep_for(std::chrono::milliseconds(300));
  harness::boot_script(box, "web", "sleep 1000",
                       {"admin.0.user=daemon", "admin.0.auths=[\"login\"]"});
  auto events = [&](const std::string& who) {
    return harness::read_text(box.root() + "/" + who + ".events");
  };
  CHECK(harness::eventually([&] { return events("login").find("booted") != std::string::npos; }));
  CHECK(events("nobody").find("web") == std::string::npos);
  CHECK(events("manage").find("web") == std::string::npos);
  for (const std::string& pid : base::split(base::trim(pids), '\n'))
    CHECK(harness::kill_and_wait(std::stoi(pid)).ok());
}

}  // namespace
