// Two at once, with ids, labels, addresses and taps of their own. As root of the host they find each other in
// every way that they know; in cells in none.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "base/files.h"
#include "base/unix_socket.h"
#include "netns/links.h"
#include "tests/root/cells/must.h"
#include "tests/root/cells/vmm_yard.h"

namespace {

using base::UniqueFd;
using cells::must;

constexpr const char* kAll =
    "met abstract socket\nmet file\nmet loopback\nmet shared memory\nmet signal\nmet tap\nend\n";
constexpr int kShmBase = 0x7a700000;  // of meeter

// What two of them leave on the host.
void sweep(int first, int second) {
  for (int number : {first, second}) {
    unlink(("/tmp/zoned-meet-" + std::to_string(number)).c_str());
    int id = shmget(kShmBase + number, 0, 0);
    if (id >= 0) shmctl(id, IPC_RMID, nullptr);
  }
}

struct Bare {
  UniqueFd tap;
  UniqueFd line;
  pid_t pid = 0;
  std::string output;
};

Bare start_bare(cells::VmmYard& yard, netns::Links& host, int me, int other) {
  constexpr int kTap = 50;
  Bare bare;
  core::ZonePlan plan = yard.plan({}, {"bare" + std::to_string(me), static_cast<unsigned>(me)});
  bare.tap = must(netns::make_tap(host, plan.ports.at(0)));
  must(host.attach(plan.ports.at(0).host_name, "meeting", 0));
  auto line = must(base::socket_pair(SOCK_STREAM));
  bare.line = std::move(line.first);
  bare.pid = fork();
  if (bare.pid != 0) return bare;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(line.second.get(), 1);
  dup2(bare.tap.get(), kTap);
  execl(yard.program().c_str(), "meeter", std::to_string(me).c_str(), std::to_string(other).c_str(),
        std::to_string(kTap).c_str(), nullptr);
  _exit(1);
}

std::vector<std::string> taken_to(cells::VmmYard& yard, const char* me, const char* other) {
  for (const core::KeptFd& kept : yard.plan({}).kept_fds)
    if (kept.name == "tap0") return {me, other, std::to_string(kept.number)};
  FAIL("the plan has no tap");
  return {};
}

// What both said, one after the other.
std::pair<std::string, std::string> run_two(cells::VmmYard& yard, bool filter) {
  core::ZonePlan plans[] = {yard.plan(taken_to(yard, "3", "4"), {"three", 3, "ADMIN_LOW"}),
                            yard.plan(taken_to(yard, "4", "3"), {"four", 4, "ADMIN_HIGH"})};
  for (core::ZonePlan& plan : plans) {
    if (filter) continue;
    plan.filter.clear();
    plan.filter_narrows = false;
    plan.landlock = {};
  }
  std::pair<std::string, std::string> said;
  {
    cells::Vmm three(yard, plans[0]);
    cells::Vmm four(yard, plans[1]);
    REQUIRE(three.await("ready\n"));
    REQUIRE(four.await("ready\n"));
    three.say(std::to_string(four.pid()) + "\n");
    four.say(std::to_string(three.pid()) + "\n");
    // Turns, since each answers the start-only calls of its own alone.
    for (int i = 0; i < 400 && !(three.has_ended() && four.has_ended()); ++i) {
      three.await("end\n", std::chrono::milliseconds(5));
      four.await("end\n", std::chrono::milliseconds(5));
    }
    three.end();
    four.end();
    said = {three.output(), four.output()};
  }
  for (const core::ZonePlan& plan : plans) yard.forget(plan);
  return said;
}

}  // namespace

TEST_CASE("two at once find each other as root, and in cells not at all") {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  cells::VmmYard yard("meeter");
  sweep(1, 2);
  sweep(3, 4);
  {
    netns::Links host = must(netns::Links::open());
    must(host.set_up("lo", true));
    must(host.create_bridge("meeting", 1500, false));
    Bare one = start_bare(yard, host, 1, 2);
    Bare two = start_bare(yard, host, 2, 1);
    must(base::write_all(one.line.get(), std::to_string(two.pid) + "\n"));
    must(base::write_all(two.line.get(), std::to_string(one.pid) + "\n"));
    for (Bare* bare : {&one, &two}) {
      waitpid(bare->pid, nullptr, 0);
      char buffer[512] = {};
      CHECK(read(bare->line.get(), buffer, sizeof buffer - 1) > 0);
      CHECK(std::string(buffer) == std::string("ready\n") + kAll);
    }
    sweep(1, 2);
  }
  // The filter aside: namespaces, ids and the tree keep them apart by themselves.
  auto apart = run_two(yard, false);
  CHECK(apart.first == "ready\nend\n");
  CHECK(apart.second == "ready\nend\n");
  auto whole = run_two(yard, true);
  CHECK(whole.first == "ready\n");  // killed at its first forbidden call
  CHECK(whole.second == "ready\n");
  sweep(3, 4);
}
