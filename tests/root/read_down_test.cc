// Read-down: what zones see at /zone of the zones below them, and that those can't tell.
#include <catch2/catch.hpp>
#include <csignal>
#include <string>

#include "tests/harness/skip.h"
#include "tests/root/read_down/cast.h"

namespace {

using harness::eventually;
using harness::shell_ok;
using read_down::Cast;
using read_down::has;

TEST_CASE("a zone reads what zones below it export") {
  Cast cast;
  cast.boot({"low", "high"});
  shell_ok(cast.box(),
           "cd $R/lib/zones/low/root/export && cp /bin/busybox busybox && "
           "dd if=/dev/urandom of=big bs=1000 count=5001 2>/dev/null && "
           "echo mine >own && chown 1000:1000 own && chmod 4640 own && "
           "ln -s ../etc/secret rel && ln -s /etc/secret abs && ln -s hello link && "
           "echo HIGH >$R/lib/zones/high/root/etc/secret");
  CHECK(cast.in("high", "cat /zone/low/export/hello") == "hello");
  CHECK(cast.in("high", "ls /zone /zone/low") == "/zone:\nlow\n\n/zone/low:\nexport");
  CHECK(has(cast.box().zone_ok({"info", "high"}), "reads:        low\n"));
  CHECK_FALSE(has(cast.box().zone_ok({"info", "low"}), "reads:"));
  CHECK(cast.in("high", "stat -c '%a %u %g %s' /zone/low/export/own") == "640 1000 1000 5");
  CHECK(cast.in("high", "su guest -c 'cat /zone/low/export/own'") == "mine");
  CHECK(cast.in("high", "/zone/low/export/busybox echo ran") == "ran");
  // Links are text: they lead to what the reader has there.
  CHECK(cast.in("high", "readlink /zone/low/export/rel") == "../etc/secret");
  CHECK(cast.in("high", "cat /zone/low/export/abs") == "HIGH");
  CHECK(has(cast.in("high", "cat /zone/low/export/rel"), "No such file"));
  CHECK(cast.in("high", "cat /zone/low/export/link") == "hello");
  std::string sum = cast.in("low", "prober sum /export/big");
  CHECK(cast.in("high", "prober sum /zone/low/export/big") == sum);
  CHECK(cast.in("high", "prober map /zone/low/export/big") == sum);
  CHECK(cast.in("high", "tail -c 1500 /zone/low/export/big | md5sum") ==
        cast.in("low", "tail -c 1500 /export/big | md5sum"));
}

TEST_CASE("a zone that runs for a moment reads what is below, a shorter one costs no server") {
  Cast cast;
  cast.boot({"low"});
  auto run = [&](const std::string& script) {
    return cast.box().zone_ok(
        {"run", "--from", "clone:side", "--set", "label=SECRET HR", "--", "/bin/sh", "-c", script});
  };
  auto servers = [&] {
    return std::stoi(shell_ok(cast.box(), "$Z audit --json | grep -c ReadDown || true"));
  };
  // On a machine that is busy one of them may take its time.
  constexpr int kRuns = 5;
  for (int i = 0; i < kRuns; ++i) CHECK(run("echo short") == "short\n");
  const int before = servers();
  CHECK(before < kRuns);
  CHECK(run("until [ -e /zone/low ]; do sleep 0.05; done; cat /zone/low/export/hello") ==
        "hello\n");
  CHECK(servers() > before);
}

TEST_CASE("what comes and goes below is seen at once") {
  Cast cast;
  cast.boot({"high"});
  cast.boot_low_last();
  CHECK(has(cast.in("high", "cat /zone/low/export/new"), "No such file"));
  cast.in("low", "echo 1 >/export/new");
  CHECK(cast.in("high", "cat /zone/low/export/new") == "1");
  cast.in("low", "echo 23 >>/export/new");
  CHECK(cast.in("high", "cat /zone/low/export/new") == "1\n23");
  cast.in("low", "mv /export/new /export/sub/old");
  CHECK(has(cast.in("high", "cat /zone/low/export/new"), "No such file"));
  CHECK(cast.in("high", "cat /zone/low/export/sub/old") == "1\n23");
  cast.in("low", "rm /export/sub/old");
  CHECK(cast.in("high", "ls /zone/low/export/sub").empty());
  cast.in("low", "cd /export/sub; for i in $(seq 3000); do echo >f$i; done");
  CHECK(cast.in("high", "ls /zone/low/export/sub | wc -l") == "3000");
  cast.box().zone_ok({"halt", "low"});
  CHECK(eventually([&] {
    return cast.in("high", "ls /zone").empty() || has(cast.in("high", "ls /zone"), "not connected");
  }));
  CHECK(has(cast.in("high", "cat /zone/low/export/hello"), "cat: can't open"));
  CHECK(eventually([&] { return harness::state_of(cast.box(), "high-down") == "absent"; }));
  cast.boot_low_last();
}

TEST_CASE("zones see nothing of zones beside and above them") {
  Cast cast;
  cast.write("high", "export/hello", "from above\n");
  cast.boot({"low", "peer", "high", "side"});
  CHECK(cast.in("high", "ls /zone") == "low");
  CHECK(cast.in("side", "ls /zone") == "low");
  CHECK(cast.in("side", "cat /zone/low/export/hello") == "hello");
  CHECK(has(cast.in("side", "cat /zone/high/export/hello"), "No such file"));
  CHECK(has(cast.in("low", "ls /zone"), "No such file"));
  CHECK(has(cast.in("peer", "ls /zone"), "No such file"));
  // A reader's server is at the reader's label, and each has its own.
  CHECK(harness::state_of(cast.box(), "high-down") == "running");
  CHECK(harness::state_of(cast.box(), "side-down") == "running");
  CHECK(harness::listed(cast.box(), "high-down")["label"] ==
        harness::listed(cast.box(), "high")["label"]);
}

TEST_CASE("locks taken through read-down are not seen below, nor those below above") {
  Cast cast;
  cast.boot({"low", "high"});
  for (const std::string kind : {"flock", "lock"}) {
    INFO(kind);
    std::string refused = "EAGAIN";
    CHECK(cast.in("low", "touch /export/a /export/b; prober hold-" + kind + " /export/a") ==
          "held");
    harness::sleep_for(std::chrono::milliseconds(100));
    CHECK(cast.in("low", "prober " + kind + " /export/a") == refused);
    CHECK(cast.in("high", "prober " + kind + " /zone/low/export/a") == "locked");
    cast.in("low", "rm /export/a");
  }
  // Down: a lock above is the reader's own, as another of its processes sees.
  CHECK(cast.in("high", "prober hold-flock /zone/low/export/b; prober flock /zone/low/export/b") ==
        "held\nEAGAIN");
  CHECK(cast.in("low", "prober flock /export/b") == "locked");
}

TEST_CASE("an exporting zone takes no leases and watches no reading") {
  Cast cast;
  cast.boot({"low", "peer", "high"});
  // IN_OPEN 20, IN_ACCESS 1, IN_CLOSE_NOWRITE 10; the others are IN_MODIFY 2, IN_DELETE_SELF 400.
  CHECK(cast.in("peer", "prober lease /export/hello") == "ENOENT");
  CHECK(cast.in("peer", "echo x >/export/hello; prober lease /export/hello") == "broken");
  CHECK(cast.in("low", "prober lease /export/hello") == "EINVAL");
  for (const char* events : {"20", "1", "fff"})
    for (const char* file : {"/export", "/export/hello"}) {
      INFO(events << " " << file);
      CHECK(cast.in("low", std::string("prober watch ") + file + " " + events + " 0") == "refused");
    }
  const std::string close_after = "(sleep 0.5; cat /export/hello) >/dev/null & ";
  CHECK(cast.in("peer", close_after + "prober watch /export 18 2") == "watching\n10");
  for (const char* events : {"18", "10"})
    CHECK(cast.in("low", close_after + "prober watch /export " + events + " 2") ==
          "watching\nnone");
  CHECK(cast.in("peer", "(sleep 0.5; cat /export/hello) >/dev/null & prober watch /export 31 2") ==
        "watching\n20 1 10");
  // What it may watch tells nothing of a reader, and works.
  cast.in("low",
          "(prober watch /export/hello fce 3; prober watch /export fce 0) >/tmp/seen & sleep 0.2");
  CHECK(cast.in("high", "cat /zone/low/export/hello; ls -R /zone >/dev/null") == "hello");
  CHECK(eventually([&] { return has(cast.in("low", "cat /tmp/seen"), "none"); }));
  CHECK(cast.in("low", "(sleep 0.5; echo y >>/export/hello) & prober watch /export/hello 2 2") ==
        "watching\n2");
}

TEST_CASE("a file that is read from above goes away when its owner removes it") {
  Cast cast;
  cast.boot({"low", "peer", "high"});
  auto script = [](const std::string& file) {
    return "(sleep 0.5; rm " + file + ") & prober watch " + file + " 400 2";
  };
  // IN_DELETE_SELF (and then IN_IGNORED) waits for the last who has the file open.
  CHECK(cast.in("peer", "echo >/export/f; prober hold-open /export/f; " + script("/export/f")) ==
        "held\nwatching\nnone");
  CHECK(cast.in("low", "echo >/export/f; " + script("/export/f")) == "watching\n400 8000");
  cast.in("low", "echo there >/export/f");
  CHECK(cast.in("high", "cat /zone/low/export/f; prober hold-open /zone/low/export/f") ==
        "there\nheld");
  CHECK(cast.in("low", script("/export/f")) == "watching\n400 8000");
}

TEST_CASE("an exported folder that is removed stays, read or not") {
  Cast cast;
  cast.boot({"low", "peer"});
  const std::string script =
      "mkdir -p /export/d; (sleep 0.5; rm -r /export/d /export) & prober watch /export 400 2";
  CHECK(cast.in("peer", script) == "watching\n400 8000");
  CHECK(cast.in("low", script) == "watching\nnone");
  cast.box().zone_ok({"halt", "low"});
  shell_ok(cast.box(), "mkdir $R/lib/zones/low/root/export");
  cast.boot({"low", "high"});
  CHECK(cast.in("high", "ls /zone/low") == "export");
  CHECK(cast.in("low", script) == "watching\nnone");
}

TEST_CASE("reading from above changes neither access times nor the page cache below") {
  Cast cast;
  cast.boot({"low", "high"});
  cast.in("low",
          "dd if=/dev/urandom of=/export/f bs=4096 count=64; touch -a -d 2001-01-01 /export/f "
          "/export/sub");
  CHECK(cast.in("low", "prober drop /export/f; prober resident /export/f") == "dropped\n0");
  std::string before = cast.in("low", "prober atime /export/f; prober atime /export/sub");
  std::string seen = cast.in("high", "md5sum </zone/low/export/f; ls /zone/low/export/sub");
  CHECK(cast.in("low", "prober resident /export/f") == "0");
  CHECK(cast.in("low", "prober atime /export/f; prober atime /export/sub") == before);
  // The owner's own reading does both.
  CHECK(cast.in("low", "md5sum </export/f; ls /export/sub") == seen);
  CHECK(cast.in("low", "prober resident /export/f") == "64");
  CHECK(cast.in("low", "prober atime /export/f; prober atime /export/sub") != before);
}

TEST_CASE("looking from above leaves no mark on the times that the owner is told") {
  Cast cast;
  cast.boot({"low", "high"});
  cast.in("low", "echo >/export/f");
  auto marks = [&](const std::string& zone, const std::string& file) {
    shell_ok(cast.box(), "($Z exec " + zone +
                             " -- /bin/sh -c 'while [ ! -e /tmp/enough ]; do stat " + file +
                             "; cat " + file + "; done' >/dev/null 2>&1 &)");
    int count = std::stoi(cast.in("low", "prober fine-times /export/f 3"));
    cast.in(zone, "touch /tmp/enough");
    return count;
  };
  const int from_above = marks("high", "/zone/low/export/f");
  const int own = marks("low", "/export/f");
  if (own < 20) SKIP_TEST("no multigrain timestamps in this kernel");
  CHECK(from_above < own / 4);
}

TEST_CASE("a file that lies in its inode, which O_DIRECT reads through memory, can't be read") {
  Cast cast;
  shell_ok(cast.box(),
           "cd $R && truncate -s 64M disk && mke2fs -q -t ext4 -I 256 -O inline_data disk && "
           "mkdir disk.d && mount -o loop disk disk.d && cp -a lib/zones/low/root/. disk.d/ && "
           "umount disk.d && mount -o loop disk lib/zones/low/root");
  cast.boot({"low", "high"});
  cast.in("low", "echo tiny >/export/tiny; head -c 20000 /dev/urandom >/export/large; sync");
  CHECK(has(cast.in("high", "cat /zone/low/export/tiny"), "not supported"));
  std::string sum = cast.in("low", "md5sum </export/large");
  CHECK(cast.in("high", "md5sum </zone/low/export/large") == sum);
  shell_ok(cast.box(), "$Z halt high low && umount -l $R/lib/zones/low/root");
}

TEST_CASE("FIFOs and sockets lead nowhere") {
  Cast cast;
  cast.boot({"low", "high"});
  CHECK(cast.in("low", "mkfifo /export/p /export/q; prober listen /export/s") == "listening");
  CHECK(cast.in("low", "prober await-fifo /export/p") == "waiting");
  CHECK(cast.in("high", "prober read-fifo /zone/low/export/p") == "ENXIO");
  CHECK(cast.in("high", "prober write-fifo /zone/low/export/p") == "ENXIO");
  CHECK(cast.in("high", "prober connect /zone/low/export/s") == "ECONNREFUSED");
  CHECK(has(cast.in("low", "sleep 0.5; ls /export/p.seen"), "No such file"));
  CHECK(cast.in("low", "prober read-fifo /export/p") == "open");
  CHECK(cast.in("low", "sleep 0.3; ls /export/p.seen") == "/export/p.seen");
  CHECK(cast.in("low", "prober connect /export/s") == "connected");
}

TEST_CASE("a hostile tree does not lead out of its exports") {
  Cast cast;
  cast.boot({"low", "high"});
  cast.in("low",
          "cd /export; mkdir a; echo inside >a/secret; ln -s /etc b; echo inside >c; "
          "ln -s /etc/secret d; prober flip a b; prober flip c d");
  cast.write("high", "etc/secret", "reader's own\n");
  // A link is the reader's to follow: its own file or the one inside, never the lower zone's /etc.
  std::string seen = cast.in("high",
                             "for i in $(seq 400); do cat /zone/low/export/a/secret "
                             "/zone/low/export/c; done 2>/dev/null | sort -u");
  CHECK_FALSE(has(seen, "PUBLIC"));
  CHECK(has(seen, "inside"));
  CHECK(cast.in("low", "cat /etc/secret") == "PUBLIC");
  std::string deep =
      "d=$(printf 'x%.0s' $(seq 200)); cd /export/sub; for i in $(seq 30); do mkdir $d "
      "|| break; cd $d; done; echo end >end";
  cast.in("low", deep);
  CHECK(cast.in("high",
                "d=$(printf 'x%.0s' $(seq 200)); cd /zone/low/export/sub; n=0; while cd $d "
                "2>/dev/null; do n=$((n+1)); done; [ $n -gt 15 ] && echo deep") == "deep");
  CHECK(cast.in("high", "cat /zone/low/export/hello") == "hello");
}

TEST_CASE("an export that is a link or a mount is left out") {
  Cast cast;
  shell_ok(cast.box(), "cd $R/lib/zones/low/root && mv export there && ln -s etc export");
  cast.boot({"low", "high"});
  CHECK(has(cast.in("high", "ls /zone"), "No such file"));
  cast.box().zone_ok({"halt", "low"});
  cast.box().zone_ok({"set", "low", "export=[\"/there\",\"/export\",\"/none\"]"});
  base::Output booted = cast.box().zone({"boot", "low"});
  CHECK(booted.status == 0);
  CHECK(has(booted.err, "export '/export' is left out"));
  CHECK(has(booted.err, "export '/none' is left out"));
  CHECK(eventually([&] { return cast.in("high", "ls /zone/low") == "there"; }));
  CHECK(cast.in("high", "cat /zone/low/there/hello") == "hello");
  CHECK(has(cast.box().zone({"set", "low", "export=[\"/a\",\"/a/b\"]"}).err, "is part of '/a'"));
}

TEST_CASE("read-down outlives kill -9 of zoned and of its server") {
  Cast cast;
  cast.boot({"low", "high"});
  REQUIRE(cast.in("high", "cat /zone/low/export/hello") == "hello");
  pid_t server = harness::pid_of(cast.box(), "high-down");
  cast.box().kill_daemon();
  cast.box().start();
  CHECK(harness::pid_of(cast.box(), "high-down") == server);
  CHECK(cast.in("high", "cat /zone/low/export/hello") == "hello");
  REQUIRE(harness::kill_and_wait(server).ok());
  CHECK(eventually([&] { return cast.in("high", "cat /zone/low/export/hello") == "hello"; }));
  CHECK(harness::pid_of(cast.box(), "high-down") != server);
  // What happened while zoned was away is caught up with.
  server = harness::pid_of(cast.box(), "high-down");
  pid_t low = harness::pid_of(cast.box(), "low");
  cast.box().kill_daemon();
  REQUIRE(harness::kill_and_wait(low).ok());
  cast.box().start();
  CHECK(eventually([&] { return !has(cast.in("high", "ls /zone"), "low"); }));
  cast.boot_low_last();
  cast.box().zone_ok({"reboot", "high"});
  CHECK(eventually([&] { return cast.in("high", "cat /zone/low/export/hello") == "hello"; }));
  cast.box().zone_ok({"halt", "high"});
  CHECK(eventually([&] { return harness::state_of(cast.box(), "high-down") == "absent"; }));
}

TEST_CASE("a server belongs to its reader: nobody else ends it or takes its name") {
  Cast cast;
  cast.boot({"low", "high"});
  pid_t server = harness::pid_of(cast.box(), "high-down");
  REQUIRE(server > 0);
  for (const std::vector<std::string>& act :
       std::vector<std::vector<std::string>>{{"delete", "-F", "high-down"},
                                             {"halt", "high-down"},
                                             {"shutdown", "high-down"},
                                             {"reboot", "high-down"},
                                             {"uninstall", "high-down"},
                                             {"set", "high-down", "limits.processes=1"}}) {
    INFO(act[0]);
    harness::check_refused(cast.box().zone(act),
                           {"'high-down' belongs to zone 'high', which runs"});
  }
  CHECK(harness::pid_of(cast.box(), "high-down") == server);
  CHECK(cast.in("high", "cat /zone/low/export/hello") == "hello");
  // Looking is root's, and the reader's own end takes it along.
  CHECK(has(cast.box().zone_ok({"info", "high-down"}), "high-down"));
  CHECK(has(cast.box().zone_ok({"export", "high-down"}), "restart"));
  cast.box().zone_ok({"halt", "high"});
  CHECK(eventually([&] { return harness::state_of(cast.box(), "high-down") == "absent"; }));
  const std::string from = "dir:" + cast.box().root() + "/tree";
  for (const char* name : {"x-down", "side-down", "lan-dns", "lan-dns-7", "7-dns-7"}) {
    INFO(name);
    harness::check_refused(cast.box().zone({"create", name}), {name, "zones that serve others"});
    harness::check_refused(
        cast.box().zone({"run", "--name", name, "--from", from, "--", "/bin/true"}),
        {name, "zones that serve others"}, 125);
    CHECK(harness::state_of(cast.box(), name) == "absent");
  }
  for (const char* name : {"down", "x-downer", "dns", "dns-7", "lan-dns7", "x-dns-a", "lan-7"}) {
    INFO(name);
    cast.box().zone_ok({"create", name});
  }
  cast.box().zone_ok({"run", "--name", "uptown", "--from", from, "--", "/bin/true"});
}

TEST_CASE("a server that hangs holds up nobody but its reader") {
  Cast cast;
  cast.boot({"low", "high"});
  pid_t server = harness::pid_of(cast.box(), "high-down");
  REQUIRE(server > 0);
  REQUIRE(kill(server, SIGSTOP) == 0);
  shell_ok(cast.box(), "$Z exec high -- /bin/cat /zone/low/export/hello >/dev/null 2>&1 &");
  CHECK(cast.in("low", "echo alive") == "alive");
  CHECK(cast.in("high", "echo alive") == "alive");
  cast.box().zone_ok({"halt", "low"});
  cast.boot({"low"});
  cast.box().zone_ok({"halt", "high"});
  CHECK(harness::state_of(cast.box(), "high") == "installed");
  CHECK(eventually([&] { return harness::state_of(cast.box(), "high-down") == "absent"; }));
}

}  // namespace
