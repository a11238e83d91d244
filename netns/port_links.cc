#include "netns/links.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/files.h"
#include "netns/device.h"
#include "netns/netlink.h"
#include "netns/shape.h"

namespace netns {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;

constexpr uint32_t kLoopback = 1;  // index of "lo" in every network namespace

uint8_t family_of(const Address& address) {
  return static_cast<uint8_t>(address.is_v4() ? AF_INET : AF_INET6);
}

bool has_ipv6(const PortPlan& port) {
  return std::any_of(port.addresses.begin(), port.addresses.end(),
                     [](const Prefix& own) { return own.address.is_v6(); });
}

// Below that MTU the kernel takes IPv6 off a link (RFC 8200, 5).
bool speaks_ipv6(const PortPlan& port) {
  constexpr uint32_t kLeastMtu = 1280;
  return ipv6_is_on() && port.mtu >= kLeastMtu;
}

// The requests that set up one end, in the order in which the kernel must see them.
class End {
 public:
  End(uint32_t index, std::string name) : index_(index), name_(std::move(name)) {}

  void up(uint32_t index) {
    ifinfomsg info = {};
    info.ifi_index = static_cast<int>(index);
    info.ifi_change = info.ifi_flags = IFF_UP;
    requests_.emplace_back(text("set up"), RTM_NEWLINK, 0, info);
  }
  void up() { up(index_); }

  Request& settings() {
    ifinfomsg info = {};
    info.ifi_index = static_cast<int>(index_);
    requests_.emplace_back(text("settings"), RTM_NEWLINK, 0, info);
    return requests_.back();
  }

  // Its addresses of its own are the zone's matter.
  Status own_settings(const PortPlan& port) {
    Request& request = settings().u32(IFLA_MTU, port.mtu);
    if (port.mac.empty()) return {};
    TRY_AS(Mac mac, parse_mac(port.mac));
    request.put(IFLA_ADDRESS, mac.data(), mac.size());
    return {};
  }
  Status veth_settings(const PortPlan& port) {
    TRY_AS(Mac mac, parse_mac(port.mac));
    if (speaks_ipv6(port)) {
      no_made_up_addresses(settings().nest(IFLA_AF_SPEC)).end();
      address({link_local_of(mac), 64}, RT_SCOPE_UNIVERSE);
    } else if (has_ipv6(port)) {
      return make_error(Code::kUnsupported, "IPv6 is off on this host", "use IPv4 addresses only");
    }
    return {};
  }

  // scope: an IPv4 gateway must never be chosen as source for other links.
  void address(const Prefix& own, uint8_t scope) {
    ifaddrmsg info = {};
    info.ifa_family = family_of(own.address);
    info.ifa_prefixlen = static_cast<uint8_t>(own.length);
    info.ifa_scope = own.address.is_v4() ? scope : uint8_t{RT_SCOPE_UNIVERSE};
    info.ifa_index = index_;
    Request& request = requests_.emplace_back(text("address " + own.text()), RTM_NEWADDR,
                                              NLM_F_CREATE | NLM_F_REPLACE, info);
    request.address(IFA_LOCAL, own.address).address(IFA_ADDRESS, own.address);
    request.u32(IFA_FLAGS, IFA_F_NODAD);
    if (own.address.is_v4() && !own.is_host()) {
      request.address(IFA_BROADCAST, own.last());
    }
  }

  // Permanent: the shared table of neighbours holds 1,024 others on the whole host, and what is
  // permanent can't be forged.
  void neighbour(const Address& address, const Mac& mac) {
    ndmsg info = {};
    info.ndm_family = family_of(address);
    info.ndm_ifindex = static_cast<int>(index_);
    info.ndm_state = NUD_PERMANENT;
    requests_
        .emplace_back(text("neighbour " + address.text()), RTM_NEWNEIGH,
                      NLM_F_CREATE | NLM_F_REPLACE, info)
        .address(NDA_DST, address)
        .put(NDA_LLADDR, mac.data(), mac.size());
  }

  void route(const Prefix& to, const Address& via, bool onlink, uint32_t metric = 0) {
    rtmsg info = {};
    info.rtm_family = family_of(to.address);
    info.rtm_dst_len = static_cast<uint8_t>(to.length);
    info.rtm_table = RT_TABLE_MAIN;
    info.rtm_protocol = RTPROT_STATIC;
    info.rtm_scope = via.valid() ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    info.rtm_type = RTN_UNICAST;
    if (onlink && via.is_v4()) info.rtm_flags = RTNH_F_ONLINK;
    Request& request = requests_.emplace_back(text("route " + to.text()), RTM_NEWROUTE,
                                              NLM_F_CREATE | NLM_F_REPLACE, info);
    if (to.length != 0) request.address(RTA_DST, to.address);
    if (via.valid()) request.address(RTA_GATEWAY, via);
    request.u32(RTA_OIF, index_);
    // What is left out is 0 for IPv4, 1024 for IPv6.
    constexpr uint32_t kUsual6 = 1024;
    if (metric != 0) request.u32(RTA_PRIORITY, to.address.is_v4() ? metric : kUsual6 + metric);
  }

  Status send(Links& links) { return send_all(links.socket(), requests_); }

 private:
  std::string text(const std::string& what) const { return "link '" + name_ + "': " + what; }

  uint32_t index_;
  std::string name_;
  std::vector<Request> requests_;
};

// Neighbour advertisements say so: a client that was told of a router gives it up at the first one that
// does not (RFC 4861, 7.2.5).
Status be_router(const std::string& name) {
  return base::write_value(AT_FDCWD, "/proc/sys/net/ipv6/conf/" + name + "/forwarding", "1");
}

bool is_point_to_point(const PortPlan& port) {
  return port.network_kind != NetworkKind::kBridge && port.network_kind != NetworkKind::kHostDevice;
}

// Published on the host's loopback, which is one of "every address" too.
bool publishes_loopback(const PortPlan& port) {
  return std::any_of(port.publish.begin(), port.publish.end(), [](const Publish& publish) {
    return publish.host.is_v4() && (publish.host.is_loopback() || publish.host.is_unspecified());
  });
}

Status set_wanted_caps(Links& host, const PortPlan& port) {
  if (port.receive_bits == 0 && port.send_bits == 0) return {};
  return set_caps(host, port.host_name, port.receive_bits, port.send_bits);
}

Status make_ends(Links& host, const PortPlan& port, int zone_netns) {
  TRY_AS(Links zone, Links::open_in(zone_netns));
  TRY(host.configure_host_end(port));
  TRY(zone.configure_zone_end(port));
  TRY(host.await_running(port.host_name));
  return set_wanted_caps(host, port);
}

// No wait: with its carrier on before it is up, a tap passes packets at once.
Status make_tap_end(Links& host, const PortPlan& port) {
  TRY(host.configure_host_end(port));
  return set_wanted_caps(host, port);
}

Status raise(Links& links, const std::string& name) {
  TRY_AS(Link link, links.find(name));
  End end(link.index, name);
  no_made_up_addresses(end.settings().nest(IFLA_AF_SPEC)).end();
  end.up();
  return end.send(links);
}

// The error of a port that could not be made, after what is there of it was taken away.
base::Error undone(Links& host, const PortPlan& port, base::Error error) {
  error = std::move(error).context("port '" + port.name + "'");
  Status removed = remove_port_links(host, port);
  if (!removed) error.message += "; " + removed.error().message;
  return error;
}

Status make_device_port(Links& host, const PortPlan& port, int zone_netns) {
  auto configure = [&]() -> Status {
    TRY_AS(Links zone, Links::open_in(zone_netns));
    return zone.configure_zone_end(port);
  };
  Status status = move_device(host, port, zone_netns);
  bool moved = status.ok();
  if (moved) status = configure();
  if (status.ok()) return {};
  base::Error error = std::move(status).error().context("port '" + port.name + "'");
  if (!moved) return error;
  Status back = return_device(host, port, zone_netns);
  if (!back) error.message += "; " + back.error().message;
  return error;
}

}  // namespace

Status Links::configure_zone_end(const PortPlan& port) {
  TRY_AS(Link link, find(port.name));
  End end(link.index, port.name);
  end.up(kLoopback);
  if (port.kind == PortKind::kDevice) {
    TRY(end.own_settings(port));
  } else {
    TRY(end.veth_settings(port));
  }
  auto by_dhcp = [&](const Address& address) {
    return port.dhcp_server.valid() && address.is_v4();
  };
  for (const Prefix& own : port.addresses)
    if (!by_dhcp(own.address)) end.address(own, RT_SCOPE_UNIVERSE);
  end.up();
  for (const Address& gateway : port.gateways) {
    if (by_dhcp(gateway)) continue;
    if (is_point_to_point(port)) {
      TRY_AS(Mac host_mac, parse_mac(port.host_mac));
      end.neighbour(gateway, host_mac);
    }
    Address any = gateway.masked(0);
    end.route({any, 0}, gateway, is_point_to_point(port), port.metric);
  }
  for (const Route& route : port.routes) end.route(route.to, route.via, is_point_to_point(port));
  return end.send(*this);
}

Status Links::configure_host_end(const PortPlan& port) {
  if (port.kind == PortKind::kDevice) return {};
  TRY_AS(Link link, find(port.host_name));
  TRY_AS(Mac mac, parse_mac(port.mac));
  End end(link.index, port.host_name);
  bool forward = is_point_to_point(port);
  Request& settings = end.settings().nest(IFLA_AF_SPEC);
  if (speaks_ipv6(port)) no_made_up_addresses(settings);
  if (forward) {
    settings.nest(AF_INET).nest(IFLA_INET_CONF).u32(IPV4_DEVCONF_FORWARDING, 1);
    settings.u32(IPV4_DEVCONF_ROUTE_LOCALNET, publishes_loopback(port) ? 1 : 0);
    settings.u32(IPV4_DEVCONF_PROXY_ARP, port.dhcp_server.valid() ? 1 : 0).end().end();
  }
  settings.end();
  for (const Prefix& own : port.host_addresses) end.address(own, RT_SCOPE_LINK);
  if (port.network_kind == NetworkKind::kHostDevice) TRY(make_segment(*this, port));
  if (!forward) TRY(attach(port.host_name, port.bridge, port.vlan));
  if (port.network_kind == NetworkKind::kHostDevice) TRY(direct_segment(*this, port));
  if (forward && port.dhcp_server.valid())
    TRY(base::write_value(AT_FDCWD, "/proc/sys/net/ipv4/neigh/" + port.host_name + "/proxy_delay",
                          "0"));
  end.up();
  if (forward) {
    for (const Prefix& own : port.addresses) {
      end.neighbour(own.address, mac);
      end.route({own.address, own.address.bits()}, {}, false);
    }
    if (has_ipv6(port)) {
      end.neighbour(link_local_of(mac), mac);
      TRY(forward_ipv6(port.host_name));
      if (port.dhcp6_server.valid()) TRY(be_router(port.host_name));
    }
  }
  return end.send(*this);
}

Status make_port(Links& host, const PortPlan& port, int zone_netns) {
  if (port.kind == PortKind::kDevice) return make_device_port(host, port, zone_netns);
  Status created = host.create_veth(port, zone_netns);
  if (!created) return std::move(created).error().context("port '" + port.name + "'");
  Status status = make_ends(host, port, zone_netns);
  if (status.ok()) return {};
  return undone(host, port, std::move(status).error());
}

Status prepare_link(Links& host, const std::string& host_name, int zone_netns) {
  PortPlan port;
  port.name = kPreparedPort;
  port.host_name = host_name;
  // What is put in place of these by finish_port().
  port.mac = "02:00:00:00:00:01";
  port.host_mac = "02:00:00:00:00:02";
  constexpr uint32_t kUsualMtu = 1500;
  port.mtu = kUsualMtu;
  TRY(host.create_veth(port, zone_netns));
  TRY_AS(Links zone, Links::open_in(zone_netns));
  TRY(raise(host, port.host_name));
  TRY(raise(zone, port.name));
  return host.await_running(port.host_name);
}

Status finish_port(Links& host, const PortPlan& port, int zone_netns) {
  Status status = host.set_mac_and_mtu(port.host_name, port.host_mac, port.mtu);
  // Somebody has removed it while it waited.
  if (!status && status.error().sys_errno == ENODEV) return make_port(host, port, zone_netns);
  auto finish = [&]() -> Status {
    TRY_AS(Links zone, Links::open_in(zone_netns));
    TRY(zone.set_mac_and_mtu(port.name, port.mac, port.mtu));
    // It has been running since it was prepared.
    TRY(host.configure_host_end(port));
    TRY(zone.configure_zone_end(port));
    return set_wanted_caps(host, port);
  };
  if (status) status = finish();
  if (status.ok()) return {};
  return undone(host, port, std::move(status).error());
}

Result<base::UniqueFd> make_tap(Links& host, const PortPlan& port) {
  TRY_AS(base::UniqueFd tap, host.create_tap(port));
  Status status = make_tap_end(host, port);
  if (status.ok()) return tap;
  return undone(host, port, std::move(status).error());
}

std::vector<std::string> link_names(const PortPlan& port) {
  if (port.kind == PortKind::kDevice) return {};
  std::vector<std::string> names = {port.host_name};
  if (port.send_bits != 0) names.push_back(ifb_name(port.host_name));
  if (port.network_kind == NetworkKind::kHostDevice)
    for (const std::string& name : {macvlan_name(port.host_name), segment_name(port.host_name)})
      names.push_back(name);
  return names;
}

Status remove_port_links(Links& host, const PortPlan& port) {
  Status status;
  for (const std::string& name : link_names(port))
    if (Status removed = host.remove(name); !removed && status.ok()) status = std::move(removed);
  return status;
}

Status prepare_zone(int zone_netns) {
  TRY_AS(Links zone, Links::open_in(zone_netns));
  return zone.set_up("lo", true);
}

Status forward_ipv6(const std::string& name) {
  TRY(check_interface_name(name));
  if (!ipv6_is_on())
    return make_error(Code::kUnsupported, "IPv6 is off on this host", "use IPv4 addresses only");
  const std::string folder = "/proc/sys/net/ipv6/conf/";
  if (base::exists_at(AT_FDCWD, folder + name + "/force_forwarding"))
    return base::write_value(AT_FDCWD, folder + name + "/force_forwarding", "1");
  TRY_AS(std::string all, base::read_file(AT_FDCWD, folder + "all/forwarding"));
  if (all.starts_with("1")) return {};
  return make_error(Code::kUnsupported, "this host does not forward IPv6",
                    "sysctl net.ipv6.conf.all.forwarding=1");
}

Result<size_t> remove_leftovers(Links& host, const Instance& instance) {
  TRY_AS(auto links, host.list(instance.prefix()));
  size_t removed = 0;
  for (const Link& helper : links) {
    std::string owner = port_of_helper(helper.name);
    if (owner.empty()) continue;
    bool used = std::any_of(links.begin(), links.end(),
                            [&](const Link& port) { return port.name == owner; });
    if (used) continue;
    TRY(host.remove(helper.name));
    ++removed;
  }
  return removed;
}

}  // namespace netns
