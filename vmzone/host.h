// What this host offers to vm zones.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "vmzone/machine.h"
#include "zoned/core/host_facts.h"

namespace vmzone {

// KVM counts only where it runs ordinary guests at the speed of the hardware.
struct Kvm {
  bool usable = false;
  std::string why;  // what was seen: "vmx", "a KVM in software (kvm_pvm) that ..."
  std::string fix;  // empty: usable
};
// root: a folder that stands for "/" (its dev/kvm, proc/cpuinfo and sys/module are looked at).
Kvm detect_kvm(const std::string& root = "");

// What vm.accel ("auto", "kvm", "tcg") comes to. kUnsupported for "kvm" where it is not usable.
base::Result<Accelerator> choose_accelerator(const std::string& accel, const Kvm& kvm);

// Lines of `zone host`.
std::vector<core::HostCheck> check_vm_host(const Kvm& kvm);

}  // namespace vmzone
