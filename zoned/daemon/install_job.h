// Trees of zones, and files of vm zones: installing them in a confined job, removing them in a child,
// finding the tree for zone run. A zone is `incomplete` from before the first byte to after the last: a kill in between
// leaves that state, which uninstall or another install clears.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/core/install_plan.h"
#include "zoned/daemon/children.h"
#include "zoned/daemon/job_launch.h"
#include "zoned/daemon/runtime.h"

namespace zoned {

class Installer {
 public:
  using OnProgress = std::function<void(const core::Progress&)>;
  using Installed = std::function<void(base::Result<std::vector<std::string>> warnings)>;

  // programs: the folder of zone-unpack and zone-import.
  Installer(const Parts& parts, std::string programs);

  // From configured or incomplete to installed; on failure incomplete is cleared again (configured).
  void install(Zone* zone, const std::string& source, OnProgress on_progress, Installed done);
  // Kills the install under way; done when the zone is configured again.
  void cancel(Zone* zone, Callback done);
  // Removes what was installed: installed or incomplete to configured.
  void uninstall(Zone* zone, Callback done);
  // Removes the zone altogether. It does not run.
  void remove(Zone* zone, Callback done);
  // The tree below a run's overlay: "dir:PATH" or "clone:ZONE" (an installed zone's tree). Its label must
  // be the zone's: both see the same pages (kDenied).
  base::Result<base::UniqueFd> open_run_source(const std::string& source,
                                               const labels::Label& label) const;
  // At start: removes what killed removals and image builds left behind.
  void sweep_leftovers();

 private:
  struct Job;
  using JobPtr = std::shared_ptr<Job>;

  base::Status check_installable(const Zone& zone) const;
  // An install, step by step; each ends in the next one or in fail().
  void build_image(const JobPtr& job);
  void image_built(const JobPtr& job);
  void fill_root(const JobPtr& job, const std::string& folder);
  void fill_vm(const JobPtr& job);
  base::Result<std::string> make_target(const JobPtr& job);
  void release_image(const std::string& image);
  void finish(const JobPtr& job);
  void succeed(const JobPtr& job);
  void fail(const JobPtr& job, base::Error cause);
  // Runs a job that fills the folder `target`; then `next`, or fail().
  using Planner = std::function<base::Result<core::InstallJob>(const core::JobRequest&)>;
  void launch(const JobPtr& job, const std::string& target, Planner plan,
              std::function<void()> next);
  // Runs work in a child; its error comes back.
  void in_child(const std::vector<int>& keep, std::function<base::Status()> work, Callback done);
  void remove_aside(const std::vector<std::string>& names, Callback done);
  base::Result<std::vector<std::string>> discard_content(const std::string& zone);

  Parts parts_;
  std::string programs_;
  JobLauncher launcher_;
  core::InstallFacts facts_;
  std::map<std::string, JobPtr> jobs_;  // installs under way, by zone
  std::map<std::string, std::vector<std::function<void()>>> building_;  // image -> who waits for it
};

}  // namespace zoned
