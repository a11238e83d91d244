// Facts of a zone's tree, found from its folder's descriptor. The tree is hostile: every path is
// opened with openat2(2) RESOLVE_IN_ROOT, nothing is opened for reading before it is known to be a
// regular file, and sizes are capped. Nothing here executes, or asks name services for, anything.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "zoned/core/planner.h"

namespace core {

inline constexpr const char* kDefaultZonePath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct TreeQuestion {
  std::vector<std::string> command;     // empty: no command is looked up
  std::string user;                     // a name or a number 0..65535; empty: root
  std::string workdir = "/";            // where a command such as "./run" starts from
  std::string path = kDefaultZonePath;  // PATH, separated by ':'
};

// root: the tree's folder (O_PATH will do). kNotFound for a user that the tree does not know. A
// missing command is a fact (command_found), not an error.
base::Result<TreeFacts> inspect_tree(int root, const TreeQuestion& question);

// What /etc/passwd and /etc/group (passwd(5), group(5)) say; pure. Malformed lines and ids above
// 65535 count as absent. A number that passwd does not list is that uid and gid with home "/".
base::Result<TreeFacts> find_user(std::string_view passwd, std::string_view group,
                                  std::string_view user);

// kInvalid when /dev, /proc or /sys is something else than a real folder (absent is fine): a mount
// there would land somewhere else.
base::Status check_mountpoints(int root);

struct MountPoint {
  std::string path;  // absolute
  bool folder = true;
};
// Makes what is missing of /dev, /proc, /sys, /run, /tmp and `more` ([[fs]] targets, with their
// parents) on disk, owned by uid 0. root: the tree with unshifted ids; a link below it is followed
// only inside the tree. Checks as check_mountpoints does.
base::Status ensure_mountpoints(int root, const std::vector<MountPoint>& more);

// mkdir -p inside the tree: absolute path, missing folders get mode 0755 and uid 0 (ours).
base::Status make_folders(int root, const std::string& path);

}  // namespace core
