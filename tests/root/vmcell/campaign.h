// A whole pass of evilvmm, and what came of it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/root/cells/vmm_yard.h"

namespace vmcell {

enum class Fate { kReached, kRefused, kKilled, kAbsent };

struct Tried {
  std::string name;  // "call openat", "stat"; without the object where there are many
  std::string object;
  Fate fate = Fate::kRefused;
  std::string why;
};

// As root of the host, uncelled, with the descriptors that the plan names.
std::vector<Tried> run_bare(cells::VmmYard& yard, const std::string& target);

// In the cell, in the state after start-only calls are shut. A call that is forbidden ends the process:
// it is then started again for what is left. Fails the test when the cell does not start.
std::vector<Tried> run_in_cell(cells::VmmYard& yard, const std::string& target, size_t* starts);

// Names of what was reached at least once, or was never anything but absent; sorted.
std::vector<std::string> names_of(const std::vector<Tried>& tried, Fate fate);

}  // namespace vmcell
