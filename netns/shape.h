// Bandwidth caps of a port, at the host's end, where the zone can't reach (tc(8) by rtnetlink).
//
// Towards the zone: a token bucket (tbf) on the host end's output. From the zone: what comes in is
// redirected to a device of its own (ifb) and shaped there by a token bucket too, rather than
// policed: a policer drops whole trains of TCP and stays far below the cap, a queue lets TCP find
// it. Rates count bytes of frames; of segments that the kernel passes on as one packet
// not all headers: TCP's payload gets 95.6 to 100 % of a cap at an MTU of 1500.
// The packet rate is limited by the filter (ruleset.h, set "rate").
#pragma once

#include <string>

#include "base/result.h"
#include "netns/links.h"
#include "netns/port.h"

namespace netns {

// Sets, changes or (0) takes away both caps of an existing port's host end. Live.
base::Status set_caps(Links& host, const std::string& host_name, uint64_t receive_bits,
                      uint64_t send_bits);

// What a cap held back, from the queues' own counters.
struct ShapeStatistics {
  uint64_t receive_dropped = 0;
  uint64_t receive_overlimits = 0;
  uint64_t send_dropped = 0;
  uint64_t send_overlimits = 0;
};
base::Result<ShapeStatistics> shape_statistics(Links& host, const std::string& host_name);

}  // namespace netns
