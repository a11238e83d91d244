// The driver for cgroup v1 hierarchies, with a cgroup2 hierarchy beside them where one is mounted
// (it may carry no controllers). Contract in cgroup.h; Documentation/admin-guide/cgroup-v1/.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "resource/cgroup.h"
#include "resource/cgroup_limits.h"
#include "resource/cgroup_tree.h"

namespace resource {

class CgroupV1 final : public CgroupDriver {
 public:
  static base::Result<std::unique_ptr<CgroupDriver>> open(const CgroupRoots& roots,
                                                          const std::string& subtree,
                                                          const std::string& block_device);

  std::string_view name() const override { return "v1"; }
  WeightRange weight_range() const override { return {2, 262144, 1024}; }
  std::vector<std::string> controllers() const override { return host_.controllers; }
  base::Result<std::vector<CgroupWrite>> plan(const Limits& limits,
                                              std::vector<std::string>* warnings) const override;
  base::Result<std::vector<CgroupWrite>> plan_change(
      const Limits& from, const Limits& to, std::vector<std::string>* warnings) const override;
  base::Status create_pool(const std::string& pool,
                           const std::vector<CgroupWrite>& writes) override;
  base::Status destroy_pool(const std::string& pool) override;
  base::Result<ZoneCgroup> create_zone(const std::string& pool, const std::string& zone,
                                       const std::vector<CgroupWrite>& writes,
                                       uint32_t delegate_uid, uint32_t delegate_gid) override;
  base::Result<ZoneCgroup> open_zone(const std::string& pool, const std::string& zone) override;
  base::Status apply(const std::string& pool, const std::string& zone,
                     const std::vector<CgroupWrite>& writes) override;
  base::Status freeze(const std::string& pool, const std::string& zone, bool frozen) override;
  base::Status kill(const std::string& pool, const std::string& zone) override;
  base::Result<std::vector<pid_t>> processes(const std::string& pool,
                                             const std::string& zone) override;
  base::Result<Usage> usage(const std::string& pool, const std::string& zone) override;
  base::Status destroy_zone(const std::string& pool, const std::string& zone) override;
  base::Result<std::vector<Found>> list() override;
  base::Status destroy_subtree() override;

 private:
  struct Tree {
    CgroupTree folders;
    std::vector<std::string> controllers;
    bool always = false;  // else only once a write needs it
    bool cpuset = false;
  };
  CgroupV1(std::vector<Tree> trees, std::optional<CgroupTree> v2, HostAbilities host)
      : trees_(std::move(trees)), v2_(std::move(v2)), host_(std::move(host)) {}

  // Null when the controller is not mounted.
  Tree* tree_of(const std::string& controller);
  // The hierarchy in which every zone has a folder and all its processes.
  CgroupTree& reference() { return v2_ ? *v2_ : trees_.front().folders; }
  base::Status make_pool_in(Tree* tree, const std::string& pool);
  base::Status make_zone_in(Tree* tree, const std::string& pool, const std::string& zone,
                            MadeFolders* made);
  // Where a hierarchy that is not always used comes into use for a pool or zone that exists.
  base::Status extend(Tree* tree, const std::string& pool, const std::string& zone);
  // Moves the zone's processes up into the pool's folder and removes the zone's.
  base::Status retract(Tree* tree, const std::string& pool, const std::string& zone);
  base::Status move_zone(const std::string& pool, const std::string& zone, int at,
                         const std::string& procs);
  base::Status write_all(const std::string& pool, const std::string& zone,
                         const std::vector<CgroupWrite>& writes);
  base::Status open_procs(const std::string& pool, const std::string& zone, ZoneCgroup* result);
  base::Status set_freezer(const std::string& pool, const std::string& zone, bool frozen);

  std::vector<Tree> trees_;  // those always used first
  std::optional<CgroupTree> v2_;
  HostAbilities host_;
};

}  // namespace resource
