// Every wall holds, and every wall is needed: the same attack, with the plan whole and with that one
// wall taken out of it. The second run is the positive control of the first.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>

#include "tests/root/walls/vmm_walls.h"
#include "tests/root/walls/walls.h"
#include "vmzone/plan.h"

namespace {

std::string first_line(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  return line.size() > 60 ? line.substr(0, 60) : line;
}

void print_head() { std::printf("%-36s %-4s %-44s %s\n", "WALL", "ROW", "WITH IT", "WITHOUT IT"); }

void check(const std::string& name, const std::string& row, const walls::Judgement& judgement) {
  std::printf("%-36s %-4s %-44s %s\n", name.c_str(), row.c_str(),
              first_line(judgement.with_wall).c_str(), first_line(judgement.without_wall).c_str());
  std::fflush(stdout);
  INFO(name << "\nwith it: " << judgement.with_wall << "\nwithout it: " << judgement.without_wall);
  CHECK(judgement.holds);
  CHECK(judgement.is_needed);
}

// A process of the user that a cell's program runs as, outside of the cell.
class Neighbour {
 public:
  explicit Neighbour(uid_t uid) : pid_(fork()) {
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (setresuid(uid, uid, uid) != 0) _exit(1);
    while (true) pause();
  }
  ~Neighbour() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Neighbour(const Neighbour&) = delete;
  Neighbour& operator=(const Neighbour&) = delete;
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

}  // namespace

TEST_CASE("each wall holds, and without it the same attack succeeds") {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  walls::Yard yard;
  Neighbour neighbour(yard.plan({}).ids.base);
  print_head();
  for (const walls::Wall& wall : walls::all_walls(neighbour.pid()))
    check(wall.name, wall.row, walls::judge(yard, wall));
}

TEST_CASE("each wall of a VMM's cell holds by itself, and without it the same attack succeeds") {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  cells::VmmYard yard("attacker");
  Neighbour neighbour(yard.plan({}).ids.base + vmzone::kVmmUid);
  print_head();
  for (const walls::VmmWall& wall : walls::vmm_walls(yard, neighbour.pid()))
    check(wall.name, "vmm", walls::judge(yard, wall));
}
