// A zone's folder in the cgroup2 hierarchy, which both drivers make: on hybrid hosts it carries no
// controllers, but freezing, killing and CLONE_INTO_CGROUP work there.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "resource/cgroup_tree.h"

namespace resource {

// SUBTREE itself: made, with the limit on nesting that keeps walks bounded.
base::Status make_subtree_v2(CgroupTree* tree);
// ZONE (which `made` makes and can undo), ZONE/payload given to uid and gid, and the limit on how
// many cgroups the zone may make. Returns the payload's folder.
base::Result<base::UniqueFd> make_zone_v2(int pool, const std::string& zone, uint32_t uid,
                                          uint32_t gid, MadeFolders* made);
base::Result<base::UniqueFd> open_payload(int pool, const std::string& zone);
// Makes ZONE/exec if need be; its folder.
base::Result<base::UniqueFd> open_exec(int pool, const std::string& zone);
base::Status freeze_v2(int pool, const std::string& zone, bool frozen);
base::Status kill_v2(int pool, const std::string& zone);

}  // namespace resource
