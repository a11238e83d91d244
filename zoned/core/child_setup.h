// What a zone's first process, and a process that joins a zone, do to themselves before exec.
//
// The code behind this header runs between clone and exec: it allocates nothing, logs nothing,
// throws nothing and calls nothing but raw system calls (a test compares the object's undefined
// symbols with an allow list). Whatever can be computed was computed before, into a ChildPlan.
#pragma once

#include <linux/filter.h>
#include <sys/resource.h>

#include <cstddef>
#include <cstdint>

namespace core {

// Views of memory that the parent owns; the child has its own copy of the address space.
struct ChildOption {
  const char* key;
  const char* value;
};
struct ChildEntry {
  int kind;  // 0 folder, 1 empty file, 2 symbolic link
  const char* path;
  const char* target;
  unsigned mode;
};
struct ChildFilesystem {
  const char* type;  // fsopen(2)
  const ChildOption* options;
  size_t option_count;
  unsigned attributes;  // MOUNT_ATTR_*
  const ChildEntry* entries;
  size_t entry_count;
};
struct ChildRlimit {
  int resource;
  rlimit64 limit;
};
struct ChildKeptFd {
  int from;    // at least kFirstFreeFd
  int number;  // 3..kFirstFreeFd-1
};

// landlock(7): what may be done to a file, or below a folder.
struct ChildLandlockRule {
  const char* path;
  uint64_t access;  // LANDLOCK_ACCESS_FS_*
};

// Descriptors of ours are moved to this number and up, so that those kept can take the low ones.
inline constexpr int kFirstFreeFd = 64;
// What fits into one message of the gate.
inline constexpr size_t kMaxChildFilesystems = 24;

struct ChildPlan {
  int gate = -1;       // socket to the launcher or joiner
  int gate_peer = -1;  // its other end, closed first: a launcher that is killed hangs up
  int report = -1;     // close-on-exec pipe: takes one ChildFailure
  bool unshare_cgroup = false;
  const ChildFilesystem* filesystems = nullptr;
  size_t filesystem_count = 0;
  int console_filesystem = -1;  // index of the devpts that the console's pty comes from
  bool loopback_up = false;
  const char* hostname = nullptr;  // null: leave
  const ChildRlimit* rlimits = nullptr;
  size_t rlimit_count = 0;
  int stdio[3] = {-1, -1, -1};  // -1: the console
  int terminal = -1;            // joining with a tty: the pty's slave
  const ChildKeptFd* kept = nullptr;
  size_t kept_count = 0;
  bool close_fds = true;
  uint64_t capabilities = 0;
  uint32_t uid = 0, gid = 0;
  const uint32_t* groups = nullptr;
  size_t group_count = 0;
  bool no_new_privs = true;
  // handled_access_fs, handled_access_net, scoped of a struct landlock_ruleset_attr; size 0: none.
  uint64_t landlock[3] = {};
  size_t landlock_size = 0;
  const ChildLandlockRule* landlock_rules = nullptr;
  size_t landlock_rule_count = 0;
  const sock_filter* filter = nullptr;  // none: nullptr
  unsigned short filter_length = 0;     // instructions
  bool filter_listener = false;         // its listener goes through the gate
  const char* workdir = "/";
  int exec_fd = -1;  // execveat(2) of this; -1: path
  const char* path = nullptr;
  char* const* argv = nullptr;
  char* const* envp = nullptr;
};

// Written to `report` when a step fails.
struct ChildFailure {
  uint32_t step;   // index into the table
  uint32_t index;  // item within the step, such as the number of the file system
  int32_t error;   // errno
};

// A zone's first process. Gate protocol: one byte in; out: one byte with a detached mount per file
// system, then the console's master if there is a console; in: one byte with the mount namespace; out, with a
// filter that narrows: one byte with the filter's listener.
[[noreturn]] void run_boot_steps(const ChildPlan& plan);
// A process that is already in the zone's namespaces.
[[noreturn]] void run_enter_steps(const ChildPlan& plan);

// Names of steps, for messages; "?" beyond the table.
const char* boot_step_name(uint32_t step);
const char* enter_step_name(uint32_t step);

}  // namespace core
