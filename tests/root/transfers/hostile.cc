// Zones that change what is copied while it is copied, disks that are full, daemons that are killed.
#include <catch2/catch.hpp>
#include <chrono>

#include "tests/harness/shell.h"
#include "tests/harness/skip.h"
#include "tests/root/transfers/world.h"

namespace {

using harness::eventually;
using harness::Sandbox;
using harness::shell;
using harness::shell_ok;
using std::chrono::milliseconds;
using transfers::World;

constexpr const char* kRoots = "cd $R/lib/zones && lo=lo/root/srv && hi=hi/root/srv && ";

TEST_CASE("a file moves to another label whole, alone in its name and unused, or stays") {
  World world;
  world.make("lo", "PUBLIC");
  world.make("hi", "SECRET");
  auto fill = [&] { shell_ok(world.box, std::string(kRoots) + "echo words >$lo/file"); };
  auto stays = [&](const char* why) {
    CHECK_THAT(world.box.zone({"relabel", "lo:/srv/file", "hi"}).err, Catch::Contains(why));
    CHECK(world.there("lo", "/srv/file"));
    CHECK_FALSE(world.there("hi", "/srv/file"));
  };
  fill();
  shell_ok(world.box, std::string(kRoots) + "ln $lo/file $lo/second");
  stays("has 2 names");
  shell_ok(world.box, std::string(kRoots) + "rm $lo/second");
  base::Output holder =
      shell(world.box, std::string(kRoots) + "sleep 1000 <$lo/file >/dev/null 2>&1 & echo $!");
  stays("somebody has the file open");
  CHECK(harness::kill_and_wait(std::stoi(holder.out)).ok());
  world.box.zone_ok({"relabel", "lo:/srv/file", "hi"});
  CHECK_FALSE(world.there("lo", "/srv/file"));
  CHECK(world.read("hi", "/srv/file") == "words\n");
  // What is there is not replaced, and then the source stays.
  fill();
  CHECK_THAT(world.box.zone({"relabel", "lo:/srv/file", "hi"}).err,
             Catch::Contains("is there already"));
  CHECK(world.there("lo", "/srv/file"));
  CHECK(world.read("hi", "/srv/file") == "words\n");
  shell_ok(world.box, std::string(kRoots) + "mkdir $lo/folder");
  CHECK_THAT(world.box.zone({"relabel", "lo:/srv/folder", "hi"}).err,
             Catch::Contains("not a regular file"));
  CHECK(world.clean("hi"));
}

TEST_CASE("a file that changes after it was shown is not moved") {
  World world;
  world.make("lo", "PUBLIC");
  world.make("hi", "SECRET");
  world.write("hi", "/srv/file", "shown\n");
  std::string number = world.freeze("hi:/srv/file", "lo:/srv/file", true);
  world.write("hi", "/srv/file", "other\n");
  CHECK(world.ask("root", "CopyConfirm", number) == "busy");
  CHECK_FALSE(world.there("lo", "/srv/file"));
  CHECK(world.read("hi", "/srv/file") == "other\n");
  number = world.freeze("hi:/srv/file", "lo:/srv/file", true);
  CHECK(world.ask("root", "CopyConfirm", number).empty());
  CHECK(world.read("lo", "/srv/file") == "other\n");
  CHECK_FALSE(world.there("hi", "/srv/file"));
}

TEST_CASE("folders that become symbolic links meanwhile lead nowhere, on either side") {
  World world;
  world.make("lo", "PUBLIC");
  world.make("hi", "SECRET");
  // way: a folder with "good", or a link to a place whose file must not be read nor written.
  shell_ok(world.box, std::string(kRoots) +
                          "for z in $lo $hi; do mkdir $z/way $z/bad; echo bad >$z/bad/file; done; "
                          "echo good >$lo/way/file");
  base::Output flipper =
      shell(world.box, std::string(kRoots) +
                           "(while :; do for z in $lo $hi; do mv -T $z/way $z/away; ln -s bad "
                           "$z/way; rm $z/way; mv -T $z/away $z/way; done; done) "
                           ">/dev/null 2>&1 & echo $!");
  unsigned copied = 0;
  for (int i = 0; i < 40; ++i) {
    std::string to = "/srv/way/new" + std::to_string(i);
    copied += world.box.zone({"copy", "lo:/srv/way/file", "hi:" + to}).status == 0;
  }
  CHECK(harness::kill_and_wait(std::stoi(flipper.out)).ok());
  shell_ok(world.box, std::string(kRoots) +
                          "for z in $lo $hi; do test ! -d $z/away || { rm -f $z/way; mv -T $z/away "
                          "$z/way; }; done");
  CHECK(copied > 0);
  CHECK(shell_ok(world.box, std::string(kRoots) + "ls $hi/bad") == "file\n");
  CHECK(shell_ok(world.box, std::string(kRoots) + "cat $hi/way/new* | sort -u") == "good\n");
  CHECK(world.clean("hi"));
}

TEST_CASE("a full disk fails a copy with the cause, and nothing of it stays") {
  Sandbox box(Sandbox::Start::kLater);
  box.busybox_tree();
  shell_ok(box,
           "mkdir -m 700 $R/lib; mkdir $R/tree/srv; "
           "unshare -m /bin/sh -c 'mount -t tmpfs -o size=14m,mode=700 small $R/lib && "
           "exec $B/zoned --root $R --background' >>$R/zoned.log 2>&1");
  base::Output made = box.zone({"create", "lo", "--from", "dir:" + box.root() + "/tree"});
  if (made.err.find("can't be mounted with shifted ids") != std::string::npos)
    SKIP_TEST("no shifted ids on tmpfs");
  REQUIRE(made.status == 0);
  box.zone_ok({"create", "hi", "--set", "label=SECRET", "--from", "dir:" + box.root() + "/tree"});
  const std::string in = "nsenter -t $(cat $R/run/zoned.pid) -m sh -c ";
  shell_ok(box, in + "\"head -c 6000000 /dev/urandom >$R/lib/zones/lo/root/srv/large; "
                     "echo small >$R/lib/zones/lo/root/srv/small\"");
  base::Output output = box.zone({"copy", "lo:/srv/large", "hi:/srv/large"});
  INFO(output.err);
  CHECK(output.status == 1);
  CHECK_THAT(output.err, Catch::Contains("no space left"));
  CHECK(
      shell_ok(box, in + "\"ls -A $R/lib/zones/hi/root/srv $R/lib/transfers\"").find("zone-copy") ==
      std::string::npos);
  box.zone_ok({"copy", "lo:/srv/small", "hi:/srv/small"});
  box.zone_ok({"delete", "-F", "lo"});
  box.zone_ok({"delete", "-F", "hi"});
}

TEST_CASE(
    "after kill -9 of zoned a copy is whole or not at all, and a moved file is in one place") {
  World world;
  world.make("lo", "PUBLIC");
  world.make("hi", "SECRET");
  shell_ok(world.box, std::string(kRoots) + "head -c 30000000 /dev/urandom >$R/large");
  for (int i = 0; i < 8; ++i) {
    bool move = i % 2 == 1;
    INFO("round " << i);
    shell_ok(world.box, std::string(kRoots) + "cp $R/large $lo/large; rm -f $hi/large; sync $lo");
    shell(world.box, std::string("$Z ") + (move ? "relabel" : "copy") +
                         " lo:/srv/large hi:/srv/large </dev/null >/dev/null 2>&1 &");
    harness::sleep_for(milliseconds(60 * (i + 1)));
    world.box.restart();
    CHECK(eventually([&] { return shell_ok(world.box, "ls $R/lib/transfers").empty(); }));
    CHECK(world.clean("hi"));
    bool source = world.there("lo", "/srv/large");
    bool target = world.there("hi", "/srv/large");
    CHECK((move ? source != target : source));
    for (const char* zone : {"lo", "hi"})
      if (world.there(zone, "/srv/large"))
        CHECK(shell(world.box, "cmp $R/large " + world.path(zone, "/srv/large")).status == 0);
  }
}

}  // namespace
