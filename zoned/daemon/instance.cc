#include "zoned/daemon/instance.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <memory>

#include "base/files.h"
#include "base/log.h"
#include "base/strings.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;

namespace {

constexpr const char* kLockName = "lock";
constexpr const char* kPidName = "zoned.pid";
constexpr const char* kStartMarker = "machine-start";
constexpr off_t kMaxLog = 4 << 20;

}  // namespace

Result<Instance> Instance::lock(const std::string& run, int run_dir) {
  TRY_AS(UniqueFd fd, base::open_at(run_dir, kLockName, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  // A predecessor that was just killed may still be dying.
  constexpr int kAttempts = 30;
  constexpr useconds_t kPauseUs = 10000;
  int locked = fcntl(fd.get(), F_OFD_SETLK, &lock);
  for (int i = 0; locked != 0 && (errno == EAGAIN || errno == EACCES) && i < kAttempts; ++i) {
    usleep(kPauseUs);
    locked = fcntl(fd.get(), F_OFD_SETLK, &lock);
  }
  if (locked != 0) {
    if (errno != EAGAIN && errno != EACCES) return base::sys_error("lock " + run + "/lock");
    auto pid = base::read_file(run_dir, kPidName, 64);
    return make_error(Code::kBusy,
                      "another zoned runs on " + base::quoted(run, 400) +
                          (pid ? ": pid " + std::string(base::trim(*pid)) : std::string()),
                      "use it, stop it, or give this one another --root");
  }
  TRY(base::replace_file(run_dir, kPidName, std::to_string(getpid()) + "\n",
                         base::Durability::kRuntime));
  TRY_AS(UniqueFd dir, base::dup_fd(run_dir));
  return Instance(std::move(fd), std::move(dir), run + "/" + kLockName);
}

Instance::~Instance() {
  if (run_) unlinkat(run_.get(), kPidName, 0);
}

Result<std::string> canonical_root(const std::string& root) {
  if (root.empty()) return root;
  TRY(base::make_dirs(AT_FDCWD, root));
  std::unique_ptr<char, decltype(&free)> path(realpath(root.c_str(), nullptr), &free);
  if (!path) return base::sys_error("--root " + base::quoted(root, 400));
  if (std::string_view(path.get()) == "/")
    return make_error(Code::kInvalid, "--root can't be the root folder of the machine");
  return std::string(path.get());
}

Result<std::string> program_folder() {
  std::string path(PATH_MAX, '\0');
  ssize_t n = readlink("/proc/self/exe", path.data(), path.size());
  if (n <= 0) return base::sys_error("readlink /proc/self/exe");
  path.resize(static_cast<size_t>(n));
  return path.substr(0, path.rfind('/'));
}

Result<bool> first_since_machine_start(int run_dir) {
  TRY_AS(std::string now, base::read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 128));
  auto before = base::read_file(run_dir, kStartMarker, 128);
  if (before && *before == now) return false;
  TRY(base::replace_file(run_dir, kStartMarker, now, base::Durability::kRuntime));
  return true;
}

void forget_machine_start(int run_dir) { unlinkat(run_dir, kStartMarker, 0); }

void cap_log(int run_dir) {
  struct stat open_log = {};
  struct stat named = {};
  if (fstat(STDERR_FILENO, &open_log) != 0 || !S_ISREG(open_log.st_mode) ||
      open_log.st_size < kMaxLog)
    return;
  if (fstatat(run_dir, kLogFile, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
      named.st_ino != open_log.st_ino || named.st_dev != open_log.st_dev)
    return;
  renameat(run_dir, kLogFile, run_dir, (std::string(kLogFile) + ".1").c_str());
  auto fresh = base::open_at(run_dir, kLogFile, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
  if (fresh) dup3(fresh->get(), STDERR_FILENO, 0);
}

}  // namespace zoned
