// Addresses as typed values: IPv4 and IPv6 addresses, prefixes, hardware addresses. Plain data;
// text is strict both ways (inet_pton(3), RFC 5952 for IPv6), so that one value has one text.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace netns {

enum class Family : uint8_t { kNone, kIpv4, kIpv6 };

class Address {
 public:
  Address() = default;                // no address; text() is empty
  static Address v4(uint32_t value);  // host byte order: 0x0a000001 is 10.0.0.1
  static Address v6(const std::array<uint8_t, 16>& bytes);
  // "10.0.0.1", "fd00::1". No zone index, no IPv4-mapped IPv6.
  static base::Result<Address> parse(std::string_view text);
  std::string text() const;

  Family family() const { return family_; }
  bool valid() const { return family_ != Family::kNone; }
  bool is_v4() const { return family_ == Family::kIpv4; }
  bool is_v6() const { return family_ == Family::kIpv6; }
  bool is_loopback() const;     // 127.0.0.0/8, ::1
  bool is_multicast() const;    // 224.0.0.0/4, ff00::/8
  bool is_link_local() const;   // 169.254.0.0/16, fe80::/10
  bool is_unspecified() const;  // 0.0.0.0, ::
  unsigned bits() const { return is_v4() ? 32 : 128; }
  // Network byte order; size() is 4 or 16.
  const uint8_t* data() const { return bytes_.data(); }
  size_t size() const { return is_v4() ? 4 : 16; }

  // The address `offset` further on; wraps within the family.
  Address plus(uint64_t offset) const;
  // The first `length` bits of this address, the others 0.
  Address masked(unsigned length) const;
  std::strong_ordering operator<=>(const Address&) const = default;

 private:
  Family family_ = Family::kNone;
  std::array<uint8_t, 16> bytes_ = {};
};

// An address with a prefix length. As a network (is_network()) its host bits are 0.
struct Prefix {
  Address address;
  unsigned length = 0;  // 0..32 or 0..128

  // "10.0.0.0/24"; without "/N" the whole address (/32, /128).
  static base::Result<Prefix> parse(std::string_view text);
  // parse() of a subnet: "/N" is needed and host bits must be 0 (the hint names the network).
  static base::Result<Prefix> parse_network(std::string_view text);
  std::string text() const;  // always with "/N"
  bool is_network() const { return address == address.masked(length); }
  bool is_host() const { return length == address.bits(); }
  bool contains(const Address& other) const;
  bool overlaps(const Prefix& other) const;
  Address last() const;  // highest address; IPv4: the broadcast address
  auto operator<=>(const Prefix&) const = default;
};

using Mac = std::array<uint8_t, 6>;
// "02:00:00:00:00:01", lower or upper case; refuses multicast and all-zero addresses.
base::Result<Mac> parse_mac(std::string_view text);
std::string mac_text(const Mac& mac);
// The link-local address that belongs to a hardware address (RFC 4291, appendix A).
Address link_local_of(const Mac& mac);

}  // namespace netns
