// The driver for a cgroup2 hierarchy that carries the controllers. Contract in cgroup.h.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "resource/cgroup.h"
#include "resource/cgroup_limits.h"
#include "resource/cgroup_tree.h"

namespace resource {

class CgroupV2 final : public CgroupDriver {
 public:
  // Enables the controllers down to the subtree, which it makes. Where `root` holds processes of
  // ours (no inner cgroup with controllers may), they move into its leaf "supervisor".
  static base::Result<std::unique_ptr<CgroupDriver>> open(const std::string& root,
                                                          const std::string& subtree,
                                                          const std::string& block_device);

  std::string_view name() const override { return "v2"; }
  WeightRange weight_range() const override { return {1, 10000, 100}; }
  std::vector<std::string> controllers() const override { return host_.controllers; }
  base::Result<std::vector<CgroupWrite>> plan(const Limits& limits,
                                              std::vector<std::string>* warnings) const override;
  base::Result<std::vector<CgroupWrite>> plan_change(
      const Limits& from, const Limits& to, std::vector<std::string>* warnings) const override;
  std::vector<CgroupWrite> plan_delegation() const override;
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
  base::Status destroy_subtree() override { return tree_.remove_subtree(); }

 private:
  CgroupV2(CgroupTree tree, HostAbilities host) : tree_(std::move(tree)), host_(std::move(host)) {}
  // Enables a controller that is not always on (cpuset) for the children of pool's parent, and,
  // with `for_zones`, of the pool.
  base::Status enable_late(const std::string& controller, const std::string& pool, bool for_zones);
  base::Status write_all(const std::string& pool, const std::string& zone,
                         const std::vector<CgroupWrite>& writes);

  CgroupTree tree_;
  HostAbilities host_;
  std::set<std::string> late_;  // "cpuset" and "cpuset POOL": what enable_late has done
};

}  // namespace resource
