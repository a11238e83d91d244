// What follows from networks and labels: who reaches whom, and who learns of whom.
#include <algorithm>
#include <array>

#include "base/strings.h"
#include "netns/ruleset_tables.h"

namespace netns {
namespace {

const Network* find(const std::vector<Network>& networks, const std::string& name) {
  auto place = std::find_if(networks.begin(), networks.end(),
                            [&](const Network& network) { return network.name == name; });
  return place == networks.end() ? nullptr : &*place;
}

bool are_peers(const Network& a, const Network& b) {
  return std::count(a.peers.begin(), a.peers.end(), b.name) != 0 &&
         std::count(b.peers.begin(), b.peers.end(), a.name) != 0;
}

// The domain itself and those of its label in its network's peers, as suffixes.
std::vector<std::string> reach(const std::vector<Network>& networks,
                               const std::set<Domain>& domains, const Domain& domain) {
  const Network& network = *find(networks, domain.first);
  std::vector<std::string> suffixes = {domain_suffix(domain)};
  for (const std::string& peer : network.peers) {
    const Network* other = find(networks, peer);
    Domain theirs = {peer, domain.second};
    if (other != nullptr && are_peers(network, *other) && domains.count(theirs) != 0)
      suffixes.push_back(domain_suffix(theirs));
  }
  return suffixes;
}

std::vector<Domain> domains_of(const std::vector<Network>& networks,
                               const std::set<Domain>& domains, bool point_to_point) {
  std::vector<Domain> result;
  for (const Domain& domain : domains) {
    const Network* network = find(networks, domain.first);
    if (network != nullptr && network->is_point_to_point() == point_to_point)
      result.push_back(domain);
  }
  return result;
}

// Where packets of a port of this domain may go; "return" goes on with the firewalls.
std::string passage(const Instance& instance, const std::vector<Network>& networks,
                    const std::set<Domain>& domains, const Domain& domain) {
  const Network& network = *find(networks, domain.first);
  std::string suffix = domain_suffix(domain);
  std::string outside = "oifname != \"" + instance.port_prefix() + "*\" ";
  std::string text = "  set m_" + suffix + " { type ifname; }\n";
  if (network.is_point_to_point())
    text += "  set up_" + suffix + " { type ifname . inet_service; }\n";
  text += "  chain d_" + suffix + " {\n";
  for (const std::string& other : reach(networks, domains, domain))
    text += "    oifname @m_" + other + " return\n";
  if (network.kind != NetworkKind::kIsolated)
    text += "    " + outside + "iifname @outward return\n";
  if (network.is_point_to_point())
    for (const std::string& other : reach(networks, domains, domain))
      text += "    oifname . udp dport @up_" + other + " return\n";
  text += "    oifname @" + label_set(domain.second) + " goto deny_from\n";
  if (network.kind == NetworkKind::kIsolated) text += "    " + outside + "goto deny_from\n";
  return text + "    goto deny_label\n  }\n";
}

std::string label_sets(const std::set<Domain>& domains) {
  std::set<uint32_t> labels;
  for (const Domain& domain : domains) labels.insert(domain.second);
  std::string text;
  for (uint32_t label : labels) text += "  set " + label_set(label) + " { type ifname; }\n";
  return text;
}

// 8 bytes of ICMP, then the packet that an error is about; its destination is at 16 (RFC 791), 24
// (RFC 8200).
constexpr std::string_view kInner4 = "@th,192,32";
constexpr std::string_view kInner6 = "@th,256,128";

std::string errors(const std::vector<Network>& networks, const std::set<Domain>& domains,
                   const Domain& domain) {
  std::string suffix = domain_suffix(domain);
  std::string text;
  for (auto [name, inner] : {std::pair(" a4_", kInner4), std::pair(" a6_", kInner6)})
    text += "  set" + std::string(name) + suffix + " { typeof " + std::string(inner) + "; }\n";
  text += "  chain e_" + suffix + " {\n";
  for (const std::string& other : reach(networks, domains, domain)) {
    text += "    meta protocol ip " + std::string(kInner4) + " @a4_" + other + " accept\n";
    text += "    meta protocol ip6 " + std::string(kInner6) + " @a6_" + other + " accept\n";
  }
  return text + "  }\n";
}

Address mask_of(const Prefix& prefix) {
  std::array<uint8_t, 16> ones;
  ones.fill(0xff);
  return (prefix.address.is_v4() ? Address::v4(~0U) : Address::v6(ones)).masked(prefix.length);
}

// Errors about an address of any zone.
std::string hidden(const std::vector<Network>& networks) {
  std::string text = "  chain hidden {\n";
  for (const Network& network : networks)
    for (const Prefix& subnet : network.subnets) {
      bool v4 = subnet.address.is_v4();
      if (network.is_point_to_point())
        text += std::string("    meta protocol ") + (v4 ? "ip " : "ip6 ") +
                std::string(v4 ? kInner4 : kInner6) + " & " + payload_number(mask_of(subnet)) +
                " == " + payload_number(subnet.address) + " drop\n";
    }
  return text + "  }\n";
}

}  // namespace

std::string domain_suffix(const Domain& domain) {
  return domain.first + "_" + std::to_string(domain.second);
}

std::string label_set(uint32_t label) { return "l_" + std::to_string(label); }

std::string inet_domains(const Instance& instance, const std::vector<Network>& networks,
                         const std::set<Domain>& domains) {
  std::string text = label_sets(domains);
  for (const Domain& domain : domains_of(networks, domains, true))
    text += passage(instance, networks, domains, domain) + errors(networks, domains, domain);
  return text + hidden(networks);
}

std::string bridge_domains(const Instance& instance, const std::vector<Network>& networks,
                           const std::set<Domain>& domains) {
  std::string text = label_sets(domains);
  for (const Domain& domain : domains_of(networks, domains, false))
    text += passage(instance, networks, domains, domain);
  return text;
}

// A host that answers for a whole subnet (a DHCP client's link) does so by its routes, which are those
// of zones that run.
std::string arp_domains(const std::vector<Network>& networks, const std::set<Domain>& domains) {
  std::vector<std::string> subnets;
  for (const Network& network : networks)
    for (const Prefix& subnet : network.subnets)
      if (network.is_point_to_point() && subnet.address.is_v4()) subnets.push_back(subnet.text());
  std::string text;
  for (const Domain& domain : domains_of(networks, domains, true)) {
    std::string suffix = domain_suffix(domain);
    text += "  set a4_" + suffix + " { type ipv4_addr; }\n  chain d_" + suffix + " {\n";
    for (const std::string& other : reach(networks, domains, domain))
      text += "    arp daddr ip @a4_" + other + " return\n";
    if (!subnets.empty()) text += "    arp daddr ip { " + base::join(subnets, ", ") + " } drop\n";
    text += "  }\n";
  }
  return text;
}

}  // namespace netns
