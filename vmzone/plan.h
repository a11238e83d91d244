// The vm brand's part of planning: the cell that QEMU sits in. A vm zone is a zone like any other,
// launched and ended the same way; only its plan differs.
#pragma once

#include "base/result.h"
#include "vmzone/closure.h"
#include "vmzone/machine.h"
#include "zoned/core/cell_tree.h"
#include "zoned/core/planner.h"

namespace vmzone {

// Ids of the VMM inside its cell, where files belong to 0: it owns none of what it sees.
inline constexpr uint32_t kVmmUid = 1000;
inline constexpr uint32_t kVmmGid = 1000;

struct VmInputs {
  const core::PlanInputs& zone;  // its tree is not looked at
  const Hardware& hardware;      // from pin_hardware for this spec
  Accelerator accelerator = Accelerator::kTcg;
  uint64_t largest_file = 0;  // bytes that the largest file among its disks may come to
};
struct PlannedVm {
  core::Planned planned;
  Machine machine;
};

// Pure. Descriptors that go with the plan, by name: "root" (the cell's tree), "kernel" and "initrd"
// (detached mounts of files, when the machine has them), "filter", "qmp", "nvram" and disks as
// descriptors_of names them. Taps are named "tap0".. in the order of the ports, by the launcher.
base::Result<PlannedVm> plan_vm(const VmInputs& inputs);

// The spec with what a vm zone is given when it says nothing: memory for guest and VMM, processes for
// its threads. What limits are taken from, also when they are set live.
core::ZoneSpec with_vm_limits(const core::ZoneSpec& spec, const Machine& machine);

// Bytes that a qcow2 image of this virtual size may come to: data, and tables of the smallest clusters.
uint64_t largest_qcow2(uint64_t virtual_size);

// What the cell's root holds.
core::CellRecipe cell_recipe(const Machine& machine);

}  // namespace vmzone
