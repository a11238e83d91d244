// Rows 1, 2, 4 and 11: what joins a zone, as the zone may see and touch it.
#include <catch2/catch.hpp>

#include "base/files.h"
#include "base/strings.h"
#include "tests/harness/rounds.h"
#include "tests/harness/shell.h"

namespace {

using harness::Sandbox;
using harness::shell;
using harness::shell_ok;

std::string rounds() { return std::to_string(harness::rounds(200, 1200)); }

const char* const kHelpers = "sha256sum $B/zoned $B/zone $B/zone-keeper $B/zone-init";

// A zone whose command is the stalker; execs of `command` while it hunts. What it has found.
std::string hunt(Sandbox& box, const std::string& mode, const std::string& seconds,
                 const std::string& execs) {
  box.busybox_tree();
  shell_ok(box,
           "cp $B/victims/stalker $R/tree/bin; "
           "printf '#!/proc/self/exe\\n' >$R/tree/bin/mirror; chmod 755 $R/tree/bin/mirror");
  box.zone_ok({"create", "web", "--from", "dir:" + box.root() + "/tree", "--boot", "--set",
               R"(command=["/bin/stalker",")" + mode + R"(",")" + seconds + R"("])"});
  shell_ok(box, execs, std::chrono::minutes(5));
  std::string log;
  CHECK(harness::eventually(
      [&] {
        return (log = box.zone_ok({"logs", "web"})).find("own=") != std::string::npos;
      },
      std::chrono::minutes(5)));
  return log;
}

TEST_CASE("programs that join a zone can't be overwritten from inside") {
  Sandbox box;
  const std::string before = shell_ok(box, kHelpers);
  std::string found = hunt(box, "exe", harness::soaking() ? "60" : "8",
                           "i=0; while [ $i -lt " + rounds() +
                               " ]; do i=$((i+1)); $Z exec web -- /bin/true; "
                               "[ $((i%10)) != 0 ] || $Z exec web -- /bin/mirror || :; done");
  INFO(found);
  CHECK_THAT(found, Catch::Contains("foreign=0"));
  // It does reach what it may: the zone's own programs, in the same way.
  CHECK_THAT(found, !Catch::Contains("own=0 "));
  CHECK(shell_ok(box, kHelpers) == before);
}

TEST_CASE("a tracer inside a zone gets hold of no process before it is the zone's") {
  Sandbox box;
  std::string found = hunt(box, "ptrace", harness::soaking() ? "60" : "6",
                           "i=0; while [ $i -lt " + rounds() +
                               " ]; do i=$((i+1)); $Z exec web -- /bin/sleep 0.005; done");
  INFO(found);
  CHECK_THAT(found, Catch::Contains("foreign=0"));
  CHECK_THAT(found, !Catch::Contains("own=0 "));
}

TEST_CASE("processes of a zone hold descriptors 0, 1 and 2 alone, and stand inside") {
  Sandbox box;
  harness::boot_script(box, "web", "exec sleep 1001");
  shell_ok(box,
           "$Z exec web -w /etc -- sleep 1002 </dev/null >/dev/null 2>&1 &"
           "$Z run --from dir:$R/tree -- sleep 1003 </dev/null >/dev/null 2>&1 &");
  for (const char* seconds : {"1001", "1002", "1003"}) {
    // Not by their whole command line: the client's ends the same.
    std::string pid;
    CHECK(harness::eventually([&] {
      pid = std::string(base::trim(
          shell(box, std::string("pgrep -x sleep -a | awk '$3 == ") + seconds + " {print $1}'")
              .out));
      return !pid.empty();
    }));
    INFO(seconds << ": pid " << pid);
    auto fds = base::list_dir(AT_FDCWD, "/proc/" + pid + "/fd");
    REQUIRE(fds.ok());
    CHECK(*fds == std::vector<std::string>{"0", "1", "2"});
    std::string same = shell_ok(box, "p=/proc/" + pid +
                                         "; [ \"$(stat -Lc %d:%i $p/cwd)\" = \"$(stat "
                                         "-Lc %d:%i $p/root$(readlink $p/cwd))\" ] && echo inside");
    CHECK(same == "inside\n");
  }
}

TEST_CASE("no descriptor of a helper serves as a working folder") {
  Sandbox box;
  harness::boot_script(box, "web", "sleep 1000");
  shell_ok(box, "echo found >$R/canary");
  const std::string look = " -- /bin/sh -c 'cat ../../../../../../../..'$R/canary";
  for (int n = 3; n <= 20; ++n) {
    std::string number = std::to_string(n);
    for (const std::string& folder : {"/proc/self/fd/" + number, "/proc/1/fd/" + number}) {
      INFO(folder);
      CHECK(shell(box, "$Z exec web -w " + folder + look).out.empty());
      box.zone_ok({"exec", "web", "--", "ln", "-sfn", folder, "/link"});
      CHECK(shell(box, "$Z exec web -w /link" + look).out.empty());
      CHECK(shell(box, "$Z run --from dir:$R/tree --set workdir=" + folder + look).out.empty());
    }
  }
  CHECK(box.zone_ok({"exec", "web", "-w", "/etc", "--", "pwd"}) == "/etc\n");
}

TEST_CASE("a process in a zone can't type into its terminal") {
  Sandbox box;
  harness::boot_script(box, "web", "sleep 1000");
  shell_ok(box, "cp $B/victims/stalker $R/lib/zones/web/root/bin");
  const std::string on_terminal = "script -qec \"";
  CHECK_THAT(
      shell(box, on_terminal + "$Z exec web -- /bin/stalker tiocsti\" /dev/null </dev/null").out,
      Catch::Contains("refused"));
  // The host's root may: the program does try.
  CHECK_THAT(shell(box, on_terminal + "$B/victims/stalker tiocsti\" /dev/null </dev/null").out,
             Catch::Contains("reached"));
}

TEST_CASE("a console's escape sequences do not reach the terminal, its text does") {
  Sandbox box;
  // OSC 52 sets the clipboard; DCS and the answerback of DA make the terminal type.
  harness::boot_script(box, "web",
                       R"(while :; do printf '\033]52;c;ZXZpbA==\007\033Pq#\033\\\033[cseen\n';)"
                       " sleep 0.1; done");
  base::Output console =
      shell(box, "(sleep 1; printf '~.') | script -qec \"$Z console web\" /dev/null");
  CHECK_THAT(console.out, Catch::Contains("seen"));
  CHECK_THAT(console.out, !Catch::Contains("\x1b]52"));
  CHECK_THAT(console.out, !Catch::Contains("\x1bP"));
  CHECK_THAT(console.out, !Catch::Contains("\x1b[c"));
  base::Output logs = shell(box, "script -qec \"$Z logs web\" /dev/null </dev/null");
  CHECK_THAT(logs.out, Catch::Contains("seen"));
  CHECK_THAT(logs.out, !Catch::Contains("\x1b]52"));
  // Into a file they go as they are.
  CHECK_THAT(box.zone_ok({"logs", "web"}), Catch::Contains("\x1b]52"));
}

TEST_CASE("a descriptor of the kernel's attribute files is not taken as a command's output") {
  Sandbox box;
  harness::boot_script(box, "web", "sleep 1000");
  for (const char* file : {"/proc/self/attr/exec", "/proc/self/oom_score_adj", "/proc/self/mem"}) {
    INFO(file);
    CHECK(shell(box, std::string("$Z exec web -- /bin/echo 0 1<>") + file).status == 125);
  }
  CHECK(shell(box, "$Z exec web -- /bin/echo 0 1<>$R/file; cat $R/file").out == "0\n");
}

}  // namespace
