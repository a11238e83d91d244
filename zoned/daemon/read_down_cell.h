// The zones of ours that serve read-down (read_down.h): READER-down, a cell of core/reader_cell.h.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/core/plan.h"
#include "zoned/daemon/registry.h"

namespace zoned {

// True for such a zone.
bool is_read_down(const Zone& zone);
std::string read_down_of(const std::string& reader);
// Empty for a name that no such zone has.
std::string reader_of(const std::string& server);
// How it is made, and what is stored of it: at the reader's label.
ZoneConfig read_down_config(const Zone& reader);
ZoneFile read_down_file(const Zone& reader, ZoneFile file);
// The tree of its cell. lib: the folder LIB.
base::Result<base::UniqueFd> read_down_tree(const std::string& lib);
// What it needs and no more, once planned as an app zone.
base::Status confine_read_down(core::ZonePlan* plan);
// Its control socket, in the folder RUN, and that one's listener, which its plan keeps as "control".
std::string read_down_socket(const std::string& server);
base::Result<base::UniqueFd> listen_read_down(const Registry& registry, const std::string& zone);
// The user namespace of a running zone.
base::Result<base::UniqueFd> user_namespace_of(const RuntimeRecord& record);

}  // namespace zoned
