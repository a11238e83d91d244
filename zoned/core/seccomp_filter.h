// System-call filters by profile, compiled once by libseccomp and handed on as sealed bytes.
//
// A filter is one program: a short list of arguments that are refused, then an allow list by call
// number alone. Calls that the first part does not name are decided without a look at arguments, so
// that the kernel's constant-action bitmap serves hot calls at native speed. Calls that are known and
// refused fail with EPERM (sockets as on a kernel without that family or protocol), calls that the
// allow list does not know (newer kernels') with ENOSYS; a call by a foreign architecture's entry
// kills the process. Sources: seccomp(2), seccomp_rule_add(3), seccomp_attr_set(3),
// Documentation/userspace-api/seccomp_filter.rst.
//
// "vmm" is different: an allow list of what QEMU calls while its guest runs, with the values of ioctl
// listed too; start-only calls ask the filter's listener (seccomp_unotify(2)); any other call kills the
// process. With "+kvm" behind it the requests of kvm are among the values.
//
// "parse" likewise: memory, and reading and writing descriptor 0; any other call kills the process.
//
// "reader" is what zone-readdown calls (down_server.h); any other call kills the process.
//
// Profiles: "app", "os", "vmm", "parse", "reader", "job-net" (installing over the host's network: app without unix sockets);
// with "+nesting" behind it the zone may make user namespaces; with "+exports" last, it can't learn that
// its files are being read: no leases (EINVAL, as on file systems without them), no dnotify, and no
// inotify watch for opening, reading, or closing what was read (EPERM; for IN_CLOSE or
// IN_CLOSE_NOWRITE alone it seems to be set, as systemd needs, and tells nothing).
#pragma once

#include <linux/filter.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace core {

using FilterProgram = std::vector<sock_filter>;

// kInvalid for an unknown profile.
base::Result<FilterProgram> compile_filter(std::string_view profile);

// Compiled, into a sealed memfd: its instructions, 1..4096 (BPF_MAXINSNS).
base::Result<base::UniqueFd> filter_memfd(std::string_view profile);

// Calls whose cost matters: the allow list must decide them without looking at arguments.
const std::vector<std::string>& hot_calls();

}  // namespace core
