// What the keeper is given for a boot beside the plan: descriptors by name (core/keeper_protocol.h).
#include "base/files.h"
#include "base/process.h"
#include "zoned/core/seccomp_filter.h"
#include "zoned/daemon/boot.h"
#include "zoned/daemon/read_down_cell.h"

namespace zoned {

using base::Result;
using base::Status;
using base::UniqueFd;

void Runtime::Boot::pass(std::string descriptor, int fd) {
  if (fd < 0) return;
  names.push_back(std::move(descriptor));
  fds.push_back(fd);
}

void Runtime::Boot::pass(std::string descriptor, UniqueFd fd) {
  pass(descriptor, fd.get());
  passed.push_back({std::move(descriptor), std::move(fd)});
}

// What the keeper is given beside the plan.
Status Runtime::collect(Boot* boot) {
  const core::ZonePlan& plan = boot->planned.plan;
  if (boot->machine) {
    TRY(collect_vm(boot));
  } else {
    TRY(collect_native(boot));
  }
  boot->pass("cgroup", boot->cgroup.v2_payload.get());
  for (size_t i = 0; i < boot->cgroup.v1_procs.size(); ++i)
    boot->pass("procs" + std::to_string(i), boot->cgroup.v1_procs[i].get());
  TRY_AS(int compiled, filter(plan.filter));
  boot->pass("filter", compiled);
  if (boot->prepared) {
    boot->pass("user", boot->prepared->user.get());
    boot->pass("net", boot->prepared->net.get());
  }
  if (!plan.ports.empty()) {
    TRY_AS(base::Pipe go, base::make_pipe());
    boot->pass("go", std::move(go.read));
    boot->go = std::move(go.write);
  }
  if (boot->request.run) {
    constexpr std::array<const char*, 3> kNames = {"stdin", "stdout", "stderr"};
    for (size_t i = 0; i < kNames.size() && !boot->request.tty; ++i)
      boot->pass(kNames.at(i), boot->request.stdio.at(i).get());
    return {};
  }
  TRY_AS(UniqueFd dir, parts_.registry->zone_dir(boot->name, true));
  TRY(base::make_dirs(dir.get(), "log", 0700));
  return {};
}

Status Runtime::collect_native(Boot* boot) {
  TRY_AS(UniqueFd root, core::clone_tree(boot->tree_dir.get()));
  boot->pass("root", std::move(root));
  for (size_t i = 0; i < boot->host_trees.size(); ++i) {
    TRY_AS(UniqueFd tree, core::clone_tree(boot->host_trees[i].object.fd.get()));
    boot->pass("fs." + std::to_string(i), std::move(tree));
  }
  if (is_read_down(*boot->zone)) {
    TRY_AS(UniqueFd control, listen_read_down(*parts_.registry, boot->name));
    boot->pass("control", std::move(control));
  }
  const core::ZonePlan& plan = boot->planned.plan;
  if (plan.ports.empty()) return {};
  TRY_AS(auto files, parts_.networks->name_files(plan.ports));
  for (const auto& [name, file] :
       {std::pair("hosts", &files.hosts), std::pair("resolver", &files.resolver)}) {
    if (!core::mounts_tree(plan, name)) continue;
    TRY_AS(UniqueFd tree, core::clone_tree(file->get()));
    boot->pass(name, std::move(tree));
  }
  return {};
}

Result<int> Runtime::filter(const std::string& profile) {
  auto it = filters_.find(profile);
  if (it == filters_.end()) {
    TRY_AS(UniqueFd compiled, core::filter_memfd(profile));
    it = filters_.emplace(profile, std::move(compiled)).first;
  }
  return it->second.get();
}

}  // namespace zoned
