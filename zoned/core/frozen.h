// From plans to what the child reads: arrays and C strings that live as long as the Frozen object.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/core/child_setup.h"
#include "zoned/core/mounts.h"
#include "zoned/core/plan.h"

namespace core {

class Frozen {
 public:
  // What the child waits at: both ends of a socket pair, the child's first. Lent until the clone.
  using Gate = std::pair<base::UniqueFd, base::UniqueFd>;
  // The descriptors that the child needs are duplicated to kFirstFreeFd and up.
  static base::Result<std::unique_ptr<Frozen>> boot(const ZonePlan& plan, const FdTable& fds,
                                                    const Gate& gate, int report);
  // terminal: the pty's slave or -1.
  static base::Result<std::unique_ptr<Frozen>> enter(const EnterPlan& plan, const FdTable& fds,
                                                     int terminal, const Gate& gate, int report);

  const ChildPlan& child() const { return child_; }

 private:
  Frozen() = default;
  base::Result<int> high(int fd);
  base::Status freeze_gate(const Gate& gate, int report);
  base::Status freeze_exec(const ExecPlan& exec, const FdTable& fds);
  base::Status freeze_filter(const std::string& filter, const FdTable& fds);
  base::Status freeze_stdio(const FdTable& fds);
  base::Status freeze_landlock(const LandlockPlan& plan);
  void freeze_filesystems(const ZonePlan& plan);

  ChildPlan child_;
  std::vector<base::UniqueFd> duplicates_;
  std::vector<std::vector<ChildOption>> options_;
  std::vector<std::vector<ChildEntry>> entries_;
  std::vector<ChildFilesystem> filesystems_;
  std::vector<ChildRlimit> rlimits_;
  std::vector<ChildKeptFd> kept_;
  std::vector<sock_filter> filter_;
  std::vector<std::string> landlock_paths_;
  std::vector<ChildLandlockRule> landlock_;
  std::vector<char*> argv_;
  std::vector<char*> envp_;
  ExecPlan exec_;
  std::string hostname_;
  std::vector<MountOp> mounts_;
};

}  // namespace core
