// Cells: zones launched straight from a plan, without daemon and keeper, so that a test can take one
// wall out of the plan. What the keeper would refuse (core::check_plan) is not asked here.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "resource/cgroup.h"
#include "zoned/core/launcher.h"
#include "zoned/core/mounts.h"
#include "zoned/core/plan.h"

namespace walls {

// A folder with a minimal tree (attacker, mount points), a cgroup subtree of its own, and what the
// attacks are after. One per program run. Removes all of it at the end.
class Yard {
 public:
  Yard();
  ~Yard();
  Yard(const Yard&) = delete;
  Yard& operator=(const Yard&) = delete;

  const std::string& path() const { return path_; }         // 0700
  std::string shared() const { return path_ + "/shared"; }  // 0777, seen by zones as /shared
  resource::CgroupDriver& cgroups() { return *cgroups_; }
  const std::string& attacker() const { return attacker_; }

  // The plan of an app zone (or, with os, of a zone whose init is the attacker) that runs the
  // attacker with these arguments. user: 0 or another id of the zone.
  core::ZonePlan plan(const std::vector<std::string>& attack, bool os = false, unsigned user = 0);

 private:
  std::string path_;
  std::string attacker_;
  std::string subtree_;
  std::unique_ptr<resource::CgroupDriver> cgroups_;
};

struct Outcome {
  bool reached = false;
  std::string output;  // what the attacker printed, or why the launch failed
  bool launched = true;
  bool killed = false;  // by its filter
};
// Launches the plan, waits for the end and reads the verdict. Fails the test on a hang (20 s).
// descriptors: further ones that the plan keeps, by their names there.
Outcome run(Yard& yard, const core::ZonePlan& plan, const core::FdTable& descriptors = {});

}  // namespace walls
