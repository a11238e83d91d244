#include "resource/cgroup_roots.h"

#include <sys/xattr.h>

#include <algorithm>
#include <optional>

#include "base/files.h"
#include "base/mountinfo.h"
#include "base/strings.h"
#include "resource/cgroup_v1.h"
#include "resource/cgroup_v2.h"

namespace resource {
namespace {

constexpr size_t kMaxMountinfo = 64 << 20;

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// `path` of the hierarchy as seen at the mount; nothing when it lies outside.
std::optional<std::string> below_mount(const CgroupMount& mount, const std::string& path) {
  std::string_view rest = path;
  if (mount.root != "/") {
    if (!rest.starts_with(mount.root)) return std::nullopt;
    rest.remove_prefix(mount.root.size());
    if (!rest.empty() && rest.front() != '/') return std::nullopt;
  }
  // "/.." paths name cgroups outside of our cgroup namespace.
  if (rest.starts_with("/..")) return std::nullopt;
  return mount.mount_point + (rest == "/" ? "" : std::string(rest));
}

bool has_v1(const std::vector<CgroupMount>& mounts, std::string_view controller) {
  return std::any_of(mounts.begin(), mounts.end(), [&](const CgroupMount& mount) {
    return contains(mount.controllers, controller);
  });
}

const OwnCgroup* own_in(const CgroupMount& mount, const std::vector<OwnCgroup>& own) {
  for (const OwnCgroup& entry : own) {
    if (mount.v2 && entry.controllers.empty()) return &entry;
    for (const std::string& controller : entry.controllers)
      if (!mount.v2 && contains(mount.controllers, controller)) return &entry;
  }
  return nullptr;
}

// The delegated path of a hierarchy, from its root: where systemd marks delegation.
std::string delegated_path(const std::vector<CgroupMount>& mounts,
                           const std::vector<OwnCgroup>& own,
                           const std::function<bool(const std::string&)>& delegated) {
  for (const CgroupMount& mount : mounts) {
    if (!mount.v2 && !contains(mount.controllers, "name=systemd")) continue;
    const OwnCgroup* entry = own_in(mount, own);
    if (entry == nullptr) continue;
    std::string path = entry->path;
    const std::string leaf = std::string("/") + kSupervisor;
    bool in_leaf = path.ends_with(leaf);
    if (in_leaf) path.resize(path.size() - leaf.size());
    // With the controllers on v1 the next daemon may start in its service's own cgroup.
    bool survives_restart = in_leaf || !path.ends_with(".service") || has_v1(mounts, "cpu");
    auto folder = below_mount(mount, path);
    if (survives_restart && folder && path.size() > 1 && delegated(*folder)) return path;
  }
  return {};
}

std::string place_in(const CgroupMount& mount, const std::vector<OwnCgroup>& own,
                     const std::string& delegated) {
  const OwnCgroup* entry = own_in(mount, own);
  if (delegated.empty() || entry == nullptr) return mount.mount_point;
  if (entry->path != delegated && entry->path != delegated + "/" + kSupervisor)
    return mount.mount_point;
  return below_mount(mount, delegated).value_or(mount.mount_point);
}

bool carries(const std::string& root, const char* controller) {
  auto text = base::read_file(AT_FDCWD, root + "/cgroup.controllers", 4096);
  return text.ok() && contains(base::split(base::trim(*text), ' '), controller);
}

}  // namespace

std::vector<CgroupMount> cgroup_mounts(const std::vector<base::Mount>& mounts) {
  std::vector<CgroupMount> found;
  for (const base::Mount& mount : mounts) {
    bool v2 = mount.type == "cgroup2";
    if ((!v2 && mount.type != "cgroup") || !base::has_option(mount.options, "rw")) continue;
    found.push_back({mount.target, mount.root, v2,
                     v2 ? std::vector<std::string>() : base::split(mount.super_options, ',')});
  }
  return found;
}

std::vector<OwnCgroup> parse_own_cgroups(std::string_view text) {
  std::vector<OwnCgroup> own;
  for (const std::string& line : base::split(text, '\n')) {
    // ID:CONTROLLERS:PATH; the path may hold colons
    size_t first = line.find(':');
    size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    OwnCgroup entry;
    std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty()) entry.controllers = base::split(controllers, ',');
    entry.path = line.substr(second + 1);
    if (entry.path.starts_with('/')) own.push_back(std::move(entry));
  }
  return own;
}

bool is_delegated(int folder) {
  for (const char* attribute : {"trusted.delegate", "user.delegate"}) {
    char value = 0;
    if (fgetxattr(folder, attribute, &value, 1) == 1 && value == '1') return true;
  }
  return false;
}

CgroupRoots roots_from(const std::vector<CgroupMount>& mounts, const std::vector<OwnCgroup>& own,
                       const std::function<bool(const std::string&)>& delegated) {
  CgroupRoots roots;
  const std::string ours = delegated_path(mounts, own, delegated);
  for (const CgroupMount& mount : mounts) {
    const std::string place = place_in(mount, own, ours);
    if (mount.v2) {
      if (roots.v2.empty()) roots.v2 = place;
      continue;
    }
    for (const char* controller :
         {"cpu", "cpuacct", "memory", "pids", "cpuset", "blkio", "freezer"}) {
      bool known = std::any_of(roots.v1.begin(), roots.v1.end(), [&](const CgroupRoots::V1& root) {
        return root.controller == controller;
      });
      if (!known && contains(mount.controllers, controller))
        roots.v1.push_back({controller, place});
    }
  }
  return roots;
}

base::Result<CgroupRoots> detect_roots() {
  TRY_AS(std::string mountinfo, base::read_file(AT_FDCWD, "/proc/self/mountinfo", kMaxMountinfo));
  TRY_AS(std::vector<base::Mount> mounts, base::parse_mountinfo(mountinfo));
  TRY_AS(std::string own, base::read_file(AT_FDCWD, "/proc/self/cgroup"));
  return roots_from(cgroup_mounts(mounts), parse_own_cgroups(own), [](const std::string& path) {
    auto folder = base::open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
    return folder.ok() && is_delegated(folder->get());
  });
}

base::Result<std::unique_ptr<CgroupDriver>> open_cgroups(const CgroupRoots& roots,
                                                         const std::string& subtree,
                                                         const std::string& block_device) {
  auto in_context = [&](base::Result<std::unique_ptr<CgroupDriver>> driver)
      -> base::Result<std::unique_ptr<CgroupDriver>> {
    if (!driver) return std::move(driver).error().context("cgroup " + base::quoted(subtree));
    return driver;
  };
  if (!roots.v2.empty() && carries(roots.v2, "cpu") && carries(roots.v2, "memory"))
    return in_context(CgroupV2::open(roots.v2, subtree, block_device));
  for (const CgroupRoots::V1& root : roots.v1)
    if (root.controller == "cpu") return in_context(CgroupV1::open(roots, subtree, block_device));
  return base::make_error(base::Code::kUnsupported,
                          "no cgroup hierarchy carries the cpu controller",
                          "mount cgroup2 on /sys/fs/cgroup, and start the kernel without "
                          "cgroup_disable= and cgroup_no_v1=");
}

}  // namespace resource
