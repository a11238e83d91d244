#include "tests/harness/sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <thread>

#include "base/files.h"
#include "base/unix_socket.h"
#include "tests/harness/busybox_tree.h"
#include "tests/harness/current_test.h"
#include "tests/harness/host_objects.h"
#include "zoned/api/paths.h"

namespace harness {
namespace {

constexpr const char* kKept = "KEPT";  // leaks.py leaves such a folder alone

template <typename T>
T must(base::Result<T> result) {
  if (!result.ok()) FAIL(result.error().message);
  return *std::move(result);
}

void must(const base::Status& status) {
  if (!status.ok()) FAIL(status.error().message);
}

std::string build_folder() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path().string();
}

}  // namespace

Sandbox::Sandbox(Start start) : build_(build_folder()) {
  std::string name = "/tmp/zoned-test.XXXXXX";
  if (mkdtemp(name.data()) == nullptr) FAIL(base::sys_error("mkdtemp /tmp").message);
  root_ = name;
  if (start == Start::kNow) this->start();
}

// A throw from here ends the test program, which the runner reports.
Sandbox::~Sandbox() {  // NOLINT(bugprone-exception-escape)
  // Nothing may throw from here: CHECK reports and goes on.
  auto stopped = base::run_program({program("zoned"), "--root", root_, "--stop-all"}, kTimeout);
  INFO("zoned --stop-all: " << (stopped.ok() ? stopped->err : stopped.error().message));
  CHECK((stopped.ok() && stopped->status == 0));
  std::vector<std::string> left;
  eventually([&] { return (left = left_over()).empty(); }, std::chrono::seconds(5));
  CHECK(left == std::vector<std::string>{});
  for (pid_t pid : processes_naming(root_)) {
    // Only what names our own unique folder; the test has failed already.
    auto status = kill_and_wait(pid);
    if (!status.ok()) UNSCOPED_INFO(status.error().message);
  }

  std::filesystem::path root(root_);
  if (current_test_failed()) {
    auto mark = [&]() -> base::Status {
      TRY_AS(base::UniqueFd folder, base::open_at(AT_FDCWD, root_, O_RDONLY | O_DIRECTORY));
      return base::replace_file(folder.get(), kKept, current_test_name() + "\n",
                                base::Durability::kRuntime);
    };
    auto kept = mark();
    WARN("kept " << root_ << (kept.ok() ? "" : " (unmarked)"));
    return;
  }
  auto parent = base::open_at(AT_FDCWD, root.parent_path().string(), O_PATH | O_DIRECTORY);
  auto removed = parent.ok() ? base::remove_tree(parent->get(), root.filename().string())
                             : base::Status(std::move(parent).error());
  INFO("remove " << root_ << ": " << (removed.ok() ? "" : removed.error().message));
  CHECK(removed.ok());
}

void Sandbox::start() {
  // The shell points the daemon's output at a file, so that nothing of ours is held open by it.
  constexpr const char* kScript = R"(exec "$0" --root "$1" --background >>"$1/zoned.log" 2>&1)";
  auto started =
      must(base::run_program({"/bin/sh", "-c", kScript, program("zoned"), root_}, kTimeout));
  if (started.status == 0) return;
  auto log = base::read_file(AT_FDCWD, root_ + "/zoned.log");
  FAIL("zoned --background: status " << started.status << "\n" << (log.ok() ? *log : ""));
}

void Sandbox::kill_daemon() { must(kill_and_wait(daemon_pid())); }

void Sandbox::stop_all() {
  auto stopped =
      must(base::run_program({program("zoned"), "--root", root_, "--stop-all"}, kTimeout));
  INFO("zoned --stop-all: " << stopped.err);
  REQUIRE(stopped.status == 0);
}

base::Output Sandbox::zone(const std::vector<std::string>& args,
                           std::chrono::milliseconds timeout) const {
  std::vector<std::string> argv = {program("zone"), "--root", root_};
  argv.insert(argv.end(), args.begin(), args.end());
  return must(base::run_program(argv, timeout));
}

std::string Sandbox::zone_ok(const std::vector<std::string>& args,
                             std::chrono::milliseconds timeout) const {
  base::Output output = zone(args, timeout);
  std::string line = "zone";
  for (const std::string& arg : args) line += " " + arg;
  INFO(line << "\nstdout: " << output.out << "\nstderr: " << output.err);
  REQUIRE(output.status == 0);
  return output.out;
}

pid_t Sandbox::daemon_pid() const {
  auto run = must(base::open_at(AT_FDCWD, api::paths_for(root_).run, O_PATH | O_DIRECTORY));
  auto socket = must(base::connect_unix(run.get(), api::Paths::kSocketName, SOCK_STREAM));
  return must(base::peer_of(socket.get())).pid;
}

std::vector<pid_t> Sandbox::pids_of(const std::string& command) const {
  std::vector<pid_t> pids = processes_naming(root_);
  std::erase_if(pids, [&](pid_t pid) { return command_of(pid) != command; });
  // A launcher is a fork of its keeper and looks like it.
  std::vector<pid_t> forks;
  for (pid_t pid : pids)
    if (std::find(pids.begin(), pids.end(), parent_of(pid)) != pids.end()) forks.push_back(pid);
  std::erase_if(
      pids, [&](pid_t pid) { return std::find(forks.begin(), forks.end(), pid) != forks.end(); });
  return pids;
}

std::string Sandbox::busybox_tree(const std::string& name) {
  std::string path = root_ + "/" + name;
  must(make_busybox_tree(path));
  label_public(path);
  return path;
}

void Sandbox::label_public(const std::string& path) {
  // labels::Label::encode(): class 1, no compartments.
  const std::string label = "1:" + std::string(60, '0');
  if (setxattr(path.c_str(), "trusted.zoned.label", label.data(), label.size(), 0) != 0)
    FAIL("label " << path << ": " << strerror(errno));
}

std::vector<std::string> Sandbox::cgroups() const {
  std::vector<std::string> mine;
  for (const std::string& cgroup : zoned_cgroups())
    if (cgroup.ends_with("/" + api::subtree_name(root_))) mine.push_back(cgroup);
  return mine;
}

std::vector<std::string> Sandbox::left_over() const {
  std::vector<std::string> left;
  for (pid_t pid : processes_naming(root_))
    left.push_back("process " + std::to_string(pid) + " " + command_of(pid));
  for (const std::string& mount : mounts_below(root_)) left.push_back("mount " + mount);
  for (const std::string& cgroup : cgroups()) left.push_back("cgroup " + cgroup);
  for (const std::string& socket : sockets_below(root_ + "/run"))
    left.push_back("socket " + socket);
  return left;
}

void sleep_for(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }

base::Status kill_and_wait(pid_t pid, std::chrono::milliseconds timeout) {
  TRY_AS(base::UniqueFd pidfd, base::open_pidfd(pid));
  TRY(base::signal_pidfd(pidfd.get(), SIGKILL));
  pollfd end = {pidfd.get(), POLLIN, 0};
  if (poll(&end, 1, static_cast<int>(timeout.count())) == 1) return {};
  return base::make_error(base::Code::kTimeout, "process " + std::to_string(pid) + " did not end");
}

}  // namespace harness
