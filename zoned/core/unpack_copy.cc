#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <climits>
#include <map>

#include "base/files.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "zoned/core/file_copy.h"
#include "zoned/core/unpack.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using base::quoted;
using base::Result;
using base::Status;
using base::sys_error;
using base::UniqueFd;

constexpr size_t kMaxDepth = 1000;  // two descriptors a level
constexpr const char* kStage = "copy";

// ENOTSUP: the target keeps none; whatever else fails is an error.
Status copy_attributes(int from, int to, UnpackReport* report) {
  char names[65536];
  ssize_t size = flistxattr(from, names, sizeof names);
  if (size < 0 && errno == ENOTSUP) return {};
  if (size < 0) return sys_error("list extended attributes");
  std::string value(65536, '\0');
  for (std::string_view rest(names, static_cast<size_t>(size)); !rest.empty();) {
    std::string name(rest.substr(0, rest.find('\0')));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    if (!keeps_attribute(name)) continue;
    ssize_t length = fgetxattr(from, name.c_str(), value.data(), value.size());
    if (length < 0 && errno == ENODATA) continue;
    if (length < 0) return sys_error("read extended attribute " + quoted(name));
    if (fsetxattr(to, name.c_str(), value.data(), static_cast<size_t>(length), 0) == 0) continue;
    if (errno != ENOTSUP) return write_error("set extended attribute " + quoted(name), errno);
    report->warn("the disk that holds zones keeps no extended attributes such as " + quoted(name));
  }
  return {};
}

// Owner first: changing it drops set-user-id bits and capabilities.
Status copy_metadata(int from, int to, const struct stat& st, mode_t mode, UnpackReport* report) {
  if (fchown(to, st.st_uid, st.st_gid) != 0) return write_error("chown", errno);
  TRY(copy_attributes(from, to, report));
  if (fchmod(to, mode & 07777) != 0) return write_error("chmod", errno);
  timespec times[2] = {st.st_atim, st.st_mtim};
  if (futimens(to, times) != 0) return write_error("set times", errno);
  return {};
}

class Copier {
 public:
  Copier(int source, int target, UnpackReport* report)
      : source_(source), target_(target), report_(report) {}

  Status run() {
    TRY(walk(true));
    TRY(walk(false));
    report_->progress(kStage, total_, total_);
    return {};
  }

 private:
  struct Level {
    UniqueFd from;
    UniqueFd to;  // not while measuring
    struct stat st = {};
    std::string path;  // relative; empty for the top
    std::vector<std::string> names;
  };

  Status push(UniqueFd from, UniqueFd to, const struct stat& st, std::string path) {
    if (levels_.size() == kMaxDepth)
      return make_error(Code::kInvalid,
                        "more than " + std::to_string(kMaxDepth) + " folders inside each other");
    TRY_AS(auto names, base::list_dir(from.get()));
    levels_.push_back({std::move(from), std::move(to), st, std::move(path), std::move(names)});
    return {};
  }

  Status walk(bool measure) {
    TRY_AS(UniqueFd from, base::open_at(source_, ".", O_RDONLY | O_DIRECTORY));
    struct stat st = {};
    if (fstat(from.get(), &st) != 0) return sys_error("stat the source");
    UniqueFd to;
    if (!measure) {
      TRY_AS(to, base::open_at(target_, ".", O_RDONLY | O_DIRECTORY));
    }
    TRY(push(std::move(from), std::move(to), st, ""));
    while (!levels_.empty()) {
      Level& level = levels_.back();
      if (level.names.empty()) {
        TRY(leave(measure));
        continue;
      }
      std::string name = std::move(level.names.back());
      level.names.pop_back();
      std::string path = level.path.empty() ? name : level.path + "/" + name;
      Status done = visit(level, name, path, measure);
      if (!done && done.error().code == Code::kInvalid) return done;
      if (!done) return std::move(done).error().context(quoted(path, 200));
    }
    return {};
  }

  Status leave(bool measure) {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    if (measure) return {};
    mode_t mode = level.st.st_mode | (level.path.empty() ? 0555U : 0U);
    Status done = copy_metadata(level.from.get(), level.to.get(), level.st, mode, report_);
    if (!done) return std::move(done).error().context("folder " + quoted(level.path, 200));
    return {};
  }

  Status visit(Level& level, const std::string& name, const std::string& path, bool measure) {
    struct stat st = {};
    if (fstatat(level.from.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
      return sys_error("stat");
    if (S_ISDIR(st.st_mode)) return enter(level, name, path, measure);
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
      if (!is_standard_device(path, st.st_mode, major(st.st_rdev), minor(st.st_rdev)))
        return device_error("file", path);
      if (!measure) report_->warn("device nodes in dev/ were left out");
      return {};
    }
    if (measure) {
      if (S_ISREG(st.st_mode)) total_ += static_cast<uint64_t>(st.st_size);
      return {};
    }
    if (S_ISREG(st.st_mode)) return copy_file(level, name, path, st);
    if (S_ISLNK(st.st_mode)) return copy_link(level, name, st);
    if (S_ISFIFO(st.st_mode)) return copy_fifo(level, name, st);
    return {};  // a socket: whoever listened is not here
  }

  Status enter(Level& level, const std::string& name, const std::string& path, bool measure) {
    TRY_AS(UniqueFd from,
           base::open_at(level.from.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    struct stat st = {};
    if (fstat(from.get(), &st) != 0) return sys_error("stat");
    if (st.st_dev != level.st.st_dev) return {};  // somebody mounted over it meanwhile
    UniqueFd to;
    if (!measure) {
      if (mkdirat(level.to.get(), name.c_str(), 0700) != 0) return write_error("mkdir", errno);
      TRY_AS(to, base::open_at(level.to.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    }
    return push(std::move(from), std::move(to), st, path);
  }

  Status copy_file(Level& level, const std::string& name, const std::string& path,
                   const struct stat& seen) {
    std::pair<dev_t, ino_t> key{seen.st_dev, seen.st_ino};
    if (auto first = linked_.find(key); first != linked_.end()) {
      if (linkat(target_, first->second.c_str(), level.to.get(), name.c_str(), 0) == 0) {
        add_progress(seen.st_size);
        return {};
      }
      if (errno != ENAMETOOLONG && errno != EMLINK) return write_error("link", errno);
    }
    TRY_AS(UniqueFd from,
           base::open_at(level.from.get(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
    struct stat st = {};
    if (fstat(from.get(), &st) != 0) return sys_error("stat");
    if (!S_ISREG(st.st_mode)) return make_error(Code::kIo, "changed while it was copied");
    UniqueFd to(openat(level.to.get(), name.c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!to) return write_error("create", errno);
    TRY(copy_data(from.get(), to.get(), st.st_size, {}));
    TRY(copy_metadata(from.get(), to.get(), st, st.st_mode, report_));
    if (st.st_nlink > 1) linked_.try_emplace(key, path);
    add_progress(st.st_size);
    return {};
  }

  Status copy_link(Level& level, const std::string& name, const struct stat& st) {
    char text[PATH_MAX];
    ssize_t size = readlinkat(level.from.get(), name.c_str(), text, sizeof text);
    if (size < 0) return sys_error("readlink");
    if (static_cast<size_t>(size) == sizeof text)
      return make_error(Code::kIo, "symbolic link is too long");
    text[size] = '\0';
    if (symlinkat(text, level.to.get(), name.c_str()) != 0) return write_error("symlink", errno);
    return finish_by_name(level, name, st);
  }

  Status copy_fifo(Level& level, const std::string& name, const struct stat& st) {
    if (mkfifoat(level.to.get(), name.c_str(), 0600) != 0) return write_error("mkfifo", errno);
    TRY(finish_by_name(level, name, st));
    if (fchmodat(level.to.get(), name.c_str(), st.st_mode & 07777, 0) != 0)
      return write_error("chmod", errno);
    return {};
  }

  Status finish_by_name(Level& level, const std::string& name, const struct stat& st) {
    int at = level.to.get();
    timespec times[2] = {st.st_atim, st.st_mtim};
    if (fchownat(at, name.c_str(), st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) != 0)
      return write_error("chown", errno);
    if (utimensat(at, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
      return write_error("set times", errno);
    return {};
  }

  void add_progress(off_t bytes) {
    done_ += static_cast<uint64_t>(bytes);
    report_->progress(kStage, std::min(done_, total_), total_);
  }

  int source_;
  int target_;
  UnpackReport* report_;
  std::vector<Level> levels_;
  std::map<std::pair<dev_t, ino_t>, std::string> linked_;  // first path of a file with more names
  uint64_t done_ = 0;
  uint64_t total_ = 0;
};

}  // namespace

Status copy_tree(int source, int target, UnpackReport* report) {
  return Copier(source, target, report).run();
}

}  // namespace core
