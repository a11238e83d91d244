#include "netns/network.h"

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

namespace {

using netns::KeyValues;
using netns::Network;
using netns::NetworkKind;

Network good(const std::string& name, const KeyValues& settings) {
  auto network = netns::parse_network(name, settings);
  if (!network) FAIL(network.error().message);
  return *network;
}

std::string refused(const KeyValues& settings, std::string* hint = nullptr) {
  auto network = netns::parse_network("net", settings);
  REQUIRE_FALSE(network.ok());
  if (hint != nullptr) *hint = network.error().hint;
  return network.error().message;
}

}  // namespace

TEST_CASE("a network is parsed from settings and gives them back") {
  const KeyValues kSettings[] = {
      {{"subnet", "10.1.0.0/16"}},
      {{"kind", "nat"}, {"subnet", "10.1.0.0/16"}, {"subnet", "fd00:1::/64"}, {"mtu", "9000"}},
      {{"kind", "isolated"}, {"subnet", "fd00:2::/64"}},
      {{"subnet", "10.1.0.0/16"}, {"bandwidth", "100M"}},
      {{"subnet", "10.1.0.0/16"}, {"dns", "192.0.2.53"}, {"dns", "2001:db8::53"}},
      {{"subnet", "10.1.0.0/16"}, {"peer", "other"}, {"peer", "third"}},
      {{"kind", "bridge"}},
      {{"kind", "bridge"}, {"bridge", "br0"}, {"vlan", "7"}},
      {{"kind", "bridge"}, {"subnet", "10.1.0.0/16"}, {"uplink", "eth1"}, {"gateway", "10.1.0.1"}}};
  for (const KeyValues& settings : kSettings) {
    Network network = good("net", settings);
    CHECK(netns::settings_of(network) == settings);
    CHECK(*netns::parse_network("net", netns::settings_of(network)) == network);
    auto back = netns::network_from_json(netns::network_to_json(network));
    REQUIRE(back.ok());
    CHECK(*back == network);
  }
}

TEST_CASE("settings are applied over what was set before") {
  Network network = good("net", {{"kind", "nat"}, {"subnet", "10.1.0.0/16,10.2.0.0/16"}});
  REQUIRE(network.subnets.size() == 2);
  auto changed = netns::parse_network("net", {{"mtu", "1400"}}, network);
  REQUIRE(changed.ok());
  CHECK(changed->subnets == network.subnets);
  CHECK(changed->mtu == 1400);
  changed = netns::parse_network("net", {{"subnet", "10.3.0.0/16"}, {"mtu", ""}}, *changed);
  REQUIRE(changed.ok());
  CHECK(changed->subnets.size() == 1);
  CHECK(changed->mtu == netns::kDefaultMtu);
}

TEST_CASE("errors of a network name the key and what is wrong") {
  std::string hint;
  CHECK(refused({{"kind", "routd"}}, &hint) == "kind: unknown kind 'routd'");
  CHECK(hint == "did you mean 'routed'?");
  CHECK(refused({{"subnett", "10.0.0.0/8"}}, &hint) == "unknown key 'subnett'");
  CHECK(hint == "did you mean 'subnet'?");
  CHECK(refused({{"subnet", "10.1.2.3/16"}}) ==
        "subnet: '10.1.2.3/16' has bits set after its prefix");
  CHECK(refused({{"subnet", "10.1.0.0/16,10.1.2.0/24"}}) ==
        "subnet: 10.1.2.0/24 overlaps 10.1.0.0/16 of the same network");
  CHECK(refused({{"subnet", "10.1.0.0/16"}, {"dns", "127.0.0.53"}}) ==
        "dns: zones can't reach 127.0.0.53");
  CHECK(refused({{"subnet", "10.1.0.0/16"}, {"bandwidth", "7K"}}) ==
        "bandwidth: 7K is not in 8K..400G");
  CHECK(refused({{"subnet", "10.1.0.0/16"}, {"bandwidth", "0"}}) ==
        "bandwidth: 0 lets nothing pass");
  CHECK(refused({{"kind", "host-device"}, {"device", "eth1"}, {"bandwidth", "1M"}}, &hint) ==
        "bandwidth: interface 'eth1' moves into a zone, where nothing can be enforced");
  CHECK(hint == "set mode=macvlan");
  CHECK(refused({{"kind", "isolated"}}) == "subnet: a network of kind isolated needs one");
  CHECK(refused({{"subnet", "127.0.0.0/8"}}) == "subnet: 127.0.0.0/8 is for loopback");
  CHECK(refused({{"subnet", "169.254.0.0/16"}}) ==
        "subnet: 169.254.0.0/16 is for link-local addresses, where the gateways of zones are");
  CHECK(refused({{"subnet", "224.0.0.0/8"}}) == "subnet: 224.0.0.0/8 is for multicast");
  CHECK(refused({{"subnet", "0.0.0.0/0"}}) == "subnet: 0.0.0.0/0 is the whole address space");
  CHECK(refused({{"subnet", "10.1.0.0/16"}, {"bridge", "br0"}}) ==
        "bridge: a network of kind routed has none");
  CHECK(refused({{"kind", "bridge"}, {"bridge", "much-too-long-name"}}) ==
        "interface name 'much-too-long-name' is too long: 18 bytes, the kernel takes 15");
  CHECK(refused({{"kind", "bridge"}, {"bridge", "br0"}, {"uplink", "eth0"}}) ==
        "uplink: the bridge 'br0' has its own");
  CHECK(refused({{"kind", "bridge"}, {"vlan", "4095"}}).starts_with("vlan: "));
  CHECK(refused({{"kind", "bridge"}, {"subnet", "10.1.0.0/16"}, {"gateway", "10.2.0.1"}}) ==
        "gateway: 10.2.0.1 is in no subnet of the network");
  CHECK(refused({{"subnet", "fd00::/64"}, {"mtu", "1000"}}) ==
        "mtu: 1000 is too small for IPv6, which needs 1280");
  CHECK(refused({{"subnet", "10.1.0.0/16"}, {"mtu", "100"}}).starts_with("mtu: "));
  CHECK(refused({{"subnet", "10.1.0.0/16"}, {"peer", "net"}}) ==
        "peer: 'net' is the network itself");
  CHECK(refused({{"kind", "isolated"}, {"subnet", "10.1.0.0/16"}, {"peer", "other"}}) ==
        "peer: a network of kind isolated has none");
  CHECK(refused({{"mtu", "1400"}, {"mtu", "1500"}}) == "mtu: given twice");
  CHECK(refused({{"kind", "host-device"}}) == "device: a network of kind host-device needs one");
  CHECK(refused({{"kind", "host-device"}, {"device", "lo"}}) ==
        "device: 'lo' is in every zone already");
  CHECK(refused({{"kind", "host-device"}, {"device", "eth1"}, {"mode", "moved"}}, &hint) ==
        "mode: unknown mode 'moved'");
  CHECK(hint == "did you mean 'move'?");
  CHECK(refused({{"kind", "host-device"}, {"device", "eth1"}, {"vlan", "7"}}) ==
        "vlan: a network of kind host-device has none");
  CHECK(refused({{"subnet", "10.1.0.0/16"}, {"device", "eth1"}}) ==
        "device: a network of kind routed has none");
  CHECK_FALSE(netns::parse_network("Net!", {{"subnet", "10.1.0.0/16"}}).ok());
}

TEST_CASE("networks may not overlap, nor share a bridge's VLAN or an uplink") {
  Network one = good("one", {{"subnet", "10.1.0.0/16"}});
  Network two = good("two", {{"subnet", "10.1.128.0/24"}});
  auto status = netns::check_among(two, {one});
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().message == "subnet: 10.1.128.0/24 overlaps 10.1.0.0/16 of network 'one'");
  CHECK(netns::check_among(one, {one}).ok());
  Network lan = good("lan", {{"kind", "bridge"}, {"bridge", "br0"}, {"vlan", "7"}});
  Network same = good("same", {{"kind", "bridge"}, {"bridge", "br0"}, {"vlan", "7"}});
  Network apart = good("apart", {{"kind", "bridge"}, {"bridge", "br0"}, {"vlan", "8"}});
  CHECK_FALSE(netns::check_among(same, {lan}).ok());
  CHECK(netns::check_among(apart, {lan}).ok());
  Network up = good("up", {{"kind", "bridge"}, {"uplink", "eth1"}});
  Network up2 = good("up2", {{"kind", "bridge"}, {"uplink", "eth1"}});
  CHECK_FALSE(netns::check_among(up2, {up}).ok());
  Network taken = good("taken", {{"kind", "host-device"}, {"device", "eth1"}});
  CHECK(netns::check_among(taken, {up}).error().message ==
        "device: 'eth1' belongs to network 'up'");
  Network also = good("also", {{"kind", "host-device"}, {"device", "eth1"}, {"mode", "macvlan"}});
  CHECK(netns::check_among(also, {taken}).error().message ==
        "device: 'eth1' belongs to network 'taken'");
}

TEST_CASE("JSON of a network with unknown members or wrong types is refused") {
  using nlohmann::json;
  json value = netns::network_to_json(good("net", {{"subnet", "10.1.0.0/16"}}));
  REQUIRE(netns::network_from_json(value).ok());
  for (auto [key, wrong] : {std::pair<const char*, json>("extra", 1),
                            {"mtu", "1500"},
                            {"mtu", -1},
                            {"subnets", "10.0.0.0/8"},
                            {"subnets", json::array({7})},
                            {"name", 7},
                            {"kind", nullptr}}) {
    json bad = value;
    bad[key] = wrong;
    CHECK_FALSE(netns::network_from_json(bad).ok());
  }
  CHECK_FALSE(netns::network_from_json(json::array()).ok());
}
