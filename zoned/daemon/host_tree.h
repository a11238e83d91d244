// [[fs]]: trees of the host that a zone mounts. Opened once, at planning; the descriptor is what is
// mounted later, so nothing that happens to the path in between matters.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "zoned/core/spec.h"
#include "zoned/daemon/host_object.h"
#include "zoned/daemon/tree_labels.h"

namespace zoned {

struct HostTree {
  std::string target;  // in the zone
  HostObject object;
  bool folder() const { return S_ISDIR(object.st.st_mode); }
};

// kZoned: what zoned has made for a service of its own; its label is the service's.
enum class Giver { kAdministrator, kZoned };

// Every special of the spec, in order, for a zone of this label: trees of that label alone, since a
// mount that is only read still tells who reads (locks, leases, the page cache). kNotFound with the key's number
// and a hint; kInvalid for what is neither a folder nor a regular file; kDenied for another label.
base::Result<std::vector<HostTree>> open_host_trees(const core::ZoneSpec& spec,
                                                    const labels::Label& label,
                                                    const TreeLabels& trees,
                                                    const labels::Encodings& encodings,
                                                    Giver giver);
std::vector<bool> private_trees(const std::vector<HostTree>& trees);

}  // namespace zoned
