// The cell of zone-parse: a process that reads hostile bytes and is planned for the day when they take
// it over. It has one socket, and nothing else: no file system, no network, no process to see, no id of
// the host's, no capability, a handful of system calls. It is no zone: it has to be there before zones are
// recovered, and within milliseconds of a user's first call.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>

#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/core/seccomp_filter.h"

namespace core {

// The walls as data, so that a test can take each away. Namespaces are all new in any case.
struct ParserCell {
  uid_t host_id = 0;              // uid and gid on the host, of nobody else; 0: the caller's own
  bool new_namespaces = true;     // mount, pid, network, uts, ipc, cgroup and time too
  bool empty_root = true;         // a read-only tmpfs without a file (needs new namespaces)
  bool close_descriptors = true;  // all but the socket, which is 0
  bool drop_capabilities = true;  // bounding set too
  bool no_new_privs = true;       // the filter needs it, or capabilities
  bool landlock = true;  // no file, TCP port, abstract socket, signal (as the kernel has it)
  bool limits = true;    // RLIMIT_AS 512 MiB; files, processes, descriptors, core: none
  FilterProgram filter;  // empty: none
};

// As released: the profile "parse" of compile_filter().
base::Result<ParserCell> parser_cell(uid_t host_id);

struct CelledProcess {
  pid_t pid = 0;  // a child of our parent (CLONE_PARENT); it dies with that
  base::UniqueFd pidfd;
};
// Starts work(0) in the cell, socket being its descriptor 0; the process ends with what it returns.
// Success: the cell is shut around it and work has begun. Failure names the step; nothing is left.
// The caller is root of the initial user namespace and has one thread.
base::Result<CelledProcess> start_in_cell(const ParserCell& cell, int socket,
                                          const std::function<int(int)>& work);

}  // namespace core
