#include "resource/cgroup_zone_v2.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/strings.h"
#include "resource/cgroup_folder.h"

namespace resource {
namespace {

constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

base::Status give_away(int payload, uint32_t uid, uint32_t gid) {
  if (fchown(payload, uid, gid) != 0) return base::sys_error("chown cgroup 'payload'");
  // The list of /sys/kernel/cgroup/delegate, less what needs the memory controller.
  for (const char* file : {"cgroup.procs", "cgroup.subtree_control", "cgroup.threads"})
    if (fchownat(payload, file, uid, gid, AT_SYMLINK_NOFOLLOW) != 0 && errno != ENOENT)
      return base::sys_error("chown " + base::quoted(file));
  return {};
}

}  // namespace

base::Status make_subtree_v2(CgroupTree* tree) {
  TRY(tree->make_subtree());
  constexpr unsigned kAboveZone = 3;  // POOL/ZONE/payload
  return write_control(tree->subtree(), "cgroup.max.depth",
                       std::to_string(kAboveZone + kMaxZoneCgroupDepth));
}

base::Result<base::UniqueFd> make_zone_v2(int pool, const std::string& zone, uint32_t uid,
                                          uint32_t gid, MadeFolders* made) {
  TRY(made->make(pool, zone));
  constexpr unsigned kLeaves = 2;  // payload, exec
  TRY(write_control(pool, zone + "/cgroup.max.descendants",
                    std::to_string(kMaxZoneCgroups + kLeaves)));
  const std::string path = zone + "/payload";
  if (mkdirat(pool, path.c_str(), 0755) != 0)
    return base::sys_error("make cgroup " + base::quoted(path));
  TRY_AS(base::UniqueFd payload, base::open_at(pool, path, kFolder));
  TRY(give_away(payload.get(), uid, gid));
  return payload;
}

base::Result<base::UniqueFd> open_payload(int pool, const std::string& zone) {
  return base::open_at(pool, zone + "/payload", kFolder);
}

base::Result<base::UniqueFd> open_exec(int pool, const std::string& zone) {
  const std::string path = zone + "/exec";
  if (mkdirat(pool, path.c_str(), 0755) != 0 && errno != EEXIST)
    return base::sys_error("make cgroup " + base::quoted(path));
  return base::open_at(pool, path, kFolder);
}

base::Status freeze_v2(int pool, const std::string& zone, bool frozen) {
  TRY(write_control(pool, zone + "/cgroup.freeze", frozen ? "1" : "0"));
  Backoff backoff;
  while (true) {
    TRY_AS(std::string events, read_control(pool, zone + "/cgroup.events"));
    if ((keyed_number(events, "frozen") == 1) == frozen) return {};
    if (!backoff.wait())
      return base::make_error(base::Code::kTimeout, "cgroup " + base::quoted(zone) +
                                                        ": some processes do not " +
                                                        (frozen ? "stop" : "run") + " yet");
  }
}

base::Status kill_v2(int pool, const std::string& zone) {
  base::Status killed = write_control(pool, zone + "/cgroup.kill", "1");
  if (killed.ok() || killed.error().code != base::Code::kNotFound) return killed;
  // Before 5.14, or the zone is gone: then nothing is below either.
  return kill_below(pool, zone);
}

}  // namespace resource
