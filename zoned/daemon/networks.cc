#include "zoned/daemon/networks.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/log.h"
#include "base/strings.h"
#include "netns/ruleset.h"
#include "zoned/core/spec.h"

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

constexpr std::string_view kJson = ".json";
constexpr std::string_view kHosts = ".hosts";
constexpr size_t kMaxFile = 64 * 1024;

std::string subject(const std::string& name) { return "network " + base::quoted(name); }

base::Error no_such_network(const std::string& name) {
  return make_error(Code::kNotFound, subject(name) + ": no such network",
                    "'zone net list' shows the networks, 'zone net create' makes one");
}

std::string holder_of(const std::string& zone, const std::string& port) {
  return zone + "/" + port;
}

bool names(const core::ZoneSpec& spec, const std::string& network) {
  return std::any_of(spec.net.begin(), spec.net.end(),
                     [&](const core::NetSpec& net) { return net.network == network; });
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

// All of a network's families that the wanted addresses do not cover are leased.
std::vector<netns::Family> families_of(const Network& network) {
  std::vector<netns::Family> families;
  for (const netns::Prefix& subnet : network.subnets)
    if (std::find(families.begin(), families.end(), subnet.address.family()) == families.end())
      families.push_back(subnet.address.family());
  return families;
}

}  // namespace

Networks::Networks(netns::Instance instance, Registry* registry, base::EventLoop* loop,
                   Events* events)
    : instance_(std::move(instance)), registry_(registry), loop_(loop), events_(events) {}

Networks::~Networks() {
  if (hosts_timer_ != 0) loop_->cancel(hosts_timer_);
  if (kernel_) loop_->remove(kernel_->watch.fd());
}

Result<std::unique_ptr<Networks>> Networks::open(const std::string& root, Registry* registry,
                                                 base::EventLoop* loop, Events* events) {
  std::unique_ptr<Networks> networks(
      new Networks(netns::Instance(root.empty() ? "/" : root), registry, loop, events));
  TRY_AS(networks->folder_, base::make_dirs(AT_FDCWD, registry->paths().etc + "/networks", 0700));
  TRY_AS(networks->hosts_, base::make_dirs(registry->run_dir(), "networks", 0700));
  TRY(networks->load());
  return networks;
}

// A file that can't be read costs its network, not the others.
Status Networks::load() {
  TRY_AS(auto files, base::list_dir(folder_.get()));
  for (const std::string& file : files) {
    if (!file.ends_with(kJson) || file.starts_with('.')) continue;
    auto read = [&]() -> Result<Network> {
      TRY_AS(std::string text, base::read_file(folder_.get(), file, kMaxFile));
      return netns::network_from_json(nlohmann::json::parse(text, nullptr, false));
    };
    auto network = read();
    if (network && network->name + std::string(kJson) != file)
      network = make_error(Code::kInvalid, "holds another network's name");
    if (!network) {
      base::log_error("networks/" + file + ": " + network.error().message);
      continue;
    }
    std::string name = network->name;
    objects_.emplace(name, Object{*network, netns::LeaseTable(*network)});
  }
  for (const auto& [name, zone] : registry_->zones()) load_leases(*zone);
  return {};
}

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

// --- objects -------------------------------------------------------------------------------------

const Network* Networks::find(const std::string& name) const {
  auto it = objects_.find(name);
  return it == objects_.end() ? nullptr : &it->second.network;
}

std::vector<Network> Networks::all() const {
  std::vector<Network> networks;
  for (const auto& [name, object] : objects_) networks.push_back(object.network);
  return networks;
}

size_t Networks::leases(const std::string& name) const {
  auto it = objects_.find(name);
  return it == objects_.end() ? 0 : it->second.leases.size();
}

Status Networks::create(const std::string& name, const netns::KeyValues& settings) {
  TRY(base::check_name("network", name));
  if (objects_.contains(name)) return make_error(Code::kExists, subject(name) + " exists already");
  auto make = [&]() -> Status {
    TRY_AS(Network network, netns::parse_network(name, settings));
    TRY(netns::check_among(network, all()));
    TRY(need_kernel());
    TRY(make_bridges(network));
    auto placed = objects_.emplace(name, Object{network, netns::LeaseTable(network)}).first;
    Status done = apply_whole();
    if (done)
      done = base::replace_file(folder_.get(), name + std::string(kJson),
                                netns::network_to_json(network).dump(1) + "\n", Durability::kDisk);
    if (done) return {};
    objects_.erase(placed);
    base::log_ignored(subject(name), apply_whole());
    return done;
  };
  Status made = make();
  if (!made) return std::move(made).error().context(subject(name));
  return {};
}

Status Networks::set(const std::string& name, const netns::KeyValues& settings) {
  auto it = objects_.find(name);
  if (it == objects_.end()) return no_such_network(name);
  auto change = [&]() -> Status {
    TRY_AS(Network network, netns::parse_network(name, settings, it->second.network));
    TRY(netns::check_among(network, all()));
    if (network.kind != it->second.network.kind)
      for (const auto& [zone, ports] : live_)
        for (const PortPlan& port : ports)
          if (port.network == name)
            return make_error(Code::kBusy, "zone " + base::quoted(zone) + " is connected to it",
                              "shut its zones down to change the kind");
    netns::LeaseTable leases(network);
    for (const auto& [address, holder] : it->second.leases.all())
      if (Status kept = leases.take(address, holder); !kept)
        return std::move(kept).error().context(holder + " has " + address.text());
    TRY(make_bridges(network));
    Object before = std::exchange(it->second, Object{network, std::move(leases)});
    Status done = apply_whole();
    if (done)
      done = base::replace_file(folder_.get(), name + std::string(kJson),
                                netns::network_to_json(network).dump(1) + "\n", Durability::kDisk);
    if (done) return {};
    it->second = std::move(before);
    base::log_ignored(subject(name), apply_whole());
    return done;
  };
  Status changed = change();
  if (!changed) return std::move(changed).error().context(subject(name));
  return {};
}

Status Networks::remove(const std::string& name) {
  auto it = objects_.find(name);
  if (it == objects_.end()) return no_such_network(name);
  for (const auto& [zone_name, zone] : registry_->zones())
    if (names(zone->spec, name))
      return make_error(Code::kBusy,
                        subject(name) + ": zone " + base::quoted(zone_name) + " names it",
                        "take it out of the zone's [[net]] tables, or delete the zone");
  for (const auto& [zone, ports] : live_)
    for (const PortPlan& port : ports)
      if (port.network == name)
        return make_error(
            Code::kBusy, subject(name) + ": zone " + base::quoted(zone) + " runs with a port on it",
            "shut the zone down");
  if (unlinkat(folder_.get(), (name + std::string(kJson)).c_str(), 0) != 0 && errno != ENOENT)
    return base::sys_error(subject(name));
  Network network = it->second.network;
  objects_.erase(it);
  TRY(need_kernel());
  if (network.kind == netns::NetworkKind::kBridge && network.bridge.empty())
    base::log_ignored(subject(name), kernel_->links.remove(instance_.bridge_name(name)));
  if (!objects_.empty()) return apply_whole();
  return kernel_->nft.apply(netns::no_ruleset(instance_));
}

// --- the kernel's side ---------------------------------------------------------------------------

Status Networks::need_kernel() {
  if (kernel_) return {};
  TRY_AS(netns::Nft nft, netns::Nft::open());
  TRY_AS(netns::Links links, netns::Links::open());
  TRY_AS(netns::RulesetWatch watch, netns::RulesetWatch::open(instance_));
  kernel_.emplace(Kernel{std::move(nft), std::move(links), std::move(watch)});
  return loop_->add(kernel_->watch.fd(), EPOLLIN, [this](uint32_t) { on_watch(); });
}

Status Networks::make_bridges(const Network& network) {
  if (network.kind != netns::NetworkKind::kBridge) return {};
  if (!network.bridge.empty()) {
    auto given = kernel_->links.find(network.bridge);
    if (!given)
      return std::move(given).error().context("bridge").with_hint(
          "make it first, or leave 'bridge' out: then one is made");
    if (given->kind == "bridge") return {};
    return make_error(Code::kInvalid, "bridge: " + base::quoted(network.bridge) + " is no bridge",
                      "leave 'bridge' out: then one is made");
  }
  std::string bridge = instance_.bridge_name(network.name);
  TRY(kernel_->links.create_bridge(bridge, network.mtu, network.vlan != 0));
  if (network.uplink.empty()) return {};
  return kernel_->links.attach(network.uplink, bridge, network.vlan);
}

Status Networks::apply_whole() {
  std::vector<PortPlan> ports;
  for (const auto& [zone, list] : live_) ports.insert(ports.end(), list.begin(), list.end());
  return kernel_->nft.apply(netns::whole_ruleset(instance_, all(), ports));
}

void Networks::on_watch() {
  auto report = kernel_->watch.read();
  if (!report) return base::log_warning("packet filter: " + report.error().message);
  using Change = netns::RulesetWatch::Event;
  if (report->event == Change::kNothing) return;
  std::string who = report->program.empty() ? "somebody" : base::quoted(report->program);
  restore_rules(report->event == Change::kLost ? "changes were missed"
                                               : who + " changed our rules");
}

// Down first: what is let through without rules must be nothing.
void Networks::restore_rules(const std::string& why) {
  auto each_port = [this](auto act) {
    for (const auto& [zone, ports] : live_)
      for (const PortPlan& port : ports) act(port);
  };
  each_port([this](const PortPlan& port) {
    static_cast<void>(kernel_->links.set_up(port.host_name, false));
  });
  Status applied = apply_whole();
  if (!applied) {
    base::log_error("packet filter: " + applied.error().message + "; ports stay down");
    return;
  }
  each_port([this](const PortPlan& port) {
    base::log_ignored("port " + port.host_name, kernel_->links.configure_host_end(port));
  });
  base::log_warning("packet filter: " + why + "; put back");
  events_->emit("", "rules-restored", why);
}

// --- zones ---------------------------------------------------------------------------------------

Result<netns::PortRequest> Networks::request_of(const Zone& zone, const core::ZoneSpec& spec,
                                                size_t index, bool keep) {
  const core::NetSpec& net = spec.net[index];
  netns::PortRequest request;
  request.zone = zone.name;
  request.name = core::port_name(spec, index);
  request.mac = net.mac;
  request.mtu = net.mtu.value_or(0);
  request.relax = net.relax;
  request.receive_bits = request.send_bits = net.bandwidth.value_or(0);
  request.packets = net.packets.value_or(0);
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
  return request;
}

Status Networks::check_others(const std::string& zone, const std::vector<PortPlan>& ports) const {
  std::vector<netns::NamedPort> named;
  auto add = [&named](const std::string& owner, const std::vector<PortPlan>& list) {
    for (const PortPlan& port : list)
      named.push_back({"zone " + base::quoted(owner) + " port " + base::quoted(port.name), &port});
  };
  for (const auto& [name, list] : live_)
    if (name != zone) add(name, list);
  add(zone, ports);
  return netns::check_ports(named);
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
    ports.push_back(*std::move(port));
  }
  if (ports.empty()) return ports;
  TRY(check_others(zone.name, ports));
  if (keep) TRY(write_leases(zone, ports));
  return ports;
}

Status Networks::connect(const std::string& zone, const std::vector<PortPlan>& ports) {
  if (ports.empty()) return {};
  TRY(need_kernel());
  std::string text;
  for (const PortPlan& port : ports) text += netns::add_port(instance_, port);
  live_[zone] = ports;
  Status applied = kernel_->nft.apply(text);
  // Elements that an earlier life left behind: the whole set says what there is.
  if (!applied) applied = apply_whole();
  if (!applied) live_.erase(zone);
  write_hosts_soon();
  return applied;
}

Status Networks::disconnect(const std::string& zone) {
  auto it = live_.find(zone);
  if (it == live_.end()) return {};
  // The namespace takes its links along, but not at once; and caps have a device of their own.
  for (const PortPlan& port : it->second) {
    TRY(kernel_->links.remove(port.host_name));
    if (port.send_bits != 0) TRY(kernel_->links.remove(netns::ifb_name(port.host_name)));
  }
  std::string text;
  for (const PortPlan& port : it->second) text += netns::remove_port(instance_, port);
  live_.erase(it);
  write_hosts_soon();
  if (kernel_->nft.apply(text)) return {};
  return apply_whole();
}

void Networks::forget(const Zone& zone) {
  for (auto& [name, object] : objects_)
    for (size_t i = 0; i < zone.spec.net.size(); ++i)
      object.leases.release_holder(holder_of(zone.name, core::port_name(zone.spec, i)));
  if (zone.ephemeral) unlinkat(registry_->run_dir(), ("zones/" + zone.name + ".leases").c_str(), 0);
}

Status Networks::recover() {
  if (objects_.empty()) return {};
  TRY(need_kernel());
  for (const auto& [name, zone] : registry_->zones()) {
    if (!zone->record || zone->spec.net.empty()) continue;
    // As it was booted, where that is written down; its configuration may have changed since.
    auto booted = registry_->plan_of(zone.get());
    if (booted) {
      if (!(*booted)->ports.empty()) live_[name] = (*booted)->ports;
      continue;
    }
    auto ports = plan(*zone, zone->spec, true);
    if (ports) live_[name] = *std::move(ports);
  }
  for (const auto& [name, object] : objects_)
    base::log_ignored(subject(name), make_bridges(object.network));
  TRY(apply_whole());
  std::vector<std::string> known;
  for (const auto& [zone, ports] : live_)
    for (const PortPlan& port : ports) known.push_back(port.host_name);
  TRY_AS(auto links, kernel_->links.list(instance_.port_prefix()));
  for (const netns::Link& link : links)
    if (std::find(known.begin(), known.end(), link.name) == known.end())
      TRY(kernel_->links.remove(link.name));
  TRY(netns::remove_leftovers(kernel_->links, instance_));
  write_hosts_soon();
  return {};
}

Status Networks::withdraw() {
  if (objects_.empty()) return {};
  TRY(need_kernel());
  TRY(kernel_->nft.apply(netns::no_ruleset(instance_)));
  for (const auto& [name, object] : objects_)
    if (object.network.kind == netns::NetworkKind::kBridge && object.network.bridge.empty())
      TRY(kernel_->links.remove(instance_.bridge_name(name)));
  return {};
}

// --- names ---------------------------------------------------------------------------------------

std::string Networks::hosts_key(const std::vector<PortPlan>& ports) {
  std::vector<std::string> names;
  for (const PortPlan& port : ports) names.push_back(port.network);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return base::join(names, "+");
}

std::string Networks::hosts_text(const std::string& key) const {
  std::vector<std::string> names = base::split(key, '+');
  std::string text = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";
  for (const auto& [zone, ports] : live_)
    for (const PortPlan& port : ports) {
      if (std::find(names.begin(), names.end(), port.network) == names.end()) continue;
      for (const netns::Prefix& address : port.addresses)
        text += address.address.text() + " " + zone + "\n";
    }
  return text;
}

// In place: zones have the file itself mounted.
Status Networks::write_hosts(const std::string& key) {
  constexpr mode_t kReadable = 0644;
  std::string text = hosts_text(key);
  TRY_AS(base::UniqueFd file, base::open_at(hosts_.get(), key + std::string(kHosts),
                                            O_WRONLY | O_CREAT | O_NOFOLLOW, kReadable));
  TRY(base::write_all(file.get(), text));
  if (ftruncate(file.get(), static_cast<off_t>(text.size())) != 0)
    return base::sys_error("truncate " + base::quoted(key));
  return {};
}

// Once for a burst of boots.
void Networks::write_hosts_soon() {
  constexpr std::chrono::milliseconds kPause{20};
  if (hosts_timer_ != 0) return;
  hosts_timer_ = loop_->after(kPause, [this] {
    hosts_timer_ = 0;
    std::set<std::string> keys;
    for (const auto& [zone, ports] : live_) keys.insert(hosts_key(ports));
    for (const std::string& key : keys) base::log_ignored("hosts of " + key, write_hosts(key));
    auto files = base::list_dir(hosts_.get());
    if (!files) return;
    for (const std::string& file : *files)
      if (file.ends_with(kHosts) && !keys.contains(file.substr(0, file.size() - kHosts.size())))
        unlinkat(hosts_.get(), file.c_str(), 0);
  });
}

Result<base::UniqueFd> Networks::hosts_file(const std::vector<PortPlan>& ports) {
  std::string key = hosts_key(ports);
  TRY(write_hosts(key));
  return base::open_at(hosts_.get(), key + std::string(kHosts), O_PATH | O_NOFOLLOW);
}

// --- what is seen --------------------------------------------------------------------------------

Result<std::map<std::string, Networks::Traffic>> Networks::traffic() {
  std::map<std::string, Traffic> traffic;
  if (live_.empty()) return traffic;
  TRY_AS(auto links, kernel_->links.list(instance_.port_prefix()));
  for (const netns::Link& link : links) {
    netns::LinkStatistics seen = link.statistics.swapped();
    traffic[link.name] = {seen.receive_bytes, seen.send_bytes, seen.receive_packets,
                          seen.send_packets};
  }
  return traffic;
}

Result<netns::PortCounters> Networks::refused(const PortPlan& port) {
  TRY(need_kernel());
  return kernel_->nft.counters(instance_, port.host_name);
}

Result<std::vector<std::string>> Networks::forward_drops() {
  if (objects_.empty()) return std::vector<std::string>();
  TRY(need_kernel());
  return kernel_->nft.forward_drops(instance_);
}

}  // namespace zoned
