// What people get wrong: each is refused with a reason and a hint, and nothing is left behind.
#include <fcntl.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/files.h"
#include "tests/harness/host_objects.h"
#include "tests/harness/shell.h"
#include "tests/harness/skip.h"

namespace {

namespace fs = std::filesystem;
using harness::check_refused;
using harness::Sandbox;
using harness::shell;
using harness::shell_ok;
using harness::write_text;
using nlohmann::json;

const std::string kSleeper = R"(command=["/bin/sleep","1000"])";

// Zones, their folders and their cgroups; mounts are looked at by the fixture.
void check_nothing_left(const Sandbox& box) {
  CHECK(box.zone_ok({"list", "--json"}) == "[]\n");
  CHECK(fs::is_empty(box.root() + "/lib/zones"));
  CHECK(fs::is_empty(box.root() + "/lib/trash"));
  CHECK(fs::is_empty(box.root() + "/etc/zones"));
  CHECK(fs::is_empty(box.root() + "/run/zones"));
  CHECK(harness::mounts_below(box.root()).empty());
}

TEST_CASE("an unknown key names the nearest one, with line and column") {
  Sandbox box;
  write_text(box.root() + "/web.toml", "pool = \"default\"\n  cpu-shars = 2\n");
  check_refused(box.zone({"create", "web", "-f", box.root() + "/web.toml"}),
                {"cpu-shars", "cpu-shares", ":2:3"});
  check_refused(box.zone({"create", "web", "--set", "capped-memory.phisical=1M"}),
                {"phisical", "physical"});
  check_nothing_left(box);
}

TEST_CASE("values of a wrong type, size or form are refused with the key") {
  Sandbox box;
  const std::vector<std::pair<std::string, std::string>> kWrong = {
      {"capped-memory.physical=lots", "capped-memory.physical"},
      {"capped-memory.physical=-1", "capped-memory.physical"},
      {"capped-memory.physical=10X", "capped-memory.physical"},
      {"capped-memory.physical=99999999999999999999T", "capped-memory.physical"},
      {"cpu-shares=0", "cpu-shares"},
      {"cpu-shares=65536", "cpu-shares"},
      {"autoboot=perhaps", "autoboot"},
      {"restart=sometimes", "restart"},
      {"brand=quantum", "brand"},
      {"command=sleep", "command"},
      {"workdir=relative", "workdir"},
      {"workdir=/a/../b", "workdir"},
      {"hostname=a b", "hostname"},
      {"env.1A=x", "env"},
      {"admin.0.user=no-such-user-here", "admin"},
      {"fs.0.dir=/data", "special"}};
  for (const auto& [setting, key] : kWrong) {
    base::Output output = box.zone({"create", "web", "--set", setting});
    INFO(setting << ": " << output.err);
    CHECK(output.status == 1);
    CHECK_THAT(output.err, Catch::Contains(key));
  }
  check_refused(box.zone({"create", "web", "--set", "no equals sign"}), {"no equals sign"});
  check_refused(
      box.zone({"create", "web", "--set", "fs.0.dir=/d", "--set", "fs.0.special=/no/such/folder"}),
      {"/no/such/folder"});
  check_refused(box.zone({"create", "web", "--set", "pool=none"}), {"'none'"});
  check_nothing_left(box);
}

TEST_CASE("names outside [a-z0-9-] and longer than 63 are refused and shown escaped") {
  Sandbox box;
  const std::vector<std::pair<std::string, std::string>> kNames = {
      {"a\nb", "a\\nb"},  {"a/b", "a/b"}, {"..", ".."},           {"Web", "Web"},
      {"web.1", "web.1"}, {"", "''"},     {"w\x1b[2Jb", "\\x1b"}, {std::string(64, 'a'), "aaaa"}};
  for (const auto& [name, shown] : kNames) {
    base::Output output = box.zone({"create", name, "--set", kSleeper});
    INFO(output.err);
    CHECK(output.status == 1);
    CHECK_THAT(output.err, Catch::Contains(shown));
    CHECK_THAT(output.err, !Catch::Contains("\x1b"));
    CHECK_THAT(output.err, Catch::Contains("hint: "));
    CHECK(box.zone({"pool", "create", name}).status == 1);
  }
  check_nothing_left(box);
  box.zone_ok({"create", std::string(63, 'a')});
  box.zone_ok({"delete", std::string(63, 'a')});
}

TEST_CASE("sources that are absent or of no known kind are refused") {
  Sandbox box;
  auto refused = [&](const std::string& source, const std::string& piece) {
    INFO(source);
    check_refused(box.zone({"create", "web", "--set", kSleeper, "--from", source}), {piece});
    check_nothing_left(box);
  };
  refused("dir:" + box.root() + "/none", "none");
  refused("tar:" + box.root() + "/none.tar", "none.tar");
  refused("zip:/x", "zip");
  refused("debian:no/such", "no/such");
  refused("debian:--evil", "evil");
  CHECK(box.zone({"run", "--from", "dir:" + box.root() + "/none", "--", "/bin/true"}).status ==
        125);
  CHECK(box.zone({"run", "--", "/bin/true"}).status == 125);
  check_nothing_left(box);
}

TEST_CASE("a tree without the command is named at boot, and the zone stays installed") {
  Sandbox box;
  std::string tree = box.busybox_tree();
  box.zone_ok({"create", "web", "--set", R"(command=["/bin/absent"])", "--from", "dir:" + tree});
  check_refused(box.zone({"boot", "web"}), {"'web'", "'/bin/absent'"});
  CHECK(harness::state_of(box, "web") == "installed");
  check_refused(box.zone({"set", "web", "user=nobody-such"}), {"'nobody-such'"});
  CHECK(fs::is_empty(box.root() + "/run/zones"));
  box.zone_ok({"set", "web", kSleeper});
  box.zone_ok({"boot", "web"});
}

TEST_CASE("archives that leave the tree, hold devices or are damaged are refused whole") {
  Sandbox box;
  box.busybox_tree();
  const char* kMake = R"(
import tarfile, io, os
root = os.environ["R"]
def make(name, *members):
    with tarfile.open(root + "/" + name, "w") as t:
        for path, kind, link in members:
            m = tarfile.TarInfo(path)
            m.type = kind
            m.linkname = link
            m.mode = 0o755
            if kind == tarfile.CHRTYPE: m.devmajor, m.devminor = 1, 1
            data = b"payload" if kind == tarfile.REGTYPE else b""
            m.size = len(data)
            t.addfile(m, io.BytesIO(data))
F, D, L, H, C = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE
make("up.tar", ("bin", D, ""), ("../canary", F, ""))
make("deep.tar", ("bin", D, ""), ("bin/../../../canary", F, ""))
make("absolute.tar", ("bin", D, ""), (root + "/canary", F, ""))
make("through.tar", ("out", L, root), ("out/canary", F, ""))
make("hard.tar", ("bin", D, ""), ("bin/x", H, "../../../../etc/passwd"))
make("device.tar", ("bin", D, ""), ("bin/mem", C, ""))
)";
  write_text(box.root() + "/make.py", kMake);
  shell_ok(box,
           "R=$R python3 $R/make.py; tar -C $R/tree -czf $R/whole.tar.gz .; "
           "head -c 100000 $R/whole.tar.gz >$R/cut.tar.gz; head -c 4096 /dev/urandom "
           ">$R/noise.tar; : >$R/empty.tar");
  const std::vector<std::pair<std::string, std::string>> kArchives = {
      {"up.tar", "../canary"},       {"deep.tar", "../canary"}, {"absolute.tar", "/canary"},
      {"through.tar", "out/canary"}, {"hard.tar", "bin/x"},     {"device.tar", "bin/mem"},
      {"cut.tar.gz", "archive"},     {"noise.tar", "archive"},  {"empty.tar", "archive"}};
  for (const auto& [file, piece] : kArchives) {
    base::Output output =
        box.zone({"create", "web", "--set", kSleeper, "--from", "tar:" + box.root() + "/" + file});
    INFO(file << ": " << output.err);
    CHECK(output.status == 1);
    CHECK_THAT(output.err, Catch::Contains("'web'"));
    CHECK_THAT(output.err, Catch::Contains(piece));
    check_nothing_left(box);
  }
  CHECK(!fs::exists(box.root() + "/canary"));
  // The same tree, undamaged, is fine.
  box.zone_ok({"create", "web", "--set", kSleeper, "--from", "tar:" + box.root() + "/whole.tar.gz",
               "--boot"});
}

TEST_CASE("a full disk fails the install with the cause, and what was written is gone") {
  Sandbox box(Sandbox::Start::kLater);
  box.busybox_tree();
  // The daemon gets a mount namespace of its own, in which its library is a small tmpfs.
  shell_ok(box,
           "mkdir -m 700 $R/lib; head -c 6000000 /dev/urandom >$R/tree/large; "
           "unshare -m /bin/sh -c 'mount -t tmpfs -o size=4m,mode=700 small $R/lib && "
           "exec $B/zoned --root $R --background' >>$R/zoned.log 2>&1");
  base::Output output =
      box.zone({"create", "web", "--set", kSleeper, "--from", "dir:" + box.root() + "/tree"});
  INFO(output.err);
  CHECK(output.status == 1);
  if (output.err.find("can't be mounted with shifted ids") != std::string::npos)
    SKIP_TEST("no shifted ids on tmpfs");
  CHECK_THAT(output.err, Catch::Contains("no space left"));
  CHECK(box.zone_ok({"list", "--json"}) == "[]\n");
  shell_ok(box, "rm $R/tree/large");
  box.zone_ok(
      {"create", "web", "--set", kSleeper, "--from", "dir:" + box.root() + "/tree", "--boot"});
  box.zone_ok({"delete", "-F", "web"});
}

TEST_CASE("a second zoned on the same root is refused and names the first") {
  Sandbox box;
  base::Output second = shell(box, "$B/zoned --root $R");
  CHECK(second.status != 0);
  CHECK_THAT(second.err, Catch::Contains(std::to_string(box.daemon_pid())));
  CHECK_THAT(second.err, Catch::Contains("hint: "));
  CHECK(box.zone_ok({"list", "--json"}) == "[]\n");
}

TEST_CASE("without a daemon the command says so and how to start it") {
  Sandbox box(Sandbox::Start::kLater);
  check_refused(box.zone({"list"}), {"zoned", box.root()});
  check_refused(box.zone({"exec", "web", "--", "true"}), {"zoned"}, 125);
}

TEST_CASE("wrong command lines give 2 and say what is meant") {
  Sandbox box;
  check_refused(box.zone({"instal", "web"}), {"'instal'", "install"}, 2);
  check_refused(box.zone({"pool", "destroy", "x"}), {"destroy"}, 2);
  check_refused(box.zone({"create"}), {"too few arguments"}, 2);
  check_refused(box.zone({"create", "web", "--colour"}), {"--colour"}, 2);
  check_nothing_left(box);
}

TEST_CASE("unknown zones are named by every verb") {
  Sandbox box;
  for (const char* verb : {"boot", "shutdown", "halt", "reboot", "uninstall", "delete", "info",
                           "export", "verify", "logs", "console", "stat", "list"}) {
    INFO(verb);
    check_refused(box.zone({verb, "ghost"}), {"'ghost'"});
  }
  check_refused(box.zone({"install", "ghost", "--from", "dir:/tmp"}), {"'ghost'"});
  check_refused(box.zone({"set", "ghost", "cpu-shares=2"}), {"'ghost'"});
  check_refused(box.zone({"exec", "ghost", "--", "true"}), {"'ghost'"}, 125);
  check_refused(box.zone({"login", "ghost"}), {"'ghost'"}, 125);
}

TEST_CASE("exec in a zone that does not run says its state") {
  Sandbox box;
  box.zone_ok({"create", "web", "--set", kSleeper, "--from", "dir:" + box.busybox_tree()});
  check_refused(box.zone({"exec", "web", "--", "true"}), {"'web'", "installed"}, 125);
}

TEST_CASE("a configuration broken by hand is named, and the other zones work") {
  Sandbox box;
  box.zone_ok({"create", "good", "--set", kSleeper, "--from", "dir:" + box.busybox_tree()});
  box.zone_ok({"create", "bad", "--set", kSleeper});
  box.stop_all();
  write_text(box.root() + "/etc/zones/bad.toml", "cpu-shares = \n");
  write_text(box.root() + "/etc/zones/Wrong Name.toml", "");
  box.start();
  std::string log = harness::read_text(box.root() + "/run/zoned.log");
  CHECK_THAT(log, Catch::Contains("bad.toml"));
  CHECK_THAT(log, Catch::Contains("Wrong Name"));
  box.zone_ok({"boot", "good"});
  CHECK(harness::state_of(box, "bad") == "absent");
  // Mended, it is there again.
  box.stop_all();
  write_text(box.root() + "/etc/zones/bad.toml", "cpu-shares = 2\n");
  box.start();
  CHECK(harness::state_of(box, "bad") == "configured");
}

TEST_CASE("errors come as JSON with a stable code when asked for") {
  Sandbox box;
  auto code = [&](std::vector<std::string> args) {
    args.emplace_back("--json");
    base::Output output = box.zone(args);
    INFO(output.err);
    CHECK(output.status == 1);
    json error = json::parse(output.err)["error"];
    CHECK(!error["message"].get<std::string>().empty());
    return error["code"].get<std::string>();
  };
  box.zone_ok({"create", "web"});
  CHECK(code({"info", "ghost"}) == "not-found");
  CHECK(code({"create", "web"}) == "exists");
  CHECK(code({"create", "Web"}) == "invalid");
  CHECK(code({"boot", "web"}) == "state");
}

}  // namespace
