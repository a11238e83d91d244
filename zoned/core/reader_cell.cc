#include "zoned/core/reader_cell.h"

#include <utility>

#include "zoned/core/capabilities.h"

namespace core {
namespace {

constexpr int kListener = 3;  // as main_readdown.cc has it

}  // namespace

void confine_reader(const std::string& program, ZonePlan* plan) {
  plan->profile = Profile::kReader;
  plan->capabilities = capabilities_of(plan->profile);
  plan->filter = "reader";
  plan->loopback_up = false;
  plan->masked.clear();
  plan->read_only.clear();
  MountOp root = plan->mounts.front();
  root.read_only = true;
  // Opening a file that was looked at goes by /proc/self/fd; no other file of procfs is there.
  MountOp proc;
  proc.kind = MountOp::Kind::kProc;
  proc.target = "/proc";
  proc.noexec = true;
  proc.read_only = true;
  proc.options = {{"subset", "pid"}};
  plan->mounts = {std::move(root), std::move(proc)};
  plan->kept_fds = {{"control", kListener}};
  plan->exec = {};
  plan->exec.path = program;
  plan->exec.argv = {program.substr(program.rfind('/') + 1)};
}

}  // namespace core
