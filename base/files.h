// Files by folder descriptor. No function here follows a symbolic link out of the folder it was
// given, and none walks a path twice. `at` is an open folder or AT_FDCWD.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace base {

// openat(2) with O_CLOEXEC added; the error names the path.
Result<UniqueFd> open_at(int at, const std::string& path, int flags, mode_t mode = 0);

// openat2(2) with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS: for every path inside a zone's tree.
// `root` acts as "/": absolute links stay inside. extra_resolve adds RESOLVE_* bits.
Result<UniqueFd> open_in_root(int root, const std::string& path, int flags, mode_t mode = 0,
                              uint64_t extra_resolve = 0);

// Whole content, at most max_bytes (else kNoSpace naming the path and the limit). Of a regular file alone,
// those of /proc and /sys too (else kInvalid): what is somebody else's never holds the caller up.
Result<std::string> read_file(int at, const std::string& path, size_t max_bytes = 1 << 20);
Result<std::string> read_fd(int fd, size_t max_bytes = 1 << 20);

// write(2) until all is written.
Status write_all(int fd, std::string_view data);
// One write(2) into an existing file (procfs, cgroupfs); the error names the path.
Status write_value(int at, const std::string& path, std::string_view data);

enum class Durability {
  kRuntime,  // temporary + rename; survives a crash of ours (for /run)
  kDisk,     // also fsync of the file and of its folder; survives power loss
};
// Replaces `at`/name: the old or the new content, never a mixture.
Status replace_file(int at, const std::string& name, std::string_view data, Durability durability,
                    mode_t mode = 0600);

// mkdir -p below `at`; new folders get mode. Existing ones keep theirs. Refuses symbolic links.
// Returns the open folder (O_DIRECTORY).
Result<UniqueFd> make_dirs(int at, const std::string& path, mode_t mode = 0700);

// Removes `at`/name and all below it, without following links or crossing mounts. Absent is success.
Status remove_tree(int at, const std::string& name);

// Names in the folder, without "." and "..", sorted.
Result<std::vector<std::string>> list_dir(int at, const std::string& path = ".");

bool exists_at(int at, const std::string& path);

// An anonymous file in memory, sealed against any change (memfd_create(2), F_SEAL_*), positioned at
// its start. executable: may be given to execveat(2).
Result<UniqueFd> sealed_memfd(const char* name, std::string_view data, bool executable = false);
// True when fd is a memfd that holds all of F_SEAL_SEAL|SHRINK|GROW|WRITE.
bool is_sealed(int fd);

// dup with close-on-exec.
Result<UniqueFd> dup_fd(int fd);

}  // namespace base
