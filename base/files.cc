#include "base/files.h"

#include <dirent.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>

#include "base/strings.h"

namespace base {
namespace {

struct DirCloser {
  void operator()(DIR* dir) const { closedir(dir); }
};

Result<std::unique_ptr<DIR, DirCloser>> open_dir_stream(UniqueFd fd) {
  std::unique_ptr<DIR, DirCloser> dir(fdopendir(fd.get()));
  if (!dir) return sys_error("fdopendir");
  [[maybe_unused]] int owned_by_dir = fd.release();
  return dir;
}

// Depth first with an explicit stack: a hostile tree can be deeper than our stack.
Status empty_tree(UniqueFd top, dev_t device) {
  struct Level {
    UniqueFd fd;
    std::vector<std::string> names;
    std::string own_name;
  };
  std::vector<Level> stack;
  auto enter = [&](UniqueFd fd, std::string name) -> Status {
    TRY_AS(auto names, list_dir(fd.get()));
    stack.push_back({std::move(fd), std::move(names), std::move(name)});
    return {};
  };
  TRY(enter(std::move(top), {}));
  while (!stack.empty()) {
    Level& level = stack.back();
    if (level.names.empty()) {
      std::string name = std::move(level.own_name);
      stack.pop_back();
      if (!stack.empty() && unlinkat(stack.back().fd.get(), name.c_str(), AT_REMOVEDIR) != 0 &&
          errno != ENOENT)
        return sys_error("rmdir " + quoted(name));
      continue;
    }
    std::string name = std::move(level.names.back());
    level.names.pop_back();
    int parent = level.fd.get();
    if (unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) continue;
    if (errno != EISDIR && errno != EPERM) return sys_error("unlink " + quoted(name));
    TRY_AS(UniqueFd child, open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    struct stat st = {};
    if (fstat(child.get(), &st) != 0) return sys_error("stat " + quoted(name));
    if (st.st_dev != device)
      return make_error(Code::kBusy, quoted(name) + " is a mount point; refusing to cross it");
    TRY(enter(std::move(child), std::move(name)));
  }
  return {};
}

}  // namespace

Result<UniqueFd> open_at(int at, const std::string& path, int flags, mode_t mode) {
  int fd = openat(at, path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) return sys_error("open " + quoted(path, 400));
  return UniqueFd(fd);
}

Result<UniqueFd> open_in_root(int root, const std::string& path, int flags, mode_t mode,
                              uint64_t extra_resolve) {
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | extra_resolve;
  // EAGAIN: a rename raced with the walk (openat2(2)); bounded retry.
  for (int attempt = 0; attempt < 64; ++attempt) {
    long fd = syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if (errno != EAGAIN && errno != EINTR) break;
  }
  return sys_error("open " + quoted(path, 400));
}

Result<std::string> read_fd(int fd, size_t max_bytes) {
  std::string data;
  char buffer[16384];
  while (true) {
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return sys_error("read");
    if (n == 0) return data;
    if (data.size() + static_cast<size_t>(n) > max_bytes)
      return make_error(Code::kNoSpace, "larger than " + format_size(max_bytes));
    data.append(buffer, static_cast<size_t>(n));
  }
}

Result<std::string> read_file(int at, const std::string& path, size_t max_bytes) {
  // Opening a FIFO would wait for whoever writes to it.
  TRY_AS(UniqueFd fd, open_at(at, path, O_RDONLY | O_NONBLOCK));
  struct stat st = {};
  if (fstat(fd.get(), &st) != 0) return sys_error("stat " + quoted(path, 400));
  if (S_ISDIR(st.st_mode)) return sys_error("read " + quoted(path, 400), EISDIR);
  if (!S_ISREG(st.st_mode))
    return make_error(Code::kInvalid, quoted(path, 400) + " is not a regular file");
  auto data = read_fd(fd.get(), max_bytes);
  if (!data) return std::move(data).error().context(quoted(path, 400));
  return data;
}

Status write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    ssize_t n = write(fd, data.data(), data.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return sys_error("write");
    data.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

Status write_value(int at, const std::string& path, std::string_view data) {
  TRY_AS(UniqueFd fd, open_at(at, path, O_WRONLY));
  ssize_t n;
  do {
    n = write(fd.get(), data.data(), data.size());
  } while (n < 0 && errno == EINTR);
  if (n < 0) return sys_error("write " + quoted(data) + " to " + quoted(path, 400));
  return {};
}

Status replace_file(int at, const std::string& name, std::string_view data, Durability durability,
                    mode_t mode) {
  static std::atomic<unsigned> counter{0};
  std::string temporary =
      "." + name + "." + std::to_string(getpid()) + "." + std::to_string(counter++) + ".tmp";
  auto write_temporary = [&]() -> Status {
    TRY_AS(UniqueFd fd, open_at(at, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode));
    TRY(write_all(fd.get(), data));
    if (durability == Durability::kDisk && fsync(fd.get()) != 0) return sys_error("fsync");
    if (renameat(at, temporary.c_str(), at, name.c_str()) != 0) return sys_error("rename");
    return {};
  };
  if (auto status = write_temporary(); !status) {
    unlinkat(at, temporary.c_str(), 0);
    return std::move(status).error().context("write " + quoted(name, 400));
  }
  if (durability == Durability::kDisk) {
    TRY_AS(UniqueFd dir, open_at(at, ".", O_RDONLY | O_DIRECTORY));
    if (fsync(dir.get()) != 0) return sys_error("fsync the folder of " + quoted(name, 400));
  }
  return {};
}

Result<UniqueFd> make_dirs(int at, const std::string& path, mode_t mode) {
  TRY_AS(UniqueFd current, open_at(at, path.starts_with('/') ? "/" : ".", O_RDONLY | O_DIRECTORY));
  for (const std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (mkdirat(current.get(), part.c_str(), mode) != 0 && errno != EEXIST)
      return sys_error("mkdir " + quoted(path, 400));
    auto next = open_at(current.get(), part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!next) return std::move(next).error().context(quoted(path, 400));
    current = *std::move(next);
  }
  return current;
}

Status remove_tree(int at, const std::string& name) {
  if (unlinkat(at, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return sys_error("unlink " + quoted(name, 400));
  TRY_AS(UniqueFd top, open_at(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  struct stat st = {};
  if (fstat(top.get(), &st) != 0) return sys_error("stat " + quoted(name, 400));
  TRY(empty_tree(std::move(top), st.st_dev));
  if (unlinkat(at, name.c_str(), AT_REMOVEDIR) != 0) return sys_error("rmdir " + quoted(name, 400));
  return {};
}

Result<std::vector<std::string>> list_dir(int at, const std::string& path) {
  TRY_AS(UniqueFd fd, open_at(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  TRY_AS(auto dir, open_dir_stream(std::move(fd)));
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    dirent* entry = readdir(dir.get());
    if (entry == nullptr && errno != 0) return sys_error("readdir " + quoted(path, 400));
    if (entry == nullptr) break;
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool exists_at(int at, const std::string& path) {
  struct stat st = {};
  return fstatat(at, path.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0;
}

Result<UniqueFd> sealed_memfd(const char* name, std::string_view data, bool executable) {
  constexpr unsigned kExec = 0x0010;    // MFD_EXEC, Linux 6.3
  constexpr unsigned kNoExec = 0x0008;  // MFD_NOEXEC_SEAL, Linux 6.3
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int raw = memfd_create(name, flags | (executable ? kExec : kNoExec));
  if (raw < 0 && errno == EINVAL) raw = memfd_create(name, flags);  // before 6.3
  if (raw < 0) return sys_error("memfd_create");
  UniqueFd fd(raw);
  TRY(write_all(fd.get(), data));
  if (lseek(fd.get(), 0, SEEK_SET) != 0) return sys_error("lseek");
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
    return sys_error("seal memfd");
  return fd;
}

bool is_sealed(int fd) {
  constexpr int kAll = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  int seals = fcntl(fd, F_GET_SEALS);
  return seals >= 0 && (seals & kAll) == kAll;
}

Result<UniqueFd> dup_fd(int fd) {
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return sys_error("dup");
  return UniqueFd(copy);
}

}  // namespace base
