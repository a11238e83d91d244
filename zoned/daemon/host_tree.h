// [[fs]]: trees of the host that a zone mounts. Opened once, at planning; the descriptor is what is
// mounted later, so nothing that happens to the path in between matters.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/core/spec.h"

namespace zoned {

struct HostTree {
  std::string target;  // in the zone
  base::UniqueFd fd;   // O_PATH
  bool folder = true;
  bool is_private = false;  // below a folder of root's that nobody else may enter
};

// Every special of the spec, in order. kNotFound with the key's number and a hint; kInvalid for what
// is neither a folder nor a regular file.
base::Result<std::vector<HostTree>> open_host_trees(const core::ZoneSpec& spec);
std::vector<bool> private_trees(const std::vector<HostTree>& trees);

}  // namespace zoned
