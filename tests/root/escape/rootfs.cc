// Rows 3 and 8: trees that try to lead the installer or the launcher to the host's files.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdio>
#include <random>
#include <thread>

#include "base/strings.h"
#include "tests/harness/host_objects.h"
#include "tests/harness/shell.h"

namespace {

using harness::Sandbox;
using harness::shell;
using harness::shell_ok;

const std::string kSleeper = R"(command=["/bin/sleep","1000"])";

// A folder of the host with files such as a runtime writes; what it holds, and when it was changed.
std::string make_canaries(const Sandbox& box) {
  shell_ok(box,
           "mkdir -p $R/canary/ssh $R/canary/fs; for f in machine-id hostname hosts passwd "
           "ssh/key null; do echo untouched >$R/canary/$f; done");
  return box.root() + "/canary";
}
std::string state_of_canaries(const Sandbox& box) {
  return shell_ok(box,
                  "cd $R/canary; find . -printf '%p %y %m %U %s %C@\\n' | sort; cat $(find . "
                  "-type f | sort)");
}

TEST_CASE("a tree whose mount points are links to the host is refused, or the link stays inside") {
  Sandbox box;
  box.busybox_tree();
  std::string canary = make_canaries(box);
  const std::string before = state_of_canaries(box);
  for (const std::string name : {"dev", "proc", "sys", "etc", "run", "tmp", "etc/machine-id"}) {
    for (const std::string& target : {canary, "../../../../../../.." + canary}) {
      INFO(name << " -> " << target);
      shell_ok(box, "rm -rf $R/evil; cp -a $R/tree $R/evil; rm -rf $R/evil/" + name + "; ln -s " +
                        target + (name == "etc/machine-id" ? "/machine-id" : "") + " $R/evil/" +
                        name);
      base::Output made =
          box.zone({"create", "web", "--set", kSleeper, "--from", "dir:" + box.root() + "/evil"});
      base::Output booted = box.zone({"boot", "web"});
      INFO(made.err << booted.err);
      bool kernel_mount = name == "dev" || name == "proc" || name == "sys";
      if (kernel_mount) CHECK(booted.status == 1);
      if (kernel_mount) CHECK_THAT(made.err + booted.err, Catch::Contains("/" + name));
      // Where it boots, nothing of the host is behind the link.
      if (booted.status == 0)
        CHECK(box.zone({"exec", "web", "--", "test", "-e", "/" + name + "/passwd"}).status == 1);
      box.zone({"delete", "-F", "web"});
      base::Output run =
          box.zone({"run", "--from", "dir:" + box.root() + "/evil", "--", "/bin/true"});
      if (kernel_mount) CHECK(run.status == 125);
      CHECK(state_of_canaries(box) == before);
      CHECK(harness::mounts_below(canary).empty());
    }
  }
  // The same tree without the link is fine.
  box.zone_ok(
      {"create", "web", "--set", kSleeper, "--from", "dir:" + box.root() + "/tree", "--boot"});
}

TEST_CASE("a mount point that changes into a link while zones boot never leads outside") {
  Sandbox box;
  box.zone_ok({"create", "web", "--set", kSleeper, "--from", "dir:" + box.busybox_tree()});
  std::string canary = make_canaries(box);
  const std::string before = state_of_canaries(box);
  const std::string tree = box.root() + "/lib/zones/web/root";
  shell_ok(box, "for f in dev proc sys run; do ln -s $R/canary " + tree + "/$f.link; done");
  std::atomic<bool> stop = false;
  // One link at a time, half of the time: boots meet folders, links, and the change between them.
  // One at a time, each for as long as a step of a boot takes, so that boots meet both.
  std::thread flipper([&] {
    std::minstd_rand random(1);
    while (!stop)
      for (const char* name : {"dev", "proc", "sys", "run"}) {
        std::string folder = tree + "/" + name;
        for (int half = 0; half < 2; ++half) {
          renameat2(AT_FDCWD, folder.c_str(), AT_FDCWD, (folder + ".link").c_str(),
                    RENAME_EXCHANGE);
          std::this_thread::sleep_for(
              std::chrono::microseconds(random() % (half == 0 ? 500 : 8000)));
        }
      }
  });
  int booted = 0;
  int refused = 0;
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(4);
  std::string escaped;
  while (std::chrono::steady_clock::now() < end) {
    bool up = box.zone({"boot", "web"}).status == 0;
    ++(up ? booted : refused);
    if (!up) continue;
    if (box.zone({"exec", "web", "--", "/bin/test", "-e", "/dev/passwd"}).status == 0)
      escaped = "the zone sees the canaries";
    box.zone({"halt", "web"});
  }
  stop = true;
  flipper.join();
  INFO(booted << " booted, " << refused << " refused");
  CHECK(booted > 0);
  CHECK(refused > 0);
  CHECK(escaped.empty());
  CHECK(state_of_canaries(box) == before);
  CHECK(harness::mounts_below(canary).empty());
}

TEST_CASE("a set-user-ID program of a zone can't be run on the host") {
  Sandbox box;
  harness::boot_script(box, "web", "sleep 1000");
  box.zone_ok({"exec", "web", "--", "/bin/sh", "-c", "cp /bin/busybox /id; chmod 4755 /id"});
  // Without the sandbox's own 0700 around it.
  shell_ok(box, "chmod 711 $R");
  // By a shell, since setpriv looks its program up with the rights that it has itself.
  const std::string as_nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups /bin/sh -c ";
  base::Output run = shell(box, as_nobody + "\"$R/lib/zones/web/root/id -u\"");
  CHECK(run.status != 0);
  CHECK_THAT(run.err, Catch::Contains("Permission denied"));
  // What makes the difference is the folder: elsewhere the same file runs.
  CHECK(shell_ok(box, "mkdir -m 755 $R/open; cp -p $R/lib/zones/web/root/id $R/open; " + as_nobody +
                          "\"$R/open/id -u\"") == "65534\n");
}

}  // namespace
