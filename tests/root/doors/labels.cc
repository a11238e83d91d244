// Labels at the doors: which names are told to whom, which labels are taken, and when zoned does not start.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>

#include "labels/encodings.h"
#include "tests/root/doors/world.h"

namespace {

using doors::Ask;
using doors::code_of;
using doors::Doors;
using harness::check_refused;
using harness::Sandbox;
using harness::shell;

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
  REQUIRE(mkfifo(file.c_str(), 0600) == 0);
  base::Output fifo = shell(world.box, "$B/zoned --root $R --background");
  CHECK(fifo.status != 0);
  CHECK_THAT(fifo.err, Catch::Contains("etc/label_encodings' is not a regular file"));
  std::filesystem::remove(file);
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
