// System-call filters by profile, compiled once by libseccomp and handed on as sealed bytes.
//
// A filter is two programs that the kernel both asks (the stricter answer counts): an allow list by
// call number alone, so that the kernel's constant-action bitmap serves hot calls at native speed,
// and a short list of arguments that are refused. Calls that are known and refused fail with EPERM
// (sockets as on a kernel without that family or protocol), calls that the allow list does not know
// (newer kernels') with ENOSYS; foreign architectures are killed. Sources: seccomp(2),
// seccomp_rule_add(3), Documentation/userspace-api/seccomp_filter.rst.
//
// Profiles: "app", "os", "job-net" (installing over the host's network: app without unix sockets);
// with "+nesting" behind it the zone may make user namespaces.
#pragma once

#include <linux/filter.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace core {

using FilterPrograms = std::vector<std::vector<sock_filter>>;

// kInvalid for an unknown profile.
base::Result<FilterPrograms> compile_filter(std::string_view profile);

// The wire form: per program its length in instructions (uint64_t) and the instructions.
std::string encode_filter(const FilterPrograms& programs);
// Strict inverse: 1..4 programs of 1..4096 instructions (BPF_MAXINSNS) and nothing behind them.
base::Result<FilterPrograms> decode_filter(std::string_view bytes);

// compile + encode into a sealed memfd.
base::Result<base::UniqueFd> filter_memfd(std::string_view profile);

// Calls whose cost matters: the allow list must decide them without looking at arguments.
const std::vector<std::string>& hot_calls();

}  // namespace core
