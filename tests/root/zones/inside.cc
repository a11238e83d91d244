// What runs inside: run, exec, login; their stdio, statuses, users and signals.
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>

#include "base/files.h"
#include "base/strings.h"
#include "tests/harness/shell.h"

namespace {

using harness::boot_script;
using harness::Sandbox;
using harness::shell;
using harness::shell_ok;

TEST_CASE("run gives its stdio and its exit status to the command, and its zone goes with it") {
  Sandbox box;
  box.busybox_tree();
  const std::string run = "$Z run --from dir:$R/tree ";
  CHECK(shell_ok(box, "echo some words | " + run + "-- tr a-z A-Z") == "SOME WORDS\n");
  base::Output output = shell(box, run + "-- /bin/sh -c 'echo out; echo err >&2; exit 7'");
  CHECK(output.out == "out\n");
  CHECK(output.err == "err\n");
  CHECK(output.status == 7);
  CHECK(shell(box, run + "-- /bin/sh -c 'kill -TERM $$'").status == 128 + SIGTERM);
  CHECK(shell_ok(box, run + "--set hostname=inner --set env.A=1 -e B=2 -- "
                            "/bin/sh -c 'hostname; echo $A$B; echo x >/new'") == "inner\n12\n");
  // An overlay takes what it writes: the source is as before, and no zone is left.
  CHECK(!std::ifstream(box.root() + "/tree/new").is_open());
  CHECK(shell_ok(box, "$Z list --json") == "[]\n");
}

TEST_CASE("run and exec of a missing command give 127, of one that can't run 126") {
  Sandbox box;
  box.busybox_tree();
  boot_script(box, "web", "sleep 1000");
  for (const std::string verb : {"run --from dir:$R/tree", "exec web"}) {
    INFO(verb);
    CHECK(shell(box, "$Z " + verb + " -- /bin/nothing").status == 127);
    CHECK(shell(box, "$Z " + verb + " -- nothing").status == 127);
    CHECK(shell(box, "$Z " + verb + " -- /etc/passwd").status == 126);
  }
  CHECK(shell(box, "$Z exec absent -- /bin/true").status == 125);
}

TEST_CASE("a named run is a zone while it lasts, and halting it ends the command") {
  Sandbox box;
  box.busybox_tree();
  shell_ok(box,
           "($Z run --name job --from dir:$R/tree -- sleep 1000 </dev/null >/dev/null 2>&1;"
           " echo $? >$R/status) >/dev/null 2>&1 &");
  CHECK(harness::eventually([&] { return harness::state_of(box, "job") == "running"; }));
  box.zone_ok({"halt", "job"});
  CHECK(harness::eventually([&] { return base::exists_at(AT_FDCWD, box.root() + "/status"); }));
  CHECK(harness::eventually([&] { return harness::read_text(box.root() + "/status") == "137"; }));
  CHECK(harness::state_of(box, "job") == "absent");
}

TEST_CASE("exec takes a user, an environment, a folder, and stdin through a pipe") {
  Sandbox box;
  boot_script(box, "web", "sleep 1000", {"env.GREETING=hello"});
  auto exec = [&](const std::string& rest) { return shell_ok(box, "$Z exec web " + rest); };
  CHECK(exec("-- id -u") == "0\n");
  CHECK(exec("-u guest -- id -u") == "1000\n");
  CHECK(exec("-u 77 -- id -u") == "77\n");
  CHECK(exec("-e COLOUR=blue -- /bin/sh -c 'echo $COLOUR'") == "blue\n");
  CHECK(exec("-w /etc -- pwd") == "/etc\n");
  CHECK(exec("-- hostname") == "web\n");
  CHECK(shell_ok(box, "seq 100000 | $Z exec web -- wc -l") == "100000\n");
  CHECK(shell_ok(box, "$Z exec web -- seq 100000 | wc -l") == "100000\n");
  base::Output output = shell(box, "$Z exec web -- /bin/sh -c 'echo no >&2; exit 9'");
  CHECK(output.status == 9);
  CHECK(output.err == "no\n");
  CHECK(output.out.empty());
  CHECK(shell(box, "$Z exec web -- /bin/sh -c 'kill -KILL $$'").status == 137);
  CHECK(shell(box, "$Z exec web -u nobody-such -- id").status == 125);
  CHECK(shell(box, "$Z exec web -w /no/such/folder -- id").status == 125);
}

TEST_CASE("a signal to zone exec and zone run reaches the command") {
  Sandbox box;
  boot_script(box, "web", "sleep 1000");
  const std::string command =
      R"(-- /bin/sh -c 'trap "echo caught; exit 5" TERM; echo ready; while :; do sleep 0.1; done')";
  for (const std::string verb : {"exec web ", "run --from dir:$R/tree "}) {
    INFO(verb);
    base::Output output =
        shell(box, "$Z " + verb + command + " >$R/out 2>&1 & pid=$!\n" +
                       "while ! grep -q ready $R/out; do sleep 0.05; done\n"
                       "kill -TERM $pid; wait $pid; echo $?; cat $R/out; rm $R/out");
    CHECK(output.out == "5\nready\ncaught\n");
  }
}

TEST_CASE("processes of exec belong to the zone: its cgroup, its view, its end") {
  Sandbox box;
  boot_script(box, "web", "sleep 1000");
  shell_ok(box, "$Z exec web -- sleep 777 </dev/null >/dev/null 2>&1 &");
  std::string host_pid;
  CHECK(harness::eventually([&] {
    host_pid = std::string(base::trim(shell(box, "pgrep -xf 'sleep 777' | head -1").out));
    return !host_pid.empty();
  }));
  CHECK_THAT(harness::read_text("/proc/" + host_pid + "/cgroup"), Catch::Contains("/web"));
  CHECK(shell_ok(box, "$Z exec web -- pidof sleep") != "");
  box.zone_ok({"halt", "web"});
  CHECK(!base::exists_at(AT_FDCWD, "/proc/" + host_pid));
}

TEST_CASE("login and exec on a terminal get a terminal of the zone") {
  Sandbox box;
  boot_script(box, "web", "sleep 1000");
  base::Output login = shell(box,
                             "printf 'tty; echo home=$HOME; stty size\\nexit 3\\n' | "
                             "script -qec \"$Z login web -u guest\" /dev/null");
  INFO(login.out);
  CHECK(login.status == 3);
  CHECK_THAT(login.out, Catch::Contains("/dev/pts/0"));
  CHECK_THAT(login.out, Catch::Contains("home=/tmp"));
  base::Output exec = shell(box, "script -qec \"$Z exec web -- tty\" /dev/null </dev/null");
  CHECK_THAT(exec.out, Catch::Contains("/dev/pts/0"));
  base::Output bare = shell(box, "script -qec \"$Z exec -T web -- tty\" /dev/null </dev/null");
  CHECK_THAT(bare.out, !Catch::Contains("/dev/pts/0"));
  CHECK(shell(box, "printf 'exit 4\\n' | $Z login web").status == 4);
}

TEST_CASE("exec goes on while zoned is killed and started again, and its status comes") {
  Sandbox box;
  boot_script(box, "web", "sleep 1000");
  shell_ok(box,
           "($Z exec web -- /bin/sh -c 'sleep 1; echo end; exit 6' </dev/null >$R/out 2>&1;"
           " echo $? >$R/status) >/dev/null 2>&1 &");
  CHECK(harness::eventually([&] { return base::exists_at(AT_FDCWD, box.root() + "/out"); }));
  harness::sleep_for(std::chrono::milliseconds(200));
  pid_t before = harness::pid_of(box, "web");
  box.restart();
  CHECK(harness::pid_of(box, "web") == before);
  CHECK(harness::eventually([&] { return base::exists_at(AT_FDCWD, box.root() + "/status"); }));
  CHECK(harness::eventually([&] { return harness::read_text(box.root() + "/status") == "6"; }));
  CHECK(harness::read_text(box.root() + "/out") == "end");
}

}  // namespace
