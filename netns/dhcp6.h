// What a guest is told of IPv6: router advertisements (RFC 4861, RFC 8106), which give the way out and
// send it to DHCPv6, and DHCPv6 (RFC 8415), which gives each client the one address that it has leased.
// Pure. A client is known by the source address of its packets, which the packet filter vouches for
// (ip-nospoof); no byte that it sends says who it is.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "netns/address.h"

namespace netns {

inline constexpr uint16_t kDhcp6Client = 546;
inline constexpr uint16_t kDhcp6Server = 547;
// Of addresses; a client asks again after half of it.
inline constexpr std::chrono::seconds kDhcp6Lifetime{3600};
// A router is believed in so long; RFC 4861 allows 9,000 s.
inline constexpr std::chrono::seconds kRouterLifetime{9000};

struct Guidance {
  Address dns;                  // the server's own address, also by DNS; none: IPv6 is not served
  uint32_t mtu = 0;             // bytes
  bool router = false;          // the sender of advertisements is the default route
  std::vector<Prefix> on_link;  // where the clients share a segment
  // By the source of a client's packets: what it has leased. The source is the lease itself where
  // packets are routed to the server, else the client's link-local address.
  std::map<Address, Address> clients;
  bool operator==(const Guidance&) const = default;
};

// Lines "KEY VALUE". parse_guidance() of guidance_text() is equal; kInvalid names the line.
std::string guidance_text(const Guidance& guidance);
base::Result<Guidance> parse_guidance(std::string_view text);

// ICMPv6 of type 134, its checksum 0 (the kernel's matter).
std::string router_advertisement(const Guidance& guidance);
// The answer to a client's message, both without UDP header. None: the message is no client's, is
// broken, is meant for another server, or its sender is unknown: RFC 8415 wants it discarded.
std::optional<std::string> dhcp6_answer(const Guidance& guidance, const Address& source,
                                        std::string_view message);

}  // namespace netns
