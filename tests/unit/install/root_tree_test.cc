#include "zoned/core/root_tree.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "tests/unit/install/temporary_folder.h"

using core::inspect_tree;
using core::TreeQuestion;

namespace {

constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/sh\n"
    "broken line\n"
    "big:x:70000:0::/big:/bin/sh\n"
    "www:x:33:34:web:/var/www:/bin/sh\n"
    "odd:x:40:40:odd:relative:/bin/sh\n";
constexpr const char* kGroup =
    "root:x:0:\nadm:x:4:www,root\nssl:x:110:www\nbig:x:70001:www\nbroken\nwww:x:34:\n";

TreeQuestion ask(std::vector<std::string> command) {
  TreeQuestion question;
  question.command = std::move(command);
  return question;
}

}  // namespace

TEST_CASE("a user is found by name with groups and home") {
  auto user = core::find_user(kPasswd, kGroup, "www");
  REQUIRE(user);
  CHECK(user->uid == 33);
  CHECK(user->gid == 34);
  CHECK(user->groups == std::vector<uint32_t>{4, 110});
  CHECK(user->home == "/var/www");
  auto odd = core::find_user(kPasswd, kGroup, "odd");
  REQUIRE(odd);
  CHECK(odd->home == "/");
}

TEST_CASE("a user is found by number, listed or not") {
  auto listed = core::find_user(kPasswd, kGroup, "33");
  REQUIRE(listed);
  CHECK(listed->gid == 34);
  auto unlisted = core::find_user(kPasswd, kGroup, "1000");
  REQUIRE(unlisted);
  CHECK(unlisted->uid == 1000);
  CHECK(unlisted->gid == 1000);
  CHECK(unlisted->home == "/");
}

TEST_CASE("no user is root, in a tree without passwd too") {
  auto root = core::find_user(kPasswd, kGroup, "");
  REQUIRE(root);
  CHECK(root->uid == 0);
  CHECK(root->home == "/root");
  REQUIRE(core::find_user("", "", ""));
  REQUIRE(core::find_user("", "", "root"));
}

TEST_CASE("unknown users and ids outside the zone are refused") {
  auto nobody = core::find_user(kPasswd, kGroup, "nobody");
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().code == base::Code::kNotFound);
  CHECK_FALSE(core::find_user(kPasswd, kGroup, "big"));
  CHECK_FALSE(core::find_user(kPasswd, kGroup, "65536"));
  CHECK_FALSE(core::find_user(kPasswd, kGroup, "-1"));
}

TEST_CASE("systemd is known behind the link that is init") {
  TemporaryFolder tree;
  tree.folder("usr/lib/systemd");
  tree.folder("usr/sbin");
  tree.link("lib", "usr/lib");
  tree.link("sbin", "usr/sbin");
  tree.file("usr/lib/systemd/systemd", "ELF", 0755);
  tree.link("usr/sbin/init", "/lib/systemd/systemd");
  auto facts = inspect_tree(tree.fd(), {});
  REQUIRE(facts);
  CHECK(facts->init == "/sbin/init");
  CHECK(facts->systemd);
}

TEST_CASE("another init is an init, and a tree may have none") {
  TemporaryFolder tree;
  tree.folder("sbin");
  auto none = inspect_tree(tree.fd(), {});
  REQUIRE(none);
  CHECK(none->init.empty());
  tree.file("sbin/init", "ELF", 0755);
  auto some = inspect_tree(tree.fd(), {});
  REQUIRE(some);
  CHECK(some->init == "/sbin/init");
  CHECK_FALSE(some->systemd);
}

TEST_CASE("commands are found along PATH and must be programs") {
  TemporaryFolder tree;
  tree.folder("usr/bin");
  tree.folder("opt/app");
  tree.file("usr/bin/tool", "x", 0755);
  tree.file("usr/bin/data", "x", 0644);
  tree.file("opt/app/run", "x", 0755);
  tree.folder("usr/bin/folder");
  REQUIRE(mkfifoat(tree.fd(), "usr/bin/fifo", 0755) == 0);
  CHECK(inspect_tree(tree.fd(), ask({"tool", "-x"}))->command_path == "/usr/bin/tool");
  CHECK(inspect_tree(tree.fd(), ask({"/opt/app/run"}))->command_path == "/opt/app/run");
  TreeQuestion relative = ask({"./run"});
  relative.workdir = "/opt/app";
  CHECK(inspect_tree(tree.fd(), relative)->command_path == "/opt/app/./run");
  TreeQuestion path = ask({"run"});
  path.path = "relative::/opt/app";
  CHECK(inspect_tree(tree.fd(), path)->command_path == "/opt/app/run");
  for (const char* name : {"data", "folder", "fifo", "absent", "", "/usr/bin/data", "../bin/x"})
    CHECK_FALSE(inspect_tree(tree.fd(), ask({name}))->command_found);
}

TEST_CASE("links of a tree never lead to the host") {
  TemporaryFolder tree;
  tree.folder("bin");
  tree.folder("etc");
  tree.link("bin/sh", "/../../../../bin/sh");
  tree.link("bin/up", "../../../../../../../bin/sh");
  tree.link("etc/passwd", "/proc/self/fd/0");
  tree.link("etc/group", "group");
  CHECK_FALSE(inspect_tree(tree.fd(), ask({"sh"}))->command_found);
  CHECK_FALSE(inspect_tree(tree.fd(), ask({"up"}))->command_found);
  TreeQuestion user;
  user.user = "root";
  CHECK(inspect_tree(tree.fd(), user));
}

TEST_CASE("account files that are FIFOs or endless are as good as absent") {
  TemporaryFolder tree;
  tree.folder("etc");
  REQUIRE(mkfifoat(tree.fd(), "etc/passwd", 0644) == 0);
  tree.file("etc/group", "");
  REQUIRE(truncate((tree.path() + "/etc/group").c_str(), off_t{1} << 40) == 0);
  TreeQuestion user;
  user.user = "www";
  auto facts = inspect_tree(tree.fd(), user);
  REQUIRE_FALSE(facts);
  CHECK(facts.error().code == base::Code::kNotFound);
}

TEST_CASE("mount points must be real folders") {
  for (const char* name : {"dev", "proc", "sys"}) {
    TemporaryFolder tree;
    CHECK(core::check_mountpoints(tree.fd()));
    tree.link(name, "/tmp");
    auto status = core::check_mountpoints(tree.fd());
    REQUIRE_FALSE(status);
    CHECK(status.error().message == "root tree: '/" + std::string(name) + "' is a symbolic link");
    CHECK_FALSE(status.error().hint.empty());
    CHECK_FALSE(core::ensure_mountpoints(tree.fd(), {}));
  }
  TemporaryFolder tree;
  tree.file("proc", "");
  auto status = core::check_mountpoints(tree.fd());
  REQUIRE_FALSE(status);
  CHECK(status.error().message == "root tree: '/proc' is not a folder");
}

TEST_CASE("missing mount points are made, twice is once") {
  TemporaryFolder tree;
  tree.folder("real");
  tree.link("var", "/real");
  std::vector<core::MountPoint> more = {{"/var/data/deep", true}, {"/etc/hosts.d/one", false}};
  for (int round = 0; round < 2; ++round) REQUIRE(core::ensure_mountpoints(tree.fd(), more));
  for (const char* name : {"dev", "proc", "sys", "run", "real/data/deep"})
    CHECK(S_ISDIR(tree.status(name).st_mode));
  CHECK((tree.status("tmp").st_mode & 07777) == 01777);
  CHECK(S_ISREG(tree.status("etc/hosts.d/one").st_mode));
  CHECK_FALSE(core::ensure_mountpoints(tree.fd(), {{"/etc/hosts.d/one", true}}));
  CHECK_FALSE(core::ensure_mountpoints(tree.fd(), {{"/dev", false}}));
}
