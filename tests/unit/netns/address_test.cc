#include "netns/address.h"

#include <catch2/catch.hpp>

#include <set>

#include "netns/instance.h"

namespace {
using netns::Address;
using netns::Prefix;
}  // namespace

TEST_CASE("addresses have one text each way") {
  for (const char* text : {"10.0.0.1", "255.255.255.255", "0.0.0.0", "fd00::1", "::", "::1",
                           "fe80::a12:3456:789a:bcde"}) {
    auto address = Address::parse(text);
    REQUIRE(address.ok());
    CHECK(address->text() == text);
  }
  CHECK(Address::parse("FD00::0001")->text() == "fd00::1");
  CHECK(Address::v4(0x0a000001).text() == "10.0.0.1");
}

TEST_CASE("what is no address is refused") {
  for (const char* text : {"", "10.0.0", "10.0.0.1.2", "10.0.0.256", "010.0.0.1", " 10.0.0.1",
                           "10.0.0.1 ", "fd00::1%eth0", "::ffff:10.0.0.1", "g::1", "10.0.0.1/8"})
    CHECK_FALSE(Address::parse(text).ok());
  CHECK_FALSE(Address::parse(std::string_view("10.0.0.1\0x", 10)).ok());
}

TEST_CASE("prefixes name what is wrong with them") {
  CHECK(Prefix::parse_network("10.1.0.0/16")->text() == "10.1.0.0/16");
  CHECK(Prefix::parse("10.1.2.3")->text() == "10.1.2.3/32");
  auto host_bits = Prefix::parse_network("10.1.2.3/16");
  REQUIRE_FALSE(host_bits.ok());
  CHECK(host_bits.error().message == "'10.1.2.3/16' has bits set after its prefix");
  CHECK(host_bits.error().hint == "write 10.1.0.0/16");
  auto long_one = Prefix::parse_network("10.0.0.0/33");
  REQUIRE_FALSE(long_one.ok());
  CHECK(long_one.error().message == "'10.0.0.0/33' has a prefix length that is not 0..32");
  CHECK(Prefix::parse_network("fd00::/64x").error().message ==
        "'fd00::/64x' has a prefix length that is not 0..128");
  CHECK_FALSE(Prefix::parse_network("10.0.0.0").ok());
}

TEST_CASE("prefixes know what they hold") {
  Prefix net = *Prefix::parse("10.1.0.0/20");
  CHECK(net.contains(*Address::parse("10.1.15.255")));
  CHECK_FALSE(net.contains(*Address::parse("10.1.16.0")));
  CHECK_FALSE(net.contains(*Address::parse("fd00::1")));
  CHECK(net.last().text() == "10.1.15.255");
  CHECK(Prefix::parse("fd00::/64")->last().text() == "fd00::ffff:ffff:ffff:ffff");
  CHECK(net.overlaps(*Prefix::parse("10.1.8.0/24")));
  CHECK(Prefix::parse("10.1.8.0/24")->overlaps(net));
  CHECK_FALSE(net.overlaps(*Prefix::parse("10.1.16.0/20")));
  CHECK_FALSE(Prefix::parse("0.0.0.0/0")->overlaps(*Prefix::parse("::/0")));
}

TEST_CASE("counting on carries over bytes") {
  CHECK(Address::parse("10.0.255.255")->plus(1).text() == "10.1.0.0");
  CHECK(Address::parse("fd00::ffff:ffff")->plus(2).text() == "fd00::1:0:1");
  CHECK(Address::parse("255.255.255.255")->plus(1).text() == "0.0.0.0");
}

TEST_CASE("hardware addresses are unicast and not zero") {
  CHECK(netns::mac_text(*netns::parse_mac("02:00:00:AB:cd:01")) == "02:00:00:ab:cd:01");
  for (const char* text : {"", "02:00:00:00:00", "02-00-00-00-00-01", "02:00:00:00:00:0g",
                           "01:00:00:00:00:01", "00:00:00:00:00:00", "02:00:00:00:00:01:02"})
    CHECK_FALSE(netns::parse_mac(text).ok());
  CHECK(netns::link_local_of(*netns::parse_mac("02:00:00:ab:cd:01")).text() ==
        "fe80::ff:feab:cd01");
}

TEST_CASE("names of an instance are stable, short, apart, and recognised by prefix") {
  netns::Instance system("/");
  netns::Instance other("/tmp/one");
  CHECK(system.prefix() != other.prefix());
  CHECK(netns::Instance("/").prefix() == system.prefix());
  // Links of a running instance are found again after an upgrade: these may never change.
  CHECK(system.prefix() == "z5dtkax");
  CHECK(system.port_name("web", "net0") == "z5dtkaxp7pnrpxw");
  std::set<std::string> names;
  std::set<std::string> macs;
  for (int i = 0; i < 10000; ++i) {
    std::string zone = "zone" + std::to_string(i);
    auto taken = [&](const std::string& name) { return names.count(name) != 0; };
    std::string name = other.port_name(zone, "net0", taken);
    CHECK(names.insert(name).second);
    CHECK(name.size() == netns::kMaxInterfaceName);
    CHECK(name.starts_with(other.port_prefix()));
    CHECK(netns::check_interface_name(name).ok());
    for (const char* end : {"zone", "host"}) {
      netns::Mac mac = other.mac(zone, "net0", end);
      CHECK((mac[0] & 3) == 2);
      CHECK(macs.insert(netns::mac_text(mac)).second);
    }
  }
  std::string port = *names.begin();
  CHECK(netns::ifb_name(port).starts_with(other.prefix() + "i"));
  CHECK(other.bridge_name("lan").starts_with(other.bridge_prefix()));
}

TEST_CASE("interface names that the kernel or a rule would not take are refused") {
  CHECK(netns::check_interface_name("eth0.7-a_b").ok());
  CHECK(netns::check_interface_name("abcdefghijklmno").ok());
  auto long_one = netns::check_interface_name("abcdefghijklmnop");
  REQUIRE_FALSE(long_one.ok());
  CHECK(long_one.error().message ==
        "interface name 'abcdefghijklmnop' is too long: 16 bytes, the kernel takes 15");
  for (const char* name : {"", ".", "..", "a/b", "a b", "a\"b", "a;b", "a\nb", "a*", "é"})
    CHECK_FALSE(netns::check_interface_name(name).ok());
}
