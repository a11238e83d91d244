#include "netns/links.h"

#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <utility>

#include "base/files.h"
#include "netns/netlink.h"

namespace netns {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::sys_error;

struct LinkMessage {
  ifinfomsg info;
  Attributes attributes;
  explicit LinkMessage(const nlmsghdr* message)
      : info(*static_cast<const ifinfomsg*>(payload_of(message))),
        attributes(message, sizeof info) {}
};

LinkStatistics statistics_of(const Attributes& attributes) {
  auto raw = attributes.value<rtnl_link_stats64>(IFLA_STATS64);
  return {raw.rx_bytes, raw.rx_packets, raw.rx_dropped, raw.rx_errors,
          raw.tx_bytes, raw.tx_packets, raw.tx_dropped, raw.tx_errors};
}

Link link_of(const nlmsghdr* message) {
  LinkMessage parsed(message);
  const Attributes& attributes = parsed.attributes;
  Link link;
  link.index = static_cast<uint32_t>(parsed.info.ifi_index);
  link.name = attributes.text(IFLA_IFNAME);
  if (attributes.has(IFLA_LINKINFO))
    link.kind = attributes.nested(IFLA_LINKINFO).text(IFLA_INFO_KIND);
  if (attributes.bytes(IFLA_ADDRESS).size() == sizeof(Mac))
    link.mac = mac_text(attributes.value<Mac>(IFLA_ADDRESS));
  link.mtu = attributes.value<uint32_t>(IFLA_MTU);
  link.master = attributes.value<uint32_t>(IFLA_MASTER);
  link.up = (parsed.info.ifi_flags & IFF_UP) != 0;
  constexpr uint8_t kOperational = 6;  // IF_OPER_UP (linux/if.h, which clashes with net/if.h)
  link.running = attributes.value<uint8_t>(IFLA_OPERSTATE) == kOperational;
  link.statistics = statistics_of(attributes);
  return link;
}

ifinfomsg by_index(uint32_t index) {
  ifinfomsg info = {};
  info.ifi_index = static_cast<int>(index);
  return info;
}

// RTM_NEWLINK without NLM_F_CREATE finds the link by IFLA_IFNAME and changes it.
Request change(const std::string& name, const std::string& what, const ifinfomsg& info = {}) {
  Request request("link '" + name + "': " + what, RTM_NEWLINK, 0, info);
  request.text(IFLA_IFNAME, name);
  return request;
}

base::Error no_link(base::Error error, const std::string& name) {
  if (error.sys_errno != ENODEV) return error;
  error.code = Code::kNotFound;
  error.message = "link '" + name + "' does not exist";
  return error;
}

}  // namespace

LinkStatistics LinkStatistics::swapped() const {
  return {send_bytes,    send_packets,    send_dropped,    send_errors,
          receive_bytes, receive_packets, receive_dropped, receive_errors};
}

Result<Links> Links::open() {
  TRY_AS(nl_sock * socket, open_netlink(NETLINK_ROUTE));
  return Links(socket);
}

Result<Links> Links::open_in(int netns) {
  Result<Links> links = make_error(Code::kInternal, "netlink: not opened");
  TRY(inside_netns(netns, [&]() -> Status {
    links = open();
    return {};
  }));
  return links;
}

Links::Links(Links&& other) noexcept : socket_(std::exchange(other.socket_, nullptr)) {}
Links& Links::operator=(Links&& other) noexcept {
  std::swap(socket_, other.socket_);
  return *this;
}
Links::~Links() {
  if (socket_ != nullptr) close_netlink(socket_);
}

Result<Link> Links::find(const std::string& name) {
  Request request("look up link '" + name + "'", RTM_GETLINK, 0, ifinfomsg{});
  request.text(IFLA_IFNAME, name);
  Link link;
  auto status = dump(socket_, request, [&](const nlmsghdr* message) { link = link_of(message); });
  if (!status) return no_link(std::move(status).error(), name);
  return link;
}

Result<std::vector<Link>> Links::list(const std::string& prefix) {
  Request request("list links", RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
  std::vector<Link> links;
  TRY(dump(socket_, request, [&](const nlmsghdr* message) {
    if (message->nlmsg_type != RTM_NEWLINK) return;
    Link link = link_of(message);
    if (link.name.starts_with(prefix)) links.push_back(std::move(link));
  }));
  std::sort(links.begin(), links.end(),
            [](const Link& a, const Link& b) { return a.index < b.index; });
  return links;
}

Status Links::create_veth(const PortPlan& port, int zone_netns) {
  TRY_AS(Mac mac, parse_mac(port.mac));
  TRY_AS(Mac host_mac, parse_mac(port.host_mac));
  ifinfomsg none = {};
  Request request("create link '" + port.host_name + "'", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
                  none);
  // Of more queues, as many as the machine has processors, the kernel would use one, and wait for a
  // grace period of RCU to say so.
  request.text(IFLA_IFNAME, port.host_name)
      .put(IFLA_ADDRESS, host_mac.data(), host_mac.size())
      .u32(IFLA_MTU, port.mtu)
      .u32(IFLA_NUM_TX_QUEUES, 1)
      .u32(IFLA_NUM_RX_QUEUES, 1)
      .nest(IFLA_LINKINFO)
      .text(IFLA_INFO_KIND, "veth")
      .nest(IFLA_INFO_DATA)
      .nest(VETH_INFO_PEER)
      .raw(&none, sizeof none)
      .text(IFLA_IFNAME, port.name)
      .put(IFLA_ADDRESS, mac.data(), mac.size())
      .u32(IFLA_MTU, port.mtu)
      .u32(IFLA_NUM_TX_QUEUES, 1)
      .u32(IFLA_NUM_RX_QUEUES, 1)
      .u32(IFLA_NET_NS_FD, static_cast<uint32_t>(zone_netns))
      .end()
      .end()
      .end();
  Status status = send_one(socket_, std::move(request));
  if (!status && status.error().code == Code::kExists)
    return find(port.host_name).ok()
               ? make_error(Code::kExists, "link '" + port.host_name + "' exists already")
               : make_error(Code::kExists, "the zone has a link '" + port.name + "' already",
                            "give the port another name");
  return status;
}

Result<base::UniqueFd> Links::create_tap(const PortPlan& port) {
  TRY(check_interface_name(port.host_name));
  auto tap = base::open_at(AT_FDCWD, "/dev/net/tun", O_RDWR | O_NONBLOCK);
  if (!tap && tap.error().code == Code::kNotFound)
    return make_error(Code::kUnsupported, "this host has no /dev/net/tun", "modprobe tun");
  if (!tap) return std::move(tap).error();
  // IFF_TUN_EXCL: never attach to a link that is there already.
  ifreq wanted = {};
  port.host_name.copy(wanted.ifr_name, kMaxInterfaceName);
  wanted.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL);
  if (ioctl(tap->get(), TUNSETIFF, &wanted) != 0) {
    if (errno == EBUSY)
      return make_error(Code::kExists, "link '" + port.host_name + "' exists already");
    return sys_error("create link '" + port.host_name + "'");
  }
  TRY(set_mac_and_mtu(port.host_name, port.host_mac, port.mtu));
  return tap;
}

// Existing is success only for a bridge: another kind of link under that name stays untouched.
Status Links::create_bridge(const std::string& name, uint32_t mtu, bool vlan_aware) {
  Request request("create bridge '" + name + "'", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
                  ifinfomsg{});
  request.text(IFLA_IFNAME, name).u32(IFLA_MTU, mtu).nest(IFLA_LINKINFO);
  request.text(IFLA_INFO_KIND, "bridge").nest(IFLA_INFO_DATA);
  request.u32(IFLA_BR_FORWARD_DELAY, 0).u8(IFLA_BR_MCAST_SNOOPING, 0);
  if (vlan_aware) request.u8(IFLA_BR_VLAN_FILTERING, 1);
  request.end().end();
  TRY(send_one(socket_, std::move(request.or_there())));
  TRY_AS(Link link, find(name));
  if (link.kind != "bridge")
    return make_error(Code::kExists, "link '" + name + "' exists and is no bridge");
  return set_up(name, true);
}

Status Links::attach(const std::string& name, const std::string& bridge, uint16_t vlan) {
  auto master = find(bridge);
  if (!master && master.error().code == Code::kNotFound)
    return make_error(Code::kNotFound, "bridge '" + bridge + "' does not exist",
                      "create it, or leave out bridge= to have one made");
  if (!master) return std::move(master).error();
  if (master->kind != "bridge")
    return make_error(Code::kInvalid, "link '" + bridge + "' is not a bridge");
  Request enslave = change(name, "attach to bridge '" + bridge + "'");
  enslave.u32(IFLA_MASTER, master->index);
  TRY(send_one(socket_, std::move(enslave)));
  if (vlan == 0) return {};
  TRY_AS(Link link, find(name));
  bool aware = false;
  Request look("look up bridge '" + bridge + "'", RTM_GETLINK, 0, by_index(master->index));
  TRY(dump(socket_, look, [&](const nlmsghdr* message) {
    Attributes info = LinkMessage(message).attributes.nested(IFLA_LINKINFO);
    aware = info.nested(IFLA_INFO_DATA).value<uint8_t>(IFLA_BR_VLAN_FILTERING) != 0;
  }));
  if (!aware)
    return make_error(Code::kUnsupported, "bridge '" + bridge + "' does not filter VLANs",
                      "ip link set " + bridge + " type bridge vlan_filtering 1");
  ifinfomsg port = by_index(link.index);
  port.ifi_family = AF_BRIDGE;
  constexpr uint16_t kDefaultVlan = 1;
  bridge_vlan_info other = {0, kDefaultVlan};
  bridge_vlan_info own = {BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED, vlan};
  std::vector<Request> requests;
  if (vlan != kDefaultVlan) {
    requests.emplace_back("link '" + name + "': leave VLAN 1", RTM_DELLINK, 0, port);
    requests.back().nest(IFLA_AF_SPEC).put(IFLA_BRIDGE_VLAN_INFO, &other, sizeof other).end();
  }
  requests.emplace_back("link '" + name + "': join VLAN " + std::to_string(vlan), RTM_SETLINK, 0,
                        port);
  requests.back().nest(IFLA_AF_SPEC).put(IFLA_BRIDGE_VLAN_INFO, &own, sizeof own).end();
  return send_all(socket_, requests);
}

Status Links::detach(const std::string& name) {
  Request request = change(name, "detach");
  request.u32(IFLA_MASTER, 0);
  return send_one(socket_, std::move(request));
}

Status Links::set_up(const std::string& name, bool up) {
  ifinfomsg info = {};
  info.ifi_change = IFF_UP;
  info.ifi_flags = up ? static_cast<unsigned>(IFF_UP) : 0;
  Status status = send_one(socket_, change(name, up ? "set up" : "set down", info));
  if (!status) return no_link(std::move(status).error(), name);
  return {};
}

// From Linux 6.8 on the first look makes it so.
Status Links::await_running(const std::string& name) {
  constexpr int kTries = 1000;
  for (int i = 0; i < kTries; ++i) {
    TRY_AS(Link link, find(name));
    if (link.running) return {};
    poll(nullptr, 0, 1);
  }
  return make_error(Code::kTimeout, "link '" + name + "' does not come up");
}

Status Links::set_mtu(const std::string& name, uint32_t mtu) {
  Request request = change(name, "set mtu " + std::to_string(mtu));
  request.u32(IFLA_MTU, mtu);
  Status status = send_one(socket_, std::move(request));
  if (!status) return no_link(std::move(status).error(), name);
  return {};
}

Status Links::set_mac_and_mtu(const std::string& name, const std::string& mac, uint32_t mtu) {
  TRY_AS(Mac address, parse_mac(mac));
  Request request = change(name, "set address and mtu");
  request.put(IFLA_ADDRESS, address.data(), address.size()).u32(IFLA_MTU, mtu);
  return send_one(socket_, std::move(request));
}

Status Links::remove(const std::string& name) {
  Request request("remove link '" + name + "'", RTM_DELLINK, 0, ifinfomsg{});
  request.text(IFLA_IFNAME, name);
  Status status = send_one(socket_, std::move(request));
  if (!status && status.error().sys_errno == ENODEV) return {};
  return status;
}

Status Links::forward_ipv4(const std::string& name) {
  Request request = change(name, "forward IPv4");
  request.nest(IFLA_AF_SPEC).nest(AF_INET).nest(IFLA_INET_CONF);
  request.u32(IPV4_DEVCONF_FORWARDING, 1).end().end().end();
  Status status = send_one(socket_, std::move(request));
  if (!status) return no_link(std::move(status).error(), name);
  return {};
}

Status inside_netns(int netns, const std::function<Status()>& work) {
  TRY_AS(auto before, base::open_at(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY));
  if (setns(netns, CLONE_NEWNET) != 0) return sys_error("enter the network namespace");
  Status status = work();
  if (setns(before.get(), CLONE_NEWNET) != 0) return sys_error("leave the network namespace");
  return status;
}

}  // namespace netns
