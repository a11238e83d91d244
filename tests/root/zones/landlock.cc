// Zones that ask for Landlock: what they may still do, and what only they may not.
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

#include "tests/harness/shell.h"
#include "tests/harness/skip.h"

namespace {

using harness::boot_script;
using harness::Sandbox;

int status_in(const Sandbox& box, const std::string& zone, const std::string& script) {
  return box.zone({"exec", zone, "--", "sh", "-c", script}).status;
}

// landlock(7): the sixth version knows TCP ports and signals.
bool whole_landlock() {
  constexpr unsigned kVersion = 1;
  return syscall(SYS_landlock_create_ruleset, nullptr, 0, kVersion) >= 6;
}

}  // namespace

TEST_CASE("a zone inside Landlock works as others do, but reaches no TCP without ports") {
  if (!whole_landlock()) SKIP_TEST("no whole Landlock in this kernel");
  Sandbox box;
  boot_script(box, "walled", "sleep 1000 & echo $! >/run/child; wait", {"landlock=true"});
  boot_script(box, "plain", "sleep 1000 & echo $! >/run/child; wait");
  REQUIRE(harness::eventually([&] { return status_in(box, "walled", "test -s /run/child") == 0; }));
  for (const char* script :
       {"echo x >/dev/null && test -c /dev/null", "mkdir /made && mv /made /tmp/made",
        "mkdir -p /a /b && echo x >/a/f && mv /a/f /b/f && ln /b/f /a/g && ln -s f /a/h",
        "mkfifo /tmp/fifo && echo 100 >/proc/self/oom_score_adj", "kill -0 $(cat /run/child)",
        "kill -0 1", "echo x >/dev/shm/x"})
    for (const char* zone : {"walled", "plain"}) {
      INFO(zone << ": " << script);
      // /tmp is another file system: mv copies.
      CHECK(status_in(box, zone, script) == 0);
    }
  const std::string listen = "timeout 1 nc -l -p 80";  // 143: it waited
  CHECK(status_in(box, "plain", listen) == 143);
  CHECK(status_in(box, "walled", listen) == 1);
  CHECK_THAT(box.zone({"exec", "walled", "--", "sh", "-c", listen}).err,
             Catch::Contains("Permission denied"));
}

TEST_CASE("Landlock is refused where mounts are needed, and to machines") {
  Sandbox box;
  std::string tree = box.busybox_tree();
  auto refused = [&](const std::string& name, std::vector<std::string> settings) {
    std::vector<std::string> args = {"create", name, "--from", "dir:" + tree, "--boot"};
    for (const std::string& setting : settings) args.insert(args.end(), {"--set", setting});
    return box.zone(args).err;
  };
  CHECK_THAT(refused("nested", {"landlock=true", "nesting=true", "command=[\"/bin/true\"]"}),
             Catch::Contains("landlock: nesting is for zones that mount"));
  CHECK_THAT(refused("machine", {"landlock=true", "brand=vm"}),
             Catch::Contains("zones of brand vm do not take it"));
  CHECK(refused("good", {"landlock=true", "command=[\"/bin/sleep\",\"1000\"]"}).empty());
}
