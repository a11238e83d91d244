#include "vmzone/host.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/files.h"
#include "base/strings.h"

namespace vmzone {

using base::Code;
using base::make_error;

namespace {

// The flags of the first processor that mean virtualisation in hardware (proc_cpuinfo(5)).
std::string virtualisation_flag(const std::string& root) {
  auto text = base::read_file(AT_FDCWD, root + "/proc/cpuinfo", 16 << 20);
  if (!text) return {};
  for (const std::string& line : base::split(*text, '\n')) {
    if (!line.starts_with("flags")) continue;
    for (const std::string& flag : base::split(line, ' '))
      if (flag == "vmx" || flag == "svm") return flag;
    break;
  }
  return {};
}

core::HostCheck check_program(const char* subject, const char* path, const char* good,
                              const char* bad, const char* fix) {
  bool there = access(path, R_OK) == 0;
  return {subject, there ? "ok" : "missing", there ? good : bad, there ? "" : fix};
}

}  // namespace

Kvm detect_kvm(const std::string& root) {
  std::string device = root + "/dev/kvm";
  std::string flag = virtualisation_flag(root);
  if (access(device.c_str(), F_OK) != 0)
    return {false, flag.empty() ? "the processor shows no vmx or svm" : "no /dev/kvm",
            flag.empty() ? "switch virtualisation on in the firmware, or in the hypervisor below"
                         : "modprobe kvm_intel or kvm_amd"};
  // It emulates privileged code and hangs on kernels that are not made for it.
  if (access((root + "/sys/module/kvm_pvm").c_str(), F_OK) == 0)
    return {false, "/dev/kvm is a KVM in software (kvm_pvm), in which ordinary kernels hang",
            "use a host with vmx or svm"};
  if (flag.empty()) return {false, "/dev/kvm without vmx or svm", "use a host with vmx or svm"};
  if (access(device.c_str(), R_OK | W_OK) != 0)
    return {false, "/dev/kvm can't be opened", "let zoned open it: see its device cgroup"};
  return {true, flag, ""};
}

base::Result<Accelerator> choose_accelerator(const std::string& accel, const Kvm& kvm) {
  if (accel == "tcg" || (accel == "auto" && !kvm.usable)) return Accelerator::kTcg;
  if (kvm.usable) return Accelerator::kKvm;
  return make_error(Code::kUnsupported, "vm.accel " + base::quoted(accel) + ": " + kvm.why,
                    "set vm.accel=auto, or: " + kvm.fix);
}

std::vector<core::HostCheck> check_vm_host(const Kvm& kvm) {
  return {
      {"kvm", kvm.usable ? "ok" : "limited",
       kvm.usable ? "vm zones use it (" + kvm.why + ")" : "vm zones are emulated (TCG): " + kvm.why,
       kvm.fix},
      check_program("qemu", kQemuPath, "vm zones work", "vm zones can't boot",
                    "apt-get install qemu-system-x86"),
      check_program("ovmf", "/usr/share/OVMF/OVMF_CODE_4M.fd", "UEFI guests work",
                    "profile generic-uefi can't boot", "apt-get install ovmf"),
  };
}

}  // namespace vmzone
