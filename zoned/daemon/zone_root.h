// A running zone from outside: its root folder, and a display that it offers there. Everything in
// it is the zone's to arrange, so paths are resolved within its root, waited for nowhere, and
// believed nothing.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/daemon/state.h"

namespace zoned {

// The zone's root as its first process sees it (O_PATH). kState when that has ended.
base::Result<base::UniqueFd> zone_root(const RuntimeRecord& record);

// Connects to the unix stream socket at `path` of the zone. It must be a socket of the zone's own:
// its owner an id of the zone, with whose rights we connect. So a zone that puts a link there, or a
// tree of the host with a socket of somebody else's in it, gets nothing that it could not do
// itself. Never waits: a full queue is kBusy.
base::Result<base::UniqueFd> connect_in_zone(const RuntimeRecord& record, const std::string& path);

}  // namespace zoned
