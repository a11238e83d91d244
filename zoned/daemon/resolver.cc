#include "zoned/daemon/resolver.h"

#include <fcntl.h>

#include <algorithm>

#include "base/files.h"
#include "base/strings.h"

namespace zoned {

using netns::Address;

std::vector<Address> reachable_servers(std::string_view resolv_conf) {
  constexpr std::string_view kKey = "nameserver";
  std::vector<Address> servers;
  for (const std::string& line : base::split(resolv_conf, '\n')) {
    if (!line.starts_with(kKey) || line.size() == kKey.size()) continue;
    char after = line[kKey.size()];
    if (after != ' ' && after != '\t') continue;
    std::string_view value = base::trim(std::string_view(line).substr(kKey.size()));
    auto server = Address::parse(value.substr(0, value.find_first_of(" \t")));
    if (!server || server->is_loopback() || server->is_link_local() || server->is_unspecified())
      continue;
    if (std::find(servers.begin(), servers.end(), *server) == servers.end())
      servers.push_back(*server);
  }
  return servers;
}

std::vector<Address> host_name_servers() {
  constexpr size_t kMaxFile = 65536;
  for (const char* path : {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"}) {
    auto text = base::read_file(AT_FDCWD, path, kMaxFile);
    if (!text) continue;
    std::vector<Address> servers = reachable_servers(*text);
    if (!servers.empty()) return servers;
  }
  return {};
}

std::string resolver_text(const std::vector<Address>& servers) {
  constexpr size_t kMost = 3;  // MAXNS of resolv.h
  std::string text;
  for (size_t i = 0; i < std::min(kMost, servers.size()); ++i)
    text += "nameserver " + servers[i].text() + "\n";
  return text;
}

}  // namespace zoned
