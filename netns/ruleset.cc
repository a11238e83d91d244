#include "netns/ruleset.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/strings.h"
#include "labels/policy.h"
#include "netns/ruleset_tables.h"

namespace netns {
namespace {

constexpr uint64_t kBurstDivisor = 10;  // a tenth of a second's packets, at least 5 (nft's default)

struct SetName {
  std::string family;
  std::string set;
  auto operator<=>(const SetName&) const = default;
};

// Elements by set: the key, and what follows it when it is added (": verdict", "limit ...").
using Elements = std::map<SetName, std::map<std::string, std::string>>;

std::string quoted_name(const std::string& name) { return "\"" + name + "\""; }

bool is_bridged(const PortPlan& port) { return !port.bridge.empty(); }

class PortElements {
 public:
  PortElements(const PortPlan& port, const LabelTable& labels, Elements* elements)
      : port_(port),
        labels_(labels),
        elements_(*elements),
        family_(is_bridged(port) ? "bridge" : "inet"),
        name_(quoted_name(port.host_name)) {}

  void collect() {
    if (port_.kind == PortKind::kDevice) return;
    member("ports");
    member("entry", port_.packets == 0 ? " : goto from_port" : " : goto from_limited_port");
    sources();
    protections();
    place();
    if (!port_.device.empty()) member("segment");
    if (!is_bridged(port_)) {
      answers();
      arp();
      multilevel();
      kind();
      dhcp();
      firewall();
      for (const Publish& publish : port_.publish) published(publish);
    }
  }

 private:
  void add(const std::string& set, const std::string& key, const std::string& data = {}) {
    elements_[{family_, set}][key] = data;
  }
  void member(const std::string& set, const std::string& data = {}) { add(set, name_, data); }
  void with(const std::string& set, const std::string& value) { add(set, name_ + " . " + value); }

  void source(const Prefix& prefix) {
    std::string digit = prefix.address.is_v4() ? "4" : "6";
    if (!prefix.is_host()) return with("net" + digit + "_ok", prefix.text());
    with("ip" + digit + "_ok", prefix.address.text());
    if (prefix.address.is_v6()) with("nd_ok", payload_number(prefix.address));
  }

  void sources() {
    with("mac_ok", port_.mac);
    auto mac = parse_mac(port_.mac);
    if (mac) {
      with("chaddr_ok", payload_number(*mac));
      source({link_local_of(*mac), 128});
    }
    for (const Prefix& own : port_.addresses) source({own.address, own.address.bits()});
    for (const Prefix& prefix : port_.allowed) source(prefix);
  }

  void protections() {
    const Protections& on = port_.protections;
    if (on.mac_nospoof) member("mac_nospoof");
    if (on.ip_nospoof) member("ip_nospoof");
    if (on.dhcp_nospoof) member("dhcp_nospoof");
    if (on.ra_guard) member("ra_guard");
    if (on.restricted && is_bridged(port_)) member("restricted");
    if (port_.packets != 0) {
      uint64_t burst = std::max<uint64_t>(5, port_.packets / kBurstDivisor);
      member("rate_limit", " limit rate over " + std::to_string(port_.packets) + "/second burst " +
                               std::to_string(burst) + " packets");
      member("rate");
    }
    member("denied");
    member("denied_in");
  }

  void place() {
    std::string suffix = domain_suffix({port_.network, port_.label});
    member("domain", " : jump d_" + suffix);
    member("m_" + suffix);
    member(label_set(port_.label));
    if (port_.outward) member("outward");
  }

  // What its domain may learn of the port's addresses.
  void answers() {
    std::string suffix = domain_suffix({port_.network, port_.label});
    member("errors", " : jump e_" + suffix);
    for (const Prefix& own : port_.addresses)
      add((own.address.is_v4() ? "a4_" : "a6_") + suffix, payload_number(own.address));
  }

  void multilevel() {
    auto own = labels_.find(port_.label);
    if (own == labels_.end()) return;
    for (uint16_t port : port_.multilevel)
      for (const auto& [sender, label] : labels_)
        if (label != own->second && labels::may_send(label, own->second, true))
          with("up_" + domain_suffix({port_.network, sender}), std::to_string(port));
  }

  void arp() {
    family_ = "arp";
    member("ports");
    with("mac_ok", port_.mac);
    for (const Prefix& own : port_.addresses)
      if (own.address.is_v4()) with("ip4_ok", own.address.text());
    for (const Prefix& prefix : port_.allowed)
      if (prefix.address.is_v4())
        with(prefix.is_host() ? "ip4_ok" : "net4_ok",
             prefix.is_host() ? prefix.address.text() : prefix.text());
    if (port_.protections.mac_nospoof) member("mac_nospoof");
    if (port_.protections.ip_nospoof) member("ip_nospoof");
    std::string suffix = domain_suffix({port_.network, port_.label});
    member("domain", " : jump d_" + suffix);
    for (const Prefix& own : port_.addresses)
      if (own.address.is_v4()) add("a4_" + suffix, own.address.text());
    family_ = "inet";
  }

  void kind() {
    if (port_.network_kind == NetworkKind::kIsolated) member("isolated");
    if (port_.network_kind == NetworkKind::kNat) member("nat");
    // Fragments are put together, and so have ports, only where connections are tracked.
    if (port_.firewall.active() || !port_.publish.empty() || !port_.multilevel.empty()) return;
    member("plain");
    for (const Prefix& own : port_.addresses)
      add(own.address.is_v4() ? "plain4" : "plain6", own.address.text());
  }

  void dhcp() {
    if (port_.serves_dhcp) member("dhcp_servers");
    auto own = std::find_if(port_.addresses.begin(), port_.addresses.end(),
                            [](const Prefix& prefix) { return prefix.address.is_v4(); });
    auto mac = parse_mac(port_.mac);
    if (!port_.dhcp_server.valid() || own == port_.addresses.end() || !mac) return;
    std::string address = " : " + own->address.text();
    member("dhcp_source", address);
    member("dhcp_server", " : " + port_.dhcp_server.text());
    add("dhcp_hardware", port_.dhcp_server.text() + " . " + payload_number(*mac), address);
  }

  void firewall() {
    if (!port_.firewall.active()) return;
    member("firewall_in", " : jump i_" + port_.host_name);
    member("firewall_out", " : jump o_" + port_.host_name);
  }

  void published(const Publish& publish) {
    auto own = std::find_if(port_.addresses.begin(), port_.addresses.end(), [&](const Prefix& p) {
      return p.address.family() == publish.host.family();
    });
    if (own == port_.addresses.end()) return;
    std::string zone = own->address.text();
    std::string digit = own->address.is_v4() ? "4" : "6";
    std::string key =
        std::string(name_of(publish.protocol)) + " . " + std::to_string(publish.host_port);
    std::string data = " : " + zone + " . " + std::to_string(publish.zone_port);
    if (publish.host.is_unspecified()) {
      add("publish" + digit + "_any", key, data);
    } else {
      add("publish" + digit, publish.host.text() + " . " + key, data);
    }
    add("self" + digit, zone + " . " + zone);
  }

  const PortPlan& port_;
  const LabelTable& labels_;
  Elements& elements_;
  std::string family_;
  std::string name_;
};

std::string elements_text(const Instance& instance, const char* verb, const Elements& elements) {
  bool with_data = std::string_view(verb) == "add";
  std::string text;
  for (const auto& [name, entries] : elements) {
    if (entries.empty()) continue;
    text += std::string(verb) + " element " + name.family + " " + instance.table() + " " +
            name.set + " { ";
    bool first = true;
    for (const auto& [key, data] : entries) {
      if (!first) text += ", ";
      first = false;
      text += key;
      if (with_data) text += data;
    }
    text += " }\n";
  }
  return text;
}

// The kernel refuses intervals that overlap.
std::string set_of(const std::vector<Prefix>& prefixes) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < prefixes.size(); ++i) {
    bool covered = false;
    for (size_t j = 0; j < prefixes.size(); ++j)
      covered = covered || (prefixes[j].overlaps(prefixes[i]) &&
                            (prefixes[j].length < prefixes[i].length ||
                             (prefixes[j].length == prefixes[i].length && j < i)));
    if (!covered) texts.push_back(prefixes[i].text());
  }
  return "{ " + base::join(texts, ", ") + " }";
}

std::vector<PortRange> joined(std::vector<PortRange> ports) {
  std::sort(ports.begin(), ports.end(),
            [](const PortRange& a, const PortRange& b) { return a.first < b.first; });
  std::vector<PortRange> result;
  for (const PortRange& range : ports) {
    if (!result.empty() && range.first <= result.back().last + 1) {
      result.back().last = std::max(result.back().last, range.last);
    } else {
      result.push_back(range);
    }
  }
  return result;
}

// One rule may need two lines: ICMP and ICMPv6.
std::vector<std::string> matches_of(const FirewallRule& rule) {
  std::string addresses;
  for (auto [list, word] : {std::pair(&rule.from, "saddr "), std::pair(&rule.to, "daddr ")})
    if (!list->empty())
      addresses +=
          std::string(list->front().address.is_v4() ? "ip " : "ip6 ") + word + set_of(*list) + " ";
  switch (rule.protocol) {
    case Protocol::kAny:
      return {addresses};
    case Protocol::kIcmp: {
      bool any = rule.from.empty() && rule.to.empty();
      bool v4 = !any && (rule.from.empty() ? rule.to : rule.from).front().address.is_v4();
      if (any) return {"ip protocol icmp ", "meta l4proto ipv6-icmp "};
      return {addresses + (v4 ? "ip protocol icmp " : "meta l4proto ipv6-icmp ")};
    }
    default: {
      std::string protocol(name_of(rule.protocol));
      if (rule.ports.empty()) return {addresses + "meta l4proto " + protocol + " "};
      return {addresses + protocol + " dport { " + ports_text(joined(rule.ports)) + " } "};
    }
  }
}

// The two chains of a port's firewall: "return" accepts.
std::string firewall_chains(const Instance& instance, const PortPlan& port) {
  if (!port.firewall.active()) return {};
  std::string text;
  for (Direction direction : {Direction::kIn, Direction::kOut}) {
    bool in = direction == Direction::kIn;
    std::string chain = "inet " + instance.table() + (in ? " i_" : " o_") + port.host_name;
    std::string drop = in ? "goto deny_to\n" : "goto deny_from\n";
    text += "add chain " + chain + "\nflush chain " + chain + "\n";
    for (const FirewallRule& rule : port.firewall.rules) {
      if (rule.direction != direction) continue;
      for (const std::string& match : matches_of(rule))
        text += "add rule " + chain + " " + match +
                (rule.action == Action::kAccept ? "return\n" : drop);
    }
    Action otherwise = in ? port.firewall.in : port.firewall.out;
    if (otherwise == Action::kDrop) text += "add rule " + chain + " " + drop;
  }
  return text;
}

std::string no_firewall_chains(const Instance& instance, const PortPlan& port) {
  std::string text;
  for (const char* prefix : {" i_", " o_"}) {
    std::string chain = "inet " + instance.table() + prefix + port.host_name + "\n";
    text += "flush chain " + chain + "delete chain " + chain;
  }
  return text;
}

Firewall firewall_of(const std::vector<PortPlan>& ports, const PortPlan& port) {
  auto twin = std::find_if(ports.begin(), ports.end(), [&](const PortPlan& other) {
    return other.host_name == port.host_name;
  });
  return twin == ports.end() ? Firewall() : twin->firewall;
}

Elements elements_of(const std::vector<PortPlan>& ports, const LabelTable& labels) {
  Elements elements;
  for (const PortPlan& port : ports) PortElements(port, labels, &elements).collect();
  return elements;
}

// Entries of `a` that `b` lacks or has with other data.
Elements difference(const Elements& a, const Elements& b) {
  Elements result;
  for (const auto& [name, entries] : a) {
    auto theirs = b.find(name);
    for (const auto& entry : entries) {
      if (theirs != b.end()) {
        auto same = theirs->second.find(entry.first);
        if (same != theirs->second.end() && same->second == entry.second) continue;
      }
      result[name].insert(entry);
    }
  }
  return result;
}

constexpr const char* kFamilies[] = {"inet", "arp", "bridge"};

}  // namespace

std::string no_ruleset(const Instance& instance) {
  std::string text;
  for (const char* family : kFamilies) {
    std::string name = std::string(family) + " " + instance.table() + "\n";
    text += "add table " + name + "delete table " + name;
  }
  return text;
}

std::string whole_ruleset(const Instance& instance, const std::vector<Network>& networks,
                          const std::vector<PortPlan>& ports, const LabelTable& labels,
                          uint16_t log_group) {
  std::set<Domain> domains;
  bool bridged = false;
  for (const Network& network : networks) {
    domains.insert({network.name, 0});
    for (const auto& [number, label] : labels) domains.insert({network.name, number});
    bridged = bridged || !network.is_point_to_point();
  }
  Elements elements;
  std::string chains;
  for (const PortPlan& port : ports) {
    domains.insert({port.network, port.label});
    PortElements(port, labels, &elements).collect();
    chains += firewall_chains(instance, port);
  }
  std::string text = no_ruleset(instance);
  text += inet_table(instance, networks, domains, log_group);
  text += arp_table(instance, networks, domains);
  if (bridged) text += bridge_table(instance, networks, domains, log_group);
  return text + chains + elements_text(instance, "add", elements);
}

std::string add_port(const Instance& instance, const PortPlan& port, const LabelTable& labels) {
  return change_ports(instance, {}, {port}, labels);
}

std::string remove_port(const Instance& instance, const PortPlan& port, const LabelTable& labels) {
  return change_ports(instance, {port}, {}, labels);
}

std::string change_ports(const Instance& instance, const std::vector<PortPlan>& before,
                         const std::vector<PortPlan>& after, const LabelTable& labels) {
  Elements old_elements = elements_of(before, labels);
  Elements new_elements = elements_of(after, labels);
  std::string text;
  for (const PortPlan& port : after)
    if (firewall_of(before, port) != port.firewall) text += firewall_chains(instance, port);
  text += elements_text(instance, "delete", difference(old_elements, new_elements));
  text += elements_text(instance, "add", difference(new_elements, old_elements));
  for (const PortPlan& port : before)
    if (port.firewall.active() && !firewall_of(after, port).active())
      text += no_firewall_chains(instance, port);
  return text;
}

std::string set_of_counter(std::string_view name) {
  std::string set(name);
  std::replace(set.begin(), set.end(), '-', '_');
  return set;
}

}  // namespace netns
