#include "zoned/core/exports.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "base/files.h"
#include "base/strings.h"
#include "zoned/core/mounts.h"

namespace core {

using base::Result;
using base::UniqueFd;

Result<UniqueFd> open_export(int root, const std::string& path) {
  return base::open_in_root(root, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0,
                            RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
}

std::vector<std::string> find_exports(int root, const ZoneSpec& spec,
                                      std::vector<std::string>* left_out) {
  std::vector<std::string> found;
  for (const std::string& path : spec.exports.value_or(std::vector<std::string>{kDefaultExport})) {
    auto folder = open_export(root, path);
    if (folder) {
      found.push_back(path);
    } else if (spec.exports) {
      left_out->push_back("export " + base::quoted(path) +
                          " is left out: it must be a folder of the zone's own tree, reached "
                          "through no link");
    }
  }
  return found;
}

uint64_t export_attributes() {
  return MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
         MOUNT_ATTR_NOATIME;
}

Result<UniqueFd> export_tree(int root, const std::string& path, int user_namespace,
                             uint64_t attributes) {
  TRY_AS(UniqueFd folder, open_export(root, path));
  TRY_AS(UniqueFd mount, clone_tree(folder.get()));
  mount_attr change = {};
  change.attr_set = attributes | MOUNT_ATTR_IDMAP;
  change.attr_clr = MOUNT_ATTR__ATIME;
  change.userns_fd = static_cast<uint64_t>(user_namespace);
  if (syscall(SYS_mount_setattr, mount.get(), "", AT_EMPTY_PATH, &change, sizeof change) != 0)
    return base::sys_error("mount_setattr");
  return mount;
}

}  // namespace core
