#include "resource/cgroup_folder.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <memory>
#include <set>
#include <thread>

#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"

namespace resource {
namespace {

constexpr size_t kMaxFile = 4 << 20;
// POOL/ZONE/payload and what kMaxZoneCgroupDepth allows stay well below; one descriptor a level.
constexpr size_t kMaxDepth = 64;

struct DirCloser {
  void operator()(DIR* dir) const { closedir(dir); }
};

using Enter = std::function<base::Status(int folder)>;
using Leave = std::function<void(int parent, const std::string& name)>;

struct Level {
  base::UniqueFd folder;
  std::string name;
  std::vector<std::string> children;
};

// Depth first, without recursion; enter before the children, leave after them. Folders that vanish
// meanwhile are passed over.
base::Status walk(int at, const std::string& path, const Enter& enter, const Leave& leave) {
  std::vector<Level> stack;
  auto descend = [&](int parent, const std::string& name) -> base::Status {
    int fd = openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return {};
    if (fd < 0) return base::sys_error("open cgroup " + base::quoted(name));
    base::UniqueFd folder(fd);
    if (stack.size() >= kMaxDepth)
      return base::make_error(
          base::Code::kBusy,
          "cgroup " + base::quoted(path) + ": nested deeper than " + std::to_string(kMaxDepth));
    TRY(enter(fd));
    TRY_AS(auto children, child_folders(fd));
    stack.push_back({std::move(folder), name, std::move(children)});
    return {};
  };
  TRY(descend(at, path));
  while (!stack.empty()) {
    if (!stack.back().children.empty()) {
      std::string name = std::move(stack.back().children.back());
      stack.back().children.pop_back();
      TRY(descend(stack.back().folder.get(), name));
      continue;
    }
    std::string name = std::move(stack.back().name);
    stack.pop_back();
    leave(stack.empty() ? at : stack.back().folder.get(), name);
  }
  return {};
}

base::Status collect_pids(int folder, std::vector<pid_t>* pids) {
  auto text = read_control(folder, "cgroup.procs");
  // A threaded cgroup's processes are listed by the domain above it.
  if (!text && (text.error().sys_errno == EOPNOTSUPP || text.error().sys_errno == ENODEV ||
                text.error().sys_errno == ENOENT))
    return {};
  if (!text) return std::move(text).error();
  const char* at = text->data();
  const char* end = at + text->size();
  while (at < end) {
    pid_t pid = 0;
    auto [next, ec] = std::from_chars(at, end, pid);
    if (ec == std::errc() && pid > 0) pids->push_back(pid);
    at = std::find(next, end, '\n') + 1;
  }
  return {};
}

}  // namespace

bool Backoff::wait() {
  if (next_ > std::chrono::milliseconds(16)) return false;
  std::this_thread::sleep_for(next_);
  next_ *= 2;
  return true;
}

base::Result<base::UniqueFd> open_control(int at, const std::string& path) {
  int fd = openat(at, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd >= 0) return base::UniqueFd(fd);
  // cgroupfs answers "may not create" for a file that is not there.
  int err = errno;
  if ((err == EACCES || err == EPERM) && !base::exists_at(at, path)) err = ENOENT;
  return base::sys_error("open " + base::quoted(path, 400), err);
}

base::Status write_control(int at, const std::string& path, std::string_view value) {
  TRY_AS(base::UniqueFd fd, open_control(at, path));
  ssize_t n;
  do {
    n = write(fd.get(), value.data(), value.size());
  } while (n < 0 && errno == EINTR);
  if (n < 0)
    return base::sys_error("write " + base::quoted(value) + " to " + base::quoted(path, 400));
  return {};
}

base::Result<std::string> read_control(int at, const std::string& path) {
  return base::read_file(at, path, kMaxFile);
}

uint64_t read_number(int at, const std::string& path) {
  base::UniqueFd fd(openat(at, path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return 0;
  char buffer[32];
  ssize_t n = read(fd.get(), buffer, sizeof buffer);
  uint64_t value = 0;
  if (n > 0) std::from_chars(buffer, buffer + n, value);
  return value;
}

uint64_t keyed_number(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.size() <= key.size() || !line.starts_with(key) || line[key.size()] != ' ') continue;
    line.remove_prefix(key.size() + 1);
    uint64_t value = 0;
    std::from_chars(line.data(), line.data() + line.size(), value);
    return value;
  }
  return 0;
}

base::Status make_fresh(int at, const std::string& path) {
  if (mkdirat(at, path.c_str(), 0755) == 0) return {};
  if (errno == EEXIST) {
    TRY(remove_cgroup(at, path));
    if (mkdirat(at, path.c_str(), 0755) == 0) return {};
  }
  return base::sys_error("make cgroup " + base::quoted(path, 400));
}

base::Result<std::vector<std::string>> child_folders(int at, const std::string& path) {
  TRY_AS(base::UniqueFd fd, base::open_at(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  std::unique_ptr<DIR, DirCloser> dir(fdopendir(fd.get()));
  if (!dir) return base::sys_error("list cgroup " + base::quoted(path, 400));
  [[maybe_unused]] int owned_by_dir = fd.release();
  std::vector<std::string> names;
  errno = 0;
  while (dirent* entry = readdir(dir.get())) {
    std::string_view name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0 && errno != ENOENT)
    return base::sys_error("list cgroup " + base::quoted(path, 400));
  return names;
}

base::Status remove_cgroup(int at, const std::string& path) {
  Backoff backoff;
  while (true) {
    if (unlinkat(at, path.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
    if (errno != EBUSY && errno != ENOTEMPTY)
      return base::sys_error("remove cgroup " + base::quoted(path, 400));
    TRY(walk(
        at, path, [](int) { return base::Status(); },
        [](int parent, const std::string& name) {
          unlinkat(parent, name.c_str(), AT_REMOVEDIR);  // judged by the next rmdir of the top
        }));
    if (unlinkat(at, path.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
    if (!backoff.wait())
      return base::make_error(base::Code::kBusy,
                              "cgroup " + base::quoted(path, 400) + " still has processes");
  }
}

base::Result<std::vector<pid_t>> processes_below(int at, const std::string& path) {
  std::vector<pid_t> pids;
  TRY(walk(
      at, path, [&](int folder) { return collect_pids(folder, &pids); },
      [](int, const std::string&) {}));
  std::sort(pids.begin(), pids.end());
  return pids;
}

base::Status move_processes(const std::function<base::Result<std::vector<pid_t>>()>& list, int at,
                            const std::string& procs) {
  TRY_AS(base::UniqueFd target, open_control(at, procs));
  std::set<pid_t> moved;
  // A process that forks while it is moved leaves a child behind; children of moved ones are right.
  for (int round = 0; round < 50; ++round) {
    TRY_AS(auto pids, list());
    bool all_moved = true;
    for (pid_t pid : pids) {
      if (!moved.insert(pid).second) continue;
      all_moved = false;
      std::string text = std::to_string(pid);
      if (write(target.get(), text.data(), text.size()) < 0 && errno != ESRCH)
        return base::sys_error("move process " + text + " to " + base::quoted(procs, 400));
    }
    if (all_moved) return {};
  }
  return base::make_error(base::Code::kBusy, "its processes fork faster than they can be moved");
}

base::Status kill_below(int at, const std::string& path) {
  std::set<pid_t> signalled;
  for (int round = 0; round < 50; ++round) {
    TRY_AS(auto listed, processes_below(at, path));
    std::erase_if(listed, [&](pid_t pid) { return signalled.contains(pid); });
    // A process with SIGKILL pending forks no more, so no new one means that all are covered.
    if (listed.empty()) return {};
    std::vector<base::UniqueFd> pidfds(listed.size());
    for (size_t i = 0; i < listed.size(); ++i)
      if (auto pidfd = base::open_pidfd(listed[i])) pidfds[i] = *std::move(pidfd);
    // Only what is still listed once its pidfd is taken is one of these: a reused pid is not.
    TRY_AS(auto still, processes_below(at, path));
    for (size_t i = 0; i < listed.size(); ++i) {
      if (!pidfds[i] || !std::binary_search(still.begin(), still.end(), listed[i])) continue;
      TRY(base::signal_pidfd(pidfds[i].get(), SIGKILL));
      signalled.insert(listed[i]);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return base::make_error(base::Code::kBusy, "cgroup " + base::quoted(path, 400) +
                                                 ": processes appear as fast as they are killed");
}

}  // namespace resource
