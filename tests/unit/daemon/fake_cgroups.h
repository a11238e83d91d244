// A CgroupDriver that remembers weights, and nothing else.
#pragma once

#include <map>
#include <string>

#include "base/strings.h"
#include "resource/cgroup.h"

namespace zoned::testing {

class FakeCgroups : public resource::CgroupDriver {
 public:
  using Writes = std::vector<resource::CgroupWrite>;

  resource::WeightRange range = {2, 262144, 1024};

  // What was last written; 0: nothing.
  uint32_t weight_of(const std::string& pool, const std::string& zone) const {
    auto it = weights_.find(pool + "/" + zone);
    return it == weights_.end() ? 0 : it->second;
  }

  std::string_view name() const override { return "fake"; }
  resource::WeightRange weight_range() const override { return range; }
  std::vector<std::string> controllers() const override { return {"cpu"}; }
  base::Result<Writes> plan(const resource::Limits& limits,
                            std::vector<std::string>* warnings) const override {
    return plan_change({}, limits, warnings);
  }
  base::Result<Writes> plan_change(const resource::Limits& from, const resource::Limits& to,
                                   std::vector<std::string>*) const override {
    if (from.cpu_weight == to.cpu_weight) return Writes{};
    return Writes{{"cpu", "weight", std::to_string(to.cpu_weight), true}};
  }
  base::Status create_pool(const std::string& pool, const Writes& writes) override {
    return apply(pool, "", writes);
  }
  base::Status destroy_pool(const std::string&) override { return {}; }
  base::Result<resource::ZoneCgroup> create_zone(const std::string& pool, const std::string& zone,
                                                 const Writes& writes, uint32_t,
                                                 uint32_t) override {
    TRY(apply(pool, zone, writes));
    return resource::ZoneCgroup{};
  }
  base::Result<resource::ZoneCgroup> open_zone(const std::string&, const std::string&) override {
    return resource::ZoneCgroup{};
  }
  base::Status apply(const std::string& pool, const std::string& zone,
                     const Writes& writes) override {
    for (const auto& write : writes) {
      TRY_AS(uint64_t value, base::parse_uint(write.value, 0, UINT32_MAX));
      weights_[pool + "/" + zone] = static_cast<uint32_t>(value);
    }
    return {};
  }
  base::Status freeze(const std::string&, const std::string&, bool) override { return {}; }
  base::Status kill(const std::string&, const std::string&) override { return {}; }
  base::Result<std::vector<pid_t>> processes(const std::string&, const std::string&) override {
    return std::vector<pid_t>{};
  }
  base::Result<resource::Usage> usage(const std::string&, const std::string&) override {
    return resource::Usage{};
  }
  base::Status destroy_zone(const std::string&, const std::string&) override { return {}; }
  base::Result<std::vector<Found>> list() override { return std::vector<Found>{}; }
  base::Status destroy_subtree() override { return {}; }

 private:
  std::map<std::string, uint32_t> weights_;
};

}  // namespace zoned::testing
