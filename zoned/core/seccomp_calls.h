// The lists of system calls behind the filters (seccomp_filter.h). Names as libseccomp knows them.
#pragma once

#include <vector>

namespace core::seccomp_calls {

// Allowed in every profile.
std::vector<const char*> common();
// Allowed in "os" and with nesting; known and refused (EPERM) in the others.
std::vector<const char*> os_only();
// Known and refused in every profile: escape classes, host-wide effects, obsolete calls.
std::vector<const char*> never();
// "vmm": what QEMU calls while its guest runs, as measured, and what further devices, disks and
// clients of its control socket need. ioctl, clone and clone3 are decided by their arguments.
std::vector<const char*> vmm();
// "reader": what zone-readdown calls, with the start of a static program.
std::vector<const char*> reader();
// "vmm": what it calls besides, before its guest runs.
std::vector<const char*> vmm_start();

}  // namespace core::seccomp_calls
