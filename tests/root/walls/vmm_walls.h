// The walls of a VMM's cell, each by itself: what else would refuse the same attack is out of the plan
// in both runs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/root/cells/vmm_yard.h"
#include "tests/root/walls/walls.h"

namespace walls {

struct VmmWall {
  std::string name;
  std::vector<std::string> attack;
  std::function<void(core::ZonePlan&)> remove;
  std::function<void(core::ZonePlan&)> alone = {};      // out in both runs
  std::function<void(cells::VmmYard&)> prepare = {};    // makes what the attack is after
  std::vector<std::string> removed_adds_programs = {};  // to the tree, instead of `remove`
  bool listener_closes = false;  // the wall is that: the attacker waits for it
};

// The victim is a process of the user that the cell's program runs as.
std::vector<VmmWall> vmm_walls(cells::VmmYard& yard, pid_t victim);
Judgement judge(cells::VmmYard& yard, const VmmWall& wall);

}  // namespace walls
