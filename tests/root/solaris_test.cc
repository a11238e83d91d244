// The command lines of the Solaris manuals, typed as they are printed there.
#include <catch2/catch.hpp>

#include "base/strings.h"
#include "tests/harness/shell.h"

namespace {

using harness::Sandbox;
using harness::shell;
using harness::shell_ok;
using harness::state_of;

// An instance with links of the old names in $R/bin, found along PATH, which speak to it.
class Manual {
 public:
  Manual() {
    box_.busybox_tree();
    shell_ok(box_,
             "mkdir $R/bin; for name in zonecfg zoneadm zlogin zonestat; do "
             "ln -s $B/zone $R/bin/$name; done");
  }
  base::Output run(const std::string& line) const { return shell(box_, kSetUp + line); }
  std::string ok(const std::string& line) const { return shell_ok(box_, kSetUp + line); }
  const Sandbox& box() const { return box_; }

 private:
  static inline const std::string kSetUp = "export PATH=$R/bin:$PATH ZONED_ROOT=$R; cd $R; ";
  Sandbox box_;
};

TEST_CASE("a zone is configured, installed, booted, used and removed as in the manuals") {
  Manual manual;
  manual.ok(
      "printf 'create\\nset autoboot=false\\nadd capped-memory\\nset physical=64m\\nend\\n"
      "add rctl\\nset name=zone.max-lwps\\nadd value (priv=privileged,limit=100,action=deny)"
      "\\nend\\nverify\\ncommit\\n' >web.cfg; zonecfg -z web -f web.cfg");
  CHECK(state_of(manual.box(), "web") == "configured");
  std::string config = manual.ok("zonecfg -z web info");
  CHECK_THAT(config, Catch::Contains("physical"));
  CHECK_THAT(config, Catch::Contains("processes = 100"));

  manual.ok("zoneadm -z web install -d $R/tree");
  CHECK(state_of(manual.box(), "web") == "installed");
  manual.ok("zoneadm -z web verify");
  manual.ok("zoneadm -z web boot");
  CHECK(state_of(manual.box(), "web") == "running");
  CHECK(harness::cgroup_value(manual.box(), "web", "memory", "memory.limit_in_bytes",
                              "memory.max") == "67108864");

  std::string list = manual.ok("zoneadm list -cv");
  CHECK_THAT(list, Catch::Contains("NAME"));
  CHECK_THAT(list, Catch::Contains("global"));
  CHECK_THAT(list, Catch::Contains("web"));
  CHECK_THAT(list, Catch::Contains("running"));
  CHECK_THAT(list, Catch::Contains(std::to_string(harness::pid_of(manual.box(), "web"))));
  CHECK(manual.ok("zoneadm list") == "global\nweb\n");
  auto fields = base::split(base::trim(manual.ok("zoneadm -z web list -p")), ':');
  REQUIRE(fields.size() == 7);
  CHECK(fields[1] == "web");
  CHECK(fields[2] == "running");

  CHECK(manual.ok("zlogin web hostname") == "web\n");
  CHECK(manual.ok("zlogin -l guest web id -u") == "1000\n");
  CHECK(manual.ok("echo words | zlogin web cat") == "words\n");
  CHECK(manual.run("zlogin web /bin/sh -c 'exit 7'").status == 7);
  CHECK_THAT(manual.ok("zonestat 1 1"), Catch::Contains("web"));
  CHECK_THAT(manual.ok("zonestat -z web 1 1"), Catch::Contains("web"));

  manual.ok("zoneadm -z web reboot");
  CHECK(state_of(manual.box(), "web") == "running");
  manual.ok("zoneadm -z web halt");
  CHECK(state_of(manual.box(), "web") == "installed");
  CHECK(manual.ok("zoneadm list") == "global\n");
  CHECK(manual.ok("zoneadm list -i") == "global\nweb\n");
  manual.ok("zoneadm -z web uninstall -F");
  manual.ok("zonecfg -z web delete -F");
  CHECK(state_of(manual.box(), "web") == "absent");
}

TEST_CASE("zonecfg takes its commands on the command line and from standard input") {
  Manual manual;
  harness::Sandbox::label_public(manual.box().root() + "/bin");
  manual.ok(
      "zonecfg -z one \"create; set cpu-shares=20; add fs; set dir=/data; set special=$R/bin;"
      " add options ro; end; commit\"");
  CHECK_THAT(manual.ok("zonecfg -z one export"), Catch::Contains("cpu-shares = 20"));
  CHECK_THAT(manual.ok("zonecfg -z one export"), Catch::Contains("/data"));
  manual.ok("printf 'create\\nset pool=default\\n' | zonecfg -z two");
  CHECK(state_of(manual.box(), "two") == "configured");
  manual.ok("zonecfg -z one 'set cpu-shares=5'");
  CHECK_THAT(manual.ok("zone() { $Z \"$@\"; }; zone export one"),
             Catch::Contains("cpu-shares = 5"));
}

TEST_CASE("a wrong command leaves the configuration as it was") {
  Manual manual;
  manual.ok("zonecfg -z web 'create; set cpu-shares=2'");
  harness::check_refused(manual.run("zonecfg -z web 'set cpu-shares=3; set cpu-shars=4'"),
                         {"cpu-shars"});
  CHECK_THAT(manual.ok("zonecfg -z web export"), Catch::Contains("cpu-shares = 2"));
  harness::check_refused(manual.run("zoneadm -z web bot"), {"'bot'", "boot"});
  harness::check_refused(manual.run("zoneadm boot"), {"zone"});
  CHECK(manual.run("zlogin ghost true").status == 125);
  CHECK(manual.run("zlogin web true").status == 125);
}

TEST_CASE("zlogin -C is the console, which ~. leaves") {
  Manual manual;
  harness::shell_ok(manual.box(),
                    "$Z create web --set 'command=[\"/bin/sh\",\"-c\",\"while :; do echo tick; "
                    "sleep 0.1; done\"]' --from dir:$R/tree --boot");
  CHECK_THAT(manual.ok("(sleep 1; printf '~.') | zlogin -C web"), Catch::Contains("tick"));
}

}  // namespace
