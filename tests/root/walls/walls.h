// The walls of a plan, one by one: how to take each away, and the attack that then succeeds.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/root/walls/cell.h"

namespace walls {

struct Wall {
  std::string name;  // "namespace: pid"
  std::string row;   // row of docs/security.md that the attack belongs to
  std::vector<std::string> attack;
  std::function<void(core::ZonePlan&)> remove;
  bool os = false;                          // in an os zone
  unsigned user = 0;                        // the zone's user that attacks
  std::function<void(Yard&)> prepare = {};  // makes what the attack is after
  // Instead of the attacker's own verdict: looked at from outside.
  std::function<bool(Yard&)> reached_outside = {};
  // Done to the plan both times: takes away whatever else would refuse the attack.
  std::function<void(core::ZonePlan&)> alone = {};
};

// neighbour: a process outside, of the host's user that is the cells' root.
std::vector<Wall> all_walls(pid_t neighbour);

struct Judgement {
  bool holds = false;      // with the wall: refused
  bool is_needed = false;  // without it: reached
  std::string with_wall;
  std::string without_wall;
};
Judgement judge(Yard& yard, const Wall& wall);

}  // namespace walls
