// Configuration: what each key does inside, what changes while a zone runs, folders of the host.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include <catch2/catch.hpp>

#include "base/files.h"
#include "base/strings.h"
#include "tests/harness/shell.h"

namespace {

using harness::boot_script;
using harness::cgroup_value;
using harness::Sandbox;
using harness::shell;
using harness::shell_ok;
using nlohmann::json;

// A folder of the host that others may enter, so that zones get it as it is.
class OpenFolder {
 public:
  OpenFolder() {
    if (mkdtemp(path_.data()) == nullptr || chmod(path_.c_str(), 0777) != 0) FAIL("mkdtemp");
  }
  ~OpenFolder() {
    auto removed = base::remove_tree(AT_FDCWD, path_);
    CHECK(removed.ok());
  }
  OpenFolder(const OpenFolder&) = delete;
  OpenFolder& operator=(const OpenFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/zoned-open.XXXXXX";
};

uid_t owner_of(const std::string& path) {
  struct stat st = {};
  INFO(path);
  REQUIRE(lstat(path.c_str(), &st) == 0);
  return st.st_uid;
}

TEST_CASE("env, user, workdir and hostname are those of the command") {
  Sandbox box;
  boot_script(box, "web", "id -u; pwd; hostname; echo $COLOUR; sleep 1000",
              {"env.COLOUR=green", "user=guest", "workdir=/tmp", "hostname=front.example"});
  CHECK(harness::eventually([&] {
    return box.zone_ok({"logs", "web"}) == "1000\n/tmp\nfront.example\ngreen\n";
  }));
}

TEST_CASE("shutdown waits for stop-timeout and then kills") {
  Sandbox box;
  boot_script(box, "deaf", "trap '' TERM; while :; do sleep 0.2; done", {"stop-timeout=700ms"});
  boot_script(box, "good", "trap 'echo bye; exit 0' TERM; while :; do sleep 0.1; done");
  harness::sleep_for(std::chrono::milliseconds(300));  // for the traps to be set
  auto begin = std::chrono::steady_clock::now();
  box.zone_ok({"shutdown", "deaf"});
  auto took = std::chrono::steady_clock::now() - begin;
  CHECK(took >= std::chrono::milliseconds(700));
  CHECK(took < std::chrono::seconds(5));
  CHECK(harness::state_of(box, "deaf") == "installed");
  box.zone_ok({"shutdown", "good"});
  CHECK_THAT(box.zone_ok({"logs", "good"}), Catch::Contains("bye"));
  auto exit = json::parse(box.zone_ok({"info", "good", "--json"}))["zone"]["exit"];
  CHECK(exit == json({{"kind", "exit"}, {"value", 0}}));
}

TEST_CASE("set changes limits of a running zone at once and tells what waits for the next boot") {
  Sandbox box;
  boot_script(box, "web", "sleep 1000",
              {"capped-memory.physical=64M", "limits.processes=50", "cpu-shares=1"});
  auto value = [&](const char* controller, const char* v1, const char* v2) {
    return cgroup_value(box, "web", controller, v1, v2);
  };
  CHECK(value("memory", "memory.limit_in_bytes", "memory.max") == "67108864");
  CHECK(value("pids", "pids.max", "pids.max") == "50");
  boot_script(box, "peer", "sleep 1000", {"cpu-shares=1"});
  std::string weight = value("cpu", "cpu.shares", "cpu.weight");

  box.zone_ok({"set", "web", "capped-memory.physical=96M", "limits.processes=60", "cpu-shares=30"});
  CHECK(value("memory", "memory.limit_in_bytes", "memory.max") == "100663296");
  CHECK(value("pids", "pids.max", "pids.max") == "60");
  CHECK(std::stoi(value("cpu", "cpu.shares", "cpu.weight")) >
        10 * std::stoi(cgroup_value(box, "peer", "cpu", "cpu.shares", "cpu.weight")));

  base::Output waits = box.zone({"set", "web", "hostname=later"});
  CHECK(waits.status == 0);
  CHECK_THAT(waits.out + waits.err, Catch::Contains("hostname"));
  CHECK_THAT(waits.out + waits.err, Catch::Contains("boot"));
  CHECK(box.zone_ok({"exec", "web", "--", "hostname"}) == "web\n");
  box.zone_ok({"reboot", "web"});
  CHECK(box.zone_ok({"exec", "web", "--", "hostname"}) == "later\n");
  CHECK(value("memory", "memory.limit_in_bytes", "memory.max") == "100663296");

  box.zone_ok({"set", "web", "limits.processes="});
  CHECK(value("pids", "pids.max", "pids.max") == "max");
}

TEST_CASE("set keeps comments and order of the file; export prints it, and makes the zone again") {
  Sandbox box;
  const std::string text =
      "# the front\ncpu-shares = 2  # twice\ncommand = [\"/bin/sleep\", \"1000\"]\n";
  harness::write_text(box.root() + "/web.toml", text);
  box.zone_ok({"create", "web", "-f", box.root() + "/web.toml"});
  CHECK(box.zone_ok({"export", "web"}) == text);
  box.zone_ok({"set", "web", "cpu-shares=3"});
  const std::string changed =
      "# the front\ncpu-shares = 3  # twice\ncommand = [\"/bin/sleep\", \"1000\"]\n";
  CHECK(box.zone_ok({"export", "web"}) == changed);
  shell_ok(box, "$Z export web | $Z create again -f -");
  CHECK(box.zone_ok({"export", "again"}) == changed);
  box.zone_ok({"verify", "web"});
  box.zone_ok({"verify", "-f", box.root() + "/web.toml"});
}

TEST_CASE("edit replaces the configuration, and a faulty one is refused") {
  Sandbox box;
  boot_script(box, "web", "sleep 1000", {"cpu-shares=7"});
  harness::shell_ok(box, "EDITOR='sed -i s/=.7/=\\ 9/' $Z edit web");
  CHECK_THAT(box.zone_ok({"export", "web"}), Catch::Contains("cpu-shares = 9"));
  base::Output bad = harness::shell(box, "EDITOR='sed -i s/cpu-shares/cpu-shaers/' $Z edit web");
  CHECK(bad.status != 0);
  CHECK_THAT(bad.err, Catch::Contains("cpu-shaers"));
  CHECK_THAT(box.zone_ok({"export", "web"}), Catch::Contains("cpu-shares = 9"));
}

TEST_CASE("a zone that holds a lease on its account file delays nobody's login") {
  Sandbox box;
  boot_script(box, "web", "sleep 1000");
  base::UniqueFd file(
      open((box.root() + "/lib/zones/web/root/etc/passwd").c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(file);
  REQUIRE(fcntl(file.get(), F_SETLEASE, F_WRLCK) == 0);
  signal(SIGIO, SIG_IGN);
  auto begin = std::chrono::steady_clock::now();
  harness::shell(box, "$Z login web -T </dev/null");
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
  CHECK(fcntl(file.get(), F_SETLEASE, F_UNLCK) == 0);
}

TEST_CASE("a zone's edits outlive the daemon") {
  Sandbox box;
  box.zone_ok({"create", "web"});
  box.zone_ok({"set", "web", "cpu-shares=7"});
  box.restart();
  CHECK_THAT(box.zone_ok({"export", "web"}), Catch::Contains("cpu-shares = 7"));
}

TEST_CASE("folders of the host appear in the zone, read-only where asked for") {
  Sandbox box;
  OpenFolder open;
  shell_ok(box, "mkdir -m 777 $R/private; echo words >$R/private/file; echo words >" + open.path() +
                    "/file");
  Sandbox::label_public(box.root() + "/private");
  Sandbox::label_public(open.path());
  boot_script(box, "web", "sleep 1000",
              {"fs.0.dir=/rw", "fs.0.special=" + box.root() + "/private",  //
               "fs.1.dir=/ro", "fs.1.special=" + box.root() + "/private", "fs.1.options=[\"ro\"]",
               "fs.2.dir=/open", "fs.2.special=" + open.path()});
  CHECK(box.zone_ok({"exec", "web", "--", "cat", "/ro/file"}) == "words\n");
  CHECK(box.zone({"exec", "web", "--", "touch", "/ro/made"}).status == 1);
  CHECK(box.zone({"exec", "web", "--", "mount", "-o", "remount,rw", "/ro"}).status != 0);
  // Below a folder that only root may enter, the zone's root is the owner as root of the host is.
  box.zone_ok({"exec", "web", "--", "touch", "/rw/made"});
  CHECK(owner_of(box.root() + "/private/made") == 0);
  // Elsewhere it is not: its files have ids of the zone's range.
  box.zone_ok({"exec", "web", "--", "touch", "/open/made"});
  CHECK(owner_of(open.path() + "/made") >= 524288);
  CHECK(box.zone({"exec", "web", "--", "chown", "root", "/open/file"}).status != 0);
}

TEST_CASE("a read-only root can't be written, nor made writable from inside") {
  Sandbox box;
  boot_script(box, "fixed", "sleep 1000", {"read-only-root=true"});
  boot_script(box, "open", "sleep 1000");
  CHECK(box.zone({"exec", "fixed", "--", "touch", "/made"}).status == 1);
  CHECK(box.zone({"exec", "fixed", "--", "mount", "-o", "remount,rw", "/"}).status != 0);
  CHECK(box.zone({"exec", "fixed", "--", "touch", "/made"}).status == 1);
  box.zone_ok({"exec", "open", "--", "touch", "/made"});
}

TEST_CASE("pools are made, changed, listed and deleted, but not while zones are in them") {
  Sandbox box;
  box.zone_ok({"pool", "create", "web", "shares=3"});
  CHECK(box.zone({"pool", "create", "web"}).status == 1);
  boot_script(box, "front", "sleep 1000", {"pool=web"});
  json pools = json::parse(box.zone_ok({"pool", "list", "--json"}));
  if (pools.is_object()) pools = pools["pools"];
  REQUIRE(pools.size() == 2);
  for (const json& pool : pools) {
    bool ours = pool["name"] == "web";
    CHECK(pool["shares"] == (ours ? 3 : 1));
    CHECK(pool["zones"] == (ours ? 1 : 0));
    CHECK(pool["running"] == (ours ? 1 : 0));
  }
  CHECK_THAT(
      harness::read_text("/proc/" + std::to_string(harness::pid_of(box, "front")) + "/cgroup"),
      Catch::Contains("/web/front"));
  harness::check_refused(box.zone({"pool", "delete", "web"}), {"'web'", "'front'"});
  harness::check_refused(box.zone({"pool", "delete", "default"}), {"'default'"});
  harness::check_refused(box.zone({"create", "lost", "--set", "pool=none"}), {"'none'"});

  box.zone_ok({"pool", "set", "web", "shares=5", "physical=256M"});
  CHECK_THAT(box.zone_ok({"pool", "info", "web"}), Catch::Contains("5"));
  box.zone_ok({"delete", "-F", "front"});
  box.zone_ok({"pool", "delete", "web"});
  CHECK_THAT(box.zone_ok({"pool", "list"}), !Catch::Contains("web"));
}

TEST_CASE("stat tells sane numbers of zones and pools") {
  Sandbox box;
  boot_script(box, "busy", "while :; do :; done");
  boot_script(box, "idle", "sleep 1000");
  json last;
  for (const std::string& line :
       base::split(base::trim(box.zone_ok({"stat", "--json", "-i", "500ms", "-c", "2"})), '\n'))
    last = json::parse(line);
  json busy;
  json idle;
  for (const json& zone : last["zones"]) (zone["name"] == "busy" ? busy : idle) = zone;
  REQUIRE(busy.is_object());
  REQUIRE(idle.is_object());
  for (const char* member :
       {"cpu_seconds", "cpu_share", "cpu_entitled", "cpu_used", "memory_bytes", "processes",
        "io_read_bytes", "io_write_bytes", "net_rx_bytes", "net_tx_bytes"}) {
    INFO(member);
    CHECK(busy[member].is_number());
    CHECK(idle[member].is_number());
  }
  CHECK(busy["cpu_used"].get<double>() > 0.1);
  CHECK(busy["cpu_used"].get<double>() < 1.2);  // it has one thread
  CHECK(idle["cpu_used"].get<double>() < 0.1);
  CHECK(busy["cpu_entitled"].get<double>() > 0);
  CHECK(busy["cpu_seconds"].get<double>() > 0.1);
  CHECK(busy["processes"].get<int>() >= 2);
  CHECK(busy["memory_bytes"].get<int64_t>() > 0);
  bool found = false;
  for (const json& pool : last["pools"]) found = found || pool["name"] == "default";
  CHECK(found);
}

TEST_CASE("host tells what there is and what is lacking, with the fix") {
  Sandbox box;
  json host = json::parse(box.zone_ok({"host", "--json"}));
  CHECK(host["checks"].size() >= 5);
  for (const json& check : host["checks"]) {
    INFO(check.dump());
    CHECK(!check["subject"].get<std::string>().empty());
    CHECK((check["state"] == "ok" || !check["fix"].get<std::string>().empty()));
  }
  CHECK(host["facts"]["zones"] == "0");
  CHECK(shell(box, "$Z host").out.find("SUBJECT") != std::string::npos);
}

}  // namespace
