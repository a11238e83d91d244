#include "zoned/daemon/name_service.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/log.h"
#include "base/strings.h"
#include "netns/dhcp6.h"
#include "zoned/core/capabilities.h"
#include "zoned/core/cell_tree.h"
#include "zoned/core/landlock.h"
#include "zoned/core/spec_toml.h"
#include "zoned/daemon/instance.h"
#include "zoned/daemon/keepers.h"

namespace zoned {

using base::Code;
using base::Durability;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;
using netns::Address;
using netns::Network;

namespace {

constexpr std::string_view kSource = "cell:dnsmasq";
constexpr const char* kProgram = "/usr/sbin/dnsmasq";
constexpr const char* kGuide = "zone-dhcp6";
constexpr const char* kGuidance = "dhcp6";
constexpr const char* kFolder = "/etc/dnsmasq";
constexpr const char* kPort = "net0";
constexpr size_t kMaxFile = 4 << 20;

std::string suffix_of(uint32_t label) { return label <= 1 ? "" : "-" + std::to_string(label); }

std::string folder_of(const std::string& network, uint32_t label) {
  return "networks/" + network + ".dns" + suffix_of(label);
}

ZoneConfig zone_config(const std::string& zone, const std::string& network,
                       const std::string& label, const std::string& folder) {
  constexpr uint64_t kProcesses = 8;
  constexpr uint64_t kMemory = 64 << 20;
  ZoneConfig config;
  core::ZoneSpec& spec = config.spec;
  spec.name = zone;
  spec.label = label;
  spec.command = {kProgram, "--keep-in-foreground", "--conf-file=/etc/dnsmasq/dnsmasq.conf"};
  spec.restart = core::Restart::kAlways;
  spec.read_only_root = true;
  spec.processes = kProcesses;
  spec.memory_physical = kMemory;
  spec.net.resize(1);
  spec.net[0].network = network;
  spec.net[0].relax = {"dhcp-nospoof", "ra-guard"};
  // Without passwd(5) dnsmasq does not know who root is.
  for (auto& [dir, special] : {std::pair<std::string, std::string>{kFolder, folder},
                               {"/etc/passwd", folder + "/passwd"}}) {
    core::FsSpec fs;
    fs.dir = dir;
    fs.special = special;
    fs.read_only = fs.noexec = true;
    spec.fs.push_back(std::move(fs));
  }
  config.text = "# DHCP and DNS of the network " + network +
                ", made by zoned. Limits may be changed.\n" + core::format_zone(spec);
  return config;
}

// The first IPv4 subnet: its zones may ask (netns::plan_port).
const netns::Prefix* served_subnet(const Network& network) {
  auto it = std::find_if(network.subnets.begin(), network.subnets.end(),
                         [](const netns::Prefix& subnet) { return subnet.address.is_v4(); });
  return it == network.subnets.end() ? nullptr : &*it;
}

// On links of their own the host answers ARP for all of the subnet, so that any of its addresses does as
// a router: the server's is one that no client has.
Address router_of(const Network& network, const Address& server) {
  if (network.is_point_to_point()) return server;
  for (const Address& gateway : network.gateways)
    if (gateway.is_v4()) return gateway;
  return {};
}

std::string mask_of(const netns::Prefix& subnet) {
  uint64_t all = 0xffffffff;
  return Address::v4(static_cast<uint32_t>(all << (32 - subnet.length))).text();
}

// True when the file has other content now.
Result<bool> replace_if_changed(int folder, const std::string& name, const std::string& text) {
  constexpr mode_t kReadable = 0644;
  auto before = base::read_file(folder, name, kMaxFile);
  if (before && *before == text) return false;
  TRY(base::replace_file(folder, name, text, Durability::kRuntime, kReadable));
  return true;
}

}  // namespace

bool is_name_service(const Zone& zone) { return zone.file.source == kSource; }

std::string name_service_of(const std::string& network, uint32_t label) {
  return network + "-dns" + suffix_of(label);
}

std::vector<std::string> name_services_of(Registry& registry, const Networks& networks,
                                          const std::string& network) {
  std::vector<std::string> names;
  for (const auto& [number, label] : networks.labels()) {
    const Zone* zone = registry.find(name_service_of(network, number));
    if (zone != nullptr && is_name_service(*zone)) names.push_back(zone->name);
  }
  return names;
}

Result<UniqueFd> name_service_tree(const std::string& lib) {
  core::CellRecipe recipe;
  recipe.name = "dnsmasq";
  TRY_AS(std::string programs, program_folder());
  recipe.programs = {kProgram, programs + "/" + kGuide};
  recipe.mount_points = {{kFolder, true}, {"/etc/passwd", false}};
  TRY_AS(UniqueFd cells, base::make_dirs(AT_FDCWD, lib + "/cells", 0700));
  auto tree = core::cell_tree(cells.get(), recipe);
  if (!tree && tree.error().code == Code::kNotFound)
    return std::move(tree).error().with_hint("apt-get install dnsmasq-base");
  return tree;
}

Status confine_name_service(const core::HostFacts& host, core::ZonePlan* plan) {
  TRY_AS(std::string programs, program_folder());
  // zone-init's arguments: ids, groups, folder, program, then that program's own from argv[0] on.
  constexpr size_t kProgramPlace = 5;
  std::vector<std::string>& argv = plan->exec.argv;
  if (argv.size() <= kProgramPlace + 1)
    return make_error(Code::kInternal, "the plan has no command");
  argv[kProgramPlace] = programs + "/" + kGuide;
  argv.insert(argv.begin() + kProgramPlace + 1, {kGuide, std::string(kFolder) + "/" + kGuidance});
  // Nothing there is needed, and our programs may lie below it.
  std::erase_if(plan->mounts, [](const core::MountOp& op) { return op.target == "/tmp"; });
  plan->profile = core::Profile::kNames;
  plan->capabilities = core::capabilities_of(plan->profile);
  if (host.landlock_abi > 0) plan->landlock = core::landlock_of(*plan);
  return {};
}

std::string dnsmasq_config(const Network& network, const Address& server, bool outward) {
  std::string text =
      "user=root\ngroup=\npid-file=\nlog-facility=-\n"
      "interface=net0\nexcept-interface=lo\nbind-interfaces\n"
      "no-hosts\naddn-hosts=/etc/dnsmasq/hosts\n"
      "domain-needed\nbogus-priv\ncache-size=1000\n";
  bool leads_out = network.is_point_to_point() || !network.gateways.empty();
  bool alone = !outward || !leads_out ||
               (network.kind == netns::NetworkKind::kIsolated && network.dns.empty());
  text += alone ? "no-resolv\n" : "resolv-file=/etc/dnsmasq/resolv.conf\n";
  const netns::Prefix* subnet = served_subnet(network);
  if (subnet == nullptr) return text;
  text +=
      "leasefile-ro\nno-ping\nquiet-dhcp\ndhcp-authoritative\n"
      "dhcp-hostsfile=/etc/dnsmasq/clients\n"
      "dhcp-range=" +
      subnet->address.text() + ",static," + mask_of(*subnet) + ",1h\n";
  Address router = router_of(network, server);
  text += "dhcp-option=option:router" + (router.valid() ? "," + router.text() : "") + "\n";
  if (network.mtu != netns::kDefaultMtu)
    text += "dhcp-option=option:mtu," + std::to_string(network.mtu) + "\n";
  return text;
}

NameService::NameService(base::EventLoop* loop, Registry* registry, Networks* networks,
                         Keepers* keepers, Boot boot)
    : loop_(loop),
      registry_(registry),
      networks_(networks),
      keepers_(keepers),
      boot_(std::move(boot)) {}

Address NameService::address(const std::string& network, uint32_t label,
                             netns::Family family) const {
  return networks_->lease_of(network, name_service_of(network, label), kPort, family);
}

Result<Networks::NameServer> NameService::server(const Network& network, uint32_t label,
                                                 bool keep) {
  std::string zone = name_service_of(network.name, label);
  if (!keep)
    return Networks::NameServer{*Address::parse(netns::kGateway4),
                                *Address::parse(netns::kGateway6)};
  if (Status prepared = prepare(network, label); !prepared)
    return std::move(prepared).error().context("dhcp: zone " + base::quoted(zone));
  boot_soon(zone);
  return Networks::NameServer{address(network.name, label, netns::Family::kIpv4),
                              address(network.name, label, netns::Family::kIpv6)};
}

Status NameService::prepare(const Network& network, uint32_t label) {
  std::string name = name_service_of(network.name, label);
  Zone* zone = registry_->find(name);
  if (zone != nullptr && !is_name_service(*zone))
    return make_error(Code::kExists, "it exists already and is somebody else's",
                      "rename it: the name is for the network's DHCP and DNS");
  TRY(name_service_tree(registry_->paths().lib));
  if (zone == nullptr) {
    TRY_AS(zone, registry_->create_zone(
                     name,
                     zone_config(name, network.name, networks_->label_name(label),
                                 registry_->paths().run + "/" + folder_of(network.name, label)),
                     false));
    ZoneFile file = zone->file;
    file.state = State::kInstalled;
    file.source = kSource;
    TRY(registry_->set_file(zone, file));
  }
  TRY_AS(std::vector<netns::PortPlan> ports, networks_->plan(*zone, zone->spec, true));
  TRY(networks_->write_leases(*zone, ports));
  TRY(write_files(network, label));
  // A subnet that came while it ran: its next life has the address.
  auto live = networks_->live().find(name);
  if (live != networks_->live().end() && live->second[0].addresses != ports[0].addresses)
    signal(*zone, SIGTERM);
  return {};
}

std::string NameService::guidance(const Network& network, uint32_t label) const {
  netns::Guidance guidance;
  guidance.dns = address(network.name, label, netns::Family::kIpv6);
  guidance.mtu = network.mtu;
  guidance.router = network.is_point_to_point();
  for (const netns::Prefix& subnet : network.subnets)
    if (!network.is_point_to_point() && subnet.address.is_v6()) guidance.on_link.push_back(subnet);
  for (const auto& [zone, ports] : networks_->live())
    for (const netns::PortPlan& port : ports) {
      if (port.network != network.name || port.label != label || !port.dhcp6_server.valid())
        continue;
      auto own = std::find_if(port.addresses.begin(), port.addresses.end(),
                              [](const netns::Prefix& one) { return one.address.is_v6(); });
      auto mac = netns::parse_mac(port.mac);
      if (own == port.addresses.end() || !mac) continue;
      guidance.clients[network.is_point_to_point() ? own->address : netns::link_local_of(*mac)] =
          own->address;
    }
  return netns::guidance_text(guidance);
}

Result<bool> NameService::write_files(const Network& network, uint32_t label) {
  std::string name = name_service_of(network.name, label);
  TRY_AS(UniqueFd folder,
         base::make_dirs(registry_->run_dir(), folder_of(network.name, label), 0755));
  Address own = address(network.name, label, netns::Family::kIpv4);
  bool outward = networks_->is_outward(network, networks_->labels().at(label));
  std::string clients;
  std::string hosts;
  for (const auto& [zone, ports] : networks_->live())
    for (const netns::PortPlan& port : ports) {
      if (port.network != network.name || port.label != label) continue;
      for (const netns::Prefix& address : port.addresses) {
        hosts += address.address.text() + " " + zone + "\n";
        if (port.dhcp_server.valid() && address.address.is_v4())
          clients += port.mac + "," + address.address.text() + "," + zone + "\n";
      }
    }
  int at = folder.get();
  TRY(replace_if_changed(at, "passwd", "root:x:0:0:root:/:/\n"));
  TRY(replace_if_changed(at, "dnsmasq.conf", dnsmasq_config(network, own, outward)));
  TRY(replace_if_changed(at, "resolv.conf", networks_->resolver_of({network.name}, label)));
  TRY_AS(bool names, replace_if_changed(at, "hosts", hosts));
  TRY_AS(bool others, replace_if_changed(at, "clients", clients));
  TRY_AS(bool guests, replace_if_changed(at, kGuidance, guidance(network, label)));
  return names || others || guests;
}

// From the loop: we are asked in the middle of another zone's boot.
void NameService::boot_soon(const std::string& zone) {
  if (!to_boot_.insert(zone).second) return;
  loop_->after(std::chrono::milliseconds(0), [this, zone] {
    to_boot_.erase(zone);
    Zone* target = registry_->find(zone);
    if (target != nullptr && target->state == State::kInstalled && !target->record &&
        target->restart_timer == 0)
      boot_(target);
  });
}

void NameService::refresh() {
  for (const Network& network : networks_->all())
    for (const auto& [label, value] : networks_->labels()) {
      const Zone* zone = registry_->find(name_service_of(network.name, label));
      if (zone == nullptr || !is_name_service(*zone)) continue;
      auto changed = write_files(network, label);
      if (!changed)
        base::log_warning("zone " + base::quoted(zone->name) + ": " + changed.error().message);
      if (changed && *changed) signal(*zone, SIGHUP);
    }
}

// SIGHUP would end a program that does not expect it yet.
void NameService::booted(const std::string& zone) {
  constexpr std::chrono::milliseconds kStart{200};
  const Zone* begun = registry_->find(zone);
  if (begun == nullptr || !is_name_service(*begun)) return;
  starting_.insert(zone);
  loop_->after(kStart, [this, zone] {
    starting_.erase(zone);
    const Zone* server = registry_->find(zone);
    if (untold_.erase(zone) != 0 && server != nullptr) signal(*server, SIGHUP);
  });
}

void NameService::signal(const Zone& zone, int number) {
  bool running = zone.record && zone.state == State::kRunning;
  if (!running || (number == SIGHUP && starting_.contains(zone.name))) {
    untold_.insert(zone.name);
    return;
  }
  keepers_->request(
      zone.record->keeper, {{"op", "signal"}, {"zone", zone.name}, {"signal", number}}, {},
      [name = zone.name](Result<KeeperReply> reply) {
        if (!reply)
          base::log_warning("zone " + base::quoted(name) + ": signal: " + reply.error().message);
      });
}

}  // namespace zoned
