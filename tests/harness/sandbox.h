// Sandbox: an instance of zoned for one test case. It lives below a folder of its own
// (/tmp/zoned-test.XXXXXX, 0700), is driven through the `zone` command, may be killed, and is gone
// at the end of the scope: the destructor stops everything and fails the test if a process, mount,
// cgroup or socket stays. When the test failed, the folder stays and is named, with how to run the
// test again. The programs are those beside the test's own folder (BUILD/zoned, BUILD/zone).
// Every failure to do what a method promises fails the test at once (Catch2 FAIL).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/result.h"

namespace harness {

class Sandbox {
 public:
  enum class Start { kNow, kLater };
  static constexpr std::chrono::seconds kTimeout{30};

  explicit Sandbox(Start start = Start::kNow);
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  const std::string& root() const { return root_; }
  // BUILD/NAME, such as "zoned".
  std::string program(const std::string& name) const { return build_ + "/" + name; }

  // Takes the programs of this folder from now on, which holds all of them.
  void use_programs(const std::string& folder) { build_ = folder; }

  // Starts zoned in the background; returns once its socket answers. Its log is ROOT/zoned.log.
  void start();
  // kill -9 of zoned; returns once it is gone. Zones and keepers stay.
  void kill_daemon();
  void restart() {
    kill_daemon();
    start();
  }
  // `zoned --stop-all`: ends zones, keepers and daemon.
  void stop_all();

  // Runs `zone --root ROOT ARGS...`; the time-out kills it and fails the test.
  base::Output zone(const std::vector<std::string>& args,
                    std::chrono::milliseconds timeout = kTimeout) const;
  // The same, failing the test unless the status is 0. Returns stdout.
  std::string zone_ok(const std::vector<std::string>& args,
                      std::chrono::milliseconds timeout = kTimeout) const;

  // Who answers at the API's socket.
  pid_t daemon_pid() const;
  // Processes of this root by their name, such as "zone-keeper"; sorted.
  std::vector<pid_t> pids_of(const std::string& command) const;
  std::vector<pid_t> keeper_pids() const { return pids_of("zone-keeper"); }

  // Folders of this instance in the mounted cgroup trees: its subtree in each.
  std::vector<std::string> cgroups() const;

  // Labels a folder or file of the host as PUBLIC, the default of zones, as `zone label set` does, but
  // without a daemon.
  static void label_public(const std::string& path);

  // A busybox tree at ROOT/NAME, labelled, for --from dir:PATH. Returns the path.
  std::string busybox_tree(const std::string& name = "tree");

 private:
  // What is left of the instance, as lines to print; empty when clean.
  std::vector<std::string> left_over() const;

  std::string build_;
  std::string root_;
};

// Waits until `done` returns true; false after the time-out. For what happens soon but not at once.
template <typename Condition>
bool eventually(Condition done, std::chrono::milliseconds timeout = std::chrono::seconds(10));

// kill(2) with SIGKILL by pidfd, and waits until the process has ended (also when not our child).
base::Status kill_and_wait(pid_t pid, std::chrono::milliseconds timeout = std::chrono::seconds(10));

void sleep_for(std::chrono::milliseconds time);

template <typename Condition>
bool eventually(Condition done, std::chrono::milliseconds timeout) {
  auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

}  // namespace harness
