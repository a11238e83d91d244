#include "netns/ruleset.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/strings.h"
#include "netns/elements.h"
#include "netns/ruleset_tables.h"

namespace netns {
namespace {

std::string elements_text(const Instance& instance, const char* verb, const Elements& elements) {
  bool with_data = std::string_view(verb) == "add";
  std::string text;
  for (const auto& [name, entries] : elements) {
    if (entries.empty()) continue;
    text += std::string(verb) + " element " + name.family + " " + instance.table() + " " +
            name.set + " { ";
    bool first = true;
    for (const auto& [key, element] : entries) {
      if (!first) text += ", ";
      first = false;
      text += key;
      if (with_data) text += text_of(element.data);
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
  std::string chains;
  for (const PortPlan& port : ports) {
    domains.insert({port.network, port.label});
    chains += firewall_chains(instance, port);
  }
  std::string text = no_ruleset(instance);
  text += inet_table(instance, networks, domains, log_group);
  text += arp_table(instance, networks, domains);
  if (bridged) text += bridge_table(instance, networks, domains, log_group);
  return text + chains + elements_text(instance, "add", elements_of(ports, labels));
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
