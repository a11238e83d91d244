#include "netns/device.h"

#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <optional>

#include "base/files.h"
#include "netns/netlink.h"

namespace netns {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;

Request change(const Link& link, const std::string& what) {
  ifinfomsg info = {};
  info.ifi_index = static_cast<int>(link.index);
  return {"link '" + link.name + "': " + what, RTM_NEWLINK, 0, info};
}

Result<std::optional<Link>> find_moved(Links& links, const std::string& device) {
  TRY_AS(auto all, links.list(""));
  for (Link& link : all)
    if (link.index == moved_index(device)) return std::optional<Link>(std::move(link));
  return std::optional<Link>();
}

Result<Link> find_device(Links& host, const PortPlan& port) {
  TRY(rename_device(host, port.device));
  auto device = host.find(port.device);
  if (!device && device.error().code == Code::kNotFound)
    return make_error(Code::kNotFound, "interface '" + port.device + "' does not exist",
                      "zone net set " + port.network + " device=...");
  if (device && device->master != 0)
    return make_error(Code::kBusy, "interface '" + port.device + "' belongs to a bridge or a bond");
  return device;
}

// Its own address, lest it takes the macvlan's.
Request quiet_bridge(const Link& bridge, const Mac& mac) {
  Request request = change(bridge, "settings");
  request.put(IFLA_ADDRESS, mac.data(), mac.size());
  no_made_up_addresses(request.nest(IFLA_AF_SPEC)).end();
  request.nest(IFLA_LINKINFO).text(IFLA_INFO_KIND, "bridge").nest(IFLA_INFO_DATA);
  request.u8(IFLA_BR_MCAST_SNOOPING, 0).end().end();
  return request;
}

Request new_macvlan(const PortPlan& port, const Link& device, const Link& bridge, const Mac& mac) {
  std::string name = macvlan_name(port.host_name);
  Request request("create link '" + name + "' on '" + device.name + "'", RTM_NEWLINK,
                  NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  request.text(IFLA_IFNAME, name).put(IFLA_ADDRESS, mac.data(), mac.size()).u32(IFLA_MTU, port.mtu);
  request.u32(IFLA_LINK, device.index).u32(IFLA_MASTER, bridge.index);
  request.nest(IFLA_LINKINFO).text(IFLA_INFO_KIND, "macvlan").nest(IFLA_INFO_DATA);
  request.u32(IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE).end().end();
  return std::move(request.or_there());
}

Request learn_nothing(const Link& link) {
  Request request = change(link, "learn no addresses");
  request.nest(IFLA_LINKINFO).text(IFLA_INFO_SLAVE_KIND, "bridge").nest(IFLA_INFO_SLAVE_DATA);
  request.u8(IFLA_BRPORT_LEARNING, 0).end().end();
  return request;
}

// Hardware, or what has no far end that a zone might hold.
bool is_safe_to_return(const Link& link) {
  return link.kind.empty() || link.kind == "dummy" || link.kind == "ifb";
}

Request rename(const Link& link, const std::string& name) {
  Request request = change(link, "rename to '" + name + "'");
  request.text(IFLA_IFNAME, name);
  return request;
}

Request move(const Link& link, int netns, const std::string& name, const std::string& what) {
  Request request = change(link, what);
  request.u32(IFLA_NET_NS_FD, static_cast<uint32_t>(netns)).text(IFLA_IFNAME, name);
  return request;
}

}  // namespace

Status make_segment(Links& host, const PortPlan& port) {
  TRY_AS(Link device, find_device(host, port));
  TRY_AS(Mac mac, parse_mac(port.mac));
  TRY_AS(Mac host_mac, parse_mac(port.host_mac));
  TRY(host.create_bridge(port.bridge, port.mtu, false));
  TRY_AS(Link bridge, host.find(port.bridge));
  TRY(send_one(host.socket(), quiet_bridge(bridge, host_mac)));
  TRY(send_one(host.socket(), new_macvlan(port, device, bridge, mac)));
  TRY_AS(Link macvlan, host.find(macvlan_name(port.host_name)));
  if (macvlan.kind != "macvlan")
    return make_error(Code::kExists, "link '" + macvlan.name + "' exists and is no macvlan");
  Request settings = change(macvlan, "settings");
  no_made_up_addresses(settings.nest(IFLA_AF_SPEC)).end();
  std::vector<Request> requests;
  requests.push_back(std::move(settings));
  requests.push_back(learn_nothing(macvlan));
  TRY(send_all(host.socket(), requests));
  return host.set_up(macvlan.name, true);
}

Status direct_segment(Links& host, const PortPlan& port) {
  TRY_AS(Link link, host.find(port.host_name));
  TRY_AS(Mac mac, parse_mac(port.mac));
  ndmsg entry = {};
  entry.ndm_family = AF_BRIDGE;
  entry.ndm_ifindex = static_cast<int>(link.index);
  entry.ndm_state = NUD_NOARP;
  entry.ndm_flags = NTF_MASTER;
  std::vector<Request> requests;
  requests.push_back(learn_nothing(link));
  requests.emplace_back("link '" + link.name + "': direct " + port.mac, RTM_NEWNEIGH,
                        NLM_F_CREATE | NLM_F_REPLACE, entry);
  requests.back().put(NDA_LLADDR, mac.data(), mac.size());
  return send_all(host.socket(), requests);
}

Status move_device(Links& host, const PortPlan& port, int zone_netns) {
  TRY_AS(Link device, find_device(host, port));
  Request request = move(device, zone_netns, port.name, "move into the zone");
  request.u32(IFLA_NEW_IFINDEX, moved_index(port.device));
  Status moved = send_one(host.socket(), std::move(request));
  if (!moved && moved.error().code == Code::kExists)
    return make_error(Code::kExists, "the zone has a link '" + port.name + "' already");
  return moved;
}

Status return_device(Links& host, const PortPlan& port, int zone_netns) {
  TRY_AS(Links zone, Links::open_in(zone_netns));
  TRY_AS(auto device, find_moved(zone, port.device));
  if (!device) return rename_device(host, port.device);
  if (!is_safe_to_return(*device))
    return make_error(
        Code::kUnsupported,
        "interface '" + port.device + "' of kind '" + device->kind + "' ends with the zone",
        "make it again");
  TRY_AS(auto here, base::open_at(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY));
  return send_one(zone.socket(), move(*device, here.get(), port.device, "give back"));
}

Status rename_device(Links& host, const std::string& device) {
  TRY_AS(auto back, find_moved(host, device));
  if (!back || back->name == device) return {};
  return send_one(host.socket(), rename(*back, device));
}

}  // namespace netns
