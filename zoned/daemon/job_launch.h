// Launching a job (core/install_plan.h) through a keeper and following it to its end. What the launch
// took (id range, cgroup, pipes) goes back before `ended` is called, whatever came of it.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/core/install_plan.h"
#include "zoned/daemon/runtime.h"

namespace zoned {

class JobLauncher {
 public:
  struct Request {
    std::string
        name;  // of the plan and of its cgroup: a zone's own that does not run, or a unique one
    std::string pool;
    labels::Label label;
    std::string program;  // its file, absolute
    std::string target;   // the folder that it fills, absolute; may be empty for plans without
    std::string point;  // fault points: "install" gives install.source, install.launch; empty: none
    std::function<base::Result<core::InstallJob>(const core::JobRequest&)> plan;
    // Descriptors beside those that the plan describes; lent until launch() returns.
    std::vector<std::pair<std::string, int>> passed;
    bool talks = false;  // its stdin is a pipe that say() writes to; else /dev/null
    std::function<void(std::string_view line)> on_line;  // of its stdout, without the newline
    // Its warnings; or why it failed (core::job_error).
    std::function<void(base::Result<std::vector<std::string>>)> ended;
  };
  class Launch;
  using LaunchPtr = std::shared_ptr<Launch>;

  explicit JobLauncher(const Parts& parts) : parts_(parts) {}

  // `ended` may be called from inside.
  LaunchPtr launch(Request request);
  // Kills it; `ended` follows, if it has not been called.
  void kill(const Launch& launch);
  // The one line that a job that talks is told; empty: none. Its stdin ends.
  base::Status say(Launch* launch, std::string_view line) const;

 private:
  base::Result<core::InstallJob> plan(Launch* launch) const;
  static base::Status open_stdio(Launch* launch, std::array<base::UniqueFd, 3>* ends);
  base::Status send(const LaunchPtr& launch);
  void started(const LaunchPtr& launch, base::Result<KeeperReply> reply);
  base::Status watch(const LaunchPtr& launch);
  void read_pipe(const LaunchPtr& launch, size_t which);
  void take_output(Launch* launch, size_t which, std::string_view data);
  void drain(Launch* launch);
  void status_came(const LaunchPtr& launch);
  void fail(const LaunchPtr& launch, base::Error error);
  void clean(const LaunchPtr& launch, unsigned attempt);

  Parts parts_;
};

}  // namespace zoned
