#include "zoned/daemon/host_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/files.h"
#include "tests/unit/daemon/temporary.h"

namespace {

using namespace zoned;
using base::Code;
using labels::Encodings;
using labels::Label;
using testing::must;
using testing::TemporaryFolder;

const Encodings& names() { return Encodings::built_in(); }
Label label_of(const char* name) { return must(names().parse_label(name)); }

// Labels are attributes that only root may set: without it there is nothing to test.
bool is_root() { return geteuid() == 0; }

struct World {
  TemporaryFolder folder;
  TreeLabels trees{api::paths_for(folder / "instance"), &names()};

  World() {
    must(base::make_dirs(AT_FDCWD, folder / "instance/lib", 0700));
    must(base::make_dirs(AT_FDCWD, folder / "srv/www/deep", 0755));
    must(base::make_dirs(AT_FDCWD, folder / "srv2", 0755));
  }
  HostObject object(const std::string& name) { return must(open_host_object(folder / name)); }
  base::Status set(const std::string& name, const char* label) {
    return trees.set(object(name), label_of(label));
  }
  base::Result<std::vector<HostTree>> open(const std::string& name, const char* label,
                                           Giver giver = Giver::kAdministrator) {
    core::ZoneSpec spec;
    spec.fs = {{"/data", folder / name}};
    return open_host_trees(spec, label_of(label), trees, names(), giver);
  }
};

bool contains(const std::string& text, const std::string& piece) {
  return text.find(piece) != std::string::npos;
}

TEST_CASE("a host tree without a label is given to no zone, and the hint labels it") {
  World world;
  auto opened = world.open("srv/www", "PUBLIC");
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().code == Code::kDenied);
  CHECK(world.open("srv/www", "PUBLIC", Giver::kZoned).ok());
  CHECK(contains(opened.error().message, "/data"));
  CHECK(contains(opened.error().message, "has no label (ADMIN_HIGH)"));
  CHECK(contains(opened.error().hint, "zone label set '" + world.folder / "srv/www' 'PUBLIC'"));
}

TEST_CASE("a host tree is given to zones of its own label alone, whatever lies above") {
  if (!is_root()) return;
  World world;
  must(world.set("srv", "CONFIDENTIAL"));
  for (const char* path : {"srv", "srv/www", "srv/www/deep"}) {
    INFO(path);
    CHECK(world.open(path, "CONFIDENTIAL").ok());
    auto lower = world.open(path, "PUBLIC");
    REQUIRE_FALSE(lower.ok());
    CHECK(contains(lower.error().message, "is 'CONFIDENTIAL', the zone 'PUBLIC'"));
    auto higher = world.open(path, "SECRET");
    REQUIRE_FALSE(higher.ok());
    CHECK(contains(higher.error().hint, "/zone/NAME"));
  }
  must(world.trees.clear(world.object("srv")));
  CHECK_FALSE(world.open("srv/www", "CONFIDENTIAL").ok());
}

TEST_CASE("trees of different labels do not overlap") {
  if (!is_root()) return;
  World world;
  must(world.set("srv/www", "PUBLIC"));
  must(world.set("srv/www", "PUBLIC"));
  auto refused = [&](const char* path, const char* label) {
    base::Status status = world.set(path, label);
    return !status.ok() && (status.error().code == Code::kDenied);
  };
  CHECK(refused("srv", "SECRET"));
  CHECK(refused("srv/www/deep", "SECRET"));
  CHECK(world.set("srv/www", "SECRET").error().code == Code::kExists);
  must(world.set("srv2", "SECRET"));
  must(world.set("srv/www/deep", "PUBLIC"));
  must(world.set("srv", "PUBLIC"));
  CHECK(must(world.trees.trees()).size() == 4);
}

TEST_CASE("a nested tree whose label differs is found when the outer one is used") {
  if (!is_root()) return;
  World world;
  must(world.set("srv/www", "PUBLIC"));
  std::string secret = label_of("SECRET").encode();
  REQUIRE(setxattr((world.folder / "srv").c_str(), kLabelAttribute, secret.data(), secret.size(),
                   0) == 0);
  auto opened = world.open("srv", "SECRET");
  REQUIRE_FALSE(opened.ok());
  CHECK(contains(opened.error().message, "srv/www'"));
  must(world.trees.clear(world.object("srv/www")));
  CHECK(world.open("srv", "SECRET").ok());
}

TEST_CASE("folders of zoned's own, and what holds them, get no label") {
  World world;
  for (const char* path : {"instance/lib", "instance", ""}) {
    base::Status status = world.set(path, "PUBLIC");
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().code == Code::kDenied);
  }
}

TEST_CASE("a label that can't be read counts as none that fits") {
  if (!is_root()) return;
  World world;
  REQUIRE(setxattr((world.folder / "srv").c_str(), kLabelAttribute, "1:junk", 6, 0) == 0);
  auto object = open_host_object(world.folder / "srv/www");
  REQUIRE_FALSE(object.ok());
  CHECK(contains(object.error().message, kLabelAttribute));
}

TEST_CASE("what a descriptor refers to is found by its name, or not at all") {
  World world;
  base::UniqueFd fd = must(base::open_at(AT_FDCWD, world.folder / "srv/www", O_PATH));
  CHECK(must(host_object_of(fd.get())).path == world.folder / "srv/www");
  REQUIRE(rename((world.folder / "srv/www").c_str(), (world.folder / "srv/new").c_str()) == 0);
  CHECK(must(host_object_of(fd.get())).path == world.folder / "srv/new");
  REQUIRE(rmdir((world.folder / "srv/new/deep").c_str()) == 0);
  REQUIRE(rmdir((world.folder / "srv/new").c_str()) == 0);
  CHECK_FALSE(host_object_of(fd.get()).ok());
  CHECK_FALSE(host_object_of(must(base::sealed_memfd("x", "y")).get()).ok());
}

TEST_CASE("host trees are private only below a folder that others may not enter") {
  if (!is_root()) return;
  World world;
  REQUIRE(chmod(world.folder.path().c_str(), 0755) == 0);
  must(world.set("srv/www", "PUBLIC"));
  auto trees = must(world.open("srv/www", "PUBLIC"));
  REQUIRE(trees.size() == 1);
  CHECK(trees[0].folder());
  CHECK(trees[0].target == "/data");
  CHECK_FALSE(trees[0].object.is_private);
  REQUIRE(chmod((world.folder / "srv").c_str(), 0700) == 0);
  CHECK(must(world.open("srv/www", "PUBLIC"))[0].object.is_private);
}

TEST_CASE("a special that is a link, a fifo or absent is refused") {
  World world;
  REQUIRE(symlink("/etc", (world.folder / "link").c_str()) == 0);
  REQUIRE(mkfifo((world.folder / "fifo").c_str(), 0600) == 0);
  for (const char* name : {"link", "link/apt", "fifo", "absent"}) {
    auto trees = world.open(name, "PUBLIC");
    INFO(name);
    REQUIRE_FALSE(trees.ok());
    CHECK(trees.error().code != Code::kDenied);
    CHECK(contains(trees.error().message, "/data"));
  }
}

}  // namespace
