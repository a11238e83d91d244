// The text of rules. That the kernel takes them, and what they do, is tested in root/netns.
#include "netns/ruleset.h"

#include <catch2/catch.hpp>

#include <map>
#include <set>

#include "base/strings.h"

namespace {

using netns::Instance;
using netns::Network;
using netns::PortPlan;
using netns::PortRequest;

const Instance& instance() {
  static const Instance kInstance("/tmp/one");
  return kInstance;
}

Network network(const std::string& name, const netns::KeyValues& settings) {
  auto parsed = netns::parse_network(name, settings);
  REQUIRE(parsed.ok());
  return *parsed;
}

PortPlan port(const Network& network, const std::string& zone, const char* address,
              const std::function<void(PortRequest&)>& tweak = {}) {
  PortRequest request;
  request.zone = zone;
  request.outward = true;
  request.addresses = {*netns::Address::parse(address)};
  if (tweak) tweak(request);
  auto plan = netns::plan_port(request, network, instance());
  if (!plan) FAIL(plan.error().message);
  return *plan;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// The lines that start with a verb: "add element".
std::set<std::string> lines(const std::string& text, const std::string& verb) {
  std::set<std::string> result;
  for (const std::string& line : base::split(text, '\n'))
    if (line.starts_with(verb)) result.insert(line.substr(verb.size()));
  return result;
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  for (size_t i = text.find(what); i != std::string::npos; i = text.find(what, i + with.size()))
    text.replace(i, what.size(), with);
  return text;
}

}  // namespace

TEST_CASE("the transaction of one port is this text") {
  Network web = network("web", {{"subnet", "10.1.0.0/16"}});
  PortPlan plan = port(web, "a", "10.1.0.2", [](PortRequest& request) {
    request.mac = "02:00:00:00:00:01";
    request.packets = 1000;
    request.relax = {"dhcp-nospoof"};
  });
  std::string text = replaced(netns::add_port(instance(), plan), plan.host_name, "PORT");
  CHECK(replaced(text, instance().table(), "TABLE") ==
        R"(add element arp TABLE a4_web_0 { 10.1.0.2 }
add element arp TABLE domain { "PORT" : jump d_web_0 }
add element arp TABLE ip4_ok { "PORT" . 10.1.0.2 }
add element arp TABLE ip_nospoof { "PORT" }
add element arp TABLE mac_nospoof { "PORT" }
add element arp TABLE mac_ok { "PORT" . 02:00:00:00:00:01 }
add element arp TABLE ports { "PORT" }
add element inet TABLE a4_web_0 { 0x0a010002 }
add element inet TABLE chaddr_ok { "PORT" . 0x020000000001 }
add element inet TABLE denied { "PORT" }
add element inet TABLE denied_in { "PORT" }
add element inet TABLE domain { "PORT" : jump d_web_0 }
add element inet TABLE entry { "PORT" : goto from_limited_port }
add element inet TABLE errors { "PORT" : jump e_web_0 }
add element inet TABLE ip4_ok { "PORT" . 10.1.0.2 }
add element inet TABLE ip6_ok { "PORT" . fe80::ff:fe00:1 }
add element inet TABLE ip_nospoof { "PORT" }
add element inet TABLE l_0 { "PORT" }
add element inet TABLE m_web_0 { "PORT" }
add element inet TABLE mac_nospoof { "PORT" }
add element inet TABLE mac_ok { "PORT" . 02:00:00:00:00:01 }
add element inet TABLE nd_ok { "PORT" . 0xfe80000000000000000000fffe000001 }
add element inet TABLE outward { "PORT" }
add element inet TABLE plain { "PORT" }
add element inet TABLE plain4 { 10.1.0.2 }
add element inet TABLE ports { "PORT" }
add element inet TABLE ra_guard { "PORT" }
add element inet TABLE rate { "PORT" }
add element inet TABLE rate_limit { "PORT" limit rate over 1000/second burst 100 packets }
)");
}

TEST_CASE("a relaxed protection is exactly one set that the port is not in") {
  for (const char* kind : {"routed", "bridge"}) {
    Network net = network("net", {{"kind", kind}, {"subnet", "10.1.0.0/16"}});
    std::string family = std::string(kind) == "bridge" ? "bridge" : "inet";
    PortPlan strict = port(net, "a", "10.1.0.2");
    for (std::string_view name : netns::kProtectionNames) {
      if (name == "restricted" && family == "inet") continue;  // only IP and ARP get that far
      PortPlan loose = port(net, "a", "10.1.0.2",
                            [&](PortRequest& request) { request.relax = {std::string(name)}; });
      std::string change = netns::change_ports(instance(), {strict}, {loose});
      CHECK(lines(change, "add ").empty());
      CHECK(lines(change, "delete ")
                .count("element " + family + " " + instance().table() + " " +
                       netns::set_of_counter(name) + " { \"" + strict.host_name + "\" }") == 1);
      for (const std::string& line : lines(change, "delete "))
        CHECK(has(line, " " + netns::set_of_counter(name) + " { "));
    }
  }
}

TEST_CASE("removing a port deletes the keys that adding it put in") {
  Network nat = network("out", {{"kind", "nat"}, {"subnet", "10.1.0.0/16,fd00::/64"}});
  PortPlan plan = port(nat, "a", "10.1.0.2", [](PortRequest& request) {
    request.addresses.push_back(*netns::Address::parse("fd00::2"));
    request.publish = {*netns::parse_publish("8080:80"),
                       *netns::parse_publish("[fd00::1]:53:53/udp")};
    request.allowed = {*netns::Prefix::parse("10.9.0.0/24")};
    request.firewall.in = netns::Action::kDrop;
    request.packets = 10;
  });
  std::set<std::string> added;
  for (std::string line : lines(netns::add_port(instance(), plan), "add element ")) {
    size_t data = line.find(" : ");
    if (data == std::string::npos) data = line.find(" limit ");
    if (data != std::string::npos) line = line.substr(0, data) + " }";
    added.insert(line);
  }
  std::string removal = netns::remove_port(instance(), plan);
  CHECK(lines(removal, "delete element ") == added);
  CHECK(lines(removal, "delete chain ").size() == 2);
  CHECK(has(netns::add_port(instance(), plan), "publish4_any { tcp . 8080 : 10.1.0.2 . 80 }"));
  CHECK(has(netns::add_port(instance(), plan), "publish6 { fd00::1 . udp . 53 : fd00::2 . 53 }"));
}

TEST_CASE("a change without a difference is no transaction") {
  Network web = network("web", {{"subnet", "10.1.0.0/16"}});
  PortPlan plan = port(web, "a", "10.1.0.2");
  CHECK(netns::change_ports(instance(), {plan}, {plan}).empty());
}

TEST_CASE("peers must name each other, and labels keep domains apart") {
  Network one = network("one", {{"subnet", "10.1.0.0/16"}, {"peer", "two"}});
  Network two = network("two", {{"subnet", "10.2.0.0/16"}});
  CHECK_FALSE(has(netns::whole_ruleset(instance(), {one, two}, {}),
                  "oifname @m_one_0 return\n    oifname @m_two_0 return\n"));
  two.peers = {"one"};
  std::string text = netns::whole_ruleset(instance(), {one, two}, {});
  CHECK(has(text, "chain d_one_0 {\n    oifname @m_one_0 return\n    oifname @m_two_0 return\n"));
  CHECK(has(text, "chain d_two_0 {\n    oifname @m_two_0 return\n    oifname @m_one_0 return\n"));
  PortPlan secret = port(one, "a", "10.1.0.2", [](PortRequest& r) { r.label = 7; });
  text = netns::whole_ruleset(instance(), {one, two}, {secret});
  CHECK(has(text, "chain d_one_7 {\n    oifname @m_one_7 return\n    oifname != "));
  CHECK(has(text, "\"" + secret.host_name + "\" : jump d_one_7"));
}

TEST_CASE("an isolated network has no way out, and the bridge's table comes with a bridge only") {
  Network isolated = network("priv", {{"kind", "isolated"}, {"subnet", "10.1.0.0/16"}});
  std::string text = netns::whole_ruleset(instance(), {isolated}, {});
  CHECK(has(text,
            "chain d_priv_0 {\n    oifname @m_priv_0 return\n"
            "    oifname . udp dport @up_priv_0 return\n    oifname @l_0 goto deny_from\n"
            "    oifname != \"" +
                instance().port_prefix() + "*\" goto deny_from\n    goto deny_label\n"));
  CHECK_FALSE(has(text, "table bridge " + instance().table() + " {"));
  Network lan = network("lan", {{"kind", "bridge"}});
  CHECK(has(netns::whole_ruleset(instance(), {lan}, {}),
            "table bridge " + instance().table() + " {"));
}

TEST_CASE("a multilevel port is open to the labels that it strictly dominates, and to no others") {
  Network one = network("one", {{"subnet", "10.1.0.0/16"}});
  auto label = [](uint8_t level, std::initializer_list<size_t> bits) {
    labels::Compartments compartments;
    for (size_t bit : bits) compartments.set(bit);
    return labels::Label(level, compartments);
  };
  netns::LabelTable labels = {{1, label(1, {})},  {2, label(3, {1})},
                              {3, label(3, {2})}, {4, label(5, {1})},
                              {5, label(2, {})},  {6, labels::Label::admin_high()}};
  PortPlan log = port(one, "log", "10.1.0.2", [](PortRequest& r) {
    r.label = 2;
    r.multilevel = {"udp:514"};
  });
  std::string text = netns::add_port(instance(), log, labels);
  for (const auto& [number, sender] : labels) {
    INFO(sender.encode());
    CHECK(has(text, "up_one_" + std::to_string(number) + " { \"" + log.host_name + "\" . 514 }") ==
          (number == 1 || number == 5));
  }
  CHECK_FALSE(has(netns::add_port(instance(), log), "up_one_"));
  // Fragments have no ports: connections must be tracked, so that they are put together.
  CHECK_FALSE(has(text, " plain "));
}

TEST_CASE("elements of many ports go in by one command for each set") {
  Network web = network("web", {{"subnet", "10.1.0.0/16"}});
  std::vector<PortPlan> ports;
  for (uint64_t i = 2; i < 502; ++i)
    ports.push_back(port(web, "z" + std::to_string(i),
                         netns::Address::parse("10.1.0.0")->plus(i).text().c_str()));
  std::string many = netns::whole_ruleset(instance(), {web}, ports);
  std::string one = netns::whole_ruleset(instance(), {web}, {ports.front()});
  CHECK(lines(many, "add element ").size() == lines(one, "add element ").size());
}

TEST_CASE("what overlaps in a firewall rule is joined: the kernel refuses overlapping intervals") {
  Network web = network("web", {{"subnet", "10.1.0.0/16"}});
  PortPlan plan = port(web, "a", "10.1.0.2", [](PortRequest& request) {
    netns::FirewallRule rule;
    rule.protocol = netns::Protocol::kTcp;
    rule.ports = {{85, 95}, {80, 90}, {96, 97}, {99, 99}};
    rule.from = {*netns::Prefix::parse("10.1.0.0/16"), *netns::Prefix::parse("10.0.0.0/8"),
                 *netns::Prefix::parse("10.0.0.0/8"), *netns::Prefix::parse("192.0.2.0/24")};
    request.firewall.rules = {rule};
  });
  CHECK(has(netns::add_port(instance(), plan),
            "ip saddr { 10.0.0.0/8, 192.0.2.0/24 } tcp dport { 80-97,99 } return\n"));
}

TEST_CASE("firewall rules become these") {
  using netns::Action;
  using netns::Direction;
  using netns::Protocol;
  Network web = network("web", {{"subnet", "10.1.0.0/16"}});
  PortPlan plan = port(web, "a", "10.1.0.2", [](PortRequest& request) {
    request.firewall.in = Action::kDrop;
    request.firewall.rules = {
        {Direction::kIn,
         Action::kAccept,
         Protocol::kTcp,
         {{80, 80}, {8000, 8010}},
         {*netns::Prefix::parse("10.0.0.0/8"), *netns::Prefix::parse("192.0.2.1")},
         {}},
        {Direction::kIn, Action::kAccept, Protocol::kIcmp, {}, {}, {}},
        {Direction::kOut,
         Action::kDrop,
         Protocol::kUdp,
         {},
         {},
         {*netns::Prefix::parse("fd00::/8")}},
        {Direction::kOut, Action::kDrop, Protocol::kAny, {}, {}, {}}};
  });
  std::string text = netns::add_port(instance(), plan);
  std::string rule = "add rule inet " + instance().table();
  std::string in = rule + " i_" + plan.host_name + " ";
  std::string out = rule + " o_" + plan.host_name + " ";
  CHECK(has(text, in + "ip saddr { 10.0.0.0/8, 192.0.2.1/32 } tcp dport { 80,8000-8010 } return\n" +
                      in + "ip protocol icmp return\n" + in + "meta l4proto ipv6-icmp return\n" +
                      in + "goto deny_to\n"));
  CHECK(has(text, out + "ip6 daddr { fd00::/8 } meta l4proto udp goto deny_from\n" + out +
                      "goto deny_from\n"));
  PortPlan open = plan;
  open.firewall = {};
  std::string change = netns::change_ports(instance(), {plan}, {open});
  CHECK(has(change, "delete element inet " + instance().table() + " firewall_in"));
  CHECK(lines(change, "delete chain ").size() == 2);
}

TEST_CASE("what labels refuse is told only where somebody listens") {
  Network web = network("web", {{"subnet", "10.1.0.0/16"}});
  CHECK_FALSE(has(netns::whole_ruleset(instance(), {web}, {}), " log "));
  CHECK(has(netns::whole_ruleset(instance(), {web}, {}, {}, 1234), " group 1234 "));
}
