// Interfaces of the host as ports (networks of kind host-device).
//
// mode=macvlan: the zone is on the segment of the interface, which the host keeps using:
//
//   zone's end --veth or tap-- host end --bridge-- macvlan -- interface
//
// Root in a zone rules its own network namespace: a macvlan in there could be filtered nowhere. So it
// stays on the host's side, with the zone's hardware address, and a bridge of two ports ties it to a
// host end like any other, to which all protections and caps apply. The bridge learns nothing, and
// the rules close it to the host (ruleset.h). The interface turns promiscuous; a zone still gets
// only its own frames, those to everybody and to groups, since the macvlan chooses by address.
#pragma once

#include "base/result.h"
#include "netns/links.h"
#include "netns/port.h"

namespace netns {

// Before the host end is attached to port.bridge: the bridge and the macvlan, both up. What exists
// is success. kNotFound names an absent interface; kBusy one that belongs to a bridge or a bond.
base::Status make_segment(Links& host, const PortPlan& port);
// After that: what is addressed to the zone goes to its host end, not to the host.
base::Status direct_segment(Links& host, const PortPlan& port);

}  // namespace netns
