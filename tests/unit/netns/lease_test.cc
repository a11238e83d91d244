#include "netns/lease.h"

#include <catch2/catch.hpp>

#include <chrono>
#include <random>
#include <set>

namespace {

using netns::Address;
using netns::Family;
using netns::LeaseTable;
using netns::Network;

Network network(const std::string& subnets, const std::string& gateway = {}) {
  netns::KeyValues settings = {{"kind", "bridge"}, {"subnet", subnets}};
  if (!gateway.empty()) settings.emplace_back("gateway", gateway);
  auto parsed = netns::parse_network("net", settings);
  REQUIRE(parsed.ok());
  return *parsed;
}

Address at(const char* text) { return *Address::parse(text); }

}  // namespace

TEST_CASE("leases are handed out in order, without what is reserved") {
  LeaseTable leases(network("10.1.0.0/29,fd00::/126", "10.1.0.1"));
  std::vector<std::string> got;
  for (int i = 0; i < 5; ++i)
    got.push_back(leases.take_next(Family::kIpv4, "z" + std::to_string(i))->text());
  CHECK(got ==
        std::vector<std::string>{"10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5", "10.1.0.6"});
  auto none = leases.take_next(Family::kIpv4, "late");
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().code == base::Code::kNoSpace);
  CHECK(none.error().message ==
        "network 'net' has no free IPv4 address left: 5 leased of 10.1.0.0/29, fd00::/126");
  CHECK(leases.take_next(Family::kIpv6, "late")->text() == "fd00::1");
}

TEST_CASE("an address that was released is the last to be used again") {
  LeaseTable leases(network("10.1.0.0/29"));
  for (int i = 0; i < 3; ++i) REQUIRE(leases.take_next(Family::kIpv4, "z").ok());
  leases.release(at("10.1.0.1"));
  CHECK(leases.take_next(Family::kIpv4, "a")->text() == "10.1.0.4");
  CHECK(leases.take_next(Family::kIpv4, "a")->text() == "10.1.0.5");
  CHECK(leases.take_next(Family::kIpv4, "a")->text() == "10.1.0.6");
  CHECK(leases.take_next(Family::kIpv4, "a")->text() == "10.1.0.1");
  CHECK_FALSE(leases.take_next(Family::kIpv4, "a").ok());
}

TEST_CASE("a wanted address is refused with the reason, or with who has it") {
  LeaseTable leases(network("10.1.0.0/24,fd00::/64", "10.1.0.1"));
  auto why = [&](const char* address) {
    return leases.take(at(address), "b/net0").error().message;
  };
  CHECK(why("10.2.0.1") == "address 10.2.0.1 is outside of network 'net' (10.1.0.0/24, fd00::/64)");
  CHECK(why("10.1.0.0") ==
        "address 10.1.0.0 is the subnet's own address (10.1.0.0/24 of network 'net')");
  CHECK(why("10.1.0.255") ==
        "address 10.1.0.255 is the subnet's broadcast address (10.1.0.0/24 of network 'net')");
  CHECK(why("10.1.0.1") ==
        "address 10.1.0.1 is the network's gateway (10.1.0.0/24 of network 'net')");
  CHECK(why("fd00::") ==
        "address fd00:: is the subnet-router anycast address (fd00::/64 of network 'net')");
  REQUIRE(leases.take(at("10.1.0.9"), "a/net0").ok());
  CHECK(leases.take(at("10.1.0.9"), "a/net0").ok());
  CHECK(why("10.1.0.9") == "address 10.1.0.9 of network 'net' belongs to a/net0");
  CHECK(leases.holder_of(at("10.1.0.9")) == "a/net0");
}

TEST_CASE("a network without a subnet of the family says so") {
  LeaseTable leases(network("10.1.0.0/24"));
  auto none = leases.take_next(Family::kIpv6, "a");
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().code == base::Code::kInvalid);
  CHECK(none.error().message == "network 'net' has no IPv6 subnet");
}

TEST_CASE("subnets of two addresses lease both, of one that one") {
  LeaseTable two(network("10.1.0.4/31"));
  CHECK(two.take_next(Family::kIpv4, "a")->text() == "10.1.0.4");
  CHECK(two.take_next(Family::kIpv4, "b")->text() == "10.1.0.5");
  CHECK_FALSE(two.take_next(Family::kIpv4, "c").ok());
  LeaseTable one(network("fd00::7/128"));
  CHECK(one.take_next(Family::kIpv6, "a")->text() == "fd00::7");
  CHECK_FALSE(one.take_next(Family::kIpv6, "b").ok());
}

TEST_CASE("any sequence of taking and releasing keeps leases unique, inside and accounted for") {
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    Network net = network("10.1.0.0/27,10.9.0.64/28,fd00::/122", "10.1.0.1");
    LeaseTable leases(net);
    std::map<Address, std::string> model;
    for (int step = 0; step < 500; ++step) {
      std::string holder = "z" + std::to_string(random() % 40);
      switch (random() % 5) {
        case 0: {
          leases.release_holder(holder);
          std::erase_if(model, [&](const auto& entry) { return entry.second == holder; });
          break;
        }
        case 1: {
          Address wanted = at("10.1.0.0").plus(random() % 40);
          bool free = model.count(wanted) == 0 || model[wanted] == holder;
          bool usable = wanted > at("10.1.0.1") && wanted < at("10.1.0.31");
          CHECK(leases.take(wanted, holder).ok() == (free && usable));
          if (free && usable) model[wanted] = holder;
          break;
        }
        default: {
          Family family = random() % 2 == 0 ? Family::kIpv4 : Family::kIpv6;
          size_t room = family == Family::kIpv4 ? 29 + 14 : 63;
          auto used =
              static_cast<size_t>(std::count_if(model.begin(), model.end(), [&](const auto& entry) {
                return entry.first.family() == family;
              }));
          auto lease = leases.take_next(family, holder);
          CHECK(lease.ok() == (used < room));
          if (!lease) break;
          CHECK(netns::check_wanted(net, *lease).ok());
          CHECK(model.emplace(*lease, holder).second);
        }
      }
      CHECK(leases.all() == model);
    }
    for (const auto& [address, holder] : model) {
      auto own = leases.of(holder);
      CHECK(std::count(own.begin(), own.end(), address) == 1);
    }
  }
}

TEST_CASE("10,000 leases are fast, also when they come from the daemon's state") {
  Network net = network("10.1.0.0/16");
  auto start = std::chrono::steady_clock::now();
  LeaseTable leases(net);
  for (int i = 0; i < 10000; ++i)
    REQUIRE(leases.take_next(Family::kIpv4, "zone" + std::to_string(i)).ok());
  LeaseTable restored(net);
  for (const auto& [address, holder] : leases.all()) REQUIRE(restored.take(address, holder).ok());
  CHECK(restored.take_next(Family::kIpv4, "next")->text() == "10.1.39.17");
  auto took = std::chrono::steady_clock::now() - start;
  CHECK(took < std::chrono::seconds(2));  // some 20 ms; a quadratic search takes far longer
}
