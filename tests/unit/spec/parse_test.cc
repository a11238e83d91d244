#include <catch2/catch.hpp>

#include <string>
#include <string_view>

#include "zoned/core/spec_toml.h"

namespace {

using core::parse_pool;
using core::parse_zone;

struct Bad {
  std::string text;
  std::string message;
  std::string hint;
};

// The text fails with just that message and hint.
void check_bad(const Bad& bad) {
  INFO(bad.text.substr(0, 200));
  auto spec = parse_zone("web", bad.text, "web.toml");
  REQUIRE_FALSE(spec.ok());
  CHECK(spec.error().message == bad.message);
  CHECK(spec.error().hint == bad.hint);
}

// The text fails with that message at its start.
void check_bad_start(const std::string& text, const std::string& message) {
  INFO(text.substr(0, 200));
  auto spec = parse_zone("web", text, "web.toml");
  REQUIRE_FALSE(spec.ok());
  CHECK(spec.error().code == base::Code::kInvalid);
  CHECK(spec.error().message.substr(0, message.size()) == message);
}

std::string repeated(std::string_view text, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

constexpr std::string_view kEveryKey = R"(
brand = "native"
label = "PUBLIC"
pool = "web"
autoboot = true
boot-priority = 20
command = ["/usr/sbin/nginx", "-g", "daemon off;"]
user = "www-data"
workdir = "/srv"
hostname = "www.example"
restart = "on-failure"
stop-timeout = "1.5m"
read-only-root = true
nesting = true
landlock = true
display = "/run/vnc.sock"
log-size = "64K"
cpu-shares = 20
[env]
LANG = "C.UTF-8"
EMPTY = ""
[capped-cpu]
ncpus = 1.5
[dedicated-cpu]
ncpus = "1-2"
[capped-memory]
physical = "512M"
swap = 1024
locked = "64M"
[limits]
processes = 2000
open-files = 4096
io-weight = 100
io-read = "50M/s"
io-write = "1.5K"
[[fs]]
dir = "/data"
special = "/srv/data"
options = ["ro", "noexec"]
[[fs]]
dir = "/tools"
special = "/"
options = ["suid"]
[[admin]]
user = "operator"
auths = ["login", "manage"]
)";

}  // namespace

TEST_CASE("an empty text is a zone of defaults") {
  auto spec = parse_zone("web", "", "web.toml");
  REQUIRE(spec.ok());
  core::ZoneSpec defaults;
  defaults.name = "web";
  CHECK(*spec == defaults);
  CHECK(core::format_zone(*spec).empty());
}

TEST_CASE("every key reaches its field") {
  auto parsed = parse_zone("web", kEveryKey, "web.toml");
  REQUIRE(parsed.ok());
  const core::ZoneSpec& spec = *parsed;
  CHECK(spec.label == "PUBLIC");
  CHECK(spec.pool == "web");
  CHECK(spec.autoboot);
  CHECK(spec.boot_priority == 20);
  CHECK(spec.command == std::vector<std::string>{"/usr/sbin/nginx", "-g", "daemon off;"});
  CHECK(spec.env == std::map<std::string, std::string>{{"LANG", "C.UTF-8"}, {"EMPTY", ""}});
  CHECK(spec.user == "www-data");
  CHECK(spec.workdir == "/srv");
  CHECK(spec.hostname == "www.example");
  CHECK(spec.restart == core::Restart::kOnFailure);
  CHECK(spec.stop_timeout_ms == 90000);
  CHECK(spec.read_only_root);
  CHECK(spec.nesting);
  CHECK(spec.landlock);
  CHECK(spec.display == "/run/vnc.sock");
  CHECK(spec.log_size == 65536);
  CHECK(spec.cpu_shares == 20);
  CHECK(spec.capped_cpus == 1.5);
  CHECK(spec.dedicated_cpus == "1-2");
  CHECK(spec.memory_physical == uint64_t{512} << 20);
  CHECK(spec.memory_swap == 1024);
  CHECK(spec.memory_locked == uint64_t{64} << 20);
  CHECK(spec.processes == 2000);
  CHECK(spec.open_files == 4096);
  CHECK(spec.io_weight == 100);
  CHECK(spec.io_read_bps == uint64_t{50} << 20);
  CHECK(spec.io_write_bps == 1536);
  REQUIRE(spec.fs.size() == 2);
  CHECK(spec.fs[0] == core::FsSpec{"/data", "/srv/data", true, true, true, true});
  CHECK(spec.fs[1] == core::FsSpec{"/tools", "/", false, false, true, false});
  REQUIRE(spec.admin.size() == 1);
  CHECK(spec.admin[0] == core::AdminSpec{"operator", {"login", "manage"}});
}

TEST_CASE("a pool has its own keys") {
  auto pool = parse_pool("web",
                         "shares = 3\ncpus = \"0-1\"\nncpus = 2\nphysical = \"1G\"\n"
                         "processes = 100\n",
                         "web.toml");
  REQUIRE(pool.ok());
  CHECK(*pool == core::PoolSpec{"web", 3, "0-1", 2.0, uint64_t{1} << 30, 100});
  auto bad = parse_pool("web", "cpu-shares = 3\n", "pools/web.toml");
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.error().message == "pools/web.toml:1:1: unknown key 'cpu-shares'");
}

TEST_CASE("an unknown key is named with its place and the nearest known key") {
  check_bad({"\n\ncpu-share = 3\n", "web.toml:3:1: unknown key 'cpu-share'",
             "did you mean 'cpu-shares'?"});
  check_bad({"[capped-cpu]\n  ncpu = 3\n", "web.toml:2:3: unknown key 'capped-cpu.ncpu'",
             "did you mean 'capped-cpu.ncpus'?"});
  check_bad({"[caped-cpu]\nncpus = 3\n", "web.toml:1:2: unknown key 'caped-cpu'",
             "did you mean 'capped-cpu'?"});
  check_bad({"physical = \"1G\"\n", "web.toml:1:1: unknown key 'physical'",
             "did you mean 'capped-memory.physical'?"});
  check_bad({"[[fs]]\ndir = \"/a\"\nspecial = \"/b\"\n[[fs]]\nspecal = \"/b\"\n",
             "web.toml:5:1: unknown key 'fs.1.specal'", "did you mean 'fs.1.special'?"});
  check_bad({"pool.name = \"x\"\n", "web.toml:1:1: key 'pool': must be a string, not a table", ""});
}

TEST_CASE("exported folders are absolute and apart") {
  auto none = parse_zone("web", "export = []\n", "web.toml");
  REQUIRE(none.ok());
  REQUIRE(none->exports);
  CHECK(none->exports->empty());
  auto unsaid = parse_zone("web", "", "web.toml");
  REQUIRE(unsaid.ok());
  CHECK_FALSE(unsaid->exports);
  auto two = parse_zone("web", "export = [\"/srv/a\", \"/srv/ab\"]\n", "web.toml");
  REQUIRE(two.ok());
  CHECK(two->exports->size() == 2);
  check_bad_start("export = [\"srv\"]\n",
                  "web.toml:1:10: key 'export': 'srv' is not an absolute path");
  check_bad_start("export = [\"/a/../b\"]\n", "web.toml:1:10: key 'export': '/a/../b' has the");
  check_bad_start("export = [\"/a/b\", \"/a\"]\n",
                  "web.toml:1:10: key 'export': '/a/b' is part of '/a'");
  check_bad_start("export = [\"/a\", \"/a\"]\n",
                  "web.toml:1:10: key 'export': '/a' is part of '/a'");
  check_bad_start("export = [\"/\", \"/a\"]\n", "web.toml:1:10: key 'export': '/a' is part of '/'");
}

TEST_CASE("a vm zone has a machine") {
  auto spec = parse_zone("web", R"(brand = "vm"
[capped-memory]
physical = "3G"
[[net]]
network = "lan"
model = "rtl8139"
[vm]
profile = "generic-bios"
vcpus = 2
memory = "2G"
accel = "tcg"
kernel-command-line = "root=/dev/vda, quiet"
machine = "pc-i440fx-7.2"
cpu = "Nehalem,-aes"
bus = "scsi"
video = "cirrus"
acpi = false
hpet = true
clock = "localtime"
boot = ["cd", "disk"]
[[disk]]
path = "win2003.qcow2"
bus = "ide"
serial = "QM00001"
[[disk]]
media = "cd"
)",
                         "web.toml");
  REQUIRE(spec.ok());
  CHECK(spec->brand == core::Brand::kVm);
  CHECK(spec->net[0].model == "rtl8139");
  CHECK(spec->vm.vcpus == 2);
  CHECK(spec->vm.memory == uint64_t{2} << 30);
  CHECK(spec->vm.acpi == false);
  CHECK_FALSE(spec->vm.apic.has_value());
  CHECK(spec->vm.boot == std::vector<std::string>{"cd", "disk"});
  CHECK(spec->disk[0] == core::DiskSpec{"win2003.qcow2", "disk", "ide", "QM00001", false});
  CHECK(spec->disk[1] == core::DiskSpec{"", "cd", std::nullopt, "", false});
  check_bad_start("brand = \"xen\"\n", "web.toml:1:9: key 'brand': 'xen' is not one of native, vm");
}

TEST_CASE("a key of the other brand is refused, even with its default") {
  check_bad({"vm.vcpus = 1\n", "web.toml:1:4: key 'vm.vcpus': zones of brand native do not take it",
             "it is for brand = \"vm\""});
  check_bad_start("[[disk]]\npath = \"a\"\n",
                  "web.toml:2:1: key 'disk.0.path': zones of brand native do not take it");
  for (const char* line :
       {"command = [\"/bin/true\"]", "user = \"root\"", "workdir = \"/\"", "hostname = \"web\"",
        "nesting = false", "landlock = false", "export = []", "display = \"/run/vnc.sock\"",
        "read-only-root = true", "env.A = \"b\"", "limits.open-files = 100",
        "capped-memory.locked = \"1M\"", "fs = [{dir = \"/a\", special = \"/b\"}]"}) {
    INFO(line);
    CHECK(parse_zone("web", line, "web.toml").ok());
    auto spec = parse_zone("web", std::string(line) + "\nbrand = \"vm\"\n", "web.toml");
    REQUIRE_FALSE(spec.ok());
    CHECK(spec.error().message.find(": zones of brand vm do not take it") != std::string::npos);
  }
}

TEST_CASE("choices of a machine are checked") {
  auto vm = [](const std::string& text) { return "brand = \"vm\"\n" + text; };
  check_bad_start(vm("vm.vcpus = 256\n"), "web.toml:2:12: key 'vm.vcpus': 256 is out of range");
  check_bad_start(vm("vm.memory = \"1M\"\n"),
                  "web.toml:2:13: key 'vm.memory': '1M' is out of range");
  check_bad_start(vm("vm.boot = [\"cd\", \"cd\"]\n"),
                  "web.toml:2:11: key 'vm.boot': 'cd' is given twice");
  for (const char* bad : {"xen", "pc-q35", "pc-q35-7", "pc-q35-7.x", "q35,accel=kvm"})
    check_bad_start(vm("vm.machine = \"" + std::string(bad) + "\"\n"),
                    "web.toml:2:14: key 'vm.machine': '" + std::string(bad) + "' is not a machine");
  for (const char* bad : {"help", ",a", "-svm", "a b", "a%n"})
    check_bad_start(vm("vm.cpu = \"" + std::string(bad) + "\"\n"),
                    "web.toml:2:10: key 'vm.cpu': '" + std::string(bad) + "' is not a processor");
  check_bad_start(vm("vm.kernel-command-line = \"a\\nb\"\n"),
                  "web.toml:2:26: key 'vm.kernel-command-line': 'a\\nb' holds a control character");
  check_bad_start(vm("[[disk]]\nserial = \"x\"\n"),
                  "web.toml:2:1: table 'disk.0': key 'path' is missing");
  check_bad_start(vm("[[disk]]\npath = \"../x\"\n"),
                  "web.toml:3:8: key 'disk.0.path': '../x' is neither");
  check_bad_start(vm("[[disk]]\npath = \"/a/../x\"\n"),
                  "web.toml:3:8: key 'disk.0.path': '/a/../x' has");
  check_bad_start(vm("[[disk]]\npath = \"x\"\nserial = \"a,b\"\n"),
                  "web.toml:4:10: key 'disk.0.serial': 'a,b' is not a serial number");
  check_bad_start(vm("[[disk]]\npath = \"x\"\n[[disk]]\npath = \"x\"\n"),
                  "web.toml:4:1: two disks have the image 'x'");
}

TEST_CASE("values of a wrong type say what was expected and found") {
  check_bad({"cpu-shares = \"20\"\n",
             "web.toml:1:14: key 'cpu-shares': must be a whole number, not a string", ""});
  check_bad({"autoboot = 1\n",
             "web.toml:1:12: key 'autoboot': must be true or false, not a whole "
             "number",
             ""});
  check_bad({"pool = 1979-05-27\n",
             "web.toml:1:8: key 'pool': must be a string, not a date or time", ""});
  check_bad({"command = \"/bin/sleep 60\"\n",
             "web.toml:1:11: key 'command': must be an array of strings, not a string",
             "write it as in [\"one\", \"two\"]"});
  check_bad({"command = [\"a\",\n  1]\n",
             "web.toml:2:3: key 'command': must be an array of strings, not an array that holds a "
             "whole number",
             "write it as in [\"one\", \"two\"]"});
  check_bad({"env = \"x\"\n", "web.toml:1:7: key 'env': must be a table, not a string", ""});
  check_bad({"[fs]\ndir = \"/a\"\n",
             "web.toml:1:1: key 'fs': must be an array of tables, not a table", "write [[fs]]"});
  check_bad({"[[capped-cpu]]\nncpus = 1\n",
             "web.toml:1:1: key 'capped-cpu': must be a table, not an array of tables", ""});
  check_bad_start("[capped-memory]\nphysical = 1.5\n",
                  "web.toml:2:12: key 'capped-memory.physical': must be a size such as");
}

TEST_CASE("values out of range name the range") {
  check_bad(
      {"cpu-shares = 0\n", "web.toml:1:14: key 'cpu-shares': 0 is out of range 1..65535", ""});
  check_bad({"capped-cpu.ncpus = 0.001\n",
             "web.toml:1:20: key 'capped-cpu.ncpus': 0.001 is out of range 0.01..8192", ""});
  check_bad({"capped-cpu.ncpus = nan\n",
             "web.toml:1:20: key 'capped-cpu.ncpus': nan is out of range 0.01..8192", ""});
  check_bad({"capped-memory.physical = \"512\"\n",
             "web.toml:1:26: key 'capped-memory.physical': '512' is out of range 1M..1024T", ""});
  check_bad({"stop-timeout = \"61m\"\n",
             "web.toml:1:16: key 'stop-timeout': '61m' is out of range 0s..1h", ""});
  check_bad_start("stop-timeout = 9223372036854775807\n", "web.toml:1:16: key 'stop-timeout': ");
  check_bad_start("stop-timeout = -1\n", "web.toml:1:16: key 'stop-timeout': -1 is out of range");
  check_bad_start("limits.io-weight = 10001\n", "web.toml:1:20: key 'limits.io-weight': 10001");
}

TEST_CASE("bad sizes and durations are refused") {
  check_bad({"[capped-memory]\nphysical = \"512m\"\n",
             "web.toml:2:12: key 'capped-memory.physical': '512m' is not a size",
             "write a number with K, M, G or T, such as 512M"});
  for (const char* bad : {"", "M", "-1", "1e3", "1MB", "0x10", " 1", "99999999999999T"})
    check_bad_start("log-size = \"" + std::string(bad) + "\"\n", "web.toml:1:12: key 'log-size': ");
  for (const char* bad : {"", "s", "3d", "-1s", "1 s"})
    check_bad_start("stop-timeout = \"" + std::string(bad) + "\"\n",
                    "web.toml:1:16: key 'stop-timeout': ");
  check_bad_start("limits.io-read = \"50M/h\"\n", "web.toml:1:18: key 'limits.io-read': ");
}

TEST_CASE("names are strict") {
  for (const char* name : {"", "a\nb", "a/b", "..", "A", "-a"})
    CHECK_FALSE(parse_zone(name, "", "web.toml").ok());
  check_bad_start("pool = \"a\\nb\"\n", "web.toml:1:8: key 'pool': 'a\\nb' is not a pool name");
  check_bad_start("pool = \"a/b\"\n", "web.toml:1:8: key 'pool': 'a/b' is not a pool name");
  check_bad_start("hostname = \"a_b\"\n", "web.toml:1:12: key 'hostname': 'a_b' is not a host");
  check_bad_start("hostname = \"a..b\"\n", "web.toml:1:12: key 'hostname': 'a..b' is not a host");
  check_bad_start("user = \"a:b\"\n", "web.toml:1:8: key 'user': 'a:b' is not a user name");
  check_bad_start("user = \"65536\"\n", "web.toml:1:8: key 'user': '65536' is out of range");
  check_bad_start("label = \"a\\u0007\"\n", "web.toml:1:9: key 'label': 'a\\x07' holds a control");
  check_bad_start("dedicated-cpu.ncpus = \"2-1\"\n", "web.toml:1:23: key 'dedicated-cpu.ncpus': ");
}

TEST_CASE("variables have plain names and no NUL") {
  check_bad_start("[env]\n1A = \"x\"\n", "web.toml:2:6: key 'env.1A': '1A' is not a variable's");
  check_bad_start("[env]\n\"A=B\" = \"x\"\n", "web.toml:2:9: key 'env.A=B': 'A=B' is not a var");
  check_bad_start("[env]\n\"\" = \"x\"\n", "web.toml:2:6: key 'env.': '' is not a variable's");
  check_bad_start("[env]\nA = \"\\u0000\"\n", "web.toml:2:5: key 'env.A': the text holds a NUL");
  CHECK(parse_zone("web", "[env]\nA = \"two\\nlines\"\n", "web.toml").ok());
}

TEST_CASE("paths are absolute and plain") {
  auto dir = [](const std::string& path) {
    return "[[fs]]\nspecial = \"/srv\"\ndir = \"" + path + "\"\n";
  };
  for (const char* bad : {"", "data", "/a/../b", "/a/./b", "/..", "/a//b", "/a/", "/a\\u0000",
                          "/a\\nb", "/\\u007f", "/"})
    check_bad_start(dir(bad), "web.toml:3:7: key 'fs.0.dir': ");
  check_bad_start(dir("/" + std::string(256, 'a')), "web.toml:3:7: key 'fs.0.dir': ");
  check_bad_start(dir(repeated("/abcdefg", 512)), "web.toml:3:7: key 'fs.0.dir': ");
  CHECK(parse_zone("web", dir("/a b/.c/..d"), "web.toml").ok());
  check_bad_start("workdir = \"srv\"\n", "web.toml:1:11: key 'workdir': 'srv' is not an absolute");
}

TEST_CASE("commands have bounds and no NUL") {
  check_bad_start("command = [\"a\\u0000b\"]\n", "web.toml:1:11: key 'command': an element holds");
  check_bad_start("command = [\"\"]\n",
                  "web.toml:1:11: key 'command': the program's name is empty");
  CHECK(parse_zone("web", "command = [" + repeated("\"a\",", 1024) + "]\n", "web.toml").ok());
  check_bad_start("command = [" + repeated("\"a\",", 1025) + "]\n",
                  "web.toml:1:11: key 'command': the array has 1025 elements, more than 1024");
  CHECK(parse_zone("web", "command = [\"" + std::string(131071, 'a') + "\"]\n", "web.toml").ok());
  check_bad_start("command = [\"" + std::string(131072, 'a') + "\"]\n",
                  "web.toml:1:11: key 'command': the elements have 131073 bytes, more than 131072");
}

TEST_CASE("lists have bounds") {
  auto fs = [](size_t count) {
    std::string text;
    for (size_t i = 0; i < count; ++i)
      text += "[[fs]]\ndir = \"/d" + std::to_string(i) + "\"\nspecial = \"/s\"\n";
    return text;
  };
  CHECK(parse_zone("web", fs(64), "web.toml").ok());
  check_bad_start(fs(65), "web.toml:193:1: more than 64 elements of 'fs'");
  auto admin = [](size_t count) {
    std::string text;
    for (size_t i = 0; i < count; ++i)
      text += "[[admin]]\nuser = \"u" + std::to_string(i) + "\"\nauths = [\"login\"]\n";
    return text;
  };
  CHECK(parse_zone("web", admin(64), "web.toml").ok());
  check_bad_start(admin(65), "web.toml:193:1: more than 64 elements of 'admin'");
  auto env = [](size_t count) {
    std::string text = "[env]\n";
    for (size_t i = 0; i < count; ++i) text += "V" + std::to_string(i) + " = \"\"\n";
    return text;
  };
  CHECK(parse_zone("web", env(1024), "web.toml").ok());
  check_bad_start(env(1025), "web.toml:1026:9: key 'env.V1024': more than 1024 variables");
  check_bad_start(
      "[env]\nA = \"" + std::string(70000, 'a') + "\"\nB = \"" + std::string(70000, 'b') + "\"\n",
      "web.toml:1:2: key 'env': the variables have 140006 bytes, more than 131072");
}

TEST_CASE("elements of lists are whole and unique") {
  check_bad_start("[[fs]]\ndir = \"/a\"\n", "web.toml:1:1: table 'fs.0': key 'special' is missing");
  check_bad_start("\n[[admin]]\n", "web.toml:2:1: table 'admin.0': key 'user' is missing");
  check_bad_start("fs = [{dir = \"/a\", special = \"/b\"}, {dir = \"/a\", special = \"/c\"}]\n",
                  "web.toml:1:44: key 'fs.1.dir': '/a' is given twice");
  check_bad_start("[[admin]]\nuser = \"a\"\nauths = []\n",
                  "web.toml:3:9: key 'admin.0.auths': the array is empty");
  check_bad_start("[[admin]]\nuser = \"a\"\nauths = [\"login\", \"login\"]\n",
                  "web.toml:3:9: key 'admin.0.auths': 'login' is given twice");
  check_bad({"[[admin]]\nuser = \"a\"\nauths = [\"logon\"]\n",
             "web.toml:3:9: key 'admin.0.auths': 'logon' is not one of login, manage, clonefrom",
             "did you mean 'login'?"});
  check_bad_start("[[fs]]\ndir = \"/a\"\nspecial = \"/b\"\noptions = [\"dev\"]\n",
                  "web.toml:4:11: key 'fs.0.options': 'dev' is not one of ro, suid, noexec");
}

TEST_CASE("what is not TOML is refused with its place") {
  check_bad_start("pool = \"a\"\npool = \"b\"\n", "web.toml:2:");
  check_bad_start("[env]\nA = \"x\"\n[env]\nB = \"y\"\n", "web.toml:3:1: cannot redefine existing");
  check_bad_start("pool = \n", "web.toml:1:");
  check_bad_start("pool = \"a\n", "web.toml:1:");
  check_bad_start("[env\n", "web.toml:1:");
  check_bad_start("= 1\n", "web.toml:1:1: ");
  check_bad_start("pool = \"a\"\r", "web.toml:1:");
  check_bad_start("pool = \"a\"\ncommand = [}\n", "web.toml:2:12: unexpected character");
  check_bad_start("command = [ \xe2\x80\xa8 ]\n", "web.toml:1:13: unexpected character");
}

TEST_CASE("the text is bounded and clean") {
  check_bad_start("# \xc3\xa4\n# \xff\n", "web.toml:2:3: the text is not valid UTF-8");
  check_bad_start("# \xc3\xa4 \xed\xa0\x80\n", "web.toml:1:5: the text is not valid UTF-8");
  check_bad_start("# \xe2\x82", "web.toml:1:3: the text is not valid UTF-8");
  check_bad_start(std::string("#\n#a\0", 5), "web.toml:2:3: the text holds a NUL byte");
  CHECK(parse_zone("web", std::string(core::kMaxConfigBytes, '\n'), "web.toml").ok());
  check_bad_start(std::string(core::kMaxConfigBytes + 1, '\n'), "web.toml:1:1: the text has");
}

TEST_CASE("deep nesting is refused before anything recurses into it") {
  for (const char* open : {"[", "{a=", "[{a=", "{a.b="})
    check_bad_start("a = " + repeated(open, 30000), "web.toml:1:");
  check_bad_start("a = " + std::string(17, '[') + std::string(17, ']') + "\n",
                  "web.toml:1:21: nested more than 16 deep");
  check_bad_start("a" + repeated(".a", 100000) + " = 1\n", "web.toml:1:32: nested more than 16");
  check_bad_start("[a" + repeated(" . a", 60000) + "]\n", "web.toml:1:");
  check_bad_start("\"a\"" + repeated(".\"a\"", 60000) + " = 1\n", "web.toml:1:");
  // Dots and brackets in strings and comments are no nesting.
  CHECK(parse_zone("web",
                   "label = \"" + repeated("[.{", 300) + "\" # " + repeated("[.{", 300) +
                       "\n[env]\nA = '''\n" + repeated("[.{\n", 300) + "'''\n",
                   "web.toml")
            .ok());
}

TEST_CASE("a text whose canonical form would not fit is refused") {
  std::string lines(120000, '\n');
  check_bad_start("command = [\"a\", \"\"\"" + lines + "\"\"\"]\n[env]\nA = '''\n" +
                      std::string(120000, '"') + "'''\n",
                  "web.toml:1:1: the configuration has ");
}

TEST_CASE("changed keys are named as zone set names them") {
  auto a = parse_zone("web", kEveryKey, "web.toml");
  REQUIRE(a.ok());
  core::ZoneSpec b = *a;
  CHECK(core::changed_keys(*a, b).empty());
  b.cpu_shares = 7;
  b.memory_physical.reset();
  b.env["NEW"] = "x";
  b.env.erase("LANG");
  b.fs[1].read_only = true;
  b.admin.clear();
  CHECK(core::changed_keys(*a, b) ==
        std::vector<std::string>{"cpu-shares", "env.LANG", "env.NEW", "capped-memory.physical",
                                 "fs.1.options", "admin.0.user", "admin.0.auths"});
}

TEST_CASE("limits change in a running zone, its make-up does not") {
  for (const char* key : {"cpu-shares", "capped-cpu.ncpus", "capped-cpu", "limits.processes",
                          "restart", "autoboot", "admin", "admin.0.auths", "stop-timeout"})
    CHECK(core::is_live_key(key));
  for (const char* key : {"command", "env.LANG", "env", "fs", "fs.0", "fs.0.dir", "user", "pool",
                          "label", "limits", "limits.open-files", "nonsense", "", "fs.x.dir"})
    CHECK_FALSE(core::is_live_key(key));
}
