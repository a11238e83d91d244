// DHCP and DNS of a network, by dnsmasq(8) in a zone of its own named NETWORK-dns: a cell that holds
// nothing but the program. As every zone it is adopted when zoned was killed, and restarted when it
// ends. It is made when the first zone on the network asks for its address by DHCP.
//
//   RUN/networks/NETWORK.dns/   mounted in the zone at /etc/dnsmasq: dnsmasq.conf, hosts (names of
//                               zones), clients (hardware address, address and name of each zone that
//                               asks), resolv.conf (the servers that are asked in turn)
//
// Only the clients listed are answered, each with the address that it leased (netns/lease.h).
#pragma once

#include <set>
#include <string>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "netns/address.h"
#include "netns/network.h"
#include "zoned/core/plan.h"
#include "zoned/daemon/networks.h"
#include "zoned/daemon/registry.h"

namespace zoned {

class Keepers;

// True for a zone that this file made.
bool is_name_service(const Zone& zone);
std::string name_service_of(const std::string& network);
// The tree of its cell. lib: the folder LIB. kNotFound with a hint when dnsmasq is not installed.
base::Result<base::UniqueFd> name_service_tree(const std::string& lib);
// What it needs and no more, once planned as an app zone.
void confine_name_service(const core::HostFacts& host, core::ZonePlan* plan);
// dnsmasq.conf for the server at that address. Pure.
std::string dnsmasq_config(const netns::Network& network, const netns::Address& server);

class NameService {
 public:
  using Boot = std::function<void(Zone*)>;
  // None owned. boot: boots an installed zone; called from the loop.
  NameService(base::EventLoop* loop, Registry* registry, Networks* networks, Keepers* keepers,
              Boot boot);

  // The address of the network's server. keep: the zone is made where there is none, and booted
  // soon; else an address that will do for a trial.
  base::Result<netns::Address> server(const netns::Network& network, bool keep);
  // Zones have come or gone: writes what changed and tells the servers.
  void refresh();

 private:
  base::Status prepare(const netns::Network& network);
  base::Result<bool> write_files(const netns::Network& network);
  void boot_soon(const std::string& zone);
  void reload(const Zone& zone);

  base::EventLoop* loop_;
  Registry* registry_;
  Networks* networks_;
  Keepers* keepers_;
  Boot boot_;
  std::set<std::string> to_boot_;
};

}  // namespace zoned
