// The networks of this instance: their configuration, who has which address, and what of both is in
// the kernel. Nothing of the host is touched before there is a network.
//
//   ETC/networks/NAME.json   netns::network_to_json; written durably
//   LIB/zones/NAME/leases    a zone's addresses, for its life: a line "PORT NETWORK ADDRESS..." a port
//   RUN/zones/NAME.leases    likewise, of an ephemeral zone
//   RUN/networks/1:A+B.hosts    hosts(5) of the zones with label number 1 that are on the networks A and
//                               B: mounted there, and written in place when a zone comes or goes
//   RUN/networks/1:A+B.resolv   likewise, their resolv.conf(5): the networks' name servers
//
// Rules for a zone's ports are in the packet filter before its links exist; the launcher makes the
// links. If somebody takes our tables away, all ports go down until the tables are back.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "netns/lease.h"
#include "netns/links.h"
#include "netns/nft.h"
#include "netns/port.h"
#include "netns/refusal_log.h"
#include "netns/ruleset_watch.h"
#include "zoned/core/host_facts.h"
#include "zoned/daemon/events.h"
#include "zoned/daemon/label_numbers.h"
#include "zoned/daemon/link_remover.h"
#include "zoned/daemon/registry.h"

namespace zoned {

class Networks {
 public:
  // root: the canonical root folder of the instance. encodings: names of labels, for as long as this
  // lives.
  static base::Result<std::unique_ptr<Networks>> open(const std::string& root, Registry* registry,
                                                      base::EventLoop* loop, Children* children,
                                                      Events* events, ConfigReader* reader,
                                                      const labels::Encodings* encodings);
  ~Networks();

  const netns::Instance& instance() const { return instance_; }
  // Objects. Settings are netns::parse_network's, with the names of labels.
  base::Status create(const std::string& name, const netns::KeyValues& settings);
  // What holds for running zones at once; kBusy where their addresses would no longer fit.
  base::Status set(const std::string& name, const netns::KeyValues& settings);
  // kBusy while a zone's configuration names it.
  base::Status remove(const std::string& name);
  // What remove() would refuse, were it not for these zones.
  base::Status check_unused(const std::string& name,
                            const std::vector<std::string>& but_zones) const;
  netns::KeyValues settings_of(const netns::Network& network) const;
  const netns::Network* find(const std::string& name) const;
  std::vector<netns::Network> all() const;
  size_t leases(const std::string& name) const;

  // The ports of a zone, in the order of its [[net]] tables. `keep`: addresses that it has not yet are
  // leased; else they are only looked for.
  base::Result<std::vector<netns::PortPlan>> plan(const Zone& zone, const core::ZoneSpec& spec,
                                                  bool keep);
  // Writes down the addresses of a zone that is going to have these ports.
  base::Status write_leases(const Zone& zone, const std::vector<netns::PortPlan>& ports);
  // Whether the first port of such a zone is a link as netns::prepare_link() makes it.
  bool takes_link(const core::ZoneSpec& spec) const;
  // The first lease of a port in a network, of that family; none: no address.
  netns::Address lease_of(const std::string& network, const std::string& zone,
                          const std::string& port, netns::Family family) const;
  // The labels that ports have, by number.
  const netns::LabelTable& labels() const { return numbers_.all(); }
  // As the encodings call the label of that number.
  std::string label_name(uint32_t label) const {
    return encodings_->name_of(numbers_.all().at(label));
  }
  // Zones with that label exchange packets with what is outside of the network.
  bool is_outward(const netns::Network& network, const labels::Label& label) const;
  // resolv.conf(5) of zones on these networks with a label of that number; other labels than the
  // outside's have no server there.
  std::string resolver_of(const std::vector<std::string>& networks, uint32_t label) const;
  // Who serves DHCP and DNS (name_service.h): set once, before any zone is planned.
  struct NameServer {
    netns::Address v4;
    netns::Address v6;
  };
  struct NameHooks {
    // The network's server for zones of that label (0: a new one); keep as in plan().
    std::function<base::Result<NameServer>(const netns::Network&, uint32_t label, bool keep)>
        server;
    std::function<void()> changed;  // zones have come or gone
  };
  void set_name_hooks(NameHooks hooks) { name_hooks_ = std::move(hooks); }

  // What a running zone tried to send to another label, as the kernel told it: set once, before
  // recover().
  using AttemptHook = std::function<void(const std::string& zone, const std::string& reason)>;
  void set_attempt_hook(AttemptHook hook) { attempt_hook_ = std::move(hook); }

  // The zone is about to have these ports.
  base::Status expect(const std::string& zone, const std::vector<netns::PortPlan>& ports);
  // Writes down the leases of the ports that it expects, and their names, and sets their rules, before their
  // links are made.
  base::Status connect(const Zone& zone);
  // The port's link, which was made ahead in that namespace, becomes the port, after connect().
  base::Status finish(const netns::PortPlan& port, int netns) {
    return netns::finish_port(kernel_->links, port, netns);
  }
  // The ports that a running zone gets for `spec` (networks_change.cc): those whose [[net]] table is
  // the same as in `before` stay as they are, but for the firewall; a link that must be made anew has
  // another host name. Addresses are leased as by plan(). kUnsupported: only a boot can do that.
  base::Result<std::vector<netns::PortPlan>> plan_change(const Zone& zone,
                                                         const core::ZoneSpec& before,
                                                         const core::ZoneSpec& spec);
  // A running zone has these ports instead of those of live(). Rules first, in one transaction, then
  // links; undone on failure. netns: the zone's namespace.
  base::Status change(const std::string& zone, const std::vector<netns::PortPlan>& ports,
                      int netns);
  // Addresses that neither the zone's configuration nor its live() ports call for are free again.
  base::Status release_unused(const Zone& zone);
  // A change did not come about: the zone has the addresses of its live() ports and no others.
  base::Status lease_again(const Zone& zone);
  // Once its first process is known: the interfaces of the host that the zone has will be given back
  // by disconnect(), before its network namespace goes.
  base::Status hold_devices(const Zone& zone);
  // The links of a zone's ports are there: they get their shares of their networks' bandwidth
  // (networks_shares.cc).
  base::Status share(const std::string& zone);
  // Rules go, then links (link_remover.h). A zone without ports is none of our business.
  base::Status disconnect(const std::string& zone);
  // What a zone with these ports sees as /etc/hosts and /etc/resolv.conf; complete after connect().
  struct NameFiles {
    base::UniqueFd hosts;
    base::UniqueFd resolver;
  };
  base::Result<NameFiles> name_files(const std::vector<netns::PortPlan>& ports) const;
  // The instance ends: tables and bridges go, until the next start.
  base::Status withdraw();
  // The zone is deleted: its addresses are free.
  void forget(const Zone& zone);
  // At start, when zones and keepers are known: rules for what runs, no links for what does not.
  base::Status recover();

  // Ports of running zones, by zone.
  const std::map<std::string, std::vector<netns::PortPlan>>& live() const { return live_; }
  struct Traffic {
    uint64_t receive_bytes = 0;  // as the zone sees it
    uint64_t send_bytes = 0;
    uint64_t receive_packets = 0;
    uint64_t send_packets = 0;
  };
  // By host name of the port; one look at all links.
  base::Result<std::map<std::string, Traffic>> traffic();
  // What the protections of a port refused, by netns::kCounterNames.
  base::Result<netns::PortCounters> refused(const netns::PortPlan& port);
  // What of this host stands in the way of the networks that there are; empty without networks.
  std::vector<core::HostCheck> checks();

 private:
  struct Object {
    netns::Network network;
    netns::LeaseTable leases;
  };
  struct Kernel {  // opened when there is a network
    netns::Nft nft;
    netns::Links links;
    netns::RulesetWatch watch;
    std::optional<netns::RefusalLog> refusals;  // none: the kernel can't tell
  };
  Networks(netns::Instance instance, LabelNumbers numbers, Registry* registry,
           base::EventLoop* loop, Children* children, Events* events,
           const labels::Encodings* encodings);

  base::Status load(ConfigReader* reader);
  base::Result<std::pair<base::UniqueFd, std::string>> lease_file(const Zone& zone) const;
  void load_leases(const Zone& zone);
  base::Status need_kernel();
  base::Status apply_whole();
  // What planning decides by the zone's label.
  base::Status set_label(const Zone& zone, const netns::Network& network, bool keep,
                         netns::PortRequest* request);
  base::Result<netns::KeyValues> stored(const netns::KeyValues& settings) const;
  base::Status share(const std::vector<netns::PortPlan>& ports);  // anew, on their networks
  base::Status share_whole(const netns::Network& network);
  bool shares(const netns::PortPlan& port) const;
  base::Status remove_shapers(bool all);
  base::Status make_bridges(const netns::Network& network);
  base::Result<netns::PortRequest> request_of(const Zone& zone, const core::ZoneSpec& spec,
                                              size_t index, bool keep);
  void name_anew(const std::string& zone, const std::vector<netns::PortPlan>& ports,
                 netns::PortPlan* port) const;
  base::Status move_to(const std::string& zone, const std::vector<netns::PortPlan>& before,
                       const std::vector<netns::PortPlan>& after, int netns);
  void give_back(const std::string& zone, const std::vector<netns::PortPlan>& ports);
  void take_devices_back();
  base::Status ask_by_dhcp(const core::ZoneSpec& spec, const core::NetSpec& net,
                           const netns::Network& network, bool keep, netns::PortRequest* request);
  base::Status check_others(const std::string& zone,
                            const std::vector<netns::PortPlan>& ports) const;
  // The label of the ports and their networks, sorted: "1:A+B".
  static std::string hosts_key(const std::vector<netns::PortPlan>& ports);
  std::string hosts_text(const std::string& key) const;
  base::Status write_name_file(const std::string& name, const std::string& text);
  base::Status write_names(const std::string& key);
  base::Status add_names(const std::string& zone, const std::vector<netns::PortPlan>& ports);
  void write_names_soon();
  void on_watch();
  void restore_rules(const std::string& why);
  // What labels refuse (networks_refusals.cc).
  base::Status watch_refusals();
  void on_refusals();
  const netns::PortPlan* port_named(const std::string& host_name, std::string* zone) const;
  bool has_equal(const netns::Address& address, uint32_t label) const;
  std::string reason_of(const netns::Refusal& refusal, const netns::PortPlan& from) const;

  netns::Instance instance_;
  LabelNumbers numbers_;
  size_t labels_in_rules_ = 0;
  Registry* registry_;
  base::EventLoop* loop_;
  Events* events_;
  const labels::Encodings* encodings_;
  base::UniqueFd folder_;          // ETC/networks
  base::UniqueFd hosts_;           // RUN/networks
  std::set<std::string> written_;  // keys of the files that we have written
  base::EventLoop::TimerId names_timer_ = 0;
  NameHooks name_hooks_;
  AttemptHook attempt_hook_;
  std::string refusals_fault_;
  std::map<std::string, Object> objects_;
  std::optional<Kernel> kernel_;
  LinkRemover remover_;
  std::map<std::string, std::vector<netns::PortPlan>> live_;
  std::map<std::string, base::UniqueFd> held_;  // network namespaces, by zone (hold_devices)
};

// The zone's network namespace, by its first process; kState when that has ended.
base::Result<base::UniqueFd> network_namespace(const RuntimeRecord& record);
base::Error no_such_network(const std::string& name);

}  // namespace zoned
