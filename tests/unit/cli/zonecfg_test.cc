#include "cli/zonecfg.h"

#include <catch2/catch.hpp>

#include "base/strings.h"
#include "cli/solaris.h"

namespace {

using Kind = cli::ZonecfgStep::Kind;
using Strings = std::vector<std::string>;

std::vector<cli::ZonecfgStep> steps_of(const std::string& script,
                                       std::map<std::string, size_t> existing = {}) {
  cli::ZonecfgTranslator translator(std::move(existing));
  std::vector<cli::ZonecfgStep> all;
  for (const std::string& line : base::split(script, '\n')) {
    auto steps = translator.line(line);
    INFO((steps ? "" : steps.error().message));
    REQUIRE(steps.ok());
    for (auto& step : *steps) all.push_back(std::move(step));
  }
  CHECK(translator.open_resource().empty());
  return all;
}

Strings assignments(const std::string& script, std::map<std::string, size_t> existing = {}) {
  Strings all;
  for (const auto& step : steps_of(script, std::move(existing)))
    all.insert(all.end(), step.assignments.begin(), step.assignments.end());
  return all;
}

// "message | hint" of the first error.
std::string error_of(const std::string& script) {
  cli::ZonecfgTranslator translator;
  for (const std::string& line : base::split(script, '\n')) {
    auto steps = translator.line(line);
    if (!steps) return steps.error().message + " | " + steps.error().hint;
  }
  return "no error";
}

TEST_CASE("a script of the old manuals becomes our keys") {
  CHECK(assignments(R"(create -b
set zonepath=/zones/web
set autoboot = true    # comment
set pool=web
add fs
set dir=/data
set special="/srv/the data"
set type=lofs
add options [ro,nodevices]
end
add fs
set dir=/b; set special=/c; end
add capped-memory
set physical=512m
set swap=1g
end
add capped-cpu
set ncpus=1.5
end
add dedicated-cpu
set ncpus=1-2
end
add admin
set user=joe
set auths=login,manage
end
add rctl
set name=zone.cpu-shares
add value (priv=privileged,limit=20,action=none)
end
verify
commit
exit)") == Strings{"autoboot=true", "pool=\"web\"", "fs.0.dir=\"/data\"",
                   "fs.0.special=\"/srv/the data\"", "fs.0.options=[\"ro\", \"nodevices\"]",
                   "fs.1.dir=\"/b\"", "fs.1.special=\"/c\"", "capped-memory.physical=\"512M\"",
                   "capped-memory.swap=\"1G\"", "capped-cpu.ncpus=1.5",
                   "dedicated-cpu.ncpus=\"1-2\"", "admin.0.user=\"joe\"",
                   "admin.0.auths=[\"login\", \"manage\"]", "cpu-shares=20"});
}

TEST_CASE("commands become steps in order") {
  auto steps = steps_of("create; set cpu-shares=3; verify; commit; info; export; delete -F; exit");
  std::vector<Kind> kinds;
  for (const auto& step : steps) kinds.push_back(step.kind);
  CHECK(kinds == std::vector<Kind>{Kind::kCreate, Kind::kAssign, Kind::kVerify, Kind::kCommit,
                                   Kind::kInfo, Kind::kExport, Kind::kDelete, Kind::kExit});
  CHECK(steps[6].force);
}

TEST_CASE("new list entries go behind those that exist, and create starts at none") {
  CHECK(assignments("add fs; set dir=/a; end", {{"fs", 2}}) == Strings{"fs.2.dir=\"/a\""});
  CHECK(assignments("create; add fs; set dir=/a; end", {{"fs", 2}}) == Strings{"fs.0.dir=\"/a\""});
  CHECK(cli::count_lists("[[fs]]\ndir = \"/a\"\n  [[ fs ]] # x\n[limits]\n[[admin]]\n") ==
        std::map<std::string, size_t>{{"fs", 2}, {"admin", 1}});
}

TEST_CASE("what has no meaning here is accepted with a note") {
  auto steps = steps_of("set zonepath=/zones/a; add attr; set name=comment; set value=x; end");
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].notes == Strings{"zonepath has no meaning here, ignoring"});
  CHECK(steps[0].assignments.empty());
  CHECK(steps[1].notes == Strings{"attr 'comment' has no meaning here, ignoring"});
}

TEST_CASE("clear removes a setting, cancel a resource") {
  CHECK(assignments("clear pool") == Strings{"pool="});
  CHECK(assignments("add fs; set dir=/a; cancel; set cpu-shares=2") == Strings{"cpu-shares=2"});
}

TEST_CASE("quotes and brackets keep what is inside") {
  CHECK(assignments("set label=\"A; B # C\"") == Strings{"label=\"A; B # C\""});
}

TEST_CASE("faults name the line and what was probably meant") {
  CHECK(error_of("create\nset autobot=true") ==
        "line 2: unknown property 'autobot' | did you mean autoboot?");
  CHECK(error_of("\n\nadd capped-memry") ==
        "line 3: unknown resource 'capped-memry' | did you mean capped-memory?");
  CHECK(error_of("add fs\nset dri=/a") ==
        "line 2: unknown property 'dri' of resource 'fs' | did you mean dir?");
  CHECK(error_of("comit") == "line 1: unknown command 'comit' | did you mean commit?");
  CHECK(error_of("add fs\ncommit") == "line 2: 'commit' inside resource 'fs' | end it first: end");
  CHECK(error_of("end") == "line 1: end without add | ");
  CHECK(error_of("add fs; end").starts_with("line 1: resource 'fs' is empty"));
  CHECK(error_of("set pool=\"a") == "line 1: a quote is not closed | ");
  CHECK(error_of("add rctl; set name=zone.max-shm; end")
            .starts_with("line 1: unknown resource control 'zone.max-shm'"));
  CHECK(error_of("set ip-type=shared").starts_with("line 1: ip-type 'shared' is not supported"));
}

TEST_CASE("zoneadm lists in the columns of the old manuals") {
  CHECK(cli::zoneadm_line({"", "NAME", "STATUS", "PATH", "BRAND", "IP"}) ==
        "  ID NAME             STATUS         PATH                           BRAND    IP    \n");
  CHECK(cli::zoneadm_line({"-", "web", "installed", "/z/web", "native", "excl"}) ==
        "   - web              installed      /z/web                         native   excl  \n");
  CHECK(cli::zoneadm_field("a:b\\c") == "a\\:b\\\\c");
}

}  // namespace
