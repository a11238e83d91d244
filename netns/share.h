// A network's bandwidth, each way, divided among its ports. The host's ends send what goes to the zones
// and what comes from them through two devices of the network (ifb), where each port has a class (htb)
// with a queue of its own, found by the port's index (u32). Shares count while ports contend; what one
// leaves, the others have. A port's own caps are its class's ceiling instead of shape.h's buckets.
//
// What is in the kernel tells itself which port has which class: a port that comes or goes changes the
// others' rates and nothing else of them. A packet passes the filters of the network's ports in turn.
// Rates count bytes of frames, as in shape.h. tc-htb(8), tc-mirred(8).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "netns/links.h"

namespace netns {

// The two devices (Instance::shaper_name).
struct Shapers {
  std::string receive;  // towards the zones
  std::string send;
};

struct SharedPort {
  std::string host_name;
  uint32_t share = 1;         // 1..65535
  uint64_t receive_bits = 0;  // bits/s towards the zone; 0: no cap of its own
  uint64_t send_bits = 0;
};

// What a class is guaranteed and the weight it borrows by. Pure.
struct ShareRate {
  uint64_t rate = 0;     // bytes/s: its part of the total, at most its cap
  uint64_t ceiling = 0;  // bytes/s: the total, at most its cap
  uint32_t quantum = 0;  // bytes that it may send in turn when it borrows
  bool operator==(const ShareRate&) const = default;
};
struct Weight {
  uint32_t share = 1;
  uint64_t cap_bits = 0;  // 0: none
};
// In the order of `ports`; total_bits != 0.
std::vector<ShareRate> share_rates(uint64_t total_bits, const std::vector<Weight>& ports);

// Makes the devices as needed, and these ports and no others share total_bits (not 0) each way. Ports
// without a link are left out. Live; O(ports). On failure ports may be left that are not shared: to be
// called again.
base::Status set_shares(Links& host, const Shapers& shapers, uint64_t total_bits,
                        const std::vector<SharedPort>& ports);
// The ports have their own caps again, then the devices go. Nothing there is success.
base::Status remove_shares(Links& host, const Shapers& shapers,
                           const std::vector<SharedPort>& ports);

}  // namespace netns
