// Cells of VMMs with a program of ours in QEMU's place: planned by vmzone::plan_vm, launched by
// core::fork_launcher, the test in the keeper's place. No daemon and no keeper, so that a test can take
// a wall out of the plan.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "resource/cgroup.h"
#include "zoned/core/mounts.h"
#include "zoned/core/plan.h"

namespace cells {

// The folder that this program is in.
std::string program_folder();

struct Who {
  std::string name = "vmm";
  unsigned place = 0;  // 0..7: which range of ids and which address
  std::string label = {};
};

// A folder of its own (0700), a cgroup subtree, a network namespace in the host's role (the test's
// thread is in it meanwhile), and the cell's tree: what QEMU's would hold, with the program and
// no QEMU. One at a time. Gone at the end.
class VmmYard {
 public:
  // program: BUILD/victims/NAME.
  explicit VmmYard(const std::string& program);
  ~VmmYard();
  VmmYard(const VmmYard&) = delete;
  VmmYard& operator=(const VmmYard&) = delete;

  const std::string& path() const { return path_; }
  std::string shared() const { return path_ + "/shared"; }  // 0777; in no plan
  const std::string& program() const { return program_; }   // its path in the cell too
  resource::CgroupDriver& cgroups() { return *cgroups_; }

  // vm zone: a kernel, a disk of kDiskSize, a tap; its program gets `arguments`.
  static constexpr uint64_t kDiskSize = 4 << 20;
  static constexpr uint64_t kGuestMemory = 64 << 20;
  static constexpr uint64_t kOpenFiles = 512;
  core::ZonePlan plan(const std::vector<std::string>& arguments, const Who& who = {});
  // The cell's tree, with further programs of the host in it; made on first use. Lent.
  int tree(const std::vector<std::string>& more_programs = {});

  // The zone's cgroups, made on first use. They stay for later runs of the same plan.
  const resource::ZoneCgroup& cgroup_of(const core::ZonePlan& plan);
  // Removes them: for a plan that differs in limits.
  void forget(const core::ZonePlan& plan);
  // Files of the yard: "disk0", "kernel".
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
  std::string program_;
  base::UniqueFd machine_;  // the network namespace of before
  std::unique_ptr<resource::CgroupDriver> cgroups_;
  std::map<std::vector<std::string>, base::UniqueFd> trees_;
  std::map<std::string, resource::ZoneCgroup> made_;
};

struct VmmStart {
  std::vector<std::string> more_programs = {};
  // Descriptors beside those that plan_vm names, by the name that the plan calls them.
  std::map<std::string, int> descriptors = {};
};

// One run of a plan. The destructor ends it.
class Vmm {
 public:
  Vmm(VmmYard& yard, const core::ZonePlan& plan, const VmmStart& start = {});
  ~Vmm();
  Vmm(const Vmm&) = delete;
  Vmm& operator=(const Vmm&) = delete;

  bool launched() const { return pid_ > 0 && error_.empty(); }
  const std::string& error() const { return error_; }
  pid_t pid() const { return pid_; }

  // Answers start-only calls and collects output until it holds `text`; false when the process ended
  // or the time is over.
  bool await(std::string_view text, std::chrono::milliseconds timeout = std::chrono::seconds(10));
  const std::string& output() const { return output_; }
  bool has_ended();
  void say(std::string_view text);  // to its console
  // What the keeper does when the guest starts to run.
  void narrow();
  // Answers and collects until the process has ended: waitpid(2)'s status. Killed after the timeout.
  int end(std::chrono::milliseconds timeout = std::chrono::seconds(10));

 private:
  void launch(VmmYard& yard, const core::ZonePlan& plan, const VmmStart& start);
  void on_launcher();
  void answer_start_call();
  bool pump(std::chrono::milliseconds timeout);
  bool read_console();

  pid_t launcher_ = 0;
  pid_t pid_ = 0;
  base::UniqueFd socket_;  // to the launcher
  base::UniqueFd console_;
  base::UniqueFd listener_;
  std::string output_;
  std::string error_;
  bool ended_ = false;
  int status_ = 0;
};

}  // namespace cells
