// The life of a zone: its states, what each verb does in each, and what is seen from outside.
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <catch2/catch.hpp>

#include <filesystem>

#include "tests/harness/shell.h"

namespace {

using harness::check_refused;
using harness::eventually;
using harness::listed;
using harness::pid_of;
using harness::Sandbox;
using harness::state_of;
using nlohmann::json;

const char* const kSleeper = R"(command=["/bin/sleep","1000"])";

bool alive(pid_t pid) { return std::filesystem::exists("/proc/" + std::to_string(pid)); }

TEST_CASE("a zone passes through its states from create to delete") {
  Sandbox box;
  std::string tree = box.busybox_tree();
  box.zone_ok({"create", "web", "--set", kSleeper});
  CHECK(state_of(box, "web") == "configured");
  CHECK(std::filesystem::exists(box.root() + "/etc/zones/web.toml"));

  box.zone_ok({"install", "web", "--from", "dir:" + tree});
  CHECK(state_of(box, "web") == "installed");
  CHECK(std::filesystem::exists(box.root() + "/lib/zones/web/root/bin/busybox"));

  box.zone_ok({"boot", "web"});
  json zone = listed(box, "web");
  CHECK(zone["state"] == "running");
  CHECK(zone["brand"] == "native");
  CHECK(zone["pool"] == "default");
  CHECK(zone["id"].get<std::string>().size() == 32);
  pid_t first = zone["pid"].get<pid_t>();
  REQUIRE(alive(first));
  CHECK(box.zone_ok({"exec", "web", "--", "pidof", "sleep"}) != "");

  box.zone_ok({"reboot", "web"});
  pid_t second = pid_of(box, "web");
  CHECK(second != first);
  CHECK(!alive(first));
  CHECK(alive(second));
  CHECK(json::parse(box.zone_ok({"info", "web", "--json"}))["zone"]["boots"] == 2);

  box.zone_ok({"shutdown", "web"});
  CHECK(state_of(box, "web") == "installed");
  CHECK(!alive(second));

  box.zone_ok({"boot", "web"});
  pid_t third = pid_of(box, "web");
  box.zone_ok({"halt", "web"});
  CHECK(state_of(box, "web") == "installed");
  CHECK(!alive(third));

  box.zone_ok({"uninstall", "web"});
  CHECK(state_of(box, "web") == "configured");
  CHECK(!std::filesystem::exists(box.root() + "/lib/zones/web/root"));

  box.zone_ok({"delete", "web"});
  CHECK(state_of(box, "web") == "absent");
  CHECK(!std::filesystem::exists(box.root() + "/lib/zones/web"));
  CHECK(!std::filesystem::exists(box.root() + "/etc/zones/web.toml"));
}

TEST_CASE("a zone is installed from an archive, compressed or not") {
  Sandbox box;
  box.busybox_tree();
  harness::shell_ok(box, "tar -C $R/tree -cf $R/a.tar . && tar -C $R/tree -czf $R/b.tar.gz .");
  for (const char* file : {"a.tar", "b.tar.gz"}) {
    box.zone_ok(
        {"create", "web", "--set", kSleeper, "--from", "tar:" + box.root() + "/" + file, "--boot"});
    CHECK(box.zone_ok({"exec", "web", "--", "/bin/echo", "works"}) == "works\n");
    box.zone_ok({"delete", "-F", "web"});
  }
}

TEST_CASE("what an install leaves out is told") {
  Sandbox box;
  std::string tree = box.busybox_tree("with-devices");
  auto install = [&](const std::string& name) {
    return box.zone({"create", name, "--from", "dir:" + tree}).err;
  };
  CHECK(install("plain").empty());
  REQUIRE(mknod((tree + "/dev/null").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0);
  CHECK(install("web") == "zone: warning: device nodes in dev/ were left out\n");
}

TEST_CASE("a tree with an init makes an os zone, and it powers off cleanly") {
  Sandbox box;
  std::string tree = box.busybox_tree();
  harness::shell_ok(box,
                    "printf '::sysinit:/bin/echo up\\n::shutdown:/bin/echo leaving\\n' "
                    ">$R/tree/etc/inittab");
  box.zone_ok({"create", "os", "--from", "dir:" + tree, "--boot"});
  CHECK(eventually([&] { return box.zone_ok({"logs", "os"}).find("up") != std::string::npos; }));
  CHECK(box.zone_ok({"exec", "os", "--", "cat", "/proc/1/comm"}) == "init\n");
  box.zone_ok({"shutdown", "os"});
  CHECK(state_of(box, "os") == "installed");
  CHECK_THAT(box.zone_ok({"logs", "os"}), Catch::Contains("leaving"));
}

TEST_CASE("each verb is refused in the states that do not fit it, and changes nothing") {
  Sandbox box;
  std::string tree = box.busybox_tree();
  box.zone_ok({"create", "made", "--set", kSleeper});
  box.zone_ok({"create", "laid", "--set", kSleeper, "--from", "dir:" + tree});
  box.zone_ok({"create", "up", "--set", kSleeper, "--from", "dir:" + tree, "--boot"});
  auto refused = [&](std::vector<std::string> args, const std::string& piece) {
    base::Output output = box.zone(args);
    INFO(args[0] << " " << args[1] << ": " << output.err);
    CHECK(output.status == 1);
    CHECK_THAT(output.err, Catch::Contains("'" + args[1] + "'"));
    CHECK_THAT(output.err, Catch::Contains(piece));
  };
  refused({"boot", "made"}, "configured");
  refused({"shutdown", "made"}, "not running");
  refused({"halt", "made"}, "not running");
  refused({"reboot", "made"}, "not running");
  refused({"uninstall", "made"}, "not installed");
  refused({"install", "laid", "--from", "dir:" + tree}, "installed");
  refused({"halt", "laid"}, "not running");
  refused({"reboot", "laid"}, "not running");
  refused({"boot", "up"}, "running");
  refused({"uninstall", "up"}, "running");
  refused({"delete", "up"}, "running");
  refused({"create", "up"}, "exists");
  refused({"install", "up", "--from", "dir:" + tree}, "installed");
  CHECK(state_of(box, "made") == "configured");
  CHECK(state_of(box, "laid") == "installed");
  CHECK(state_of(box, "up") == "running");
  box.zone_ok({"delete", "-F", "up"});
  CHECK(state_of(box, "up") == "absent");
}

TEST_CASE("create with a source that can't be installed leaves no zone") {
  Sandbox box;
  check_refused(box.zone({"create", "web", "--set", kSleeper, "--from",
                          "dir:" + box.root() + "/nowhere", "--boot"}),
                {"nowhere"});
  CHECK(state_of(box, "web") == "absent");
  CHECK(std::filesystem::is_empty(box.root() + "/lib/zones"));
  CHECK(std::filesystem::is_empty(box.root() + "/etc/zones"));
}

TEST_CASE("verbs take several names, and --all; one failure does not stop the others") {
  Sandbox box;
  std::string tree = box.busybox_tree();
  for (const char* name : {"a", "b"})
    box.zone_ok({"create", name, "--set", kSleeper, "--from", "dir:" + tree});
  CHECK(box.zone({"boot", "a", "none", "b"}).status == 1);
  CHECK(state_of(box, "a") == "running");
  CHECK(state_of(box, "b") == "running");
  box.zone_ok({"halt", "--all"});
  CHECK(state_of(box, "a") == "installed");
  CHECK(state_of(box, "b") == "installed");
}

TEST_CASE("restart: always starts an ended zone again, on-failure only a failed one") {
  Sandbox box;
  auto boots = [&](const char* name) {
    return json::parse(box.zone_ok({"info", name, "--json"}))["zone"]["boots"].get<int>();
  };
  harness::boot_script(box, "always", "sleep 0.1", {"restart=always"});
  harness::boot_script(box, "failing", "sleep 0.1; exit 3", {"restart=on-failure"});
  harness::boot_script(box, "done", "sleep 0.1", {"restart=on-failure"});
  harness::boot_script(box, "once", "sleep 0.1; exit 3");
  CHECK(eventually([&] { return boots("always") >= 3; }));
  CHECK(eventually([&] { return boots("failing") >= 3; }));
  CHECK(boots("done") == 1);
  CHECK(boots("once") == 1);
  CHECK(eventually([&] { return state_of(box, "once") == "installed"; }));
  json end = json::parse(box.zone_ok({"info", "once", "--json"}))["zone"]["exit"];
  CHECK(end == json({{"kind", "exit"}, {"value", 3}}));
  box.zone({"halt", "always", "failing"});
  harness::sleep_for(std::chrono::milliseconds(500));
  CHECK(state_of(box, "always") == "installed");
}

TEST_CASE("autoboot zones boot with the daemon, lower boot-priority first") {
  Sandbox box;
  std::string tree = box.busybox_tree();
  int priority = 3;
  for (const char* name : {"third", "second", "first"})
    box.zone_ok({"create", name, "--set", kSleeper, "--set", "autoboot=true", "--set",
                 "boot-priority=" + std::to_string(priority--), "--from", "dir:" + tree});
  box.zone_ok({"create", "stays", "--set", kSleeper, "--from", "dir:" + tree});
  box.stop_all();
  box.start();
  CHECK(eventually([&] {
    for (const char* name : {"first", "second", "third"})
      if (state_of(box, name) != "running") return false;
    return true;
  }));
  CHECK(state_of(box, "stays") == "installed");
  // Pids are given in order, save at the rare wrap.
  CHECK(pid_of(box, "first") < pid_of(box, "second"));
  CHECK(pid_of(box, "second") < pid_of(box, "third"));
}

TEST_CASE("two instances hold zones of one name and do not see each other") {
  Sandbox one;
  Sandbox two;
  for (Sandbox* box : {&one, &two}) harness::boot_script(*box, "web", "sleep 1000");
  json a = json::parse(one.zone_ok({"info", "web", "--json"}));
  json b = json::parse(two.zone_ok({"info", "web", "--json"}));
  CHECK(a["facts"]["first-host-id"] != b["facts"]["first-host-id"]);
  CHECK(a["zone"]["pid"] != b["zone"]["pid"]);
  // What the fixture looks for at the end is what is there now.
  CHECK(!one.cgroups().empty());
  CHECK(one.cgroups().size() == two.cgroups().size());
  CHECK(one.cgroups() != two.cgroups());
  one.zone_ok({"delete", "-F", "web"});
  CHECK(state_of(one, "web") == "absent");
  CHECK(state_of(two, "web") == "running");
  CHECK(alive(b["zone"]["pid"].get<pid_t>()));
}

TEST_CASE("the events of a zone come as they happen") {
  Sandbox box;
  std::string tree = box.busybox_tree();
  pid_t pid = std::stoi(harness::shell_ok(box, "$Z events --json >$R/events 2>&1 & echo $!"));
  box.zone_ok({"create", "web", "--set", R"(command=["/bin/sh","-c","exit 4"])", "--from",
               "dir:" + tree, "--boot"});
  auto seen = [&](const std::string& kind) {
    return harness::read_text(box.root() + "/events").find("\"" + kind + "\"") != std::string::npos;
  };
  for (const char* kind : {"created", "installed", "booted", "exited"}) {
    INFO(kind);
    CHECK(eventually([&] { return seen(kind); }));
  }
  CHECK_THAT(harness::read_text(box.root() + "/events"), Catch::Contains("exit 4"));
  CHECK(harness::kill_and_wait(pid).ok());
}

}  // namespace
