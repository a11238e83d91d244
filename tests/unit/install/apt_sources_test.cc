#include "zoned/core/apt_sources.h"

#include <catch2/catch.hpp>

using core::AptSource;
using core::debian_sources;
using core::parse_apt_list;
using core::parse_apt_stanzas;

namespace {

constexpr const char* kKeys = "/usr/share/keyrings/debian-archive-keyring.gpg";
const std::string kSigned = "deb [signed-by=" + std::string(kKeys) + "] ";

}  // namespace

TEST_CASE("one-line sources are read with their options") {
  auto sources = parse_apt_list(
      "# deb http://commented/debian bookworm main\n"
      "deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] https://a/debian bookworm main "
      "contrib\n"
      "deb-src http://a/debian bookworm main\n"
      "deb http://b/debian-security bookworm-security main # trailing\n"
      "deb http://broken\n"
      "  deb\thttp://c/debian sid main\n");
  REQUIRE(sources.size() == 3);
  CHECK(sources[0] ==
        AptSource{
            {"https://a/debian"}, {"bookworm"}, {"main", "contrib"}, "/usr/share/keyrings/x.gpg"});
  CHECK(sources[1] == AptSource{{"http://b/debian-security"}, {"bookworm-security"}, {"main"}, ""});
  CHECK(sources[2].suites == std::vector<std::string>{"sid"});
}

TEST_CASE("deb822 stanzas are read, switched-off ones are not") {
  auto sources = parse_apt_stanzas(
      "Types: deb deb-src\n# comment\nURIs: http://a/debian\n http://b/debian\n"
      "Suites: bookworm bookworm-updates\nComponents: main\nSigned-By: /k.gpg\n\n"
      "Types: deb\nURIs: http://off/\nSuites: bookworm\nComponents: main\nEnabled: no\n\n"
      "types: deb\nuris: http://inline/\nsuites: bookworm\ncomponents: main\n"
      "signed-by:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n xyz\n\n\n"
      "Types: deb-src\nURIs: http://source/\nSuites: bookworm\nComponents: main\n");
  REQUIRE(sources.size() == 2);
  CHECK(sources[0] == AptSource{{"http://a/debian", "http://b/debian"},
                                {"bookworm", "bookworm-updates"},
                                {"main"},
                                "/k.gpg"});
  CHECK(sources[1].signed_by.empty());
}

TEST_CASE("the host's own suite is taken from the host's own archives") {
  std::vector<AptSource> host = {
      {{"http://near/debian"}, {"bookworm", "bookworm-updates"}, {"main", "contrib"}, kKeys},
      {{"http://near/security"}, {"bookworm-security"}, {"main"}, kKeys},
      {{"https://other.example"}, {"bookworm"}, {"main"}, "/etc/apt/keyrings/other.asc"},
      {{"https://other.example"}, {"bookworm"}, {"stable"}, ""},
      {{"cdrom:[Debian]/"}, {"bookworm"}, {"main"}, ""},
      {{"file:/srv/mirror"}, {"bookworm"}, {"main"}, ""}};
  CHECK(debian_sources("bookworm", "", host, "bookworm") ==
        kSigned + "http://near/debian bookworm main contrib\n" + kSigned +
            "http://near/debian bookworm-updates main contrib\n" + kSigned +
            "http://near/security bookworm-security main\n");
}

TEST_CASE("another suite comes from the same archives, sid without sections") {
  std::vector<AptSource> host = {
      {{"http://near/debian"}, {"bookworm", "bookworm-updates"}, {"main"}, kKeys},
      {{"http://near/security"}, {"bookworm-security"}, {"main"}, kKeys}};
  CHECK(debian_sources("trixie", "", host, "bookworm") ==
        kSigned + "http://near/debian trixie main\n" + kSigned +
            "http://near/debian trixie-updates main\n" + kSigned +
            "http://near/security trixie-security main\n");
  CHECK(debian_sources("sid", "", host, "bookworm") == kSigned + "http://near/debian sid main\n");
}

TEST_CASE("a given mirror is used alone, and without archives there are no sources") {
  CHECK(debian_sources("bookworm", "http://m/debian", {}, "bookworm") ==
        kSigned + "http://m/debian bookworm main\n");
  CHECK(debian_sources("trixie", "", {}, "").empty());
  std::vector<AptSource> foreign = {{{"http://near/other"}, {"stable"}, {"main"}, ""}};
  CHECK(debian_sources("trixie", "", foreign, "bookworm").empty());
}
