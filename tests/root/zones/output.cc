// The console and the logs of zones.
#include <catch2/catch.hpp>
#include <filesystem>

#include "base/files.h"
#include "base/strings.h"
#include "tests/harness/shell.h"

namespace {

using harness::boot_script;
using harness::eventually;
using harness::Sandbox;
using harness::shell;
using harness::shell_ok;

const char* const kTicker = "n=0; while :; do n=$((n+1)); echo tick $n; sleep 0.05; done";

std::string text_of(const Sandbox& box, const std::string& name) {
  return harness::read_text(box.root() + "/" + name);
}

TEST_CASE("a console shows output over a reboot of the zone and a kill of the daemon") {
  Sandbox box;
  boot_script(box, "web", std::string("echo fresh start; ") + kTicker);
  // `~.` leaves; a pipe keeps stdin open until then.
  pid_t pid = std::stoi(
      shell_ok(box,
               "mkfifo $R/in; $Z console web <$R/in >$R/out 2>&1 & echo $!; exec 3>$R/in; "
               "(exec >/dev/null 2>&1; while ! [ -e $R/leave ]; do sleep 0.05; done; "
               "printf '\\n~.' >&3) &"));
  CHECK(eventually([&] { return text_of(box, "out").find("tick") != std::string::npos; }));
  box.zone_ok({"reboot", "web"});
  CHECK(eventually([&] { return text_of(box, "out").find("fresh start") != std::string::npos; }));
  CHECK(eventually([&] { return text_of(box, "out").find("tick 3\n") != std::string::npos; }));
  box.restart();
  size_t before = text_of(box, "out").size();
  CHECK(eventually([&] { return text_of(box, "out").size() > before + 20; }));
  shell_ok(box, "touch $R/leave");
  CHECK(eventually([&] { return !base::exists_at(AT_FDCWD, "/proc/" + std::to_string(pid)); }));
}

TEST_CASE("no line of a zone is lost while zoned is killed and away") {
  Sandbox box;
  boot_script(box, "web", kTicker);
  harness::sleep_for(std::chrono::milliseconds(200));
  box.kill_daemon();
  harness::sleep_for(std::chrono::milliseconds(500));
  box.start();
  harness::sleep_for(std::chrono::milliseconds(200));
  box.zone_ok({"halt", "web"});
  auto lines = base::split(base::trim(box.zone_ok({"logs", "web"})), '\n');
  REQUIRE(lines.size() > 12);
  for (size_t i = 0; i < lines.size(); ++i) CHECK(lines[i] == "tick " + std::to_string(i + 1));
}

TEST_CASE("logs prints all or the last lines, and follows") {
  Sandbox box;
  boot_script(box, "web", "seq 10; sleep 0.5; echo later; sleep 1000");
  CHECK(eventually([&] { return box.zone_ok({"logs", "web"}).find("10\n") != std::string::npos; }));
  CHECK(box.zone_ok({"logs", "web", "-n", "2"}) == "9\n10\n");
  CHECK_THAT(box.zone_ok({"logs", "web"}), Catch::StartsWith("1\n2\n3\n"));
  pid_t pid = std::stoi(shell_ok(box, "$Z logs -f web >$R/follow 2>&1 & echo $!"));
  CHECK(eventually([&] { return text_of(box, "follow").find("later") != std::string::npos; }));
  CHECK(harness::kill_and_wait(pid).ok());
}

TEST_CASE("a flood of output stays below two files of log-size, and the newest is kept") {
  Sandbox box;
  boot_script(box, "web", "seq 200000; echo the end; sleep 1000", {"log-size=4K"});
  CHECK(eventually([&] {
    return box.zone_ok({"logs", "web"}).find("the end") != std::string::npos;
  }));
  uintmax_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(box.root() + "/lib/zones/web/log")) {
    ++files;
    CHECK(entry.file_size() <= 4096);
  }
  CHECK(files <= 2);
  CHECK_THAT(box.zone_ok({"logs", "web"}), Catch::EndsWith("199999\n200000\nthe end\n"));
}

TEST_CASE("logs of a zone that is down stay until it is deleted") {
  Sandbox box;
  boot_script(box, "web", "echo said");
  CHECK(eventually([&] { return harness::state_of(box, "web") == "installed"; }));
  CHECK(box.zone_ok({"logs", "web"}) == "said\n");
  box.zone_ok({"delete", "web"});
  CHECK(shell(box, "$Z logs web").status == 1);
}

}  // namespace
