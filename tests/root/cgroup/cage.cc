#include "tests/root/cgroup/cage.h"

#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "tests/harness/host_objects.h"
#include "tests/harness/sandbox.h"

namespace {

template <typename T>
T value_of(base::Result<T> result) {
  if (!result) FAIL(result.error().message << " / " << result.error().hint);
  return *std::move(result);
}

void require(const base::Status& status) {
  if (!status) FAIL(status.error().message << " / " << status.error().hint);
}

}  // namespace

Cage::Cage(Tree tree) : roots_(value_of(resource::detect_roots())) {
  static int counter = 0;
  // Orphans of the zones come to us, so that a dead one is reaped at once.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (tree == Tree::kWithoutV2) roots_.v2.clear();
  subtree_ = "zoned-cgroup-test-" + std::to_string(getpid()) + "-" + std::to_string(counter++);
  driver_ =
      value_of(resource::open_cgroups(roots_, subtree_, resource::block_device_of(kDataFolder)));
}

Cage::~Cage() {
  zones_.clear();
  auto left = driver_->list();
  if (left.ok()) {
    for (const auto& found : *left) {
      CHECK(driver_->kill(found.pool, found.zone).ok());
      CHECK(harness::eventually([&] {
        while (waitpid(-1, nullptr, WNOHANG) > 0) {
        }
        return driver_->processes(found.pool, found.zone)->empty();
      }));
      CHECK(driver_->destroy_zone(found.pool, found.zone).ok());
    }
  }
  CHECK(driver_->destroy_subtree().ok());
  for (const std::string& folder : harness::zoned_cgroups())
    if (folder.find(subtree_) != std::string::npos) FAIL_CHECK("left behind: " << folder);
}

void Cage::pool(const std::string& name, const resource::Limits& limits) {
  require(driver_->create_pool(name, planned(*driver_, {}, limits)));
}

const resource::ZoneCgroup& Cage::zone(const std::string& pool, const std::string& name,
                                       const resource::Limits& limits, uint32_t uid) {
  zones_.push_back(std::make_unique<resource::ZoneCgroup>(
      value_of(driver_->create_zone(pool, name, planned(*driver_, {}, limits), uid, uid))));
  return *zones_.back();
}

pid_t Cage::spawn(const resource::ZoneCgroup& zone, const std::function<int()>& work) {
  clone_args args = {};
  args.exit_signal = SIGCHLD;
  if (zone.v2_payload) {
    args.flags = CLONE_INTO_CGROUP;
    args.cgroup = static_cast<uint64_t>(zone.v2_payload.get());
  }
  pid_t pid = static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args));
  if (pid < 0) FAIL("clone3: errno " << errno);
  if (pid > 0) return pid;
  for (const base::UniqueFd& procs : zone.v1_procs)
    if (write(procs.get(), "0", 1) != 1) _exit(99);
  _exit(work());
}

int Cage::wait_for(pid_t pid) {
  int status = 0;
  bool ended = harness::eventually([&] { return waitpid(pid, &status, WNOHANG) == pid; },
                                   std::chrono::seconds(20));
  if (!ended) FAIL("process " << pid << " did not end");
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

resource::Usage Cage::usage(const std::string& pool, const std::string& zone) {
  return value_of(driver_->usage(pool, zone));
}

double Cage::cpu_seconds(const std::string& pool, const std::string& zone, double seconds) {
  uint64_t before = usage(pool, zone).cpu_ns;
  harness::sleep_for(std::chrono::milliseconds(static_cast<int>(seconds * 1000)));
  return static_cast<double>(usage(pool, zone).cpu_ns - before) / 1e9;
}

void Cage::kill(const std::string& pool, const std::string& zone) {
  require(driver_->kill(pool, zone));
  CHECK(harness::eventually([&] {
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    return driver_->processes(pool, zone)->empty();
  }));
}

std::vector<resource::CgroupWrite> planned(resource::CgroupDriver& driver,
                                           const resource::Limits& from,
                                           const resource::Limits& to) {
  std::vector<std::string> warnings;
  return value_of(driver.plan_change(from, to, &warnings));
}

void spin() {
  while (true) asm volatile("");
}
