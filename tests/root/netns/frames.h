// Frames as bytes, as a hostile zone would make them: nothing here checks sense.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "netns/address.h"

namespace frames {

using netns::Address;
using netns::Mac;
using Bytes = std::string;

inline constexpr uint16_t kIpv4 = 0x0800;
inline constexpr uint16_t kArp = 0x0806;
inline constexpr uint16_t kVlan = 0x8100;
inline constexpr uint16_t kIpv6 = 0x86dd;

Bytes ethernet(const Mac& to, const Mac& from, uint16_t type, const Bytes& payload);
// An IPv4 or IPv6 packet, after the addresses' family. protocol: IPPROTO_*.
Bytes ip(const Address& from, const Address& to, uint8_t protocol, const Bytes& payload);
Bytes udp(const Address& from, const Address& to, uint16_t from_port, uint16_t to_port,
          const Bytes& payload);
// The packet's payload in two fragments, the first of `first` bytes (a multiple of 8).
std::vector<Bytes> fragments(const Bytes& packet, size_t first);
// An ICMPv6 message with its checksum; body: what follows type, code and checksum.
Bytes icmpv6(const Address& from, const Address& to, uint8_t type, const Bytes& body);
Bytes arp(uint16_t operation, const Mac& sender, const Address& sender_ip, const Address& target);

Bytes bytes_of(const Address& address);
Bytes bytes_of(const Mac& mac);
Mac mac_of(std::string_view text);

}  // namespace frames
