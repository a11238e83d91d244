#include "tests/root/trial/trial.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"
#include "resource/cgroup.h"
#include "tests/harness/busybox_tree.h"
#include "tests/harness/host_objects.h"
#include "zoned/api/client.h"
#include "zoned/daemon/instance.h"

namespace trial {
namespace {

namespace fs = std::filesystem;
using base::UniqueFd;

std::string slurp(const std::string& path) {
  auto text = base::read_file(AT_FDCWD, path, 64 << 20);
  return text.ok() ? *text : std::string();
}

void must(const base::Status& status) {
  if (!status.ok()) FAIL(status.error().message);
}

// Reads what is there; false at the end.
bool take(int fd, std::string* text) {
  std::array<char, 65536> buffer;
  ssize_t n = read(fd, buffer.data(), buffer.size());
  if (n > 0) text->append(buffer.data(), static_cast<size_t>(n));
  return n > 0 || (n < 0 && errno == EINTR);
}

}  // namespace

std::string small_tree(const harness::Sandbox& box, const std::string& name, bool init) {
  std::string path = box.root() + "/" + name;
  auto program = base::read_file(AT_FDCWD, "/bin/busybox", 16 << 20);
  if (!program.ok()) FAIL(program.error().message << "\nhint: apt-get install busybox-static");
  auto root = base::make_dirs(AT_FDCWD, path, 0755);
  if (!root.ok()) FAIL(root.error().message);
  for (const char* folder : {"bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "sbin"}) {
    auto made = base::make_dirs(root->get(), folder, 0755);
    if (!made.ok()) FAIL(made.error().message);
  }
  auto file = base::open_at(root->get(), "bin/busybox", O_WRONLY | O_CREAT | O_EXCL, 0755);
  if (!file.ok()) FAIL(file.error().message);
  must(base::write_all(file->get(), *program));
  for (const char* link : {"sh", "sleep", "usleep", "echo", "true", "cat", "dd", "tail", "yes"})
    if (symlinkat("busybox", root->get(), ("bin/" + std::string(link)).c_str()) != 0)
      FAIL("symlink " << link << ": " << strerror(errno));
  auto text = [&](const std::string& in, std::string_view content) {
    auto made = base::open_at(root->get(), in, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (!made.ok()) FAIL(made.error().message);
    must(base::write_all(made->get(), content));
  };
  text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
  text("etc/group", "root:x:0:\n");
  if (init) {
    if (symlinkat("../bin/busybox", root->get(), "sbin/init") != 0)
      FAIL("symlink sbin/init: " << strerror(errno));
    text("etc/inittab", "::respawn:/bin/sh\n");
  }
  harness::Sandbox::label_public(path);
  return path;
}

Ran run(const std::vector<std::string>& argv, milliseconds timeout) {
  Ran ran;
  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) != 0) return ran;
  UniqueFd out_read(out[0]), out_write(out[1]);
  if (pipe2(err, O_CLOEXEC) != 0) return ran;
  UniqueFd err_read(err[0]), err_write(err[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out_write.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, err_write.get(), 2);
  std::vector<char*> args;
  for (const std::string& arg : argv) args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  pid_t pid = 0;
  ran.started = Clock::now();
  int failed = posix_spawn(&pid, args[0], &actions, nullptr, args.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    ran.err = strerror(failed);
    return ran;
  }
  out_write.reset();
  err_write.reset();
  bool late = false, seen = false;
  std::array<pollfd, 2> ends = {pollfd{out_read.get(), POLLIN, 0},
                                pollfd{err_read.get(), POLLIN, 0}};
  while ((ends[0].fd >= 0 || ends[1].fd >= 0) && !late) {
    auto left = std::chrono::duration_cast<milliseconds>(ran.started + timeout - Clock::now());
    late = left.count() <= 0;
    if (late || poll(ends.data(), ends.size(), static_cast<int>(left.count())) <= 0) continue;
    if (ends[0].revents != 0 && !take(out_read.get(), &ran.out)) ends[0].fd = -1;
    if (ends[1].revents != 0 && !take(err_read.get(), &ran.err)) ends[1].fd = -1;
    if (!seen && !ran.out.empty()) {
      seen = true;
      ran.first_output = Clock::now();
    }
  }
  if (late) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  ran.ended = Clock::now();
  if (!seen) ran.first_output = ran.ended;
  if (!late) ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ran;
}

base::Result<nlohmann::json> call(const harness::Sandbox& box, const std::string& method,
                                  nlohmann::json parameters) {
  TRY_AS(api::Client client, api::Client::connect(box.root()));
  TRY_AS(api::Reply reply, client.call(method, std::move(parameters)));
  return std::move(reply.parameters);
}

nlohmann::json zone_of(const harness::Sandbox& box, const std::string& name) {
  auto reply = call(box, "List", {{"names", nlohmann::json::array()}});
  if (!reply.ok()) FAIL("List: " << reply.error().message);
  for (auto& zone : (*reply)["zones"])
    if (zone["name"] == name) return zone;
  return nullptr;
}

std::string state_of(const harness::Sandbox& box, const std::string& name) {
  nlohmann::json zone = zone_of(box, name);
  return zone.is_null() ? "absent" : zone["state"].get<std::string>();
}

pid_t pid_of(const harness::Sandbox& box, const std::string& name) {
  nlohmann::json zone = zone_of(box, name);
  return zone.is_object() && zone["pid"].is_number() ? zone["pid"].get<pid_t>() : 0;
}

void make_zone(const harness::Sandbox& box, const std::string& name, const std::string& tree,
               const std::vector<std::string>& settings, bool boot) {
  std::vector<std::string> args = {"create", name, "--from", "dir:" + tree};
  for (const std::string& setting : settings) {
    args.emplace_back("--set");
    args.push_back(setting);
  }
  if (boot) args.emplace_back("--boot");
  box.zone_ok(args);
}

std::string shell_command(const std::string& script) {
  return "command=" + nlohmann::json{"/bin/sh", "-c", script}.dump();
}

std::string numbering_command() {
  return shell_command("i=0; while :; do i=$((i+1)); echo $i; usleep 10000; done");
}

std::string gap_in(const std::string& text, size_t least) {
  size_t expected = 1;
  std::vector<std::string> lines = base::split(text, '\n');
  lines.pop_back();  // what is being written, or nothing
  for (const std::string& line : lines) {
    if (base::trim(line) != std::to_string(expected))
      return "line " + std::to_string(expected) + " is " + base::quoted(line);
    ++expected;
  }
  if (expected <= least) return "only " + std::to_string(expected - 1) + " lines";
  return "";
}

uint64_t start_time(pid_t pid) {
  auto time = base::start_time_of(pid);
  return time.ok() ? *time : 0;
}

bool same_process(pid_t pid, uint64_t started) {
  std::string stat = slurp("/proc/" + std::to_string(pid) + "/stat");
  size_t name_end = stat.rfind(") ");
  return started != 0 && start_time(pid) == started && name_end != std::string::npos &&
         stat[name_end + 2] != 'Z';
}

size_t fds_of(pid_t pid) {
  auto names = base::list_dir(AT_FDCWD, "/proc/" + std::to_string(pid) + "/fd");
  return names.ok() ? names->size() : 0;
}

size_t pipes_of(pid_t pid) {
  size_t count = 0;
  std::error_code error;
  for (fs::directory_iterator it("/proc/" + std::to_string(pid) + "/fd", error), end;
       !error && it != end; it.increment(error))
    if (fs::read_symlink(it->path(), error).string().starts_with("pipe:")) ++count;
  return count;
}

uint64_t status_field(pid_t pid, const std::string& field) {
  for (const std::string& line :
       base::split(slurp("/proc/" + std::to_string(pid) + "/status"), '\n')) {
    if (!line.starts_with(field + ":")) continue;
    std::string value(base::trim(std::string_view(line).substr(field.size() + 1)));
    return strtoull(value.c_str(), nullptr, 10);
  }
  return 0;
}

uint64_t rss_bytes(pid_t pid) { return status_field(pid, "VmRSS") * 1024; }

namespace {

// Leased slots of the blocks that this instance owns (zoned/core/id_registry.h).
size_t leases(const std::string& root) {
  constexpr size_t kOwnerAt = 16, kOwnerBytes = 1024, kSlots = 64;
  size_t count = 0;
  std::error_code error;
  for (fs::directory_iterator it("/run/zoned-ids", error), end; !error && it != end;
       it.increment(error)) {
    std::string text = slurp(it->path().string());
    if (text.size() < kOwnerAt + kOwnerBytes + kSlots * sizeof(uint64_t)) continue;
    if (std::string(text.c_str() + kOwnerAt).find(root + "/") == std::string::npos) continue;
    for (size_t i = 0; i < kSlots; ++i) {
      uint64_t slot = 0;
      memcpy(&slot, text.data() + kOwnerAt + kOwnerBytes + i * sizeof slot, sizeof slot);
      if (slot == 1) ++count;
    }
  }
  return count;
}

// Those of them that wait for a boot (zoned/daemon/prepared.h): zoned holds a user namespace of each.
size_t prepared(const harness::Sandbox& box) {
  size_t count = 0;
  for (pid_t pid : box.pids_of("zoned")) {
    std::error_code error;
    for (fs::directory_iterator it("/proc/" + std::to_string(pid) + "/fd", error), end;
         !error && it != end; it.increment(error))
      if (fs::read_symlink(it->path(), error).string().starts_with("user:[")) ++count;
  }
  return count;
}

// Our subtree in every tree of the host.
std::vector<std::string> cgroup_trees(const harness::Sandbox& box) {
  std::vector<std::string> tops;
  auto roots = resource::detect_roots();
  if (!roots.ok()) return tops;
  std::string subtree = zoned::subtree_name(box.root());
  if (!roots->v2.empty()) tops.push_back(roots->v2 + "/" + subtree);
  for (const auto& tree : roots->v1) {
    std::string top = tree.path + "/" + subtree;
    if (std::find(tops.begin(), tops.end(), top) == tops.end()) tops.push_back(top);
  }
  return tops;
}

void add_files(const std::string& folder, bool contents,
               std::map<std::string, std::string>* files) {
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error))
    if (it->is_regular_file(error))
      (*files)[it->path().string()] = contents ? slurp(it->path().string()) : std::string();
}

}  // namespace

std::vector<std::string> census(const harness::Sandbox& box) {
  std::vector<std::string> items;
  for (const std::string& top : cgroup_trees(box)) {
    std::error_code error;
    for (fs::recursive_directory_iterator it(top, error), end; !error && it != end;
         it.increment(error))
      if (it->is_directory(error)) items.push_back("cgroup " + it->path().string());
  }
  for (const std::string& mount : harness::mounts_below(box.root()))
    items.push_back("mount " + mount);
  items.push_back("leases " + std::to_string(leases(box.root()) - prepared(box)));
  std::map<std::string, std::string> files;
  add_files(box.root() + "/run/zones", false, &files);
  for (const auto& [path, text] : files) items.push_back("file " + path);
  for (const char* folder : {"/lib/trash", "/lib/zones", "/lib/images", "/etc/zones"}) {
    auto names = base::list_dir(AT_FDCWD, box.root() + folder);
    if (!names.ok()) continue;
    for (const std::string& name : *names)
      items.push_back("entry " + std::string(folder) + "/" + name);
  }
  for (pid_t pid : harness::processes_naming(box.root())) {
    std::string command = harness::command_of(pid);
    items.push_back("process " + command);
    if (command == "zone-keeper")
      items.push_back("keeper descriptors " + std::to_string(fds_of(pid)));
  }
  std::sort(items.begin(), items.end());
  return items;
}

std::vector<std::string> settled_census(const harness::Sandbox& box) {
  constexpr milliseconds kQuiet(500);
  std::vector<std::string> last = census(box);
  auto since = Clock::now();
  harness::eventually([&] {
    auto now = census(box);
    if (now != last) since = Clock::now();
    last = std::move(now);
    return Clock::now() - since >= kQuiet;
  });
  return last;
}

std::string settle_to(const harness::Sandbox& box, const std::vector<std::string>& want,
                      milliseconds timeout) {
  std::vector<std::string> now;
  if (harness::eventually([&] { return (now = census(box)) == want; }, timeout)) return "";
  std::vector<std::string> more, less;
  std::set_difference(now.begin(), now.end(), want.begin(), want.end(), std::back_inserter(more));
  std::set_difference(want.begin(), want.end(), now.begin(), now.end(), std::back_inserter(less));
  return "left: " + base::join(more, ", ") + "; gone: " + base::join(less, ", ");
}

std::map<std::string, std::string> state_files(const harness::Sandbox& box) {
  std::map<std::string, std::string> files;
  add_files(box.root() + "/etc", true, &files);
  add_files(box.root() + "/run/zones", true, &files);
  std::error_code error;
  for (fs::directory_iterator it(box.root() + "/lib/zones", error), end; !error && it != end;
       it.increment(error))
    files[it->path().string()] = slurp(it->path().string() + "/zone.json");
  return files;
}

std::vector<std::string> events(const harness::Sandbox& box) {
  constexpr int kQuietMs = 200;
  auto client = api::Client::connect(box.root());
  if (!client.ok()) FAIL("Events: " << client.error().message);
  must(client->start("Events", nlohmann::json::object(), true));
  std::vector<std::string> kinds;
  for (;;) {
    pollfd input = {client->fd(), POLLIN, 0};
    if (!client->has_reply() && poll(&input, 1, kQuietMs) != 1) return kinds;
    auto reply = client->next();
    if (!reply.ok()) FAIL("Events: " << reply.error().message);
    kinds.push_back(reply->parameters["event"]["zone"].get<std::string>() + " " +
                    reply->parameters["event"]["kind"].get<std::string>());
  }
}

void check_recovery_is_quiet(harness::Sandbox& box) {
  // What the last recovery found in the trash may still be on its way out.
  CHECK(harness::eventually([&] {
    auto trash = base::list_dir(AT_FDCWD, box.root() + "/lib/trash");
    return trash.ok() && trash->empty() && box.pids_of("zoned").size() == 1;
  }));
  auto before = state_files(box);
  auto held = settled_census(box);
  box.restart();
  CHECK(events(box) == std::vector<std::string>{});
  CHECK(state_files(box) == before);
  CHECK(settle_to(box, held) == "");
}

std::string cgroup_of(const harness::Sandbox& box, const std::string& controller,
                      const std::string& pool, const std::string& zone) {
  auto roots = resource::detect_roots();
  if (!roots.ok()) FAIL(roots.error().message);
  std::string below = "/" + zoned::subtree_name(box.root()) + "/" + pool;
  if (!zone.empty()) below += "/" + zone;
  for (const auto& tree : roots->v1)
    if (tree.controller == controller) return tree.path + below;
  return roots->v2 + below;
}

uint64_t cpu_ns(const harness::Sandbox& box, const std::string& pool, const std::string& zone) {
  constexpr uint64_t kNsPerUs = 1000;
  std::string folder = cgroup_of(box, "cpuacct", pool, zone);
  std::string usage = slurp(folder + "/cpuacct.usage");
  if (!usage.empty()) return strtoull(usage.c_str(), nullptr, 10);
  for (const std::string& line : base::split(slurp(folder + "/cpu.stat"), '\n'))
    if (line.starts_with("usage_usec "))
      return strtoull(line.c_str() + line.find(' '), nullptr, 10) * kNsPerUs;
  FAIL("no CPU counter in " << folder);
  return 0;
}

milliseconds p99(std::vector<milliseconds> values) {
  if (values.empty()) return milliseconds(0);
  std::sort(values.begin(), values.end());
  return values[(values.size() - 1) * 99 / 100];
}

}  // namespace trial
