#include "netns/refusal_log.h"

#include <catch2/catch.hpp>

namespace {

constexpr uint16_t kIpv4 = 0x0800;
constexpr uint16_t kArp = 0x0806;
constexpr uint16_t kIpv6 = 0x86dd;

const std::string kLow4 = {10, 1, 0, 2};
const std::string kLow6 = std::string("\xfd\x00\x00\x01", 4) + std::string(11, '\0') + '\2';

std::string ipv6(char next, const std::string& destination, const std::string& rest) {
  return std::string(6, '\0') + next + std::string(17, '\0') + destination + rest;
}

}  // namespace

TEST_CASE("a refused packet tells whom it was for") {
  CHECK(netns::target_of(kIpv4, std::string(16, 'x') + kLow4).text() == "10.1.0.2");
  CHECK(netns::target_of(kArp, std::string(24, 'x') + kLow4 + "rest").text() == "10.1.0.2");
  CHECK(netns::target_of(kIpv6, ipv6(17, kLow6, "")).text() == "fd00:1::2");
  std::string group = "\xff\x02" + std::string(13, '\0') + '\1';
  std::string asked = '\x87' + std::string(7, '\0') + kLow6;
  CHECK(netns::target_of(kIpv6, ipv6(58, group, asked)).text() == "fd00:1::2");
  CHECK(netns::target_of(kIpv6, ipv6(17, group, asked)).text() == "ff02::1");
  CHECK_FALSE(netns::target_of(0x8100, std::string(64, 'x')).valid());
}

TEST_CASE("a packet that is cut off is for nobody") {
  std::string whole = ipv6(58, kLow6, '\x87' + std::string(7, '\0') + kLow6);
  for (size_t size = 0; size < whole.size(); ++size) {
    std::string part = whole.substr(0, size);
    CHECK(netns::target_of(kIpv6, part).valid() == (size == 40));
    CHECK(netns::target_of(kIpv4, part).valid() == (size >= 20));
    CHECK(netns::target_of(kArp, part).valid() == (size >= 28));
  }
}
