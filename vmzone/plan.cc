#include "vmzone/plan.h"

#include <sys/resource.h>

#include <algorithm>

namespace vmzone {

using base::Result;
using core::MountOp;

namespace {

// QEMU's own: main loop, RCU, at most 64 I/O workers, a VNC thread; and some to spare.
constexpr uint64_t kThreads = 128;

// No file grows beyond its disk; UEFI's NVRAM and pictures of the screen are small.
core::Rlimit file_limit(uint64_t largest_file) {
  constexpr uint64_t kLeast = 64 << 20;
  uint64_t bytes = std::max(largest_file, kLeast);
  return {RLIMIT_FSIZE, bytes, bytes};
}

MountOp root_of_cell() {
  MountOp op;
  op.kind = MountOp::Kind::kRoot;
  op.target = "/";
  op.source = "root";
  op.read_only = true;
  op.idmap = true;
  return op;
}

MountOp file_of_cell(const char* target, const char* source) {
  MountOp op;
  op.kind = MountOp::Kind::kTree;
  op.target = target;
  op.source = source;
  op.read_only = true;
  op.noexec = true;
  return op;
}

void add_kvm(std::vector<MountOp>* mounts) {
  MountOp dev;
  dev.kind = MountOp::Kind::kTmpfs;
  dev.target = "/dev";
  dev.noexec = true;
  dev.options = {{"mode", "0755"}, {"size", "4k"}};
  dev.entries.push_back({core::TmpfsEntry::Kind::kFile, "kvm", "", 0600});
  mounts->push_back(std::move(dev));
  MountOp kvm;
  kvm.kind = MountOp::Kind::kDevice;
  kvm.target = "/dev/kvm";
  kvm.source = "kvm";
  kvm.nodev = false;
  kvm.noexec = true;
  mounts->push_back(std::move(kvm));
}

void add_mounts(const Machine& machine, core::ZonePlan* plan) {
  plan->mounts.push_back(root_of_cell());
  if (machine.kernel) plan->mounts.push_back(file_of_cell(kKernelPath, "kernel"));
  if (machine.initrd) plan->mounts.push_back(file_of_cell(kInitrdPath, "initrd"));
  if (machine.accelerator == Accelerator::kKvm) add_kvm(&plan->mounts);
}

// The launcher names taps by their place among the ports.
std::vector<core::KeptFd> kept_fds(const Machine& machine) {
  std::vector<core::KeptFd> kept = descriptors_of(machine);
  for (core::KeptFd& fd : kept)
    for (size_t i = 0; i < machine.nics.size(); ++i)
      if (fd.name == machine.nics[i].id) fd.name = "tap" + std::to_string(i);
  return kept;
}

}  // namespace

uint64_t largest_qcow2(uint64_t virtual_size) {
  constexpr uint64_t kSlack = 64 << 20;
  constexpr uint64_t kTables = 32;  // a byte of tables for so many of data
  return virtual_size + virtual_size / kTables + kSlack;
}

core::ZoneSpec with_vm_limits(const core::ZoneSpec& spec, const Machine& machine) {
  core::ZoneSpec limited = spec;
  if (!limited.memory_physical) limited.memory_physical = memory_needed(machine);
  if (!limited.processes) limited.processes = machine.vcpus + kThreads;
  return limited;
}

Result<PlannedVm> plan_vm(const VmInputs& in) {
  PlannedVm out;
  TRY_AS(out.machine, machine_of(in.zone.spec, in.hardware, in.accelerator, in.zone.label_name));
  const core::ZoneSpec spec = with_vm_limits(in.zone.spec, out.machine);
  const core::PlanInputs zone{spec,
                              in.zone.host,
                              in.zone.tree,
                              in.zone.ids,
                              in.zone.boot_id,
                              in.zone.cpu_weight,
                              in.zone.cgroups,
                              false,
                              false,
                              false,
                              {},
                              in.zone.ports,
                              in.zone.label,
                              in.zone.label_name};
  TRY_AS(out.planned, core::plan_common(zone));
  core::ZonePlan& plan = out.planned.plan;
  using Access = core::LandlockRule::Access;
  bool kvm = in.accelerator == Accelerator::kKvm;
  plan.profile = core::Profile::kVmm;
  plan.filter = kvm ? "vmm+kvm" : "vmm";
  plan.filter_narrows = true;
  if (zone.host.landlock_abi > 0) {
    plan.landlock.rules = {{"/", Access::kLook}, {"/dev", Access::kUse}};
  } else {
    out.planned.warnings.push_back(
        "this kernel has no Landlock: the VMM's cell lacks its second wall");
  }
  plan.capabilities = 0;
  plan.stdio = core::Stdio::kSerial;
  plan.loopback_up = false;
  plan.rlimits.push_back(file_limit(in.largest_file));
  plan.kept_fds = kept_fds(out.machine);
  plan.exec.path = kQemuPath;
  plan.exec.argv = command_line(out.machine);
  plan.exec.uid = kVmmUid;
  plan.exec.gid = kVmmGid;
  add_mounts(out.machine, &plan);
  return out;
}

core::CellRecipe cell_recipe(const Machine& machine) {
  Closure closure = closure_of(machine);
  core::CellRecipe recipe;
  recipe.name = "vmm-" + machine.profile;
  recipe.programs = std::move(closure.programs);
  recipe.modules = std::move(closure.modules);
  recipe.data = std::move(closure.data);
  recipe.mount_points = {{kKernelPath, false}, {kInitrdPath, false}};
  return recipe;
}

}  // namespace vmzone
