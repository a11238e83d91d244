// Zones on networks: their leases, ports and names.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/files.h"
#include "base/log.h"
#include "base/strings.h"
#include "zoned/core/spec.h"
#include "zoned/daemon/name_service.h"
#include "zoned/daemon/networks.h"
#include "zoned/daemon/resolver.h"

namespace zoned {

using base::Code;
using base::Durability;
using base::make_error;
using base::Result;
using base::Status;
using netns::Address;
using netns::Network;
using netns::PortPlan;

namespace {

constexpr std::string_view kHosts = ".hosts";
constexpr std::string_view kResolver = ".resolv";
constexpr size_t kMaxFile = 65536;

std::string holder_of(const std::string& zone, const std::string& port) {
  return zone + "/" + port;
}

Result<netns::Firewall> firewall_of(const core::ZoneSpec& spec) {
  netns::Firewall firewall;
  TRY_AS(firewall.in, netns::parse_action(spec.firewall_in));
  TRY_AS(firewall.out, netns::parse_action(spec.firewall_out));
  for (const core::FirewallSpec& item : spec.firewall) {
    netns::FirewallRule rule;
    TRY_AS(rule.direction, netns::parse_direction(item.direction));
    TRY_AS(rule.action, netns::parse_action(item.action));
    TRY_AS(rule.protocol, netns::parse_protocol(item.protocol));
    if (!item.ports.empty()) {
      TRY_AS(rule.ports, netns::parse_ports(item.ports));
    }
    for (const auto& [texts, prefixes] :
         {std::pair(&item.from, &rule.from), std::pair(&item.to, &rule.to)})
      for (const std::string& text : *texts) {
        TRY_AS(netns::Prefix prefix, netns::Prefix::parse(text));
        prefixes->push_back(prefix);
      }
    if (Status good = netns::check(rule); !good)
      return std::move(good).error().context("firewall." + std::to_string(firewall.rules.size()));
    firewall.rules.push_back(std::move(rule));
  }
  return firewall;
}

// Everything else goes by the default routes, which are another port's.
void add_subnet_routes(const Network& network, PortPlan* port) {
  for (const netns::Prefix& subnet : network.subnets)
    for (const Address& gateway : port->gateways)
      if (network.is_point_to_point() && gateway.family() == subnet.address.family())
        port->routes.push_back({subnet, gateway});
}

// All of a network's families that the wanted addresses do not cover are leased.
std::vector<netns::Family> families_of(const Network& network) {
  std::vector<netns::Family> families;
  for (const netns::Prefix& subnet : network.subnets)
    if (std::find(families.begin(), families.end(), subnet.address.family()) == families.end())
      families.push_back(subnet.address.family());
  return families;
}

}  // namespace

// Where a zone's leases are written down: folder and name.
Result<std::pair<base::UniqueFd, std::string>> Networks::lease_file(const Zone& zone) const {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  if (!zone.ephemeral) {
    TRY_AS(base::UniqueFd dir, base::open_at(registry_->zones_dir(), zone.name, kFlags));
    return std::pair(std::move(dir), std::string("leases"));
  }
  TRY_AS(base::UniqueFd dir, base::open_at(registry_->run_dir(), "zones", kFlags));
  return std::pair(std::move(dir), zone.name + ".leases");
}

void Networks::load_leases(const Zone& zone) {
  auto file = lease_file(zone);
  if (!file) return;
  auto text = base::read_file(file->first.get(), file->second, kMaxFile);
  if (!text) return;
  for (const std::string& line : base::split(*text, '\n')) {
    auto words = base::split(line, ' ');
    auto object = words.size() > 2 ? objects_.find(words[1]) : objects_.end();
    for (size_t i = 2; object != objects_.end() && i < words.size(); ++i) {
      auto address = Address::parse(words[i]);
      Status taken = address ? object->second.leases.take(*address, holder_of(zone.name, words[0]))
                             : Status(address.error());
      base::log_ignored("lease of zone " + base::quoted(zone.name), taken);
    }
  }
}

Status Networks::write_leases(const Zone& zone, const std::vector<PortPlan>& ports) {
  std::string text;
  for (const PortPlan& port : ports) {
    text += port.name + " " + port.network;
    for (const netns::Prefix& address : port.addresses) text += " " + address.address.text();
    text += "\n";
  }
  TRY_AS(auto file, lease_file(zone));
  auto before = base::read_file(file.first.get(), file.second, kMaxFile);
  if (before && *before == text) return {};
  return base::replace_file(file.first.get(), file.second, text,
                            zone.ephemeral ? Durability::kRuntime : Durability::kDisk);
}

// --- zones ---------------------------------------------------------------------------------------

Result<netns::PortRequest> Networks::request_of(const Zone& zone, const core::ZoneSpec& spec,
                                                size_t index, bool keep) {
  const core::NetSpec& net = spec.net[index];
  netns::PortRequest request;
  if (spec.brand == core::Brand::kVm) request.kind = netns::PortKind::kTap;
  request.zone = zone.name;
  request.name = core::port_name(spec, index);
  request.mac = net.mac;
  request.mtu = net.mtu.value_or(0);
  request.relax = net.relax;
  request.receive_bits = request.send_bits = net.bandwidth.value_or(0);
  request.share = net.bandwidth_share;
  request.packets = net.packets.value_or(0);
  request.metric = static_cast<uint32_t>(index);
  TRY_AS(request.firewall, firewall_of(spec));
  for (const std::string& text : net.allowed) {
    TRY_AS(netns::Prefix prefix, netns::Prefix::parse(text));
    request.allowed.push_back(prefix);
  }
  for (const std::string& text : net.publish) {
    TRY_AS(netns::Publish publish, netns::parse_publish(text));
    request.publish.push_back(publish);
  }
  auto object = objects_.find(net.network);
  if (object == objects_.end()) return no_such_network(net.network);
  TRY(set_label(zone, object->second.network, keep, &request));
  request.multilevel = net.multilevel;
  request.serves_dhcp = is_name_service(zone);
  netns::LeaseTable scratch =
      keep ? netns::LeaseTable(object->second.network) : object->second.leases;
  netns::LeaseTable& leases = keep ? object->second.leases : scratch;
  std::string holder = holder_of(zone.name, request.name);
  std::vector<Address> wanted;
  if (!net.addresses.empty())
    for (const std::string& text : base::split(net.addresses, ',')) {
      TRY_AS(netns::Prefix prefix, netns::Prefix::parse(text));
      wanted.push_back(prefix.address);
    }
  std::vector<Address> had = leases.of(holder);
  for (const Address& address : had)
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), address) == wanted.end())
      leases.release(address);
  if (!wanted.empty()) {
    for (const Address& address : wanted) TRY(leases.take(address, holder));
    request.addresses = std::move(wanted);
    TRY(ask_by_dhcp(spec, net, object->second.network, keep, &request));
    return request;
  }
  for (netns::Family family : families_of(object->second.network)) {
    auto mine = std::find_if(had.begin(), had.end(),
                             [family](const Address& a) { return a.family() == family; });
    if (mine != had.end()) {
      request.addresses.push_back(*mine);
      continue;
    }
    TRY_AS(Address address, leases.take_next(family, holder));
    request.addresses.push_back(address);
  }
  TRY(ask_by_dhcp(spec, net, object->second.network, keep, &request));
  return request;
}

bool Networks::is_outward(const Network& network, const labels::Label& label) const {
  return label == network.outside_label.value_or(encodings_->default_label());
}

// A trial gives no number away: none is none that others have.
Status Networks::set_label(const Zone& zone, const Network& network, bool keep,
                           netns::PortRequest* request) {
  request->outward = is_outward(network, zone.label);
  request->label = numbers_.find(zone.label);
  if (!keep) return {};
  TRY_AS(request->label, numbers_.number_of(zone.label));
  return {};
}

// A guest is configured from outside: where it has addresses of ours, it asks.
Status Networks::ask_by_dhcp(const core::ZoneSpec& spec, const core::NetSpec& net,
                             const Network& network, bool keep, netns::PortRequest* request) {
  auto has = [request](netns::Family family) {
    return std::any_of(request->addresses.begin(), request->addresses.end(),
                       [family](const Address& address) { return address.family() == family; });
  };
  request->dhcp = net.dhcp;
  if (!network.is_served() || !name_hooks_.server) return {};
  bool asks = net.dhcp || spec.brand == core::Brand::kVm;
  request->dhcp = net.dhcp || (asks && has(netns::Family::kIpv4));
  bool asks6 = asks && has(netns::Family::kIpv6);
  if (!request->dhcp && !asks6) return {};
  TRY_AS(NameServer server, name_hooks_.server(network, request->label, keep));
  request->dhcp_server = server.v4;
  if (asks6) request->dhcp6_server = server.v6;
  return {};
}

Address Networks::lease_of(const std::string& network, const std::string& zone,
                           const std::string& port, netns::Family family) const {
  auto object = objects_.find(network);
  if (object == objects_.end()) return {};
  for (const Address& address : object->second.leases.of(holder_of(zone, port)))
    if (address.family() == family) return address;
  return {};
}

Status Networks::check_others(const std::string& zone, const std::vector<PortPlan>& ports) const {
  std::vector<netns::NamedPort> named;
  auto add = [&named](const std::string& owner, const PortPlan& port) {
    named.push_back({"zone " + base::quoted(owner) + " port " + base::quoted(port.name), &port});
  };
  auto matters = [&ports](const PortPlan& other) {
    return std::any_of(ports.begin(), ports.end(),
                       [&other](const PortPlan& own) { return netns::may_clash(own, other); });
  };
  for (const auto& [name, list] : live_)
    for (const PortPlan& port : list)
      if (name != zone && matters(port)) add(name, port);
  for (const PortPlan& port : ports) add(zone, port);
  return netns::check_ports(named);
}

bool Networks::takes_link(const core::ZoneSpec& spec) const {
  // With a cap it has more links, which would take zoned too long.
  if (spec.brand == core::Brand::kVm || spec.net.empty() || spec.net.front().bandwidth)
    return false;
  const Network* network = find(spec.net.front().network);
  return network != nullptr && network->kind != netns::NetworkKind::kHostDevice &&
         core::port_name(spec, 0) == netns::kPreparedPort;
}

Result<std::vector<PortPlan>> Networks::plan(const Zone& zone, const core::ZoneSpec& spec,
                                             bool keep) {
  std::vector<PortPlan> ports;
  auto taken = [this, &zone, &ports](const std::string& host_name) {
    auto is = [&](const PortPlan& port) { return port.host_name == host_name; };
    if (std::any_of(ports.begin(), ports.end(), is)) return true;
    return std::any_of(live_.begin(), live_.end(), [&](const auto& item) {
      return item.first != zone.name && std::any_of(item.second.begin(), item.second.end(), is);
    });
  };
  for (size_t i = 0; i < spec.net.size(); ++i) {
    auto one = [&]() -> Result<PortPlan> {
      TRY_AS(netns::PortRequest request, request_of(zone, spec, i, keep));
      return netns::plan_port(request, objects_.at(spec.net[i].network).network, instance_, taken);
    };
    auto port = one();
    if (!port) return std::move(port).error().context("net." + std::to_string(i));
    if (i > 0) add_subnet_routes(objects_.at(spec.net[i].network).network, &*port);
    if (i == 0 && zone.record && !zone.record->link.empty()) port->host_name = zone.record->link;
    ports.push_back(*std::move(port));
  }
  if (ports.empty()) return ports;
  TRY(check_others(zone.name, ports));
  return ports;
}

Status Networks::expect(const std::string& zone, const std::vector<PortPlan>& ports) {
  if (ports.empty()) return {};
  TRY(need_kernel());
  TRY(remover_.make_way(ports));
  live_[zone] = ports;
  write_names_soon();
  return {};
}

Status Networks::connect(const Zone& zone) {
  const std::vector<PortPlan>& ports = live_.at(zone.name);
  TRY(write_leases(zone, ports));
  TRY(add_names(zone.name, ports));
  bool known = labels_in_rules_ == numbers_.all().size();
  Status applied =
      known ? kernel_->nft.change_ports(instance_, {}, ports, numbers_.all()) : apply_whole();
  // Elements that an earlier life left behind: the whole set says what there is.
  if (!applied && known) applied = apply_whole();
  if (!applied) live_.erase(zone.name);
  return applied;
}

Status Networks::disconnect(const std::string& zone) {
  auto it = live_.find(zone);
  if (it == live_.end()) return {};
  give_back(zone, it->second);
  // What is on an interface of the host goes before anybody is told that the zone has ended.
  for (const PortPlan& port : it->second)
    if (!port.device.empty()) TRY(netns::remove_port_links(kernel_->links, port));
  const std::vector<PortPlan> gone = std::move(it->second);
  live_.erase(it);
  write_names_soon();
  remover_.leave(&kernel_->links, gone);
  base::log_ignored("zone " + base::quoted(zone), share(gone));
  if (kernel_->nft.change_ports(instance_, gone, {}, numbers_.all())) return {};
  return apply_whole();
}

Status Networks::release_unused(const Zone& zone) {
  std::set<std::pair<std::string, std::string>> wanted;  // network, holder
  for (size_t i = 0; i < zone.spec.net.size(); ++i)
    wanted.emplace(zone.spec.net[i].network, holder_of(zone.name, core::port_name(zone.spec, i)));
  if (auto live = live_.find(zone.name); live != live_.end())
    for (const PortPlan& port : live->second)
      wanted.emplace(port.network, holder_of(zone.name, port.name));
  for (auto& [name, object] : objects_) {
    std::vector<Address> unused;
    for (const auto& [address, holder] : object.leases.all())
      if (holder.starts_with(holder_of(zone.name, "")) && !wanted.contains({name, holder}))
        unused.push_back(address);
    for (const Address& address : unused) object.leases.release(address);
  }
  TRY_AS(auto file, lease_file(zone));
  auto text = base::read_file(file.first.get(), file.second, kMaxFile);
  if (!text) return {};  // never booted
  std::string kept;
  for (const std::string& line : base::split(*text, '\n')) {
    auto words = base::split(line, ' ');
    if (words.size() > 2 && wanted.contains({words[1], holder_of(zone.name, words[0])}))
      kept += line + "\n";
  }
  if (kept == *text) return {};
  return base::replace_file(file.first.get(), file.second, kept, Durability::kDisk);
}

Status Networks::lease_again(const Zone& zone) {
  TRY(release_unused(zone));
  auto it = live_.find(zone.name);
  if (it == live_.end()) return {};
  for (const PortPlan& port : it->second)
    for (const netns::Prefix& own : port.addresses)
      TRY(objects_.at(port.network).leases.take(own.address, holder_of(zone.name, port.name)));
  return write_leases(zone, it->second);
}

void Networks::forget(const Zone& zone) {
  for (auto& [name, object] : objects_)
    for (size_t i = 0; i < zone.spec.net.size(); ++i)
      object.leases.release_holder(holder_of(zone.name, core::port_name(zone.spec, i)));
  if (zone.ephemeral) unlinkat(registry_->run_dir(), ("zones/" + zone.name + ".leases").c_str(), 0);
}

// --- names ---------------------------------------------------------------------------------------

namespace {

struct NamesKey {
  uint32_t label = 0;
  std::vector<std::string> networks;
};

NamesKey parse_key(const std::string& key) {
  auto parts = base::split(key, ':');
  auto label = base::parse_uint(parts[0], 1, UINT32_MAX);
  if (!label || parts.size() != 2) return {};  // an older zoned's: nobody is named
  return {static_cast<uint32_t>(*label), base::split(parts[1], '+')};
}

std::string hosts_lines(const std::string& zone, const PortPlan& port) {
  std::string text;
  for (const netns::Prefix& own : port.addresses) text += own.address.text() + " " + zone + "\n";
  return text;
}

}  // namespace

std::string Networks::hosts_key(const std::vector<PortPlan>& ports) {
  std::vector<std::string> names;
  for (const PortPlan& port : ports) names.push_back(port.network);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return std::to_string(ports.front().label) + ":" + base::join(names, "+");
}

std::string Networks::hosts_text(const std::string& key) const {
  NamesKey of = parse_key(key);
  std::string text = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";
  for (const auto& [zone, ports] : live_)
    for (const PortPlan& port : ports)
      if (port.label == of.label &&
          std::find(of.networks.begin(), of.networks.end(), port.network) != of.networks.end())
        text += hosts_lines(zone, port);
  return text;
}

// A network that reaches nothing outside has no server unless one is named. A question is a packet: it
// may carry anything to whoever answers.
std::string Networks::resolver_of(const std::vector<std::string>& networks, uint32_t label) const {
  std::vector<Address> servers;
  auto of = numbers_.all().find(label);
  for (const std::string& name : networks) {
    const Network* network = find(name);
    if (network == nullptr || of == numbers_.all().end() || !is_outward(*network, of->second))
      continue;
    bool closed = network->kind == netns::NetworkKind::kIsolated;
    std::vector<Address> more = network->dns;
    if (more.empty() && !closed) more = host_name_servers();
    for (const Address& server : more)
      if (std::find(servers.begin(), servers.end(), server) == servers.end())
        servers.push_back(server);
  }
  return resolver_text(servers);
}

// In place: zones have the file itself mounted.
Status Networks::write_name_file(const std::string& name, const std::string& text) {
  constexpr mode_t kReadable = 0644;
  TRY_AS(base::UniqueFd file,
         base::open_at(hosts_.get(), name, O_WRONLY | O_CREAT | O_NOFOLLOW, kReadable));
  TRY(base::write_all(file.get(), text));
  if (ftruncate(file.get(), static_cast<off_t>(text.size())) != 0)
    return base::sys_error("truncate " + base::quoted(name));
  return {};
}

Status Networks::write_names(const std::string& key) {
  TRY(write_name_file(key + std::string(kHosts), hosts_text(key)));
  NamesKey of = parse_key(key);
  TRY(write_name_file(key + std::string(kResolver), resolver_of(of.networks, of.label)));
  written_.insert(key);
  return {};
}

// A zone finds itself there at once; the rest of what has changed follows soon.
Status Networks::add_names(const std::string& zone, const std::vector<PortPlan>& ports) {
  const std::string key = hosts_key(ports);
  if (!written_.contains(key)) return write_names(key);
  std::string text;
  for (const PortPlan& port : ports) text += hosts_lines(zone, port);
  TRY_AS(base::UniqueFd file,
         base::open_at(hosts_.get(), key + std::string(kHosts), O_WRONLY | O_APPEND | O_NOFOLLOW));
  return base::write_all(file.get(), text);
}

// Once for a burst of boots, and the less often the more there is to write: a zone takes some 5 us. A
// file outlives the last port on its networks: a zone that had one when it booted has it mounted still.
void Networks::write_names_soon() {
  constexpr std::chrono::microseconds kPause{20000};
  constexpr std::chrono::microseconds kPauseForEach{500};
  if (names_timer_ != 0) return;
  auto pause = std::chrono::duration_cast<std::chrono::milliseconds>(
      kPause + kPauseForEach * static_cast<int64_t>(live_.size()));
  names_timer_ = loop_->after(pause, [this] {
    names_timer_ = 0;
    std::set<std::string> keys;
    for (const auto& [zone, ports] : live_) keys.insert(hosts_key(ports));
    auto files = base::list_dir(hosts_.get());
    if (!files) return base::log_warning("names: " + files.error().message);
    for (const std::string& file : *files)
      for (std::string_view end : {kHosts, kResolver}) {
        if (!file.ends_with(end)) continue;
        if (live_.empty()) {
          unlinkat(hosts_.get(), file.c_str(), 0);
          written_.clear();
        } else {
          keys.insert(file.substr(0, file.size() - end.size()));
        }
      }
    for (const std::string& key : keys) base::log_ignored("names of " + key, write_names(key));
    if (name_hooks_.changed) name_hooks_.changed();
  });
}

Result<Networks::NameFiles> Networks::name_files(const std::vector<PortPlan>& ports) const {
  constexpr int kFlags = O_RDONLY | O_CREAT | O_NOFOLLOW;
  constexpr mode_t kReadable = 0644;
  const std::string key = hosts_key(ports);
  NameFiles files;
  TRY_AS(files.hosts, base::open_at(hosts_.get(), key + std::string(kHosts), kFlags, kReadable));
  TRY_AS(files.resolver,
         base::open_at(hosts_.get(), key + std::string(kResolver), kFlags, kReadable));
  return files;
}

}  // namespace zoned
