#include "netns/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdio>

#include "base/strings.h"

namespace netns {

using base::Code;
using base::make_error;
using base::Result;

Address Address::v4(uint32_t value) {
  Address result;
  result.family_ = Family::kIpv4;
  for (size_t i = 0; i < 4; ++i) result.bytes_[i] = static_cast<uint8_t>(value >> (24 - 8 * i));
  return result;
}

Address Address::v6(const std::array<uint8_t, 16>& bytes) {
  Address result;
  result.family_ = Family::kIpv6;
  result.bytes_ = bytes;
  return result;
}

Result<Address> Address::parse(std::string_view text) {
  Address result;
  std::string copy(text);
  if (copy.size() != text.size() || copy.find('\0') != std::string::npos) copy.clear();
  if (inet_pton(AF_INET, copy.c_str(), result.bytes_.data()) == 1) {
    result.family_ = Family::kIpv4;
    return result;
  }
  if (inet_pton(AF_INET6, copy.c_str(), result.bytes_.data()) == 1) {
    constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (std::equal(kMapped.begin(), kMapped.end(), result.bytes_.begin()))
      return make_error(Code::kInvalid, base::quoted(text) + " is an IPv4 address in IPv6 form",
                        "write it as IPv4");
    result.family_ = Family::kIpv6;
    return result;
  }
  return make_error(Code::kInvalid, base::quoted(text) + " is not an IPv4 or IPv6 address",
                    "write 10.0.0.1 or fd00::1");
}

std::string Address::text() const {
  if (!valid()) return {};
  char buffer[INET6_ADDRSTRLEN];
  return inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), buffer, sizeof buffer);
}

bool Address::is_loopback() const {
  if (is_v4()) return bytes_[0] == 127;
  return is_v6() && bytes_[15] == 1 &&
         std::all_of(bytes_.begin(), bytes_.end() - 1, [](uint8_t b) { return b == 0; });
}

bool Address::is_multicast() const {
  return is_v4() ? (bytes_[0] & 0xf0) == 0xe0 : is_v6() && bytes_[0] == 0xff;
}

bool Address::is_link_local() const {
  if (is_v4()) return bytes_[0] == 169 && bytes_[1] == 254;
  return is_v6() && bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

bool Address::is_unspecified() const {
  return valid() && std::all_of(bytes_.begin(), bytes_.end(), [](uint8_t b) { return b == 0; });
}

Address Address::plus(uint64_t offset) const {
  Address result = *this;
  uint64_t carry = 0;
  for (size_t i = size(); i-- > 0;) {
    uint64_t sum = result.bytes_[i] + (offset & 0xff) + carry;
    result.bytes_[i] = static_cast<uint8_t>(sum);
    carry = sum >> 8;
    offset >>= 8;
  }
  return result;
}

Address Address::masked(unsigned length) const {
  Address result = *this;
  for (size_t i = 0; i < size(); ++i) {
    size_t first = 8 * i;
    if (first >= length) {
      result.bytes_[i] = 0;
    } else if (length - first < 8) {
      result.bytes_[i] = static_cast<uint8_t>(result.bytes_[i] & (0xff00U >> (length - first)));
    }
  }
  return result;
}

Result<Prefix> Prefix::parse(std::string_view text) {
  size_t slash = text.find('/');
  auto address = Address::parse(text.substr(0, slash));
  if (!address && slash != std::string_view::npos)
    return make_error(Code::kInvalid,
                      base::quoted(text) + " is not a prefix: " + address.error().message,
                      "write 10.0.0.0/24 or fd00::/64");
  if (!address) return std::move(address).error();
  if (slash == std::string_view::npos) return Prefix{*address, address->bits()};
  auto length = base::parse_uint(text.substr(slash + 1), 0, address->bits());
  if (!length)
    return make_error(Code::kInvalid, base::quoted(text) + " has a prefix length that is not 0.." +
                                          std::to_string(address->bits()));
  return Prefix{*address, static_cast<unsigned>(*length)};
}

Result<Prefix> Prefix::parse_network(std::string_view text) {
  TRY_AS(Prefix prefix, parse(text));
  if (text.find('/') == std::string_view::npos)
    return make_error(Code::kInvalid, base::quoted(text) + " has no prefix length",
                      "write " + prefix.address.text() + (prefix.address.is_v4() ? "/24" : "/64"));
  if (!prefix.is_network()) {
    Prefix meant{prefix.address.masked(prefix.length), prefix.length};
    return make_error(Code::kInvalid, base::quoted(text) + " has bits set after its prefix",
                      "write " + meant.text());
  }
  return prefix;
}

std::string Prefix::text() const {
  return address.valid() ? address.text() + "/" + std::to_string(length) : std::string();
}

bool Prefix::contains(const Address& other) const {
  return other.family() == address.family() && other.masked(length) == address.masked(length);
}

bool Prefix::overlaps(const Prefix& other) const {
  unsigned shorter = std::min(length, other.length);
  return address.family() == other.address.family() &&
         address.masked(shorter) == other.address.masked(shorter);
}

Address Prefix::last() const {
  std::array<uint8_t, 16> bytes = {};
  for (size_t i = 0; i < address.size(); ++i) {
    size_t first = 8 * i;
    unsigned mask = first >= length ? 0xffU : length - first < 8 ? 0xffU >> (length - first) : 0;
    bytes[i] = static_cast<uint8_t>(address.data()[i] | mask);
  }
  if (address.is_v6()) return Address::v6(bytes);
  return Address::v4(static_cast<uint32_t>(bytes[0]) << 24 | static_cast<uint32_t>(bytes[1]) << 16 |
                     static_cast<uint32_t>(bytes[2]) << 8 | bytes[3]);
}

Result<Mac> parse_mac(std::string_view text) {
  auto refuse = [&](const char* why) {
    return make_error(Code::kInvalid, base::quoted(text) + why, "write 02:00:00:00:00:01");
  };
  auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  Mac mac = {};
  if (text.size() != 17) return refuse(" is not a hardware address");
  for (size_t i = 0; i < mac.size(); ++i) {
    int high = digit(text[3 * i]);
    int low = digit(text[3 * i + 1]);
    if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
      return refuse(" is not a hardware address");
    mac[i] = static_cast<uint8_t>(high * 16 + low);
  }
  if ((mac[0] & 1) != 0) return refuse(" is a multicast address");
  if (mac == Mac{}) return refuse(" is all zero");
  return mac;
}

std::string mac_text(const Mac& mac) {
  char buffer[18];
  snprintf(buffer, sizeof buffer, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
           mac[4], mac[5]);
  return buffer;
}

Address link_local_of(const Mac& mac) {
  return Address::v6({0xfe, 0x80, 0, 0, 0, 0, 0, 0, static_cast<uint8_t>(mac[0] ^ 2), mac[1],
                      mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]});
}

}  // namespace netns
