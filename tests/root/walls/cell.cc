#include "tests/root/walls/cell.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <thread>

#include "base/files.h"
#include "base/process.h"
#include "base/unix_socket.h"
#include "zoned/core/host_facts.h"
#include "zoned/core/planner.h"
#include "zoned/core/seccomp_filter.h"

namespace walls {
namespace {

// Not from the registry: the last ranges of its space, which it hands out last.
constexpr uint32_t kTestBase = 1879048192U - 4U * core::kIdsPerZone;

template <typename T>
T must(base::Result<T> result) {
  if (!result) FAIL(result.error().message);
  return *std::move(result);
}
void must(const base::Status& status) {
  if (!status) FAIL(status.error().message);
}

std::string program_folder() {
  char path[4096];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  std::string text(path, n > 0 ? static_cast<size_t>(n) : 0);
  return text.substr(0, text.rfind('/'));
}

void copy_program(const std::string& from, const std::string& to, mode_t mode) {
  std::string bytes = must(base::read_file(AT_FDCWD, from, 64 << 20));
  base::UniqueFd fd = must(base::open_at(AT_FDCWD, to, O_CREAT | O_EXCL | O_WRONLY, 0700));
  must(base::write_all(fd.get(), bytes));
  if (fchmod(fd.get(), mode) != 0) FAIL("fchmod");
}

}  // namespace

Yard::Yard() {
  char name[] = "/tmp/zoned-walls.XXXXXX";
  if (mkdtemp(name) == nullptr) FAIL("mkdtemp");
  path_ = name;
  for (const char* folder : {"tree", "tree/dev", "tree/proc", "tree/sys", "tree/run", "tree/tmp",
                             "tree/shared", "tree/bin", "shared"})
    must(base::make_dirs(AT_FDCWD, path_ + "/" + folder, 0755));
  if (chmod(shared().c_str(), 0777) != 0) FAIL("chmod");
  attacker_ = program_folder() + "/../victims/attacker";
  copy_program(attacker_, path_ + "/tree/bin/attacker", 0755);
  copy_program(attacker_, path_ + "/tree/bin/setuid-attacker", 04755);
  subtree_ = "zoned-walls-" + std::to_string(getpid());
  cgroups_ = must(resource::open_cgroups(must(resource::detect_roots()), subtree_));
  must(cgroups_->create_pool("test", {}));
}

Yard::~Yard() {
  static_cast<void>(cgroups_->destroy_pool("test"));
  static_cast<void>(cgroups_->destroy_subtree());
  static_cast<void>(base::remove_tree(AT_FDCWD, path_));
}

core::ZonePlan Yard::plan(const std::vector<std::string>& attack, bool os, unsigned user) {
  static int number = 0;
  core::ZoneSpec spec;
  spec.name = "cell" + std::to_string(number++);
  spec.pool = "test";
  spec.processes = 64;
  spec.open_files = 256;
  spec.fs.push_back({"/shared", shared()});
  core::HostFacts host = core::detect_host();
  core::TreeFacts tree;
  tree.uid = tree.gid = user;
  if (os) {
    tree.init = "/bin/attacker";
  } else {
    spec.command = {"attacker"};
    spec.command.insert(spec.command.end(), attack.begin(), attack.end());
    tree.command_path = "/bin/attacker";
  }
  core::PlanInputs inputs{
      spec,  host,    tree, {kTestBase},          "0",     0, cgroups_.get(), false, true,
      false, {false}, {},   labels::Label(1, {}), "PUBLIC"};
  core::ZonePlan plan = must(core::plan_zone(inputs)).plan;
  if (os) plan.exec.argv.insert(plan.exec.argv.end(), attack.begin(), attack.end());
  return plan;
}

Outcome run(Yard& yard, const core::ZonePlan& plan, const core::FdTable& descriptors) {
  auto open_tree = [](const std::string& path) {
    return must(core::clone_tree(must(base::open_at(AT_FDCWD, path, O_PATH)).get()));
  };
  base::UniqueFd root = open_tree(yard.path() + "/tree");
  base::UniqueFd shared = open_tree(yard.shared());
  std::string init_bytes =
      must(base::read_file(AT_FDCWD, program_folder() + "/../zone-init", 1 << 20));
  base::UniqueFd init = must(base::sealed_memfd("zone-init", init_bytes, true));
  base::UniqueFd filter = must(core::filter_memfd(plan.filter.empty() ? "app" : plan.filter));
  base::UniqueFd null = must(base::open_at(AT_FDCWD, "/dev/null", O_RDONLY));
  int output[2];
  if (pipe2(output, O_CLOEXEC) != 0) FAIL("pipe");
  base::UniqueFd out_read(output[0]), out_write(output[1]);
  auto cgroup = must(yard.cgroups().create_zone(plan.cgroup.pool, plan.cgroup.zone,
                                                plan.cgroup.writes, plan.ids.base, plan.ids.base));
  core::FdTable fds = {{"root", root.get()},       {"fs.0", shared.get()},
                       {"init", init.get()},       {"filter", filter.get()},
                       {"stdin", null.get()},      {"stdout", out_write.get()},
                       {"stderr", out_write.get()}};
  fds.insert(descriptors.begin(), descriptors.end());
  if (cgroup.v2_payload) fds["cgroup"] = cgroup.v2_payload.get();
  for (size_t i = 0; i < cgroup.v1_procs.size(); ++i)
    fds["procs" + std::to_string(i)] = cgroup.v1_procs[i].get();

  auto sockets = must(base::socket_pair(SOCK_SEQPACKET));
  pid_t launcher = must(core::fork_launcher(plan, fds, sockets.second.get()));
  sockets.second.reset();
  out_write.reset();
  Outcome outcome;
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (true) {
    pollfd ready = {sockets.first.get(), POLLIN, 0};
    if (poll(&ready, 1, 20000) <= 0) break;
    auto message = base::receive_message(sockets.first.get(), 65536);
    if (!message || message->eof) break;
    if (message->data.find("\"error\"") == std::string::npos) continue;
    outcome.launched = false;
    outcome.output += message->data;
  }
  // What the attacker forked may hold the pipe: the verdict is its first line.
  pollfd readable = {out_read.get(), POLLIN, 0};
  while (std::chrono::steady_clock::now() < deadline && poll(&readable, 1, 1000) >= 0) {
    char buffer[4096];
    ssize_t n = readable.revents != 0 ? read(out_read.get(), buffer, sizeof buffer) : -1;
    if (n == 0) break;
    if (n > 0) outcome.output.append(buffer, static_cast<size_t>(n));
    if (outcome.output.find("reached\n") != std::string::npos) break;
  }
  outcome.reached = outcome.output.find("reached\n") != std::string::npos;
  int status = 0;
  auto reap = [&] {
    while (waitpid(-1, &status, WNOHANG) > 0)
      outcome.killed = outcome.killed || (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
  };
  // It says nothing because it was killed; that is known a little later.
  for (int i = 0; i < 50 && outcome.output.empty() && !outcome.killed; ++i) {
    reap();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  must(yard.cgroups().kill(plan.cgroup.pool, plan.cgroup.zone));
  waitpid(launcher, &status, 0);
  for (int i = 0; i < 100; ++i) {
    // What the cell left; a test may have children of its own that stay.
    reap();
    if (yard.cgroups().destroy_zone(plan.cgroup.pool, plan.cgroup.zone)) return outcome;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  FAIL("the cell's cgroup stays");
  return outcome;
}

}  // namespace walls
