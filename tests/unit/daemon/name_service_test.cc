#include "zoned/daemon/name_service.h"

#include <catch2/catch.hpp>

namespace {

std::string config(const netns::KeyValues& settings, bool outward = true) {
  auto network = netns::parse_network("lan", settings);
  REQUIRE(network);
  return zoned::dnsmasq_config(*network, *netns::Address::parse("10.1.2.5"), outward);
}

bool has(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("A network's server knows the first IPv4 subnet and is the router of it") {
  std::string text = config({{"subnet", "fd00:1::/64,10.1.2.0/23,10.9.0.0/16"}, {"mtu", "1400"}});
  CHECK(has(text, "dhcp-range=10.1.2.0,static,255.255.254.0,1h"));
  CHECK(text.find("10.9.0.0") == std::string::npos);
  CHECK(has(text, "dhcp-option=option:router,10.1.2.5"));
  CHECK(has(text, "dhcp-option=option:mtu,1400"));
}

TEST_CASE("The server of an isolated network asks nobody, unless it is told whom") {
  CHECK(has(config({{"kind", "isolated"}, {"subnet", "10.1.2.0/24"}}), "no-resolv"));
  CHECK_FALSE(has(config({{"kind", "isolated"}, {"subnet", "10.1.2.0/24"}, {"dns", "10.1.2.9"}}),
                  "no-resolv"));
  CHECK_FALSE(has(config({{"kind", "nat"}, {"subnet", "10.1.2.0/24"}}), "no-resolv"));
}

TEST_CASE("The server of another label than the outside's asks nobody, whoever is named") {
  CHECK(has(config({{"subnet", "10.1.2.0/24"}, {"dns", "192.0.2.1"}}, false), "no-resolv"));
  CHECK_FALSE(has(config({{"subnet", "10.1.2.0/24"}, {"dns", "192.0.2.1"}}), "no-resolv"));
}

TEST_CASE("Each label of a network has a server of its own") {
  CHECK(zoned::name_service_of("lan", 1) == "lan-dns");
  CHECK(zoned::name_service_of("lan", 7) == "lan-dns-7");
}
