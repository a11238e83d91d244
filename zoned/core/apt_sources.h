// Where packages of a Debian suite come from: the host's own apt sources (sources.list(5), both
// formats) as values, and the sources of a new tree made from them. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace core {

struct AptSource {
  std::vector<std::string> uris;
  std::vector<std::string> suites;
  std::vector<std::string> components;
  std::string signed_by;  // absolute path of a keyring, or empty
  bool operator==(const AptSource&) const = default;
};

inline constexpr const char* kDebianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

// "deb [options] URI SUITE COMPONENT..." lines. What is not understood (deb-src, broken lines,
// exact paths in place of suites) is left out: apt is the judge of the host's files, not we.
std::vector<AptSource> parse_apt_list(std::string_view text);
// deb822 stanzas (*.sources).
std::vector<AptSource> parse_apt_stanzas(std::string_view text);

// One-line sources for a tree of `suite`, ending in a newline, the archive's own sections updates
// and security included where the suite has them:
// - mirror given: SUITE at that mirror, nothing else;
// - the host uses the suite: its own entries for it;
// - the host (whose own suite is host_suite) uses another one: the same archives, with this suite.
// Empty when the host names no archive of Debian's.
// Only http and https archives count: installing has the network and none of the host's folders.
std::string debian_sources(std::string_view suite, std::string_view mirror,
                           const std::vector<AptSource>& host, std::string_view host_suite);

}  // namespace core
