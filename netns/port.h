// A port: one end of a link in a zone's network namespace, the other on the host's side, with what
// is enforced there. The plan carries ports as data; a zone without ports has loopback alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace netns {

struct PortPlan {
  std::string name;     // interface name inside the zone, 1..15 bytes (IFNAMSIZ - 1)
  std::string network;  // the network object it belongs to
  std::string mac;      // "02:00:00:00:00:01"; empty: chosen by the kernel
  uint32_t mtu = 0;     // bytes; 0: the kernel's default
  bool operator==(const PortPlan&) const = default;
};

}  // namespace netns
