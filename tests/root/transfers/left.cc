// Copies that fail where their place can't be reached any more: what stays of them, and until when.
#include <catch2/catch.hpp>

#include "tests/harness/rounds.h"
#include "tests/harness/shell.h"
#include "tests/root/transfers/world.h"

namespace {

using harness::eventually;
using harness::shell;
using harness::shell_ok;
using transfers::World;

constexpr const char* kRoots = "cd $R/lib/zones && lo=lo/root/srv && hi=hi/root/srv && ";

// Copies of lo:/srv/file to hi:/srv/p/x of which zoned was killed while it wrote them: half of each is
// there, and a file stands where the folder was.
void leave_half_written(World* world, size_t count) {
  for (size_t i = 0; i < count; ++i) world->freeze("lo:/srv/file", "hi:/srv/p/x");
  world->box.kill_daemon();
  shell_ok(
      world->box,
      "cd $R/lib/transfers && for r in */record.json; do sed -i "
      "'s/\"state\":\"frozen\"/\"state\":\"writing\"/' $r; "
      "echo half >../zones/hi/root/srv/p/.zone-copy-$(sed 's/.*\"id\":\"\\([0-9a-f]*\\).*/\\1/' "
      "$r); done; cd ../zones/hi/root/srv; mv p away; echo >p");
  world->box.start();
}

size_t count_of(const World& world, const char* name) {
  return std::stoul(
      shell_ok(world.box, std::string("find $R/lib/transfers -name ") + name + " | wc -l"));
}

TEST_CASE("copies to a place that can't be walked leave nothing, however many fail") {
  World world;
  world.make("lo", "PUBLIC");
  world.make("hi", "SECRET");
  shell_ok(world.box, std::string(kRoots) + "head -c 5000000 /dev/urandom >$lo/file; echo >$hi/p");
  for (size_t i = 0; i < harness::rounds(40, 200); ++i) {
    bool move = i % 4 == 3;
    base::Output failed =
        world.box.zone({move ? "relabel" : "copy", "lo:/srv/file", "hi:/srv/p/x"});
    REQUIRE_THAT(failed.err, Catch::Contains("'/srv/p' leads through a file"));
  }
  CHECK(shell_ok(world.box, "ls $R/lib/transfers").empty());
  shell_ok(world.box, std::string(kRoots) + "rm $hi/p; mkdir $hi/p");
  world.box.zone_ok({"relabel", "lo:/srv/file", "hi:/srv/p/x"});
  CHECK_FALSE(world.there("lo", "/srv/file"));
}

TEST_CASE(
    "of what can't be taken back a note stays, few for a zone, until it can or the zone is gone") {
  World world;
  world.make("lo", "PUBLIC");
  world.make("hi", "SECRET");
  world.make("other", "SECRET");
  shell_ok(world.box, std::string(kRoots) + "head -c 300000 /dev/urandom >$lo/file; mkdir $hi/p");
  auto come_back = [&] {
    CHECK_FALSE(world.clean("hi"));
    shell_ok(world.box, std::string(kRoots) + "rm $hi/p; mv $hi/away $hi/p");
  };
  constexpr size_t kMany = 20;
  leave_half_written(&world, kMany);
  REQUIRE(eventually([&] { return count_of(world, "content") == 0; }));
  CHECK(count_of(world, "record.json") == kMany);
  world.box.restart();
  harness::check_refused(world.box.zone({"copy", "lo:/srv/file", "hi:/srv/new"}),
                         {"zone 'hi': 20 copies that failed", "'/srv/p/x'"});
  world.box.zone_ok({"copy", "lo:/srv/file", "other:/srv/new"});
  // The next copy takes them back.
  come_back();
  world.box.zone_ok({"copy", "lo:/srv/file", "hi:/srv/new"});
  CHECK(world.clean("hi"));
  CHECK(count_of(world, "record.json") == 0);
  // So does the next boot.
  leave_half_written(&world, 2);
  REQUIRE(eventually([&] { return count_of(world, "content") == 0; }));
  world.box.zone_ok({"copy", "lo:/srv/file", "hi:/srv/second"});
  come_back();
  world.box.zone_ok({"boot", "hi"});
  CHECK(eventually([&] { return world.clean("hi") && count_of(world, "record.json") == 0; }));
  world.box.zone_ok({"halt", "hi"});
  // A zone that is gone has nothing.
  leave_half_written(&world, 2);
  REQUIRE(eventually([&] { return count_of(world, "content") == 0; }));
  world.freeze("lo:/srv/file", "hi:/srv/third");
  CHECK(count_of(world, "record.json") == 3);
  world.box.zone_ok({"delete", "-F", "hi"});
  CHECK(shell_ok(world.box, "ls $R/lib/transfers").empty());
}

TEST_CASE("a copy that a kill cut short is taken back when its folder comes back") {
  World world;
  world.make("lo", "PUBLIC");
  world.make("hi", "SECRET");
  // Many files: the job goes on writing after the kill, until zoned starts again.
  shell_ok(world.box, std::string(kRoots) +
                          "mkdir $hi/p $lo/tree && cd $lo/tree && "
                          "python3 -c 'for i in range(40000): open(str(i), \"w\").close()'");
  shell(world.box, "$Z copy -r lo:/srv/tree hi:/srv/p/tree </dev/null >/dev/null 2>&1 &");
  REQUIRE(eventually([&] { return !world.clean("hi"); }));
  world.box.kill_daemon();
  shell_ok(world.box, std::string(kRoots) + "mv $hi/p $hi/away; echo >$hi/p");
  world.box.start();
  REQUIRE(eventually([&] { return count_of(world, "content") == 0; }));
  CHECK(count_of(world, "record.json") == 1);
  CHECK_FALSE(world.clean("hi"));
  shell_ok(world.box, std::string(kRoots) + "rm $hi/p; mv $hi/away $hi/p");
  world.box.restart();
  CHECK(eventually([&] { return world.clean("hi") && count_of(world, "record.json") == 0; }));
  CHECK_FALSE(world.there("hi", "/srv/p/tree"));
}

}  // namespace
