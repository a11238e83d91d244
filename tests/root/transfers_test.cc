// Labels of the host's trees, and files that go from zone to zone, also across labels.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "tests/harness/shell.h"
#include "tests/root/doors/client.h"
#include "tests/root/transfers/world.h"

namespace {

using harness::check_refused;
using harness::eventually;
using harness::Sandbox;
using harness::shell;
using harness::shell_ok;
using nlohmann::json;
using transfers::World;

constexpr int kNotRun = 125;  // of zone run

// --- trees of the host ---------------------------------------------------------------------------

TEST_CASE("a tree of the host serves zones of its label alone, once it has one") {
  Sandbox box;
  shell_ok(box, "mkdir $R/data $R/data/in; echo words >$R/data/file; echo words >$R/data/in/file");
  box.busybox_tree();
  const std::string data = box.root() + "/data";
  auto run = [&](const std::string& label, const std::string& special) {
    return box.zone({"run", "--from", label == "SECRET" ? "clone:hi" : "clone:lo", "--set",
                     "label=" + label, "--set", "fs.0.dir=/data", "--set",
                     "fs.0.special=" + special, "--", "/bin/cat", "/data/file"});
  };
  const std::string tree = "dir:" + box.root() + "/tree";
  box.zone_ok({"create", "lo", "--from", tree});
  box.zone_ok({"create", "hi", "--from", tree, "--set", "label=SECRET"});
  check_refused(run("PUBLIC", data), {"fs '/data'", "no label (ADMIN_HIGH)"}, kNotRun);
  box.zone_ok({"label", "set", data, "PUBLIC"});
  CHECK(run("PUBLIC", data).out == "words\n");
  CHECK(run("PUBLIC", data + "/in").out == "words\n");
  check_refused(run("SECRET", data), {"is 'PUBLIC', the zone 'SECRET'"}, kNotRun);
  check_refused(run("SECRET", data + "/in"), {"is 'PUBLIC', the zone 'SECRET'"}, kNotRun);
  check_refused(box.zone({"label", "set", data, "SECRET"}), {"'PUBLIC' already"});
  check_refused(box.zone({"label", "set", data + "/in", "SECRET"}), {"lies in"});
  box.zone_ok({"label", "clear", data});
  box.zone_ok({"label", "set", data, "SECRET"});
  CHECK(run("SECRET", data).out == "words\n");
  check_refused(run("PUBLIC", data), {"is 'SECRET', the zone 'PUBLIC'"}, kNotRun);
  CHECK(box.zone_ok({"label", "get", data + "/in"}) == "SECRET\n");
  CHECK_THAT(box.zone_ok({"label", "trees"}), Catch::Contains("SECRET  " + data));
  CHECK_THAT(box.zone_ok({"audit"}),
             Catch::Contains("'" + data + "', which is 'ADMIN_HIGH', becomes 'SECRET'"));
}

TEST_CASE("the tree below a run has the run's label, and no clone crosses labels") {
  Sandbox box;
  box.busybox_tree();
  const std::string tree = "dir:" + box.root() + "/tree";
  auto run = [&](const std::string& source, const std::string& label) {
    return box.zone({"run", "--from", source, "--set", "label=" + label, "--", "/bin/true"});
  };
  CHECK(run(tree, "PUBLIC").status == 0);
  CHECK_THAT(run(tree, "SECRET").err, Catch::Contains("is 'PUBLIC', the zone 'SECRET'"));
  box.zone_ok({"create", "lo", "--from", tree});
  CHECK(run("clone:lo", "PUBLIC").status == 0);
  CHECK_THAT(run("clone:lo", "SECRET").err, Catch::Contains("share no tree"));
  // A copy of its own may have any label.
  box.zone_ok({"create", "hi", "--set", "label=SECRET", "--from", tree});
  CHECK(run("clone:hi", "SECRET").status == 0);
  box.zone_ok({"label", "clear", box.root() + "/tree"});
  CHECK_THAT(run(tree, "PUBLIC").err, Catch::Contains("no label (ADMIN_HIGH)"));
}

TEST_CASE("labels are root's to give, not to zoned's folders, and not while a zone has the tree") {
  World world;
  Sandbox& box = world.box;
  shell_ok(box, "mkdir -m 755 $R/data");
  const std::string data = box.root() + "/data";
  CHECK_THAT(world.run("games", "label set " + data + " PUBLIC").err, Catch::Contains("only root"));
  CHECK_THAT(world.run("games", "label get " + data).err, Catch::Contains("only root"));
  box.zone_ok({"label", "set", data, "PUBLIC"});
  check_refused(box.zone({"label", "set", box.root() + "/lib", "PUBLIC"}), {"a folder of zoned's"});
  check_refused(box.zone({"label", "set", "/", "PUBLIC"}), {"a folder of zoned's"});
  check_refused(box.zone({"label", "set", data, "SECRIT"}), {"SECRIT"});
  harness::boot_script(box, "web", "sleep 1000", {"fs.0.dir=/data", "fs.0.special=" + data});
  check_refused(box.zone({"label", "clear", data}), {"zone 'web' has", "mounted at '/data'"});
  box.zone_ok({"halt", "web"});
  box.zone_ok({"label", "clear", data});
  check_refused(box.zone({"boot", "web"}), {"no label (ADMIN_HIGH)"});
}

// --- who may copy --------------------------------------------------------------------------------

TEST_CASE("files go up with the grant upgrade, down with downgrade, and not without") {
  World world;
  world.make("lo", "PUBLIC");
  world.make("same", "PUBLIC");
  world.make("hi", "SECRET ENG");
  world.make("other", "SECRET HR");
  world.write("lo", "/srv/file", "low words\n");
  world.write("hi", "/srv/file", "high words\n");
  auto may = [&](const std::string& line) { return world.run("games", line).status == 0; };
  auto refused = [&](const std::string& line, const char* why) {
    INFO(line);
    CHECK_THAT(world.run("games", line).err, Catch::Contains(why));
  };
  CHECK(may("copy lo:/srv/file same:/srv/file"));
  CHECK(world.read("same", "/srv/file") == "low words\n");
  refused("copy lo:/srv/file hi:/srv/low", "upgrade");
  CHECK_FALSE(world.there("hi", "/srv/low"));
  world.box.zone_ok({"user", "set", "games", "grants=upgrade"});
  CHECK(may("copy lo:/srv/file hi:/srv/low"));
  CHECK(world.read("hi", "/srv/low") == "low words\n");
  refused("copy -y hi:/srv/file lo:/srv/high", "downgrade");
  CHECK_FALSE(world.there("lo", "/srv/high"));
  world.box.zone_ok({"user", "set", "games", "grants=downgrade"});
  refused("copy hi:/srv/file lo:/srv/high", "nobody to ask");
  CHECK_FALSE(world.there("lo", "/srv/high"));
  base::Output down = world.run("games", "copy -y hi:/srv/file lo:/srv/high");
  CHECK(down.status == 0);
  for (const char* piece : {"from hi:/srv/file (SECRET ENG) to lo:/srv/high (PUBLIC)",
                            "file 11             file\n", "| high words", "SHA-256"})
    CHECK_THAT(down.out, Catch::Contains(piece));
  CHECK(world.read("lo", "/srv/high") == "high words\n");
  // Beyond his clearance nothing is there, whatever he is granted.
  refused("copy -y hi:/srv/file other:/srv/file", "no such zone");
  refused("copy -y other:/srv/file lo:/srv/file", "no such zone");
  world.box.zone_ok({"user", "set", "games", "clearance=SECRET ENG HR"});
  CHECK(may("copy -y hi:/srv/file other:/srv/file"));
  // Root's too are on record before the effect, with what was copied.
  std::string hash = json::parse(world.box.zone_ok(
      {"copy", "--json", "--preview", "hi:/srv/file", "lo:/srv/again"}))["sha256"];
  CHECK_THAT(down.out, Catch::Contains(hash));
  std::string records = shell_ok(world.box, "$Z audit | grep CopyConfirm");
  for (const char* piece : {"SHA-256", "grant downgrade", "'SECRET ENG' to 'PUBLIC'", "11 bytes",
                            "for uid 5", "hi:/srv/file to lo:/srv/high"})
    CHECK_THAT(records, Catch::Contains(piece));
  CHECK_THAT(records, Catch::Contains(hash));
}

TEST_CASE("what is shown is what is written, whatever the zone does in between") {
  World world;
  world.make("lo", "PUBLIC");
  world.make("hi", "SECRET ENG");
  world.write("hi", "/srv/file", "shown\n");
  std::string number = world.freeze("hi:/srv/file", "lo:/srv/file");
  world.write("hi", "/srv/file", "smuggled\n");
  CHECK_FALSE(world.there("lo", "/srv/file"));
  CHECK(world.ask("root", "CopyConfirm", number).empty());
  CHECK(world.read("lo", "/srv/file") == "shown\n");
  CHECK(world.ask("root", "CopyConfirm", number) == "not-found");
  // Given up, nothing stays.
  number = world.freeze("hi:/srv/file", "lo:/srv/new");
  CHECK(world.ask("games", "CopyConfirm", number) == "not-found");
  CHECK(world.ask("root", "CopyCancel", number).empty());
  CHECK(world.ask("root", "CopyConfirm", number) == "not-found");
  CHECK_FALSE(world.there("lo", "/srv/new"));
  CHECK(shell_ok(world.box, "ls $R/lib/transfers").empty());
}

TEST_CASE("with two-person approval another security administrator decides what goes down") {
  World world;
  harness::write_text(world.box.root() + "/etc/zoned.toml",
                      "downgrade-approval = \"two-person\"\n");
  world.box.restart();
  world.make("lo", "PUBLIC");
  world.make("hi", "SECRET ENG");
  world.write("hi", "/srv/file", "words\n");
  world.box.zone_ok({"user", "set", "games", "grants=downgrade,upgrade"});
  auto queue = [&](const std::string& to) {
    base::Output asked = world.run("games", "copy -y hi:/srv/file lo:" + to);
    CHECK_THAT(asked.out, Catch::Contains("waits for a second person"));
    CHECK_FALSE(world.there("lo", to));
    return json::parse(world.run("games", "copy list --json").out)[0]["number"].dump();
  };
  std::string number = queue("/srv/file");
  world.box.restart();
  CHECK_THAT(world.run("games", "copy approve " + number).err, Catch::Contains("not yours"));
  CHECK_THAT(world.run("root", "copy approve " + number).err, Catch::Contains("not yours"));
  CHECK_THAT(world.run("nobody", "copy approve " + number).err, Catch::Contains("no such copy"));
  // The clearance of this one is too low.
  CHECK_THAT(world.run("lp", "copy approve " + number).err, Catch::Contains("no such copy"));
  CHECK(world.run("lp", "copy list --json").out == "[]\n");
  CHECK_THAT(world.run("sys", "copy show " + number).out, Catch::Contains("| words"));
  CHECK_FALSE(world.there("lo", "/srv/file"));
  world.write("hi", "/srv/file", "smuggled\n");
  CHECK(world.run("sys", "copy approve " + number).status == 0);
  CHECK(world.read("lo", "/srv/file") == "words\n");
  number = queue("/srv/no");
  CHECK(world.run("sys", "copy reject " + number).status == 0);
  CHECK_THAT(world.run("sys", "copy approve " + number).err, Catch::Contains("no such copy"));
  CHECK_FALSE(world.there("lo", "/srv/no"));
  // Up, nobody else is asked.
  CHECK(world.run("games", "copy lo:/srv/file hi:/srv/up").status == 0);
  CHECK(world.there("hi", "/srv/up"));
}

// --- what is copied ------------------------------------------------------------------------------

TEST_CASE("a tree keeps files, links, holes, modes and owners, and leaves the rest behind") {
  World world;
  world.make("lo", "PUBLIC");
  world.make("hi", "SECRET");
  shell_ok(world.box,
           "cd $R/lib/zones/lo/root/srv && mkdir -p d/e d/many && echo a >d/e/a && "
           "chown 12:34 d/e/a && cp d/e/a d/e/suid && chmod 4755 d/e/suid && mkfifo d/pipe && "
           "ln -s ../../../etc/shadow d/link && truncate -s 1G d/hole && "
           "printf end | dd of=d/hole bs=1 seek=1000000000 conv=notrunc status=none && "
           "python3 -c 'import os; os.setxattr(\"d/e/a\", \"user.x\", b\"y\")' && "
           "(cd d/many && for i in $(seq 10000); do echo $i >$i; done)");
  base::Output copied =
      world.box.zone({"copy", "-r", "lo:/srv/d", "hi:/srv/"}, std::chrono::minutes(3));
  INFO(copied.err);
  REQUIRE(copied.status == 0);
  const std::string to = "cd $R/lib/zones/hi/root/srv/d && ";
  CHECK(shell_ok(world.box, to + "stat -c '%u:%g %a' e/a e/suid; readlink link; ls many | wc -l") ==
        "12:34 644\n0:0 755\n../../../etc/shadow\n10000\n");
  CHECK(shell_ok(world.box,
                 to + "cmp hole ../../../../lo/root/srv/d/hole && "
                      "test $(du -k hole | cut -f1) -lt 1000 && "
                      "test ! -e pipe && python3 -c 'import os; print(os.listxattr(\"e/a\"))'") ==
        "[]\n");
  CHECK(shell(world.box, to + "diff -r many ../../../../lo/root/srv/d/many").status == 0);
}

TEST_CASE("nothing is replaced unasked, and places outside of the tree are refused") {
  World world;
  world.make("lo", "PUBLIC");
  world.make("hi", "SECRET");
  world.write("lo", "/srv/file", "new\n");
  world.write("hi", "/srv/file", "old\n");
  shell_ok(world.box,
           "cd $R/lib/zones && mkdir hi/root/srv/folder lo/root/srv/folder && "
           "ln -s /srv hi/root/way && ln -s /srv lo/root/way && mkfifo lo/root/srv/pipe");
  auto refused = [&](const std::string& from, const std::string& to, const char* why) {
    INFO(from << " " << to);
    CHECK_THAT(world.box.zone({"copy", "-y", "lo:" + from, "hi:" + to}).err, Catch::Contains(why));
  };
  refused("/srv/file", "/srv/file", "is there already");
  CHECK(world.read("hi", "/srv/file") == "old\n");
  world.box.zone_ok({"copy", "-F", "lo:/srv/file", "hi:/srv/file"});
  CHECK(world.read("hi", "/srv/file") == "new\n");
  CHECK_THAT(world.box.zone({"copy", "-F", "lo:/srv/file", "hi:/srv/folder"}).err,
             Catch::Contains("is there already"));
  refused("/srv/folder", "/srv/new", "a folder");
  refused("/srv/pipe", "/srv/new", "special file");
  refused("/way", "/srv/new", "symbolic link");
  refused("/way/file", "/srv/new", "symbolic link");
  refused("/srv/file", "/way/new", "symbolic link");
  refused("/srv/file", "/tmp/new", "/tmp is not in its tree");
  refused("/srv/file", "/zone/lo/srv/new", "/zone is not in its tree");
  refused("/zone/lo/export/file", "/srv/new", "/zone is not in its tree");
  refused("/srv/../srv/file", "/srv/new", "not a plain path");
  refused("/srv/none", "/srv/new", "/srv/none");
  CHECK_FALSE(world.there("hi", "/srv/new"));
  world.box.zone_ok({"copy", "lo:/srv/file", "hi:/srv/new"});
  CHECK(world.there("hi", "/srv/new"));
}

}  // namespace
