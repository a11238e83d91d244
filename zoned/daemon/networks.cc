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

constexpr std::string_view kJson = ".json";
constexpr size_t kMaxFile = 65536;

std::string subject(const std::string& name) { return "network " + base::quoted(name); }

constexpr const char* kOutsideLabel = "outside-label";

bool names(const core::ZoneSpec& spec, const std::string& network) {
  return std::any_of(spec.net.begin(), spec.net.end(),
                     [&](const core::NetSpec& net) { return net.network == network; });
}

}  // namespace

base::Error no_such_network(const std::string& name) {
  return make_error(Code::kNotFound, subject(name) + ": no such network",
                    "'zone net list' shows the networks, 'zone net create' makes one");
}

Networks::Networks(netns::Instance instance, LabelNumbers numbers, Registry* registry,
                   base::EventLoop* loop, Children* children, Events* events,
                   const labels::Encodings* encodings)
    : instance_(std::move(instance)),
      numbers_(std::move(numbers)),
      registry_(registry),
      loop_(loop),
      events_(events),
      encodings_(encodings),
      remover_(loop, children) {}

Networks::~Networks() {
  if (names_timer_ != 0) loop_->cancel(names_timer_);
  if (!kernel_) return;
  loop_->remove(kernel_->watch.fd());
  if (kernel_->refusals) loop_->remove(kernel_->refusals->fd());
}

Result<std::unique_ptr<Networks>> Networks::open(const std::string& root, Registry* registry,
                                                 base::EventLoop* loop, Children* children,
                                                 Events* events, ConfigReader* reader,
                                                 const labels::Encodings* encodings) {
  TRY_AS(base::UniqueFd lib, base::make_dirs(AT_FDCWD, registry->paths().lib, 0700));
  TRY_AS(LabelNumbers numbers, LabelNumbers::open(std::move(lib), encodings->default_label()));
  std::unique_ptr<Networks> networks(new Networks(netns::Instance(root.empty() ? "/" : root),
                                                  std::move(numbers), registry, loop, children,
                                                  events, encodings));
  TRY_AS(networks->folder_, base::make_dirs(AT_FDCWD, registry->paths().etc + "/networks", 0700));
  TRY_AS(networks->hosts_, base::make_dirs(registry->run_dir(), "networks", 0700));
  TRY(networks->load(reader));
  return networks;
}

// A file that can't be read costs its network, not the others.
Status Networks::load(ConfigReader* reader) {
  TRY_AS(auto files, base::list_dir(folder_.get()));
  for (const std::string& file : files) {
    if (!file.ends_with(kJson) || file.starts_with('.')) continue;
    auto read = [&]() -> Result<Network> {
      TRY_AS(std::string text, base::read_file(folder_.get(), file, kMaxFile));
      TRY_AS(nlohmann::json value, reader->json(text));
      return netns::network_from_json(value);
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
    TRY_AS(netns::KeyValues wanted, stored(settings));
    TRY_AS(Network network, netns::parse_network(name, wanted));
    TRY(netns::check_among(network, all()));
    TRY(need_kernel());
    TRY(make_bridges(network));
    auto placed = objects_.emplace(name, Object{network, netns::LeaseTable(network)}).first;
    Status done = apply_whole();
    if (done) done = share_whole(network);
    if (done)
      done = base::replace_file(folder_.get(), name + std::string(kJson),
                                netns::network_to_json(network).dump(1) + "\n", Durability::kDisk);
    if (done) return {};
    objects_.erase(placed);
    for (const Status& undone : {apply_whole(), remove_shapers(false)})
      base::log_ignored(subject(name), undone);
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
    TRY_AS(netns::KeyValues wanted, stored(settings));
    TRY_AS(Network network, netns::parse_network(name, wanted, it->second.network));
    TRY(netns::check_among(network, all()));
    const Network& now = it->second.network;
    if (network.kind != now.kind || network.device != now.device || network.mode != now.mode ||
        network.outside_label != now.outside_label)
      for (const auto& [zone, ports] : live_)
        for (const PortPlan& port : ports)
          if (port.network == name)
            return make_error(Code::kBusy, "zone " + base::quoted(zone) + " is connected to it",
                              "shut its zones down to change kind, device, mode or outside-label");
    netns::LeaseTable leases(network);
    for (const auto& [address, holder] : it->second.leases.all())
      if (Status kept = leases.take(address, holder); !kept)
        return std::move(kept).error().context(holder + " has " + address.text());
    TRY(make_bridges(network));
    Object before = std::exchange(it->second, Object{network, std::move(leases)});
    Status done = apply_whole();
    if (done) done = share_whole(network);
    if (done)
      done = base::replace_file(folder_.get(), name + std::string(kJson),
                                netns::network_to_json(network).dump(1) + "\n", Durability::kDisk);
    write_names_soon();
    if (done) return {};
    it->second = std::move(before);
    for (const Status& undone : {apply_whole(), share_whole(it->second.network)})
      base::log_ignored(subject(name), undone);
    return done;
  };
  Status changed = change();
  if (!changed) return std::move(changed).error().context(subject(name));
  return {};
}

// Names of labels come and go with the encodings: what is stored is their binary form.
Result<netns::KeyValues> Networks::stored(const netns::KeyValues& settings) const {
  netns::KeyValues result = settings;
  for (auto& [key, value] : result) {
    if (key != kOutsideLabel || value.empty()) continue;
    auto label = encodings_->parse_label(value);
    if (!label) return std::move(label).error().context(key);
    value = label->encode();
  }
  return result;
}

netns::KeyValues Networks::settings_of(const Network& network) const {
  netns::KeyValues settings = netns::settings_of(network);
  for (auto& [key, value] : settings)
    if (key == kOutsideLabel) value = encodings_->name_of(*network.outside_label);
  return settings;
}

Status Networks::check_unused(const std::string& name,
                              const std::vector<std::string>& but_zones) const {
  auto counts = [&but_zones](const std::string& zone) {
    return std::find(but_zones.begin(), but_zones.end(), zone) == but_zones.end();
  };
  for (const auto& [zone_name, zone] : registry_->zones())
    if (counts(zone_name) && names(zone->spec, name))
      return make_error(Code::kBusy,
                        subject(name) + ": zone " + base::quoted(zone_name) + " names it",
                        "take it out of the zone's [[net]] tables, or delete the zone");
  for (const auto& [zone, ports] : live_)
    for (const PortPlan& port : ports)
      if (counts(zone) && port.network == name)
        return make_error(
            Code::kBusy, subject(name) + ": zone " + base::quoted(zone) + " runs with a port on it",
            "shut the zone down");
  return {};
}

Status Networks::remove(const std::string& name) {
  auto it = objects_.find(name);
  if (it == objects_.end()) return no_such_network(name);
  TRY(check_unused(name, {}));
  if (unlinkat(folder_.get(), (name + std::string(kJson)).c_str(), 0) != 0 && errno != ENOENT)
    return base::sys_error(subject(name));
  Network network = it->second.network;
  objects_.erase(it);
  TRY(need_kernel());
  TRY(remove_shapers(false));
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
  kernel_.emplace(Kernel{std::move(nft), std::move(links), std::move(watch), {}});
  TRY(watch_refusals());
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
  uint16_t group = kernel_->refusals ? kernel_->refusals->group() : 0;
  TRY(kernel_->nft.apply(netns::whole_ruleset(instance_, all(), ports, numbers_.all(), group)));
  labels_in_rules_ = numbers_.all().size();
  return {};
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
  for (const std::string& name : remover_.leaving())
    static_cast<void>(kernel_->links.set_up(name, false));
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

Status Networks::recover() {
  if (objects_.empty()) return {};
  TRY(need_kernel());
  std::set<std::string> leased;  // zones; also those whose configuration names no network any more
  for (const auto& [name, object] : objects_)
    for (const auto& [address, holder] : object.leases.all())
      leased.insert(holder.substr(0, holder.find('/')));
  for (const auto& [name, zone] : registry_->zones()) {
    if (!zone->record || (zone->spec.net.empty() && !leased.contains(name))) continue;
    // As it was booted, where that is written down; its configuration may have changed since.
    auto booted = registry_->plan_of(zone.get());
    if (booted) {
      if (!(*booted)->ports.empty()) live_[name] = (*booted)->ports;
    } else if (auto ports = plan(*zone, zone->spec, true); ports) {
      live_[name] = *std::move(ports);
    }
    for (PortPlan& port : live_[name]) {
      TRY_AS(port.label, numbers_.number_of(zone->label));
      const Network* network = find(port.network);
      port.outward = network != nullptr && is_outward(*network, zone->label);
    }
    if (live_[name].empty()) live_.erase(name);
    base::log_ignored("zone " + base::quoted(name), hold_devices(*zone));
  }
  take_devices_back();
  for (const auto& [name, object] : objects_)
    base::log_ignored(subject(name), make_bridges(object.network));
  TRY(apply_whole());
  for (const auto& [name, object] : objects_)
    base::log_ignored(subject(name), share_whole(object.network));
  TRY(remove_shapers(false));
  std::vector<std::string> known;
  for (const auto& [zone, ports] : live_)
    for (const PortPlan& port : ports) known.push_back(port.host_name);
  TRY_AS(auto links, kernel_->links.list(instance_.port_prefix()));
  for (const netns::Link& link : links)
    if (std::find(known.begin(), known.end(), link.name) == known.end())
      TRY(kernel_->links.remove(link.name));
  TRY(netns::remove_leftovers(kernel_->links, instance_));
  write_names_soon();
  return {};
}

Status Networks::withdraw() {
  if (objects_.empty()) return {};
  TRY(need_kernel());
  TRY(remover_.finish());
  // Of namespaces that nobody has taken (prepared.h), the kernel is about to remove these.
  TRY_AS(auto links, kernel_->links.list(instance_.port_prefix()));
  for (const netns::Link& link : links) TRY(kernel_->links.remove(link.name));
  TRY(kernel_->nft.apply(netns::no_ruleset(instance_)));
  TRY(remove_shapers(true));
  for (const auto& [name, object] : objects_)
    if (object.network.kind == netns::NetworkKind::kBridge && object.network.bridge.empty())
      TRY(kernel_->links.remove(instance_.bridge_name(name)));
  return {};
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

std::vector<core::HostCheck> Networks::checks() {
  auto leads_outside = [](const auto& item) {
    netns::NetworkKind kind = item.second.network.kind;
    return kind == netns::NetworkKind::kRouted || kind == netns::NetworkKind::kNat;
  };
  std::vector<core::HostCheck> checks;
  if (!refusals_fault_.empty())
    checks.push_back(
        {"networks", "limited",
         "packets to other labels are refused without an audit record: " + refusals_fault_,
         "modprobe nfnetlink_log, then start zoned again"});
  if (std::none_of(objects_.begin(), objects_.end(), leads_outside)) return checks;
  auto asks_host = [&](const auto& item) {
    return leads_outside(item) && item.second.network.dns.empty();
  };
  if (std::any_of(objects_.begin(), objects_.end(), asks_host) && host_name_servers().empty())
    checks.push_back({"networks", "limited",
                      "this host names no name server that zones could reach",
                      "zone net set NAME --set dns=ADDRESS"});
  auto forwarding = base::read_file(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", 16);
  if (forwarding && forwarding->starts_with("0"))
    checks.push_back({"networks", "limited",
                      "this host does not forward IPv4: zones reach each other and not the outside",
                      "sysctl net.ipv4.ip_forward=1"});
  if (!need_kernel()) return checks;
  auto drops = kernel_->nft.forward_drops(instance_);
  if (!drops) return checks;
  for (const std::string& chain : *drops)
    checks.push_back({"networks", "limited",
                      "chain " + base::quoted(chain) +
                          " of another program drops what it does not name, packets of zones too",
                      "accept interfaces " + instance_.prefix() + "* there"});
  return checks;
}

}  // namespace zoned
