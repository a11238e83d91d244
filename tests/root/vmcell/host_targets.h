// What the host offers an attacker: paths, processes, devices; in the words of evilvmm.
#pragma once

#include <string>
#include <vector>

namespace vmcell {

// A sample of the host's files, below each folder breadth first, and processes. Devices without a
// driver, socket families without one (opening them would load a module) and watchdogs are left out.
std::string crawl_host(const std::vector<std::string>& more_folders);

}  // namespace vmcell
