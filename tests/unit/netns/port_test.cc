#include "netns/port.h"

#include <catch2/catch.hpp>

namespace {

using netns::Address;
using netns::FirewallRule;
using netns::Instance;
using netns::Network;
using netns::PortPlan;
using netns::PortRequest;
using netns::Prefix;

const Instance& instance() {
  static const Instance kInstance("/tmp/one");
  return kInstance;
}

Network network(const char* kind = "routed") {
  auto parsed =
      netns::parse_network("net", {{"kind", kind}, {"subnet", "10.1.0.0/16,fd00:1::/64"}});
  REQUIRE(parsed.ok());
  return *parsed;
}

PortRequest request() {
  PortRequest result;
  result.outward = true;
  result.zone = "web";
  result.addresses = {*Address::parse("10.1.0.2"), *Address::parse("fd00:1::2")};
  return result;
}

PortPlan planned(const PortRequest& request, const Network& network) {
  auto plan = netns::plan_port(request, network, instance());
  if (!plan) FAIL(plan.error().message);
  return *plan;
}

std::string refused(const std::function<void(PortRequest&)>& tweak, const char* kind = "routed") {
  PortRequest bad = request();
  tweak(bad);
  auto plan = netns::plan_port(bad, network(kind), instance());
  REQUIRE_FALSE(plan.ok());
  return plan.error().message;
}

}  // namespace

TEST_CASE("a port of a routed network has host addresses and the link's own gateways") {
  PortPlan plan = planned(request(), network());
  CHECK(plan.name == "net0");
  CHECK(plan.host_name == instance().port_name("web", "net0"));
  CHECK(plan.mtu == 1500);
  CHECK(plan.addresses ==
        std::vector<Prefix>{*Prefix::parse("10.1.0.2/32"), *Prefix::parse("fd00:1::2/128")});
  CHECK(plan.gateways ==
        std::vector<Address>{*Address::parse("169.254.1.1"), *Address::parse("fe80::1")});
  CHECK(plan.host_addresses ==
        std::vector<Prefix>{*Prefix::parse("169.254.1.1/32"), *Prefix::parse("fe80::1/64")});
  CHECK(plan.mac != plan.host_mac);
  CHECK(plan.protections == netns::Protections());
  CHECK(planned(request(), network()) == plan);
}

TEST_CASE("a port of a bridge has the subnet's prefix and the network's gateway") {
  auto lan = netns::parse_network(
      "lan", {{"kind", "bridge"}, {"subnet", "10.1.0.0/16,fd00:1::/64"}, {"gateway", "10.1.0.1"}});
  REQUIRE(lan.ok());
  PortPlan plan = planned(request(), *lan);
  CHECK(plan.addresses.front() == *Prefix::parse("10.1.0.2/16"));
  CHECK(plan.gateways == std::vector<Address>{*Address::parse("10.1.0.1")});
  CHECK(plan.host_addresses.empty());
  CHECK(plan.bridge == instance().bridge_name("lan"));
}

TEST_CASE("protections are all on, and relaxed by name") {
  auto some = netns::relaxed({"ip-nospoof", "restricted"});
  REQUIRE(some.ok());
  CHECK(some->mac_nospoof);
  CHECK_FALSE(some->ip_nospoof);
  CHECK_FALSE(some->restricted);
  CHECK(netns::relaxed_names(*some) == std::vector<std::string>{"ip-nospoof", "restricted"});
  CHECK(netns::relaxed_names(*netns::relaxed({})).empty());
  auto wrong = netns::relaxed({"ip-nospof"});
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.error().message == "unknown protection 'ip-nospof'");
  CHECK(wrong.error().hint == "did you mean 'ip-nospoof'?");
}

TEST_CASE("errors of a port name the setting") {
  CHECK(refused([](PortRequest& r) {
          r.name = "much-too-long-name";
        }).starts_with("name: interface name 'much-too-long-name' is too long: 18 bytes"));
  CHECK(refused([](PortRequest& r) { r.name = "lo"; }) == "name: 'lo' is taken by the kernel");
  CHECK(refused([](PortRequest& r) { r.mac = "01:00:00:00:00:01"; }) ==
        "mac: '01:00:00:00:00:01' is a multicast address");
  CHECK(refused([](PortRequest& r) { r.mtu = 9000; }) ==
        "mtu: 9000 is more than the 1500 of network 'net'");
  CHECK(refused([](PortRequest& r) { r.mtu = 1000; }) ==
        "mtu: 1000 is too small for IPv6, which needs 1280");
  CHECK(refused([](PortRequest& r) { r.addresses = {*Address::parse("10.2.0.1")}; }) ==
        "address 10.2.0.1 is outside of network 'net' (10.1.0.0/16, fd00:1::/64)");
  CHECK(refused([](PortRequest& r) { r.addresses.push_back(r.addresses.front()); }) ==
        "address 10.1.0.2 is given twice");
  CHECK(refused([](PortRequest& r) { r.addresses.clear(); }) ==
        "address: network 'net' needs at least one");
  CHECK(refused([](PortRequest& r) { r.receive_bits = 100; }) ==
        "receive cap: 100 is not in 8000..400000000000");
  CHECK(refused([](PortRequest& r) { r.allowed = {*Prefix::parse("10.9.0.1/16")}; }) ==
        "allowed address 10.9.0.1/16 has bits set after its prefix");
  CHECK(refused([](PortRequest& r) {
          r.routes = {{*Prefix::parse("10.9.0.0/16"), *Address::parse("fe80::1")}};
        }) == "route 10.9.0.0/16: gateway fe80::1 is of the other family");
  CHECK(refused([](PortRequest& r) { r.publish = {*netns::parse_publish("80:80")}; }, "isolated") ==
        "publish 80:80: network 'net' is isolated from the host");
  CHECK(refused([](PortRequest& r) {
          r.publish = {*netns::parse_publish("80:80"), *netns::parse_publish("192.0.2.1:80:81")};
        }) == "publish 192.0.2.1:80:81: clashes with 80:80");
  CHECK(refused([](PortRequest& r) { r.firewall.in = netns::Action::kDrop; }, "bridge")
            .starts_with("firewall: network 'net' is of kind bridge"));
  CHECK(refused([](PortRequest& r) {
          FirewallRule rule;
          rule.ports = {{80, 80}};
          r.firewall.rules = {{}, rule};
        }) == "firewall rule 2: ports: protocol any has none");
  CHECK(refused([](PortRequest& r) { r.kind = netns::PortKind::kMacvlan; }) ==
        "kind: a port is asked for as veth or tap");
}

TEST_CASE("a tap's port differs from a veth's in nothing but the kind, and in its largest MTU") {
  PortRequest tap = request();
  tap.kind = netns::PortKind::kTap;
  PortPlan plan = planned(tap, network());
  CHECK(plan.kind == netns::PortKind::kTap);
  plan.kind = netns::PortKind::kVeth;
  CHECK(plan == planned(request(), network()));
  Network large = network();
  large.mtu = netns::kMaxMtu;
  auto refused = netns::plan_port(tap, large, instance());
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message == "mtu: 65535 is more than a tap takes, which is 65521");
}

namespace {

Network device(const char* mode) {
  auto parsed = netns::parse_network(
      "nic", {{"kind", "host-device"}, {"device", "eth1"}, {"mode", mode}, {"mtu", "1400"}});
  REQUIRE(parsed.ok());
  return *parsed;
}

PortRequest all_relaxed() {
  PortRequest result;
  result.outward = true;
  result.zone = "web";
  result.relax.assign(std::begin(netns::kProtectionNames), std::end(netns::kProtectionNames));
  return result;
}

}  // namespace

TEST_CASE("a macvlan port is bridged to the interface by links of its own, and so is a tap") {
  for (auto [asked, made] : {std::pair(netns::PortKind::kVeth, netns::PortKind::kMacvlan),
                             {netns::PortKind::kTap, netns::PortKind::kTap}}) {
    PortRequest plain;
    plain.outward = true;
    plain.zone = "web";
    plain.kind = asked;
    PortPlan plan = planned(plain, device("macvlan"));
    CHECK(plan.kind == made);
    CHECK(plan.device == "eth1");
    CHECK(plan.bridge == netns::segment_name(plan.host_name));
    CHECK(plan.protections == netns::Protections());
    CHECK(netns::port_of_helper(plan.bridge) == plan.host_name);
    CHECK(netns::port_of_helper(netns::macvlan_name(plan.host_name)) == plan.host_name);
    CHECK(netns::port_of_helper(plan.host_name).empty());
    CHECK(netns::port_of_helper(instance().bridge_name("nic")).empty());
  }
}

TEST_CASE("an interface moves only into a zone whose configuration gives up all that is enforced") {
  auto plan = planned(all_relaxed(), device("move"));
  CHECK(plan.kind == netns::PortKind::kDevice);
  CHECK(plan.device == "eth1");
  CHECK(plan.mac.empty());
  CHECK(plan.bridge.empty());
  auto refused = [](const std::function<void(PortRequest&)>& tweak) {
    PortRequest bad = all_relaxed();
    tweak(bad);
    auto refusal = netns::plan_port(bad, device("move"), instance());
    REQUIRE_FALSE(refusal.ok());
    return refusal.error();
  };
  base::Error silent = refused([](PortRequest& r) { r.relax = {"ra-guard", "mac-nospoof"}; });
  CHECK(silent.message ==
        "ip-nospoof, dhcp-nospoof, restricted: network 'nic' moves interface 'eth1' into the zone, "
        "where nothing can be enforced");
  CHECK(silent.hint == "name these in relax, or: zone net set nic mode=macvlan");
  for (size_t i = 0; i < std::size(netns::kProtectionNames); ++i)
    CHECK(refused([i](PortRequest& r) {
            r.relax[i] = r.relax[i == 0 ? 1 : 0];
          }).message.starts_with(netns::kProtectionNames[i]));
  CHECK(refused([](PortRequest& r) { r.send_bits = 8000; }).message.starts_with("bandwidth: "));
  CHECK(refused([](PortRequest& r) { r.share = 2; }).message.starts_with("bandwidth-share: "));
  CHECK(refused([](PortRequest& r) { r.packets = 10; }).message.starts_with("packets: "));
  CHECK(refused([](PortRequest& r) { r.kind = netns::PortKind::kTap; }).code ==
        base::Code::kUnsupported);
  CHECK(refused([](PortRequest& r) {
          r.firewall.in = netns::Action::kDrop;
        }).message.starts_with("firewall: network 'nic' is of kind host-device"));
}

TEST_CASE("an interface is moved into one zone at a time, and never shared by two labels") {
  PortRequest second = all_relaxed();
  second.zone = "db";
  PortPlan a = planned(all_relaxed(), device("move"));
  PortPlan b = planned(second, device("move"));
  auto status = netns::check_ports({{"zone 'web' port 'net0'", &a}, {"zone 'db' port 'net0'", &b}});
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == base::Code::kBusy);
  CHECK(status.error().message ==
        "zone 'db' port 'net0': interface 'eth1' belongs to zone 'web' port 'net0'");
  a = planned(all_relaxed(), device("macvlan"));
  b = planned(second, device("macvlan"));
  CHECK(netns::check_ports({{"a", &a}, {"b", &b}}).ok());
  b.label = 1;
  CHECK(netns::check_ports({{"a", &a}, {"b", &b}}).error().message ==
        "b: interface 'eth1' carries another label for a");
}

TEST_CASE("an allowed address inside another one is left out: sets take no nested intervals") {
  PortRequest nested = request();
  nested.allowed = {*Prefix::parse("10.7.1.0/24"), *Prefix::parse("10.7.0.0/16"),
                    *Prefix::parse("10.7.0.0/16"), *Prefix::parse("10.8.0.1")};
  CHECK(planned(nested, network()).allowed ==
        std::vector<Prefix>{*Prefix::parse("10.7.0.0/16"), *Prefix::parse("10.8.0.1/32")});
}

TEST_CASE("ports may not share an address, a MAC of one network, or a published port") {
  PortPlan a = planned(request(), network());
  PortRequest other = request();
  other.zone = "db";
  other.addresses = {*Address::parse("10.1.0.3")};
  PortPlan b = planned(other, network());
  auto check = [&] { return netns::check_ports({{"zone 'web'", &a}, {"zone 'db'", &b}}); };
  CHECK(check().ok());
  b.addresses = a.addresses;
  CHECK(check().error().message == "zone 'db': address 10.1.0.2 belongs to zone 'web'");
  b = planned(other, network());
  b.mac = a.mac;
  CHECK(check().error().message == "zone 'db': mac " + a.mac + " belongs to zone 'web'");
  b.network = "elsewhere";
  CHECK(check().ok());
  a.publish = {*netns::parse_publish("8080:80")};
  b.publish = {*netns::parse_publish("127.0.0.1:8080:81")};
  CHECK(check().error().message ==
        "zone 'db': the published 127.0.0.1:8080:81 belongs to zone 'web' (8080:80)");
  b.publish = {*netns::parse_publish("127.0.0.1:8080:81/udp")};
  CHECK(check().ok());
}

TEST_CASE("words of a firewall are parsed strictly") {
  CHECK(netns::ports_text(*netns::parse_ports("80, 8000-8010")) == "80,8000-8010");
  for (const char* text : {"", "0", "65536", "80-", "-80", "90-80", "80,", "http"})
    CHECK_FALSE(netns::parse_ports(text).ok());
  CHECK(netns::parse_action("dorp").error().hint == "did you mean 'drop'?");
  CHECK(netns::parse_direction("in").ok());
  CHECK(netns::parse_protocol("sctp").error().message == "unknown protocol 'sctp'");
  FirewallRule mixed;
  mixed.from = {*Prefix::parse("10.0.0.0/8")};
  mixed.to = {*Prefix::parse("fd00::/8")};
  CHECK_FALSE(netns::check(mixed).ok());
}

TEST_CASE("publications are parsed strictly and give their text back") {
  for (const char* text :
       {"8080:80", "127.0.0.1:8080:80", "[fd00::1]:8080:80/udp", "53:53/udp", "[::]:80:80"})
    CHECK(netns::publish_text(*netns::parse_publish(text)) == text);
  CHECK(netns::parse_publish("80:80/tcp").ok());
  for (const char* text :
       {"", "80", ":80", "80:", "0:80", "80:65536", "fd00::1:80:80", "[10.0.0.1]:80:80",
        "[::1]:80:80", "80:80/icmp", "80:80/", "x:80:80", "224.0.0.1:80:80", "1:2:3:4"})
    CHECK_FALSE(netns::parse_publish(text).ok());
}

TEST_CASE("a port asks by DHCP on a link of its own, for one address of the first IPv4 subnet") {
  auto ask = [](PortRequest& r) {
    r.dhcp = true;
    r.dhcp_server = *Address::parse("10.1.0.9");
  };
  PortRequest good = request();
  ask(good);
  CHECK(planned(good, network()).dhcp_server == good.dhcp_server);
  CHECK_FALSE(planned(request(), network()).dhcp_server.valid());
  Network bridge = network("bridge");
  CHECK(planned(good, bridge).dhcp_server == good.dhcp_server);
  bridge.uplink = "eth1";
  auto others = netns::plan_port(good, bridge, instance());
  REQUIRE_FALSE(others.ok());
  CHECK(others.error().message ==
        "dhcp: network 'net' is of kind bridge with others on its segment, which may have its own");
  CHECK(refused([&](PortRequest& r) {
          ask(r);
          r.addresses = {*Address::parse("fd00:1::2")};
        }) == "dhcp: the port needs one IPv4 address");
  Network two = network();
  two.subnets.push_back(*Prefix::parse("10.2.0.0/16"));
  good.addresses = {*Address::parse("10.2.0.2")};
  auto other = netns::plan_port(good, two, instance());
  REQUIRE_FALSE(other.ok());
  CHECK(other.error().message ==
        "dhcp: address 10.2.0.2 is not in the network's first IPv4 subnet");
}

TEST_CASE("what would join different labels is refused in planning") {
  PortRequest outsider = all_relaxed();
  outsider.outward = false;
  for (const char* mode : {"move", "macvlan"}) {
    auto plan = netns::plan_port(outsider, device(mode), instance());
    REQUIRE_FALSE(plan.ok());
    CHECK(plan.error().message ==
          "label: what is outside of network 'nic' has another label than the zone");
    CHECK(plan.error().hint == "zone net set nic outside-label=LABEL");
  }
  auto low = [](PortRequest& r) { r.outward = false; };
  CHECK(refused([&](PortRequest& r) {
          low(r);
          r.publish = {*netns::parse_publish("8080:80")};
        }) == "publish 8080:80: what is outside of network 'net' has another label than the zone");
  for (const char* text : {"tcp:514", "udp:0", "udp:65536", "udp", "514", "icmp:8", "udp:5x", ""}) {
    INFO(text);
    std::string why = refused([&](PortRequest& r) { r.multilevel = {text}; });
    CHECK(why.starts_with("multilevel-port: "));
    CHECK((why.find("acknowledgements, which would flow down") != std::string::npos) ==
          (std::string(text) == "tcp:514"));
  }
  CHECK(refused([](PortRequest& r) {
          r.multilevel = {"udp:514", "udp:514"};
        }) == "multilevel-port: udp:514 is given twice");
  CHECK(refused([](PortRequest& r) { r.multilevel = {"udp:514"}; }, "bridge")
            .starts_with("multilevel-port: network 'net' is of kind bridge"));
  PortRequest good = request();
  good.outward = false;
  good.multilevel = {"udp:514", "udp:9"};
  PortPlan plan = planned(good, network("routed"));
  CHECK(plan.multilevel == std::vector<uint16_t>{514, 9});
  CHECK_FALSE(plan.outward);
}

TEST_CASE("a bridge of several labels has no port that may take another's hardware address") {
  PortRequest first = request();
  PortRequest second = request();
  second.zone = "other";
  second.addresses = {*netns::Address::parse("10.1.0.77")};
  auto check = [&] {
    PortPlan a = planned(first, network("bridge"));
    PortPlan b = planned(second, network("bridge"));
    return netns::check_ports({{"zone 'a' port 'net0'", &a}, {"zone 'b' port 'net0'", &b}});
  };
  second.label = 2;
  CHECK(check().ok());
  first.relax = {"mac-nospoof"};
  REQUIRE_FALSE(check().ok());
  CHECK(check().error().message.starts_with("zone 'a' port 'net0': mac-nospoof is relaxed"));
  std::swap(first.relax, second.relax);
  CHECK_FALSE(check().ok());
  second.label = 0;
  CHECK(check().ok());
}
