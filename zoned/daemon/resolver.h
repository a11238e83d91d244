// Which name servers zones ask: resolv.conf(5) of the host, read for them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "netns/address.h"

namespace zoned {

// The servers of a resolv.conf that a zone can reach too: neither loopback nor link-local. Others
// and what can't be read are left out. Pure.
std::vector<netns::Address> reachable_servers(std::string_view resolv_conf);

// Of this host, now: /etc/resolv.conf, and where that names only itself (systemd-resolved(8)'s
// 127.0.0.53) the servers behind it, /run/systemd/resolve/resolv.conf.
std::vector<netns::Address> host_name_servers();

// A resolv.conf with these servers: the first three, as the C library reads no more.
std::string resolver_text(const std::vector<netns::Address>& servers);

}  // namespace zoned
