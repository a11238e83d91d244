// What the root of a VMM's cell holds: QEMU, what it loads at run time, and the firmware of this
// machine; nothing else. Debian's paths.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "vmzone/machine.h"

namespace vmzone {

struct Closure {
  std::vector<std::string> programs;  // absolute host paths, as core::CellRecipe has them
  std::vector<std::string> modules;   // loaded by dlopen(3)
  std::vector<std::string> data;
  bool operator==(const Closure&) const = default;
};

// Pure: the paths alone.
Closure closure_of(const Machine& machine);

// kUnsupported naming the first file that is not there, with Debian's package as the hint. `root` is a
// folder that stands for "/", an open descriptor.
base::Status check_closure(int root, const Closure& closure);

}  // namespace vmzone
