// DHCP and DNS of a network's zones of one label, by dnsmasq(8), and by zone-dhcp6 what IPv6 needs
// (netns/dhcp6.h), in a zone of its own with that label, named NETWORK-dns (label number 1, the
// default's) or NETWORK-dns-NUMBER: a cell that holds nothing but these programs. As every zone it is adopted when zoned was killed, and restarted when it
// ends. It is made when the first zone on the network asks for its address by DHCP.
//
//   RUN/networks/NETWORK.dns/   (NETWORK.dns-NUMBER/) mounted in the zone at /etc/dnsmasq: dnsmasq.conf, hosts (names of
//                               zones), clients (hardware address, address and name of each zone that
//                               asks), resolv.conf (the servers that are asked in turn), dhcp6
//                               (netns::guidance_text)
//
// It names zones of its label alone, and asks other servers only where its label is that of what is
// outside of the network: a question could carry anything there.
// Only the clients listed are answered, each with the address that it leased (netns/lease.h).
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

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
std::string name_service_of(const std::string& network, uint32_t label);
// Names of the network's servers that there are, of all labels.
std::vector<std::string> name_services_of(Registry& registry, const Networks& networks,
                                          const std::string& network);
// The tree of its cell. lib: the folder LIB. kNotFound with a hint when dnsmasq is not installed.
base::Result<base::UniqueFd> name_service_tree(const std::string& lib);
// What it needs and no more, once planned as an app zone.
base::Status confine_name_service(const core::HostFacts& host, core::ZonePlan* plan);
// dnsmasq.conf for the server at that address. outward: its label is that of what is outside. Pure.
std::string dnsmasq_config(const netns::Network& network, const netns::Address& server,
                           bool outward);

class NameService {
 public:
  using Boot = std::function<void(Zone*)>;
  // None owned. boot: boots an installed zone; called from the loop.
  NameService(base::EventLoop* loop, Registry* registry, Networks* networks, Keepers* keepers,
              Boot boot);

  // The network's server for zones with the label of that number. keep: the zone is made where there
  // is none, and booted soon; else addresses that will do for a trial.
  base::Result<Networks::NameServer> server(const netns::Network& network, uint32_t label,
                                            bool keep);
  // Zones have come or gone: writes what changed and tells the servers.
  void refresh();
  // A zone runs: what changed while a server booted, it may not have read.
  void booted(const std::string& zone);

 private:
  base::Status prepare(const netns::Network& network, uint32_t label);
  base::Result<bool> write_files(const netns::Network& network, uint32_t label);
  void boot_soon(const std::string& zone);
  netns::Address address(const std::string& network, uint32_t label, netns::Family family) const;
  std::string guidance(const netns::Network& network, uint32_t label) const;
  void signal(const Zone& zone, int number);

  base::EventLoop* loop_;
  Registry* registry_;
  Networks* networks_;
  Keepers* keepers_;
  Boot boot_;
  std::set<std::string> to_boot_;
  std::set<std::string> starting_;
  std::set<std::string> untold_;  // SIGHUP is due
};

}  // namespace zoned
