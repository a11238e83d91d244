// Links by rtnetlink(7), through libnl. One Links object holds one netlink socket, which belongs to
// the network namespace that the thread was in when it was opened. Messages of one call go to the
// kernel together.
//
// The life of a port (kind veth):
//   1. zoned applies add_port() (ruleset.h): the rules are there before the link. A link of our
//      prefix without rules is dropped whole.
//   2. The launcher, root of the initial user namespace, in the host's network namespace:
//      make_port(host, port, netns_of_zone). The peer is born inside the zone, down. Or zoned itself does
//      finish_port() on a link of prepare_link().
//   3. The zone dies; its namespace takes the peer along, and so the host's end, a moment later.
//   4. zoned applies remove_port() (ruleset.h) and removes what of link_names() stays.
// Kind tap: make_tap(host, port) in step 2; the link goes with the last copy of its descriptor.
// Kind device: the interface goes in and out whole (device.h).
// Kind macvlan, and any other port of a network of kind host-device: device.h.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "netns/address.h"
#include "netns/instance.h"
#include "netns/port.h"

struct nl_sock;

namespace netns {

// As the kernel counts them at the link they belong to.
struct LinkStatistics {
  uint64_t receive_bytes = 0;
  uint64_t receive_packets = 0;
  uint64_t receive_dropped = 0;
  uint64_t receive_errors = 0;
  uint64_t send_bytes = 0;
  uint64_t send_packets = 0;
  uint64_t send_dropped = 0;
  uint64_t send_errors = 0;
  // The host's end receives what the zone sends: as the zone sees it.
  LinkStatistics swapped() const;
};

struct Link {
  uint32_t index = 0;
  std::string name;
  std::string kind;  // "veth", "bridge", "ifb", "macvlan"; empty for hardware and loopback
  std::string mac;
  uint32_t mtu = 0;
  uint32_t master = 0;  // index of the bridge; 0: none
  bool up = false;
  bool running = false;  // up, and packets pass: the other end is up too; never told of a tap
  LinkStatistics statistics;
};

class Links {
 public:
  // A socket in the calling thread's network namespace.
  static base::Result<Links> open();
  // A socket in the namespace behind the descriptor; the calling thread is back where it was.
  static base::Result<Links> open_in(int netns);
  Links(Links&&) noexcept;
  Links& operator=(Links&&) noexcept;
  ~Links();

  // kNotFound when there is none of that name.
  base::Result<Link> find(const std::string& name);
  // Links whose names start with prefix, by index. "": all. O(links of the namespace).
  base::Result<std::vector<Link>> list(const std::string& prefix);

  // A veth pair: host_name here, port.name in the namespace behind the descriptor, with MACs and
  // MTU; both down. kExists names which end clashes.
  base::Status create_veth(const PortPlan& port, int zone_netns);
  // A tap of port.host_name with the host's MAC and MTU, down, and its close-on-exec descriptor:
  // whole Ethernet frames, each after a virtio_net_hdr (IFF_VNET_HDR; 10 bytes unless the holder
  // sets another size). Not persistent. It has a carrier from the start; what the host sends waits,
  // up to its queue's length, until somebody reads. kUnsupported without /dev/net/tun.
  // https://docs.kernel.org/networking/tuntap.html
  base::Result<base::UniqueFd> create_tap(const PortPlan& port);
  // The host's end: gateway addresses, the bridge (of kind host-device: made here), forwarding for this link, up, permanent neighbour
  // entries and routes for the zone's addresses.
  base::Status configure_host_end(const PortPlan& port);
  // After that the zone's end, by a socket inside the zone's namespace: addresses (no duplicate
  // address detection), up, permanent neighbour entries of the gateways, routes. Loopback up too.
  base::Status configure_zone_end(const PortPlan& port);

  // A bridge of ours with the MTU, VLAN-aware when vlan is wanted; up. Existing is success.
  base::Status create_bridge(const std::string& name, uint32_t mtu, bool vlan_aware);
  // Enslaves a link; vlan != 0 makes it that VLAN's untagged member and no other's. kNotFound names
  // a missing bridge; kUnsupported when the bridge does not know VLANs.
  base::Status attach(const std::string& name, const std::string& bridge, uint16_t vlan);
  base::Status detach(const std::string& name);

  base::Status set_up(const std::string& name, bool up);
  // Until the link is `running`. The kernel does that a moment after the other end came up, and drops
  // what is sent before: a zone's first connection would wait a second for TCP's second try.
  base::Status await_running(const std::string& name);
  base::Status set_mtu(const std::string& name, uint32_t mtu);
  base::Status set_mac_and_mtu(const std::string& name, const std::string& mac, uint32_t mtu);
  // Either end takes both. Absent is success.
  base::Status remove(const std::string& name);

  // For a link that is not ours (the uplink of routed and nat networks): IPv4 forwarding on.
  base::Status forward_ipv4(const std::string& name);

  nl_sock* socket() const { return socket_; }  // lent, for shape.h

 private:
  explicit Links(nl_sock* socket) : socket_(socket) {}
  nl_sock* socket_;
};

// Runs `work` with the calling thread in the namespace behind the descriptor, and goes back to the
// one before; if that fails, the error says so and the thread must not go on.
base::Status inside_netns(int netns, const std::function<base::Status()>& work);

// Whole: create_veth, both ends, caps (shape.h). On failure nothing is left. `host` is a socket in
// the host's namespace, which the calling thread must be in.
base::Status make_port(Links& host, const PortPlan& port, int zone_netns);
// A link for a port that is not known yet: its zone's end, named kPreparedPort, in the namespace behind the
// descriptor, both ends up, without addresses. No rules let anything through it. `host` as in make_port.
inline constexpr const char* kPreparedPort = "net0";
base::Status prepare_link(Links& host, const std::string& host_name, int zone_netns);
// As make_port, on such a link: port.host_name names it, port.name is kPreparedPort.
base::Status finish_port(Links& host, const PortPlan& port, int zone_netns);
// Whole: create_tap, the host's end, caps. The descriptor is what a VMM gets; its guest has port.mac
// and port.mtu and learns its addresses otherwise. All that is enforced is enforced on the host's
// end, as for veth. But who holds the descriptor may set the host end's MAC, carrier, queue and
// persistence by ioctl(2): let a VMM make none of these calls.
base::Result<base::UniqueFd> make_tap(Links& host, const PortPlan& port);
// The host's end of a port and what belongs to it (caps, the macvlan's side): their names, whether
// they are there or not.
std::vector<std::string> link_names(const PortPlan& port);
// Removes them: absent is success. Waits in the kernel for each that is there, some 10 ms.
base::Status remove_port_links(Links& host, const PortPlan& port);
// Loopback up and the namespace-wide settings of a zone, for zones without ports too.
base::Status prepare_zone(int zone_netns);

// IPv6 forwarding for packets that come in at this link: per link from Linux 6.17 on; before,
// net.ipv6.conf.all.forwarding must be on (kUnsupported with that hint when it is off). Writes
// below /proc/sys of the calling thread's namespace.
base::Status forward_ipv6(const std::string& name);

// What belonged to ports of this instance that are gone. Returns how many links went.
base::Result<size_t> remove_leftovers(Links& host, const Instance& instance);

}  // namespace netns
