// Descriptors that a client hands over for exec, run and insert. zoned never reads or writes them; it passes
// on only what can do no harm: pipes, stream sockets, terminals, /dev/null and regular files that are
// not the kernel's own (procfs, sysfs, cgroupfs, ...: a write there could act with our rights).
#pragma once

#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/daemon/runtime.h"

namespace zoned {

// kInvalid saying what the descriptor is.
base::Status check_client_fd(int fd);

// Exactly one regular file, opened for reading alone: what a guest's drive may be given.
base::Result<base::UniqueFd> take_client_image(std::vector<base::UniqueFd> fds);

// Exactly `count` (0 or 3) good descriptors, in the order stdin, stdout, stderr.
base::Result<ClientStdio> take_client_stdio(std::vector<base::UniqueFd> fds, size_t count);

}  // namespace zoned
