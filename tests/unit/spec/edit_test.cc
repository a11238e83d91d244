#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "zoned/core/spec_toml.h"

namespace {

std::string edited(const std::string& text, const std::vector<std::string>& assignments) {
  auto result = core::edit_zone("web", text, assignments);
  return result ? result->text : "error: " + result.error().message;
}

base::Error refused(const std::string& text, const std::vector<std::string>& assignments) {
  auto result = core::edit_zone("web", text, assignments);
  REQUIRE_FALSE(result.ok());
  return result.error();
}

constexpr const char* kFs = "[[fs]]\ndir = \"/a\"\nspecial = \"/b\"\n";

}  // namespace

TEST_CASE("a value is replaced where it stands and all else stays") {
  CHECK(edited("# top\ncpu-shares   =  1   # few\n\n[env] # vars\n", {"cpu-shares=20"}) ==
        "# top\ncpu-shares   =  20   # few\n\n[env] # vars\n");
  CHECK(edited("\"cpu-shares\" = 1", {"cpu-shares=20"}) == "\"cpu-shares\" = 20");
  CHECK(edited("cpu-shares = 1\r\npool = \"a\"\r\n", {"cpu-shares=2", "autoboot=true"}) ==
        "cpu-shares = 2\r\npool = \"a\"\r\nautoboot = true\r\n");
  CHECK(edited("\xef\xbb\xbf"
               "pool = \"a\"\n",
               {"pool=b"}) ==
        "\xef\xbb\xbf"
        "pool = \"b\"\n");
}

TEST_CASE("a value is TOML or a bare word") {
  CHECK(edited("", {"pool=web"}) == "pool = \"web\"\n");
  CHECK(edited("", {"pool=\"web\""}) == "pool = \"web\"\n");
  CHECK(edited("", {"pool=1234"}) == "pool = \"1234\"\n");
  CHECK(edited("", {"user=1000"}) == "user = \"1000\"\n");
  CHECK(edited("", {"env.A=true"}) == "[env]\nA = \"true\"\n");
  CHECK(edited("", {"env.A=a b # c"}) == "[env]\nA = \"a b # c\"\n");
  CHECK(edited("", {"env.A=x=y"}) == "[env]\nA = \"x=y\"\n");
  CHECK(edited("", {"env.A=\"\""}) == "[env]\nA = \"\"\n");
  CHECK(edited("", {"capped-memory.physical=512M"}) == "[capped-memory]\nphysical = \"512M\"\n");
  CHECK(edited("", {"capped-memory.physical=1048576"}) == "[capped-memory]\nphysical = 1048576\n");
  CHECK(edited("", {"stop-timeout=5s"}) == "stop-timeout = \"5s\"\n");
  CHECK(edited("", {"command=[\"/bin/sleep\", '60',]"}) == "command = [\"/bin/sleep\", \"60\"]\n");
  CHECK(edited("", {" cpu-shares = 0x10 "}) == "cpu-shares = 16\n");
}

TEST_CASE("a new key joins its table") {
  CHECK(edited("[limits]\n# few\nprocesses = 1 # one\n\n# env\n[env]\nA = \"x\"\n",
               {"limits.io-weight=5", "env.B=y"}) ==
        "[limits]\n# few\nprocesses = 1 # one\nio-weight = 5\n\n# env\n[env]\nA = \"x\"\n"
        "B = \"y\"\n");
  CHECK(edited("limits.processes = 1\n[env]\n", {"limits.io-weight=5"}) ==
        "limits.processes = 1\nlimits.io-weight = 5\n[env]\n");
  CHECK(edited("limits = { processes = 1 } # x\n", {"limits.io-weight=5"}) ==
        "limits = { processes = 1, io-weight = 5 } # x\n");
  CHECK(edited("limits = {}\n", {"limits.io-weight=5"}) == "limits = { io-weight = 5 }\n");
  CHECK(edited("pool = \"a\"", {"limits.io-weight=5"}) ==
        "pool = \"a\"\n\n[limits]\nio-weight = 5\n");
}

TEST_CASE("a new root key stands before the tables") {
  CHECK(edited("# about\n\n# env\n[env]\nA = \"x\"\n", {"pool=web"}) ==
        "# about\n\npool = \"web\"\n\n# env\n[env]\nA = \"x\"\n");
  CHECK(edited("autoboot = true # yes\n\n[env]\n", {"pool=web"}) ==
        "autoboot = true # yes\npool = \"web\"\n\n[env]\n");
  CHECK(edited("# only a comment", {"pool=web"}) == "# only a comment\npool = \"web\"\n");
}

TEST_CASE("elements of lists are set and appended by index") {
  CHECK(edited("", {"fs.0.dir=/a", "fs.0.special=/b"}) == kFs);
  CHECK(edited(std::string(kFs) + "\n[env]\nA = \"x\"\n", {"fs.1.dir=/c", "fs.1.special=/d"}) ==
        std::string(kFs) + "\n[[fs]]\ndir = \"/c\"\nspecial = \"/d\"\n\n[env]\nA = \"x\"\n");
  CHECK(edited(kFs, {"fs.0.dir=/z", "fs.0.options=[\"ro\"]"}) ==
        "[[fs]]\ndir = \"/z\"\nspecial = \"/b\"\noptions = [\"ro\"]\n");
  CHECK(
      edited("fs = [\n  {dir = \"/a\", special = \"/b\"}, # one\n]\n",
             {"fs.1.dir=/c", "fs.1.special=/d", "fs.0.dir=/z"}) ==
      "fs = [\n  {dir = \"/z\", special = \"/b\"}, { dir = \"/c\", special = \"/d\" }, # one\n]\n");
  CHECK(edited("fs = []\n", {"fs.0.dir=/a", "fs.0.special=/b"}) ==
        "fs = [{ dir = \"/a\", special = \"/b\" }]\n");
  CHECK(refused(kFs, {"fs.2.dir=/c"}).hint == "the next new one is 'fs.1'");
  CHECK(refused(kFs, {"fs.1.dir=/c"}).message == "table 'fs.1': key 'special' is missing");
}

TEST_CASE("an empty value removes a key") {
  CHECK(edited("pool = \"a\"\n# why\nautoboot = true # x\nnesting = true\n", {"autoboot="}) ==
        "pool = \"a\"\n# why\nnesting = true\n");
  CHECK(edited("[limits]\nprocesses = 1\n\n[env]\nA = \"x\"\n", {"limits.processes="}) ==
        "\n[env]\nA = \"x\"\n");
  CHECK(edited("[limits]\n# keep\nprocesses = 1\n", {"limits.processes="}) == "[limits]\n# keep\n");
  CHECK(edited("limits = { processes = 1, io-weight = 5 }\n", {"limits.processes="}) ==
        "limits = { io-weight = 5 }\n");
  CHECK(edited("limits = { processes = 1, io-weight = 5 }\n", {"limits.io-weight="}) ==
        "limits = { processes = 1 }\n");
  CHECK(edited("limits = { processes = 1 }\n", {"limits.processes="}) == "limits = {}\n");
  CHECK(edited("pool = \"a\"\n", {"autoboot="}) == "pool = \"a\"\n");
}

TEST_CASE("an empty value removes tables, lists and elements") {
  CHECK(edited("pool = \"a\"\n[env]\nA = \"x\"\n# c\nB = \"y\"\n[limits]\nprocesses = 1\n",
               {"env="}) == "pool = \"a\"\n# c\n[limits]\nprocesses = 1\n");
  CHECK(edited("env.A = \"x\"\npool = \"a\"\nenv.B = \"y\"\n", {"env="}) == "pool = \"a\"\n");
  std::string two = std::string(kFs) + "# two\n[[fs]]\ndir = \"/c\"\nspecial = \"/d\"\n";
  CHECK(edited(two, {"fs.0="}) == "# two\n[[fs]]\ndir = \"/c\"\nspecial = \"/d\"\n");
  CHECK(edited(two, {"fs.1="}) == std::string(kFs) + "# two\n");
  CHECK(edited(two, {"fs="}) == "# two\n");
  CHECK(edited(two, {"fs.0=", "fs.0.dir=/z"}) == "# two\n[[fs]]\ndir = \"/z\"\nspecial = \"/d\"\n");
  std::string line = "fs = [{dir=\"/a\",special=\"/b\"}, {dir=\"/c\",special=\"/d\"},]\n";
  CHECK(edited(line, {"fs.0="}) == "fs = [{dir=\"/c\",special=\"/d\"},]\n");
  CHECK(edited(line, {"fs.1="}) == "fs = [{dir=\"/a\",special=\"/b\"},]\n");
  CHECK(edited(line, {"fs.1=", "fs.0="}) == "fs = []\n");
  CHECK(refused(two, {"fs.2="}).message == "key 'fs.2': the list has 2 elements");
}

TEST_CASE("whole tables and lists are set at once") {
  CHECK(edited("[env]\n# a\nA = \"x\"\nB = \"y\"\n", {"env={B=\"z\", C=\"c\"}"}) ==
        "[env]\n# a\nB = \"z\"\nC = \"c\"\n");
  CHECK(edited("", {"fs=[{dir=\"/a\",special=\"/b\"}]"}) == kFs);
  CHECK(edited(std::string(kFs) + "\n[[fs]]\ndir = \"/c\"\nspecial = \"/d\"\n",
               {"fs=[{dir=\"/z\",special=\"/b\"}]"}) ==
        "[[fs]]\ndir = \"/z\"\nspecial = \"/b\"\n\n");
  CHECK(edited(kFs, {"fs=[]"}).empty());
  CHECK(edited(kFs, {"fs.0={dir=\"/z\",special=\"/y\"}"}) ==
        "[[fs]]\ndir = \"/z\"\nspecial = \"/y\"\n");
  CHECK(refused("", {"fs.0={}"}).message == "key 'fs.0': the table is empty");
  CHECK(refused("", {"env=[]"}).message == "key 'env': must be a table");
  CHECK(refused("", {"fs={}"}).message == "key 'fs': must be an array of tables");
}

TEST_CASE("values over several lines survive and comments in them are kept") {
  std::string text =
      "command = [\n  \"/bin/sh\", # shell\n  # flag\n  \"-c\",\n  '''\n# no comment\nexit'''\n]\n"
      "[env]\nA = \"\"\"\\\n  x \\\n  y\"\"\" # end\n";
  CHECK(edited(text, {"pool=web"}) ==
        text.substr(0, text.find("[env]")) + "pool = \"web\"\n" + text.substr(text.find("[env]")));
  CHECK(edited(text, {"command=[\"/bin/true\"]"}) ==
        "# shell\n# flag\ncommand = [\"/bin/true\"]\n" + text.substr(text.find("[env]")));
  CHECK(edited(text, {"command="}) == "# shell\n# flag\n" + text.substr(text.find("[env]")));
  CHECK(edited(text, {"env.A=z"}) == text.substr(0, text.find("A = ")) + "A = \"z\" # end\n");
}

TEST_CASE("a string over several lines may end in quotes of its own") {
  std::string text = "command = [\"\"\"a\"\"\"\", '''b''''', \"]\", \"#\"] # end\n";
  CHECK(edited(text, {"command=[\"/a\"]"}) == "command = [\"/a\"] # end\n");
  CHECK(edited(text, {"nesting=true"}) == text + "nesting = true\n");
}

TEST_CASE("a refused assignment names its key") {
  CHECK(refused("", {"cpu-shares=0"}).message == "key 'cpu-shares': 0 is out of range 1..65535");
  CHECK(refused("", {"cpu-shares=many"}).message ==
        "key 'cpu-shares': 'many' is not the TOML of one value");
  CHECK(refused("", {"cpu-share=1"}).hint == "did you mean 'cpu-shares'?");
  CHECK(refused("", {"cpu-shares"}).message == "'cpu-shares' is not KEY=VALUE");
  CHECK(refused("nesting = true\n", {"brand=vm"}).message ==
        "web.toml:1:1: key 'nesting': zones of brand vm do not take it");
  CHECK(refused("", {"command=/bin/sleep"}).hint == "write it as in [\"one\", \"two\"]");
  CHECK(refused("", {"pool=\"a"}).message == "key 'pool': '\"a' is not the TOML of one value");
  CHECK(refused("", {"command.0=\"x\""}).message == "unknown key 'command.0'");
  CHECK(refused("", {"env.A-B=x"}).message == "key 'env.A-B': 'A-B' is not a variable's name");
  CHECK(refused("", {std::string("env.A=\xff")}).message ==
        "an assignment is not valid UTF-8 without NUL");
  CHECK(refused("", std::vector<std::string>(257, "pool=a")).message ==
        "more than 256 assignments");
}

TEST_CASE("a value can't smuggle in a second key") {
  CHECK(refused("", {"autoboot=true\nnesting = true"}).message ==
        "key 'autoboot': 'true\\nnesting = true' is not the TOML of one value");
  CHECK(edited("", {"env.A=x\"\nB = \"y"}) == "[env]\nA = \"x\\\"\\nB = \\\"y\"\n");
}

TEST_CASE("a broken or unknown text is not edited") {
  CHECK(refused("pool = \n", {"autoboot=true"}).message.substr(0, 11) == "web.toml:1:");
  CHECK(refused("nope = 1\n", {"autoboot=true"}).message == "web.toml:1:1: unknown key 'nope'");
  // But an edit may mend it.
  CHECK(edited("cpu-shares = 0 # low\n", {"cpu-shares=1"}) == "cpu-shares = 1 # low\n");
}

TEST_CASE("pools are edited by their own keys") {
  auto result = core::edit_pool("web", "# web\nshares = 1\n", {"shares=3", "cpus=0-1"});
  REQUIRE(result.ok());
  CHECK(result->text == "# web\nshares = 3\ncpus = \"0-1\"\n");
  CHECK_FALSE(core::edit_pool("web", "", {"cpu-shares=3"}).ok());
}
