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
        "debian:bookworm,include=libstdc++6,mirror=https://example.org:8080/debian/"}) {
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
  for (const char* kind : {"oci", "clone", "disk", "kernel", "iso"}) {
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
