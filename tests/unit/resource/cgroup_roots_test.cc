#include "resource/cgroup_roots.h"

#include <catch2/catch.hpp>

#include <random>

namespace {

using resource::CgroupRoots;

constexpr char kHybrid[] =
    "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
    "29 22 0:26 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup rw\n"
    "30 22 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "31 22 0:28 / /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory\n"
    "32 22 0:28 / /mnt/my\\040memory rw - cgroup cgroup rw,memory\n"
    "33 22 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n";

CgroupRoots roots(const std::string& mountinfo, const std::string& own,
                  const std::string& delegated = "") {
  auto mounts = base::parse_mountinfo(mountinfo);
  REQUIRE(mounts.ok());
  return resource::roots_from(resource::cgroup_mounts(*mounts), resource::parse_own_cgroups(own),
                              [&](const std::string& path) { return path == delegated; });
}

std::string v1_path(const CgroupRoots& found, const std::string& controller) {
  for (const auto& root : found.v1)
    if (root.controller == controller) return root.path;
  return "(none)";
}

const std::string kPure = "29 22 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n";

}  // namespace

TEST_CASE("hierarchies are found by their mounts, read-only ones passed over") {
  CgroupRoots found = roots(kHybrid, "4:memory:/user\n3:cpu,cpuacct:/user\n0::/user\n");
  CHECK(found.v2 == "/sys/fs/cgroup/unified");
  CHECK(v1_path(found, "cpu") == "/sys/fs/cgroup/cpu,cpuacct");
  CHECK(v1_path(found, "cpuacct") == "/sys/fs/cgroup/cpu,cpuacct");
  CHECK(v1_path(found, "memory") == "/mnt/my memory");
  CHECK(found.v1.size() == 3);
}

TEST_CASE("a delegated scope is our place, one that is not delegated is left alone") {
  const std::string own = "0::/user.slice/zoned.scope\n";
  const std::string path = "/sys/fs/cgroup/user.slice/zoned.scope";
  CHECK(roots(kPure, own).v2 == "/sys/fs/cgroup");
  CHECK(roots(kPure, own, path).v2 == path);
  CHECK(roots(kPure, "0::/user.slice/zoned.scope/supervisor\n", path).v2 == path);
}

TEST_CASE("a delegated service is our place on v2 only from its supervisor leaf") {
  const std::string path = "/sys/fs/cgroup/system.slice/zoned.service";
  CHECK(roots(kPure, "0::/system.slice/zoned.service\n", path).v2 == "/sys/fs/cgroup");
  CHECK(roots(kPure, "0::/system.slice/zoned.service/supervisor\n", path).v2 == path);
}

TEST_CASE("a delegated service is our place in those v1 hierarchies where we are in it") {
  CgroupRoots found =
      roots(kHybrid, "5:memory:/elsewhere\n3:cpu,cpuacct:/s/z.service\n0::/s/z.service\n",
            "/sys/fs/cgroup/unified/s/z.service");
  CHECK(found.v2 == "/sys/fs/cgroup/unified/s/z.service");
  CHECK(v1_path(found, "cpu") == "/sys/fs/cgroup/cpu,cpuacct/s/z.service");
  CHECK(v1_path(found, "memory") == "/mnt/my memory");
}

TEST_CASE("a container's mount that starts below the hierarchy's top is taken as the top") {
  const std::string mounts = "29 22 0:26 /docker/ab /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
  CHECK(roots(mounts, "0::/docker/ab\n").v2 == "/sys/fs/cgroup");
  CHECK(roots(mounts, "0::/docker/ab/x.scope\n", "/sys/fs/cgroup/x.scope").v2 ==
        "/sys/fs/cgroup/x.scope");
  // Not below: a sibling of a similar name, or outside of our cgroup namespace.
  CHECK(roots(mounts, "0::/docker/abc\n", "/sys/fs/cgroupc").v2 == "/sys/fs/cgroup");
  CHECK(roots(kPure, "0::/../x\n", "/sys/fs/cgroup/../x").v2 == "/sys/fs/cgroup");
}

TEST_CASE("mangled cgroup files never lead outside of the mounts") {
  std::mt19937_64 engine(5);
  const std::string own = "5:memory:/x\n3:cpu,cpuacct:/a:b/supervisor\n0::/user/z.scope\n";
  auto mounts = base::parse_mountinfo(kHybrid);
  REQUIRE(mounts.ok());
  for (int i = 0; i < 20000; ++i) {
    std::string cgroups = own;
    for (int n = 0; n < 4; ++n) cgroups[engine() % cgroups.size()] = ":\n/,x."[engine() % 6];
    CgroupRoots found =
        resource::roots_from(resource::cgroup_mounts(*mounts), resource::parse_own_cgroups(cgroups),
                             [](const std::string&) { return true; });
    REQUIRE(found.v2.starts_with("/sys/fs/cgroup/unified"));
    for (const auto& root : found.v1)
      REQUIRE((root.path.starts_with("/sys/fs/cgroup/cpu,cpuacct") ||
               root.path.starts_with("/mnt/my memory")));
  }
  CHECK(resource::parse_own_cgroups(own)[1].path == "/a:b/supervisor");
  CHECK(resource::parse_own_cgroups("").empty());
}
