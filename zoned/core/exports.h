// Exported folders: what zones with a dominating label read of a running zone (docs/labels.md).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/core/spec.h"

namespace core {

// Where a zone that says nothing keeps what may be read from above.
inline constexpr const char* kDefaultExport = "/export";
// Where a zone sees what it may read, by zone.
inline constexpr const char* kReadDownFolder = "/zone";

// The folders of the zone's tree (root: unshifted, hostile) that its configuration exports. One that is
// missing, or reached through a link or over a mount, is left out and told in `left_out`; a zone that
// names none exports kDefaultExport if it is there.
std::vector<std::string> find_exports(int root, const ZoneSpec& spec,
                                      std::vector<std::string>* left_out);

// The folder, by O_PATH. root: a zone's tree, hostile. kNotFound when it has gone.
base::Result<base::UniqueFd> open_export(int root, const std::string& path);

// MOUNT_ATTR_*: read-only, nosuid, nodev, noexec, without access times.
uint64_t export_attributes();

// A detached mount of the folder with these attributes, ids shifted for a process in that user namespace.
// To be made in the mount namespace in which root was opened. kNotFound when the folder has gone.
base::Result<base::UniqueFd> export_tree(int root, const std::string& path, int user_namespace,
                                         uint64_t attributes = export_attributes());

}  // namespace core
