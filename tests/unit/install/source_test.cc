#include "zoned/core/source.h"

#include <catch2/catch.hpp>

using core::format_source;
using core::parse_source;
using core::Source;

TEST_CASE("sources that are folders and archives keep their path") {
  auto dir = parse_source("dir:/srv/tree, old");
  REQUIRE(dir);
  CHECK(dir->kind == Source::Kind::kDir);
  CHECK(dir->path == "/srv/tree, old");
  auto tar = parse_source("tar:/srv/a.tar.zst");
  REQUIRE(tar);
  CHECK(tar->kind == Source::Kind::kTar);
  CHECK(tar->path == "/srv/a.tar.zst");
}

TEST_CASE("a debian source has a suite, packages in order and a mirror") {
  auto plain = parse_source("debian:bookworm");
  REQUIRE(plain);
  CHECK(plain->suite == "bookworm");
  CHECK(plain->include.empty());
  auto full = parse_source(
      "debian:trixie,include=nginx+g+++libstdc++6,mirror=http://mirror.example/debian,"
      "include=curl+nginx");
  REQUIRE(full);
  CHECK(full->include == std::vector<std::string>{"curl", "g++", "libstdc++6", "nginx"});
  CHECK(full->mirror == "http://mirror.example/debian");
}

TEST_CASE("a formatted source parses to itself") {
  for (const char* text :
       {"dir:/", "tar:/a/b.tar", "debian:sid", "debian:bookworm,include=g+++nginx",
        "debian:bookworm,include=libstdc++6,mirror=https://example.org:8080/debian/",
        "kernel:/boot/vmlinuz", "kernel:/k, old,initrd=/i,=", "disk:/d.qcow2", "iso:/a,b.iso"}) {
    auto source = parse_source(text);
    REQUIRE(source);
    auto again = parse_source(format_source(*source));
    REQUIRE(again);
    CHECK(*again == *source);
  }
}

TEST_CASE("bad sources are refused") {
  for (const char* text : {"",
                           "/srv/tree",
                           "dir:",
                           "dir:srv",
                           "dir:/srv/../etc",
                           "dir:/./x",
                           "tar:/a\nb",
                           "kernel:",
                           "kernel:k",
                           "kernel:,initrd=/i",
                           "kernel:/k,initrd=",
                           "kernel:/k,initrd=i",
                           "kernel:/k,initrd=/i,initrd=/j",
                           "disk:",
                           "disk:d.qcow2",
                           "iso:../x",
                           "debian:",
                           "debian:Bookworm",
                           "debian:book worm",
                           "debian:-x",
                           "debian:../x",
                           "debian:bookworm,",
                           "debian:bookworm,include=",
                           "debian:bookworm,include=x",
                           "debian:bookworm,include=nginx+",
                           "debian:bookworm,include=-o",
                           "debian:bookworm,include=a;b",
                           "debian:bookworm,include=NGINX",
                           "debian:bookworm,mirror=",
                           "debian:bookworm,mirror=ftp://x/debian",
                           "debian:bookworm,mirror=http:///debian",
                           "debian:bookworm,mirror=http://x/debian y",
                           "debian:bookworm,mirror=http://x/[a]",
                           "debian:bookworm,mirror=http://x/d,mirror=http://y/d",
                           "debian:bookworm,variant=minbase"}) {
    INFO(text);
    auto source = parse_source(text);
    REQUIRE_FALSE(source);
    CHECK(source.error().code == base::Code::kInvalid);
    CHECK_FALSE(source.error().hint.empty());
  }
}

TEST_CASE("sources of later versions are refused by name") {
  for (const char* kind : {"oci", "clone"}) {
    auto source = parse_source(std::string(kind) + ":something");
    REQUIRE_FALSE(source);
    CHECK(source.error().code == base::Code::kUnsupported);
    CHECK(source.error().message ==
          "source '" + std::string(kind) + "' is not available in this version");
  }
}

TEST_CASE("a misspelt source names the nearest") {
  auto kind = parse_source("debain:bookworm");
  REQUIRE_FALSE(kind);
  CHECK(kind.error().hint.starts_with("did you mean debian:?"));
  auto option = parse_source("debian:bookworm,inclued=nginx");
  REQUIRE_FALSE(option);
  CHECK(option.error().hint == "did you mean include=?");
}

TEST_CASE("a kernel may have an initrd beside it") {
  auto bare = parse_source("kernel:/boot/vm, linuz");
  REQUIRE(bare);
  CHECK(bare->kind == Source::Kind::kKernel);
  CHECK(bare->path == "/boot/vm, linuz");
  CHECK(bare->initrd.empty());
  auto both = parse_source("kernel:/boot/vmlinuz,initrd=/boot/initrd.img");
  REQUIRE(both);
  CHECK(both->path == "/boot/vmlinuz");
  CHECK(both->initrd == "/boot/initrd.img");
}

TEST_CASE("trees are for native zones, kernels and images for vm zones") {
  for (const char* text : {"dir:/t", "tar:/t", "debian:bookworm"}) {
    auto source = parse_source(text);
    REQUIRE(source);
    CHECK(core::check_source_brand(*source, core::Brand::kNative).ok());
    auto refused = core::check_source_brand(*source, core::Brand::kVm);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message == "source '" + std::string(text) + "' is for native zones");
    CHECK_FALSE(refused.error().hint.empty());
  }
  for (const char* text : {"kernel:/k", "disk:/d", "iso:/i"}) {
    auto source = parse_source(text);
    REQUIRE(source);
    CHECK(core::check_source_brand(*source, core::Brand::kVm).ok());
    auto refused = core::check_source_brand(*source, core::Brand::kNative);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message == "source '" + std::string(text) + "' is for vm zones");
    CHECK_FALSE(refused.error().hint.empty());
  }
}
