// What zone-unpack does inside an installing job: fills a tree from an archive, another tree or
// mmdebstrap. Runs confined (install_plan.h), so its inputs may be hostile; still each member is
// checked here, since a tree with foreign devices or paths is refused, not repaired.
//
// Kept: owners (numbers), modes, times, hard links, holes, POSIX ACLs, user.* attributes and file
// capabilities. Sockets are left out. Device nodes are refused, but for the standard ones (null,
// zero, full, random, urandom, tty, console, ptmx, ttyN) below dev/, which are left out with a
// warning: a zone's /dev is made at boot. The top folder gets at least mode 0555, or nobody but root
// could enter the zone's "/".
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace core {

// Exit statuses of a job beside 0, 1 and 2 (install_plan.h).
inline constexpr int kJobExists = 3;  // something is there already
inline constexpr int kJobBusy = 4;    // in use, or changed meanwhile
inline constexpr int kJobMissing = 5;

// Where a job's words go; empty functions are allowed.
class UnpackReport {
 public:
  using ProgressSink = std::function<void(std::string_view stage, uint64_t done, uint64_t total)>;
  using WarningSink = std::function<void(const std::string& text)>;
  UnpackReport(ProgressSink progress, WarningSink warning)
      : progress_(std::move(progress)), warning_(std::move(warning)) {}

  // At most ten times a second, and always when the stage changes or done reaches total.
  void progress(const std::string& stage, uint64_t done, uint64_t total);
  // Each text once, 16 in all.
  void warn(const std::string& text);

 private:
  ProgressSink progress_;
  WarningSink warning_;
  std::string stage_;
  uint64_t done_ = 0;
  std::chrono::steady_clock::time_point last_;
  std::vector<std::string> warned_;
};

// Errors: kInvalid for a source that is refused, kNoSpace, kIo.
// archive: any descriptor to read from. target: the (empty) folder; the working directory is there
// while this runs.
base::Status unpack_archive(int archive, int target, UnpackReport* report);
// source, target: folders open for reading. Does not cross into what is mounted below source.
base::Status copy_tree(int source, int target, UnpackReport* report);
// Runs argv (mmdebstrap and its arguments), passes its output on to stderr and turns it into
// progress.
base::Status run_mmdebstrap(const std::vector<std::string>& argv, UnpackReport* report);

// What becomes of a device node at `path` (relative): true: leave it out; else refuse the tree.
bool is_standard_device(std::string_view path, mode_t mode, unsigned major, unsigned minor);
base::Error device_error(std::string_view kind, std::string_view path);  // kind: "member", "file"
// Attributes that a tree keeps, by name.
bool keeps_attribute(std::string_view name);
// kNoSpace with the text for people when err is ENOSPC or EDQUOT, else sys_error.
base::Error write_error(std::string_view what, int err);

}  // namespace core
