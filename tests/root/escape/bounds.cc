// Rows 7, 15 and 17: strings that pretend to be something else, folders, and streams without end.
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "base/strings.h"
#include "tests/harness/rounds.h"
#include "tests/harness/shell.h"

namespace {

using harness::Sandbox;
using harness::shell;
using harness::shell_ok;
using nlohmann::json;

const std::vector<std::string> kNasty = {
    "\n",   "a\nb", "..",       "../../x", ",",    "a,b",      "-",
    "--rm", "%",    "%s%n",     "]",       "[x]",  ":",        "a:b",
    "\"",   "'",    "\\",       "$(id)",   "`id`", ";",        "|",
    "\t",   "\r",   "\x1b[31m", "\x7f",    " ",    "a b",      "{}",
    "*",    "~",    "=",        "a=b",     "#",    "\xc3\xa4", std::string(4000, 'x')};

TEST_CASE("environment and arguments arrive as they were given, whatever is in them") {
  Sandbox box;
  harness::boot_script(box, "web", "sleep 1000");
  const std::string tree = "dir:" + box.root() + "/tree";
  for (const std::string& text : kNasty) {
    INFO(base::quoted(text));
    const std::vector<std::string> command = {"--", "/bin/sh", "-c", "printf %s \"$A$1\"",
                                              "sh", text};
    std::vector<std::string> run = {"run", "--from", tree, "-e", "A=" + text};
    std::vector<std::string> exec = {"exec", "web", "-e", "A=" + text};
    run.insert(run.end(), command.begin(), command.end());
    exec.insert(exec.end(), command.begin(), command.end());
    CHECK(box.zone_ok(run) == text + text);
    CHECK(box.zone_ok(exec) == text + text);
  }
}

TEST_CASE("configured values come back as they were, and none makes a key of its own") {
  Sandbox box;
  for (const std::string& text : kNasty) {
    INFO(base::quoted(text));
    base::Output made = box.zone({"create", "web", "--set", "env.A=" + json(text).dump(), "--set",
                                  "command=" + json({"/bin/echo", text}).dump()});
    INFO(made.err);
    if (text == "\x7f") {
      if (made.status == 0) box.zone_ok({"delete", "web"});
      continue;  // TOML forbids it bare, and JSON does not escape it
    }
    REQUIRE(made.status == 0);
    std::string config = box.zone_ok({"export", "web"});
    for (const std::string& line : base::split(base::trim(config), '\n'))
      CHECK((line.empty() || line.starts_with("command = [") || line.starts_with("A = ") ||
             line == "[env]" || line.starts_with("env.A = ")));
    box.zone_ok({"verify", "web"});
    box.zone_ok({"delete", "web"});
  }
}

TEST_CASE("names, host names and folders take no such strings") {
  Sandbox box;
  for (const std::string& text : kNasty) {
    if (text == "-" || text == "--rm") continue;  // options of the command itself
    INFO(base::quoted(text));
    CHECK(box.zone({"create", text}).status == 1);
    CHECK(box.zone({"create", "web", "--set", "pool=" + json(text).dump()}).status == 1);
    CHECK(box.zone({"create", "web", "--set", "hostname=" + json(text).dump()}).status == 1);
    CHECK(box.zone({"create", "web", "--set", "user=" + json(text + "/").dump()}).status == 1);
    CHECK(box.zone({"create", "web", "--set", "workdir=" + json(text).dump()}).status == 1);
  }
  for (const char* key : {"env.A", "hostname", "workdir", "user", "pool", "label"})
    CHECK(box.zone({"create", "web", "--set", std::string(key) + R"(="/a\u0000b")"}).status == 1);
  CHECK(box.zone({"create", "web", "--set", R"(command=["/bin/a\u0000b"])"}).status == 1);
  CHECK(box.zone_ok({"list", "--json"}) == "[]\n");
  box.zone_ok(
      {"create", "web", "--set", "hostname=fine", "--set", "workdir=/a", "--set", "user=guest"});
}

TEST_CASE("folders of an instance are closed to others, and nothing in them is open to all") {
  Sandbox box;
  harness::boot_script(box, "web", "sleep 1000");
  auto mode = [&](const std::string& name) {
    struct stat st = {};
    INFO(name);
    REQUIRE(lstat((box.root() + "/" + name).c_str(), &st) == 0);
    CHECK(st.st_uid == 0);
    return st.st_mode & 07777;
  };
  for (const char* folder : {"etc", "etc/zones", "etc/pools", "lib", "lib/zones", "lib/zones/web",
                             "lib/zones/web/log", "lib/images", "lib/trash", "run/zones"})
    CHECK(mode(folder) == 0700);
  CHECK(mode("run") == 0711);
  for (const char* file : {"etc/zones/web.toml", "lib/zones/web/zone.json", "run/zones/web.json"})
    CHECK(mode(file) == 0600);
  // The API's socket is for all who ask: what they may is decided per call.
  CHECK(shell_ok(box,
                 "cd $R; find etc lib run -path lib/zones/web/root -prune -o ! -type l "
                 "-perm /022 ! -name zoned.sock -print") == "");
  CHECK(shell_ok(box, "cd $R/run; find . -name 'keeper*.sock' -perm /077 -print") == "");
}

size_t resident_kib(const Sandbox& box) {
  std::vector<pid_t> pids = box.keeper_pids();
  pids.push_back(box.daemon_pid());
  size_t sum = 0;
  for (pid_t pid : pids)
    for (const std::string& line :
         base::split(harness::read_text("/proc/" + std::to_string(pid) + "/status"), '\n'))
      if (line.starts_with("VmRSS:")) sum += std::stoul(line.substr(6));
  return sum;
}

TEST_CASE("output without end costs the daemon and the keepers no memory") {
  Sandbox box;
  const std::string bytes = std::to_string(harness::rounds(64, 1024) << 20);
  const auto patience = std::chrono::minutes(5);
  harness::boot_script(box, "idle", "sleep 1000");
  CHECK(box.keeper_pids().size() >= 1);
  size_t before = resident_kib(box);
  const std::string produce = "head -c " + bytes + " /dev/zero";
  CHECK(shell_ok(box, "$Z exec idle -- " + produce + " | wc -c", patience) == bytes + "\n");
  harness::boot_script(box, "loud", produce + "; echo; echo finished; sleep 1000",
                       {"log-size=64K"});
  CHECK(harness::eventually(
      [&] {
        return box.zone_ok({"logs", "loud", "-n", "1"}) == "finished\n";
      },
      patience));
  size_t after = resident_kib(box);
  INFO("KiB: " << before << " before, " << after << " after");
  CHECK(after < before + size_t{16} * 1024);
}

}  // namespace
