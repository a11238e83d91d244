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
//
// mode=move: the zone has the interface itself. Nothing is enforced (plan_port() insists that this is
// asked for by name). An interface of hardware outlives the zone: the kernel gives it back to the
// host's first network namespace, under whatever name root in the zone gave it. return_device() gives
// it back in time, and its name; so it does for a dummy or an ifb. Every other interface made by software ends
// with the zone's namespace: what comes out of a zone under its index could be one that the zone made.
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

// Into the namespace, as port.name, down. Also one that came back under another name. kNotFound
// and kBusy as above.
base::Status move_device(Links& host, const PortPlan& port, int zone_netns);
// Out of it, under its old name, down. Not there (any more) is success. The zone's processes must
// have ended. Hardware address, MTU and other settings stay as they were left.
base::Status return_device(Links& host, const PortPlan& port, int zone_netns);
// What came back to this namespace by itself gets its old name; nothing there is success.
base::Status rename_device(Links& host, const std::string& device);

}  // namespace netns
