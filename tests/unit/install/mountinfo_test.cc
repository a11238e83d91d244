#include "base/mountinfo.h"

#include <catch2/catch.hpp>

using base::parse_mountinfo;

TEST_CASE("a mountinfo line has its fields, optional ones too") {
  auto mounts = parse_mountinfo(
      "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n"
      "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n");
  REQUIRE(mounts);
  REQUIRE(mounts->size() == 2);
  const base::Mount& first = mounts->front();
  CHECK(first.id == 36);
  CHECK(first.parent == 35);
  CHECK(first.device_major == 98);
  CHECK(first.device_minor == 0);
  CHECK(first.root == "/mnt1");
  CHECK(first.target == "/mnt2");
  CHECK(first.optional == std::vector<std::string>{"master:1", "shared:2"});
  CHECK(first.source == "/dev/root");
  CHECK((*mounts)[1].type == "cgroup2");
  CHECK((*mounts)[1].optional.empty());
}

TEST_CASE("octal escapes in mountinfo become bytes") {
  auto mounts = parse_mountinfo("1 0 0:1 / /a\\040b\\011\\134\\012\\303\\251 rw - t a\\043 rw\n");
  REQUIRE(mounts);
  CHECK(mounts->front().target == "/a b\t\\\n\xc3\xa9");
  CHECK(mounts->front().source == "a#");
}

TEST_CASE("an empty mountinfo has no mounts, an empty source is allowed") {
  auto none = parse_mountinfo("");
  REQUIRE(none);
  CHECK(none->empty());
  auto empty_source = parse_mountinfo("1 0 0:1 / / rw - tmpfs  rw\n");
  REQUIRE(empty_source);
  CHECK(empty_source->front().source.empty());
}

TEST_CASE("broken mountinfo is refused with its line") {
  for (const char* line :
       {"1 0 0:1 / / rw - t s rw", "1 0 0:1 / / rw - t s\n", "1 0 0:1 / / rw t s rw\n",
        "x 0 0:1 / / rw - t s rw\n", "1 0 01 / / rw - t s rw\n", "1 0 0:-1 / / rw - t s rw\n",
        "1 0 0:1 / /a\\04 rw - t s rw\n", "1 0 0:1 / /a\\049 rw - t s rw\n",
        "1 0 0:1 / /a\\000 rw - t s rw\n", "1 0 0:1 / /a\\777 rw - t s rw\n",
        "1 0 0:1 / / rw - t s rw extra\n", "1 0 0:1  / rw - t s rw\n", "\n",
        "4294967296 0 0:1 / / rw - t s rw\n", "1 0 0:1 / / rw  - t s rw\n"}) {
    INFO(line);
    auto mounts = parse_mountinfo(std::string("1 0 0:1 / / rw - t s rw\n") + line);
    REQUIRE_FALSE(mounts);
    CHECK(mounts.error().message.starts_with("mountinfo line 2"));
  }
}

TEST_CASE("options are compared as whole words") {
  CHECK(base::has_option("rw,cpu,cpuacct", "cpu"));
  CHECK_FALSE(base::has_option("rw,cpuacct", "cpu"));
  CHECK_FALSE(base::has_option("", "cpu"));
}
