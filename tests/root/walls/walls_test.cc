// Every wall holds, and every wall is needed: the same attack, with the plan whole and with that one
// wall taken out of it. The second run is the positive control of the first.
#include <sys/prctl.h>

#include <catch2/catch.hpp>
#include <cstdio>

#include "tests/root/walls/walls.h"

namespace {

std::string first_line(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  return line.size() > 60 ? line.substr(0, 60) : line;
}

}  // namespace

TEST_CASE("each wall holds, and without it the same attack succeeds") {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  walls::Yard yard;
  std::printf("%-36s %-4s %-44s %s\n", "WALL", "ROW", "WITH IT", "WITHOUT IT");
  for (const walls::Wall& wall : walls::all_walls()) {
    walls::Judgement judgement = walls::judge(yard, wall);
    std::printf("%-36s %-4s %-44s %s\n", wall.name.c_str(), wall.row.c_str(),
                first_line(judgement.with_wall).c_str(),
                first_line(judgement.without_wall).c_str());
    std::fflush(stdout);
    INFO(wall.name << "\nwith it: " << judgement.with_wall
                   << "\nwithout it: " << judgement.without_wall);
    CHECK(judgement.holds);
    CHECK(judgement.is_needed);
  }
}
