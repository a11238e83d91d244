// A boot under way, as the steps of the runtime hand it on (runtime_boot.cc, runtime_vm.cc).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "resource/cgroup.h"
#include "vmzone/plan.h"
#include "zoned/core/planner.h"
#include "zoned/daemon/guests.h"
#include "zoned/daemon/host_tree.h"
#include "zoned/daemon/prepared.h"
#include "zoned/daemon/runtime.h"

namespace zoned {

struct Runtime::Boot {
  std::string name;
  std::string boot_id;
  Zone* zone = nullptr;  // valid while the steps run
  BootRequest request;
  OnBooted done;
  base::UniqueFd tree_dir;  // the zone's tree (or what lies below its overlay)
  std::optional<Prepared::Namespaces> prepared;
  std::vector<HostTree> host_trees;
  core::TreeFacts tree;
  std::vector<std::string> warnings;       // of the tree
  std::optional<vmzone::Machine> machine;  // brand vm
  core::Planned planned;
  resource::ZoneCgroup cgroup;
  // What goes to the keeper beside the plan: `passed` owns what nobody else holds.
  std::vector<Guests::Passed> passed;
  std::vector<std::string> names;
  std::vector<int> fds;
  // With ports: what the launcher waits at, and what became of their rules.
  base::UniqueFd go;
  base::Status rules;
  void pass(std::string descriptor, int fd);  // -1: there is none
  void pass(std::string descriptor, base::UniqueFd fd);
};

}  // namespace zoned
