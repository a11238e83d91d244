#include "tests/root/netns/frames.h"

#include <netinet/in.h>

namespace frames {
namespace {

Bytes big(uint64_t value, size_t size) {
  Bytes bytes;
  for (size_t i = size; i-- > 0;) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

uint16_t checksum(const Bytes& data) {
  uint32_t sum = 0;
  for (size_t i = 0; i < data.size(); ++i)
    sum += static_cast<uint32_t>(static_cast<uint8_t>(data[i])) << (i % 2 == 0 ? 8 : 0);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

// What the checksums of UDP and ICMPv6 cover besides the message (RFC 768, RFC 8200).
Bytes pseudo_header(const Address& from, const Address& to, uint8_t protocol, size_t size) {
  return bytes_of(from) + bytes_of(to) + big(size, 4) + big(protocol, 4);
}

}  // namespace

Bytes bytes_of(const Address& address) {
  return {reinterpret_cast<const char*>(address.data()), address.size()};
}
Bytes bytes_of(const Mac& mac) { return {reinterpret_cast<const char*>(mac.data()), mac.size()}; }
Mac mac_of(std::string_view text) { return *netns::parse_mac(text); }

Bytes ethernet(const Mac& to, const Mac& from, uint16_t type, const Bytes& payload) {
  return bytes_of(to) + bytes_of(from) + big(type, 2) + payload;
}

Bytes ip(const Address& from, const Address& to, uint8_t protocol, const Bytes& payload) {
  if (from.is_v6())
    return big(0x60000000, 4) + big(payload.size(), 2) + big(protocol, 1) + big(64, 1) +
           bytes_of(from) + bytes_of(to) + payload;
  Bytes start = big(0x4500, 2) + big(20 + payload.size(), 2) + big(0x1234, 2) + big(0, 2) +
                big(64, 1) + big(protocol, 1);
  Bytes addresses = bytes_of(from) + bytes_of(to);
  return start + big(checksum(start + big(0, 2) + addresses), 2) + addresses + payload;
}

Bytes udp(const Address& from, const Address& to, uint16_t from_port, uint16_t to_port,
          const Bytes& payload) {
  Bytes start = big(from_port, 2) + big(to_port, 2) + big(8 + payload.size(), 2);
  uint16_t sum = checksum(pseudo_header(from, to, IPPROTO_UDP, 8 + payload.size()) + start +
                          big(0, 2) + payload);
  return ip(from, to, IPPROTO_UDP, start + big(sum, 2) + payload);
}

Bytes icmpv6(const Address& from, const Address& to, uint8_t type, const Bytes& body) {
  Bytes start = big(type, 1) + big(0, 1);
  uint16_t sum =
      checksum(pseudo_header(from, to, IPPROTO_ICMPV6, 4 + body.size()) + start + big(0, 2) + body);
  Bytes packet = ip(from, to, IPPROTO_ICMPV6, start + big(sum, 2) + body);
  packet[7] = static_cast<char>(255);  // neighbour discovery's hop limit
  return packet;
}

std::vector<Bytes> fragments(const Bytes& packet, size_t first) {
  bool v6 = (packet[0] & 0xf0) == 0x60;
  size_t header = v6 ? 40 : 20;
  Bytes head = packet.substr(0, header);
  Bytes payload = packet.substr(header);
  std::vector<Bytes> result;
  for (size_t start : {size_t{0}, first}) {
    bool last = start != 0;
    Bytes part = last ? payload.substr(first) : payload.substr(0, first);
    if (v6) {
      Bytes own = head;
      own.replace(4, 2, big(part.size() + 8, 2));
      own[6] = IPPROTO_FRAGMENT;
      Bytes extension =
          head.substr(6, 1) + big(0, 1) + big(start | (last ? 0 : 1), 2) + big(0x55667788, 4);
      result.push_back(own + extension + part);
    } else {
      Bytes own = head;
      own.replace(2, 2, big(20 + part.size(), 2));
      own.replace(6, 2, big(start / 8 | (last ? 0 : 0x2000), 2));
      own.replace(10, 2, big(0, 2));
      own.replace(10, 2, big(checksum(own), 2));
      result.push_back(own + part);
    }
  }
  return result;
}

Bytes arp(uint16_t operation, const Mac& sender, const Address& sender_ip, const Address& target) {
  return big(1, 2) + big(kIpv4, 2) + big(6, 1) + big(4, 1) + big(operation, 2) + bytes_of(sender) +
         bytes_of(sender_ip) + big(0, 6) + bytes_of(target);
}

}  // namespace frames
