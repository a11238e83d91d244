#include "tests/root/netns/world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>

#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"
#include "tests/root/netns/frames.h"

using base::UniqueFd;
using netns::Address;

namespace {

constexpr size_t kTapHeader = 10;  // sizeof(virtio_net_hdr)

UniqueFd current_netns() {
  auto fd = base::open_at(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY);
  REQUIRE(fd.ok());
  return *std::move(fd);
}

struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  SocketAddress() = default;
  SocketAddress(const Address& address, uint16_t port) {
    if (address.is_v4()) {
      auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
      v4->sin_family = AF_INET;
      v4->sin_port = htons(port);
      memcpy(&v4->sin_addr, address.data(), 4);
      size = sizeof *v4;
    } else {
      auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
      v6->sin6_family = AF_INET6;
      v6->sin6_port = htons(port);
      memcpy(&v6->sin6_addr, address.data(), 16);
      size = sizeof *v6;
    }
  }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

UniqueFd socket_in(int netns, int family, int type, int protocol) {
  UniqueFd fd;
  require(netns::inside_netns(netns, [&]() -> base::Status {
    fd.reset(socket(family, type | SOCK_CLOEXEC, protocol));
    if (!fd) return base::sys_error("socket");
    return {};
  }));
  return fd;
}

int family_of(const Address& address) { return address.is_v4() ? AF_INET : AF_INET6; }

bool ready(int fd, short events, std::chrono::milliseconds timeout) {
  pollfd wait = {fd, events, 0};
  return poll(&wait, 1, static_cast<int>(timeout.count())) > 0;
}

// iproute2 in a namespace: only for what plays the outside.
void ip_command(int netns, const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {"ip"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  require(netns::inside_netns(netns, [&]() -> base::Status {
    TRY_AS(base::Output output, base::run_program(argv));
    if (output.status != 0) return base::make_error(base::Code::kIo, argv[1] + ": " + output.err);
    return {};
  }));
}

// The kernel makes an IPv6 address local a moment after it was set, by a work queue.
void await_local(const Address& address, const std::string& interface) {
  std::string hex;
  for (unsigned char c : frames::bytes_of(address)) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    hex += kDigits[c >> 4];
    hex += kDigits[c & 15];
  }
  for (int i = 0; i < 1000; ++i) {
    auto routes = base::read_file(AT_FDCWD, "/proc/thread-self/net/ipv6_route", 16 << 20);
    if (!routes.ok()) FAIL(routes.error().message);
    for (const std::string& line : base::split(*routes, '\n'))
      if (line.starts_with(hex + " 80") && line.ends_with(" " + interface)) return;
    poll(nullptr, 0, 1);
  }
  FAIL("no route for " + address.text());
}

}  // namespace

void require(const base::Status& status) {
  if (!status.ok()) FAIL(status.error().message);
}

Address Zone::address4() const {
  for (const auto& own : port.addresses)
    if (own.address.is_v4()) return own.address;
  return {};
}
Address Zone::address6() const {
  for (const auto& own : port.addresses)
    if (own.address.is_v6()) return own.address;
  return {};
}

World::World() : machine_(current_netns()), instance_("/nowhere/netns-test") {
  if (unshare(CLONE_NEWNET) != 0) FAIL("no network namespace of our own: needs root");
  here_ = current_netns();
  host_ = std::make_unique<netns::Links>(*netns::Links::open());
  nft_ = std::make_unique<netns::Nft>(*netns::Nft::open());
  require(host_->set_up("lo", true));
  // The machine's own choices are inherited; the protections must hold without their help: reverse
  // path checks, and bridged packets that pass the IP layer's hooks, reassembled.
  for (const char* bridged : {"iptables", "ip6tables", "arptables"}) {
    std::string path = std::string("/proc/sys/net/bridge/bridge-nf-call-") + bridged;
    if (base::exists_at(AT_FDCWD, path)) require(base::write_value(AT_FDCWD, path, "0"));
  }
  require(base::write_value(AT_FDCWD, "/proc/sys/net/ipv4/conf/all/rp_filter", "0"));
  require(base::write_value(AT_FDCWD, "/proc/sys/net/ipv4/conf/default/rp_filter", "0"));
}

World::~World() {
  if (setns(machine_.get(), CLONE_NEWNET) != 0) std::terminate();
}

void World::network(const std::string& name, const netns::KeyValues& settings) {
  auto parsed = netns::parse_network(name, settings);
  if (!parsed) FAIL(parsed.error().message);
  require(netns::check_among(*parsed, networks_));
  networks_.push_back(*parsed);
  leases_.emplace(name, netns::LeaseTable(*parsed));
  if (parsed->kind == netns::NetworkKind::kBridge && parsed->bridge.empty())
    require(host_->create_bridge(instance_.bridge_name(name), parsed->mtu, parsed->vlan != 0));
  rules_anew();
}

void World::rules_anew() {
  uint16_t group = refusals_ ? refusals_->group() : 0;
  require(nft_->apply(netns::whole_ruleset(instance_, networks_, plans(), labels_, group)));
}

netns::RefusalLog& World::refusals() {
  if (!refusals_) {
    auto log = netns::RefusalLog::open(instance_);
    if (!log) FAIL(log.error().message);
    refusals_ = std::make_unique<netns::RefusalLog>(*std::move(log));
  }
  return *refusals_;
}

netns::LeaseTable& World::leases(const std::string& network) { return leases_.at(network); }

netns::PortPlan World::plan(const std::string& zone, const std::string& network,
                            const std::function<void(netns::PortRequest&)>& tweak) {
  auto place = std::find_if(networks_.begin(), networks_.end(),
                            [&](const netns::Network& n) { return n.name == network; });
  REQUIRE(place != networks_.end());
  netns::PortRequest request;
  request.zone = zone;
  request.outward = true;
  for (auto family : {netns::Family::kIpv4, netns::Family::kIpv6}) {
    auto lease = leases(network).take_next(family, zone);
    if (lease.ok()) request.addresses.push_back(*lease);
  }
  if (tweak) tweak(request);
  auto plan = netns::plan_port(request, *place, instance_);
  if (!plan) FAIL(plan.error().message);
  return *plan;
}

Zone& World::zone(const std::string& name, const std::string& network,
                  const std::function<void(netns::PortRequest&)>& tweak) {
  auto zone = std::make_unique<Zone>();
  zone->name = name;
  zone->port = plan(name, network, tweak);
  require(nft_->change_ports(instance_, {}, {zone->port}, labels_));
  if (zone->port.kind == netns::PortKind::kTap) {
    auto tap = netns::make_tap(*host_, zone->port);
    if (!tap) FAIL(tap.error().message);
    zone->tap = *std::move(tap);
  } else {
    zone->netns = fresh();
    require(netns::make_port(*host_, zone->port, zone->netns.get()));
  }
  for (const auto& own : zone->port.host_addresses)
    if (own.address.is_v6()) await_local(own.address, zone->port.host_name);
  if (zone->netns && zone->address6().valid())
    require(netns::inside_netns(zone->netns.get(), [&]() -> base::Status {
      await_local(zone->address6(), zone->port.name);
      await_local(netns::link_local_of(frames::mac_of(zone->port.mac)), zone->port.name);
      return {};
    }));
  zones_.push_back(std::move(zone));
  return *zones_.back();
}

void World::change(Zone& zone, const std::function<void(netns::PortPlan&)>& tweak) {
  netns::PortPlan after = zone.port;
  tweak(after);
  require(nft_->change_ports(instance_, {zone.port}, {after}, labels_));
  zone.port = after;
}

void World::forget(Zone& zone) {
  require(nft_->change_ports(instance_, {zone.port}, {}, labels_));
  gone_.insert(&zone);
}

std::vector<netns::PortPlan> World::plans() const {
  std::vector<netns::PortPlan> result;
  for (const auto& zone : zones_)
    if (gone_.count(zone.get()) == 0) result.push_back(zone->port);
  return result;
}

UniqueFd World::fresh() {
  REQUIRE(unshare(CLONE_NEWNET) == 0);
  UniqueFd fd = current_netns();
  REQUIRE(setns(here_.get(), CLONE_NEWNET) == 0);
  return fd;
}

namespace {

void link_pair(int here, const std::string& name, int there) {
  std::string path = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(there);
  ip_command(here, {"link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", path});
}

}  // namespace

UniqueFd World::outside() {
  UniqueFd outside = fresh();
  link_pair(here_.get(), "up0", outside.get());
  set_address(here_.get(), "up0", "192.0.2.1/24");
  set_address(here_.get(), "up0", "fd99::1/64");
  set_address(outside.get(), "eth0", "192.0.2.2/24");
  set_address(outside.get(), "eth0", "fd99::2/64");
  ip_command(outside.get(), {"route", "add", "default", "via", "192.0.2.1"});
  ip_command(outside.get(), {"-6", "route", "add", "default", "via", "fd99::1"});
  require(host_->forward_ipv4("up0"));
  require(netns::forward_ipv6("up0"));
  return outside;
}

UniqueFd World::nic() {
  UniqueFd segment = fresh();
  link_pair(here_.get(), "nic0", segment.get());
  set_address(segment.get(), "eth0", "10.1.255.1/16");
  set_address(segment.get(), "eth0", "fd00:1::ffff/64");
  require(host_->set_up("nic0", true));
  require(host_->await_running("nic0"));
  return segment;
}

uint64_t World::count(const Zone& zone, const std::string& counter) {
  auto counters = nft_->counters(instance_, zone.port.host_name);
  if (!counters) FAIL(counters.error().message);
  auto place = counters->find(counter);
  return place == counters->end() ? 0 : place->second.packets;
}

void set_address(int netns, const std::string& interface, const std::string& prefix) {
  bool v6 = prefix.find(':') != std::string::npos;
  std::vector<std::string> add = {"addr", "add", prefix, "dev", interface};
  if (v6) add.emplace_back("nodad");
  ip_command(netns, add);
  ip_command(netns, {"link", "set", interface, "up"});
}

void set_default_route(int netns, const std::string& via4, const std::string& via6) {
  ip_command(netns, {"route", "add", "default", "via", via4});
  ip_command(netns, {"-6", "route", "add", "default", "via", via6});
}

void add_leased_address(Zone& zone) {
  ip_command(zone.netns.get(), {"addr", "add", zone.address4().text() + "/32", "dev", "net0"});
  ip_command(zone.netns.get(), {"route", "add", "default", "via", std::string(netns::kGateway4),
                                "dev", "net0", "onlink"});
}

Wire::Wire(int netns, const std::string& interface) {
  socket_ = socket_in(netns, AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
  unsigned index = 0;
  require(netns::inside_netns(netns, [&]() -> base::Status {
    index = if_nametoindex(interface.c_str());
    return {};
  }));
  REQUIRE(index != 0);
  sockaddr_ll address = {};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(index);
  REQUIRE(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
}

Wire::Wire(const Zone& zone) {
  if (zone.tap) {
    tap_ = zone.tap.get();
  } else {
    *this = Wire(zone.netns.get(), zone.port.name);
  }
}

// A tap's frames follow a virtio_net_hdr; all zero asks for nothing.
void Wire::send(const std::string& frame) {
  std::string bytes = (tap_ < 0 ? std::string() : std::string(kTapHeader, '\0')) + frame;
  ssize_t sent = write(tap_ < 0 ? socket_.get() : tap_, bytes.data(), bytes.size());
  REQUIRE(sent == static_cast<ssize_t>(bytes.size()));
}

std::string Wire::receive() {
  char buffer[65536 + kTapHeader];
  if (tap_ >= 0) {
    ssize_t got = read(tap_, buffer, sizeof buffer);
    if (got <= static_cast<ssize_t>(kTapHeader)) return {};
    return {buffer + kTapHeader, static_cast<size_t>(got) - kTapHeader};
  }
  sockaddr_ll from = {};
  socklen_t size = sizeof from;
  ssize_t got =
      recvfrom(socket_.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
  if (got < 0 || from.sll_pkttype == PACKET_OUTGOING) return {};
  return {buffer, static_cast<size_t>(got)};
}

std::string Wire::await(const std::string& text, std::chrono::milliseconds timeout) {
  auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0 || !ready(tap_ < 0 ? socket_.get() : tap_, POLLIN, left)) return {};
    std::string frame = receive();
    if (frame.empty()) continue;
    frames_.push_back(std::move(frame));
    if (frames_.back().find(text) != std::string::npos) return frames_.back();
  }
}

void Wire::settle(std::chrono::milliseconds time) { await("nobody sends this", time); }

bool Wire::seen(const std::string& text) const {
  return std::any_of(frames_.begin(), frames_.end(), [&](const std::string& frame) {
    return frame.find(text) != std::string::npos;
  });
}

UniqueFd listen_tcp(int netns, const Address& address, uint16_t port) {
  UniqueFd listener = socket_in(netns, family_of(address), SOCK_STREAM, 0);
  SocketAddress name(address, port);
  int on = 1;
  REQUIRE(setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
  if (address.is_v6())
    REQUIRE(setsockopt(listener.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0);
  REQUIRE(bind(listener.get(), name.get(), name.size) == 0);
  REQUIRE(listen(listener.get(), 16) == 0);
  return listener;
}

UniqueFd connect_tcp(int netns, const Address& to, uint16_t port,
                     std::chrono::milliseconds timeout) {
  UniqueFd fd = socket_in(netns, family_of(to), SOCK_STREAM | SOCK_NONBLOCK, 0);
  SocketAddress name(to, port);
  if (connect(fd.get(), name.get(), name.size) != 0 && errno != EINPROGRESS) return {};
  int error = 0;
  socklen_t size = sizeof error;
  if (!ready(fd.get(), POLLOUT, timeout)) return {};
  if (getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) return {};
  if (fcntl(fd.get(), F_SETFL, 0) != 0) return {};
  return fd;
}

std::string accept_from(int listener, UniqueFd* connection) {
  if (!ready(listener, POLLIN, std::chrono::seconds(1))) return {};
  SocketAddress peer;
  peer.size = sizeof peer.storage;
  UniqueFd accepted(accept4(listener, peer.get(), &peer.size, SOCK_CLOEXEC));
  if (!accepted) return {};
  char text[INET6_ADDRSTRLEN] = {};
  const void* raw =
      peer.storage.ss_family == AF_INET
          ? static_cast<const void*>(&reinterpret_cast<sockaddr_in*>(peer.get())->sin_addr)
          : &reinterpret_cast<sockaddr_in6*>(peer.get())->sin6_addr;
  inet_ntop(peer.storage.ss_family, raw, text, sizeof text);
  if (connection != nullptr) *connection = std::move(accepted);
  return text;
}

bool ping(int netns, const Address& to) {
  UniqueFd fd = socket_in(netns, family_of(to), SOCK_RAW,
                          to.is_v4() ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6});
  SocketAddress name(to, 0);
  if (to.is_link_local() && to.is_v6()) {
    require(netns::inside_netns(netns, [&]() -> base::Status {
      reinterpret_cast<sockaddr_in6*>(name.get())->sin6_scope_id = if_nametoindex("net0");
      return {};
    }));
  }
  // The kernel fills in the checksum of raw ICMPv6 sockets, not that of ICMP.
  unsigned char echo[8] = {8, 0, 0, 0, 1, 2, 2, 0};
  if (to.is_v6()) echo[0] = 128;
  uint32_t sum = 0;
  for (size_t i = 0; i < sizeof echo; i += 2)
    sum += static_cast<uint32_t>(echo[i] << 8 | echo[i + 1]);
  uint16_t check = static_cast<uint16_t>(~sum);
  echo[2] = static_cast<unsigned char>(check >> 8);
  echo[3] = static_cast<unsigned char>(check);
  // Several tries: the kernel's work queues may still be busy with a new link.
  for (int i = 0; i < 5; ++i) {
    if (sendto(fd.get(), echo, sizeof echo, 0, name.get(), name.size) < 0) return false;
    auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
    while (std::chrono::steady_clock::now() < deadline) {
      if (!ready(fd.get(), POLLIN, std::chrono::milliseconds(100))) break;
      unsigned char answer[1500];
      ssize_t got = recv(fd.get(), answer, sizeof answer, 0);
      size_t at = to.is_v4() ? 20 : 0;
      unsigned char wanted = to.is_v4() ? 0 : 129;
      if (got > static_cast<ssize_t>(at) && answer[at] == wanted) return true;
    }
  }
  return false;
}
