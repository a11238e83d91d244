#include "zoned/core/install_finish.h"

#include <catch2/catch.hpp>

#include "tests/unit/install/temporary_folder.h"

namespace {

void make_systemd(TemporaryFolder& tree) {
  tree.folder("usr/lib/systemd");
  tree.folder("sbin");
  tree.link("lib", "usr/lib");
  tree.file("usr/lib/systemd/systemd", "ELF", 0755);
  tree.link("sbin/init", "/lib/systemd/systemd");
}

std::string link_text(const TemporaryFolder& tree, const std::string& name) {
  char text[256];
  ssize_t size = readlinkat(tree.fd(), name.c_str(), text, sizeof text);
  return size < 0 ? "" : std::string(text, static_cast<size_t>(size));
}

}  // namespace

TEST_CASE("two zones of one tree get machine ids of their own") {
  std::string ids[2];
  for (std::string& id : ids) {
    TemporaryFolder tree;
    make_systemd(tree);
    tree.folder("etc");
    tree.file("etc/machine-id", "0123456789abcdef0123456789abcdef\n", 0444);
    REQUIRE(core::finish_install(tree.fd(), "web"));
    id = tree.read("etc/machine-id");
    CHECK(id.size() == 33);
    CHECK(id.find_first_not_of("0123456789abcdef\n") == std::string::npos);
    CHECK(tree.read("etc/hostname") == "web\n");
    CHECK(tree.read("etc/hosts").find("127.0.0.1\tlocalhost\n") == 0);
  }
  CHECK(ids[0] != ids[1]);
  CHECK(ids[0] != "0123456789abcdef0123456789abcdef\n");
}

TEST_CASE("a tree without systemd gets no machine id and no units") {
  TemporaryFolder tree;
  tree.folder("etc");
  tree.file("etc/hosts", "mine\n");
  REQUIRE(core::finish_install(tree.fd(), "tiny"));
  CHECK_FALSE(tree.has("etc/machine-id"));
  CHECK_FALSE(tree.has("etc/systemd"));
  CHECK(tree.read("etc/hosts") == "mine\n");
}

TEST_CASE("what identifies the source's machine goes") {
  TemporaryFolder tree;
  make_systemd(tree);
  tree.folder("etc/ssh");
  tree.folder("var/lib/dbus");
  tree.folder("var/lib/systemd");
  tree.file("etc/ssh/ssh_host_rsa_key", "secret", 0600);
  tree.file("etc/ssh/ssh_host_rsa_key.pub", "public");
  tree.file("etc/ssh/sshd_config", "config");
  tree.file("var/lib/dbus/machine-id", "x");
  tree.file("var/lib/systemd/random-seed", "x");
  REQUIRE(core::finish_install(tree.fd(), "web"));
  CHECK_FALSE(tree.has("etc/ssh/ssh_host_rsa_key"));
  CHECK_FALSE(tree.has("etc/ssh/ssh_host_rsa_key.pub"));
  CHECK(tree.has("etc/ssh/sshd_config"));
  CHECK_FALSE(tree.has("var/lib/dbus/machine-id"));
  CHECK_FALSE(tree.has("var/lib/systemd/random-seed"));
  CHECK_FALSE(tree.has("etc/systemd/system/zoned-ssh-host-keys.service"));
}

TEST_CASE("a tree with sshd makes its host keys at the first boot") {
  TemporaryFolder tree;
  make_systemd(tree);
  tree.folder("etc/ssh");
  tree.folder("usr/sbin");
  tree.folder("usr/bin");
  tree.file("usr/sbin/sshd", "ELF", 0755);
  tree.file("usr/bin/ssh-keygen", "ELF", 0755);
  for (int round = 0; round < 2; ++round) REQUIRE(core::finish_install(tree.fd(), "web"));
  CHECK(tree.read("etc/systemd/system/zoned-ssh-host-keys.service").find("ssh-keygen -A") !=
        std::string::npos);
  CHECK(link_text(tree, "etc/systemd/system/multi-user.target.wants/zoned-ssh-host-keys.service") ==
        "/etc/systemd/system/zoned-ssh-host-keys.service");
}

TEST_CASE("units that can't work in a zone are masked") {
  TemporaryFolder tree;
  make_systemd(tree);
  REQUIRE(core::finish_install(tree.fd(), "web"));
  REQUIRE_FALSE(core::masked_units().empty());
  for (const char* unit : core::masked_units())
    CHECK(link_text(tree, std::string("etc/systemd/system/") + unit) == "/dev/null");
}

TEST_CASE("a hostile tree's links do not lead finishing out of it") {
  TemporaryFolder outside, tree;
  outside.folder("system");
  outside.file("hostname", "host\n");
  make_systemd(tree);
  tree.link("etc", outside.path());
  CHECK_FALSE(core::finish_install(tree.fd(), "web"));
  CHECK(outside.read("hostname") == "host\n");
  CHECK_FALSE(outside.has("machine-id"));

  TemporaryFolder second;
  make_systemd(second);
  second.folder("etc");
  second.link("etc/hostname", outside.path() + "/hostname");
  second.link("etc/systemd", outside.path());
  CHECK_FALSE(core::finish_install(second.fd(), "web"));
  CHECK(outside.read("hostname") == "host\n");
  CHECK_FALSE(outside.has("system/sys-kernel-debug.mount"));
}
