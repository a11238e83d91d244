#include "zoned/core/transfer.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <optional>
#include <vector>

#include "base/files.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "zoned/api/copy_stream.h"

namespace core {

using api::CopyEntry;
using base::Code;
using base::make_error;
using base::quoted;
using base::Result;
using base::Status;
using base::sys_error;
using base::UniqueFd;
using Kind = CopyEntry::Kind;

namespace {

constexpr size_t kMaxShown = 200;
constexpr mode_t kPermissions = 0777;
constexpr uint64_t kStrict = RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;

// Opened for reading only once it is known to be what may be: opening a FIFO or a device acts on it.
Result<UniqueFd> open_known(int folder, const std::string& name, struct stat* st, int flags) {
  TRY_AS(UniqueFd found, base::open_at(folder, name, O_PATH | O_NOFOLLOW));
  if (fstat(found.get(), st) != 0) return sys_error("stat");
  if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode)) return found;
  flags |= O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  if (S_ISDIR(st->st_mode)) flags |= O_DIRECTORY;
  TRY_AS(UniqueFd opened, base::open_at(folder, name, flags));
  struct stat now = {};
  if (fstat(opened.get(), &now) != 0) return sys_error("stat");
  if (now.st_ino != st->st_ino || now.st_dev != st->st_dev)
    return make_error(Code::kState, "it changed meanwhile", "try again");
  *st = now;
  return opened;
}

std::string identity_of(const struct stat& st) {
  return std::to_string(st.st_dev) + ":" + std::to_string(st.st_ino) + ":" +
         std::to_string(st.st_size) + ":" + std::to_string(st.st_ctim.tv_sec) + "." +
         std::to_string(st.st_ctim.tv_nsec);
}

// A write lease: given only while nobody else has the file open, and told when somebody wants to.
class Lease {
 public:
  static Result<Lease> take(const UniqueFd& file, const struct stat& st) {
    // The owner may; no capability of a user namespace counts here.
    auto before = static_cast<uid_t>(setfsuid(st.st_uid));
    int result = fcntl(file.get(), F_SETLEASE, F_WRLCK);
    int err = errno;
    setfsuid(before);
    if (result == 0) return Lease(file.get());
    if (err == EAGAIN || err == EBUSY)
      return make_error(Code::kBusy, "somebody has the file open",
                        "end what uses it, then try again");
    return sys_error("lease of the file", err);
  }
  Lease(Lease&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Lease& operator=(Lease&&) = delete;
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() {
    if (fd_ >= 0) fcntl(fd_, F_SETLEASE, F_UNLCK);
  }
  Status held() const {
    if (fcntl(fd_, F_GETLEASE) == F_WRLCK) return {};
    return make_error(Code::kState, "somebody opened the file meanwhile", "try again");
  }

 private:
  explicit Lease(int fd) : fd_(fd) {}
  int fd_;
};

Status check_single(const struct stat& st) {
  if (!S_ISREG(st.st_mode))
    return make_error(Code::kInvalid, "not a regular file", "'zone copy -r' copies folders");
  if (st.st_nlink != 1)
    return make_error(Code::kInvalid, "the file has " + std::to_string(st.st_nlink) + " names",
                      "remove the others first: they would keep it where it is");
  return {};
}

class Packer {
 public:
  Packer(const PackOptions& options, int out, UnpackReport* report)
      : options_(options), writer_(out), report_(report) {}

  Result<Packed> run(int tree, const std::string& path) {
    TRY_AS(Place place, find_place(tree, path));
    TRY(visit(place.folder.get(), place.name, ""));
    while (!levels_.empty()) {
      Level& level = levels_.back();
      if (level.names.empty()) {
        levels_.pop_back();
        continue;
      }
      std::string name = std::move(level.names.back());
      level.names.pop_back();
      std::string below = level.path.empty() ? name : level.path + "/" + name;
      Status done = visit(level.folder.get(), name, below);
      // What went away meanwhile is not there.
      if (!done && done.error().sys_errno == ENOENT) continue;
      if (!done) return std::move(done).error().context(quoted(below, kMaxShown));
    }
    TRY(writer_.finish());
    if (special_ > 0)
      report_->warn(std::to_string(special_) + " sockets, FIFOs or devices were left out");
    report_->progress("pack", packed_.bytes, packed_.bytes);
    return packed_;
  }

 private:
  struct Level {
    UniqueFd folder;
    std::string path;  // relative; empty for the top
    std::vector<std::string> names;
  };

  Status visit(int folder, const std::string& name, const std::string& path) {
    struct stat st = {};
    TRY_AS(UniqueFd found, open_known(folder, name, &st, O_RDONLY));
    bool top = path.empty();
    if (top && options_.exclusive) TRY(check_single(st));
    if (top && S_ISDIR(st.st_mode) && !options_.recursive)
      return make_error(Code::kInvalid, "a folder", "-r copies it with all that it holds");
    CopyEntry entry;
    entry.path = path;
    entry.mode = st.st_mode & kPermissions;
    entry.uid = st.st_uid;
    entry.gid = st.st_gid;
    entry.mtime = st.st_mtim.tv_sec;
    if (S_ISDIR(st.st_mode)) return enter(std::move(found), entry);
    if (S_ISREG(st.st_mode)) return file(found, st, entry);
    if (S_ISLNK(st.st_mode) && !top) return link(found, entry);
    if (top)
      return make_error(Code::kInvalid, S_ISLNK(st.st_mode) ? "a symbolic link" : "a special file",
                        "files and folders can be copied");
    ++special_;
    return {};
  }

  Status put(const CopyEntry& entry) {
    if (++packed_.files > api::kMaxCopyEntries)
      return make_error(Code::kInvalid, "more than " + std::to_string(api::kMaxCopyEntries) +
                                            " files and folders at once");
    return writer_.put(entry);
  }

  Status enter(UniqueFd folder, CopyEntry entry) {
    if (levels_.size() == api::kMaxCopyDepth)
      return make_error(Code::kInvalid, "more than " + std::to_string(api::kMaxCopyDepth) +
                                            " folders inside each other");
    entry.kind = Kind::kFolder;
    TRY(put(entry));
    TRY_AS(auto names, base::list_dir(folder.get()));
    levels_.push_back({std::move(folder), entry.path, {names.rbegin(), names.rend()}});
    return {};
  }

  Status link(const UniqueFd& found, CopyEntry entry) {
    char text[PATH_MAX];
    ssize_t size = readlinkat(found.get(), "", text, sizeof text);
    if (size < 0) return sys_error("readlink");
    if (size == 0 || static_cast<size_t>(size) == sizeof text)
      return make_error(Code::kInvalid, "a symbolic link that is empty or too long");
    entry.kind = Kind::kLink;
    entry.link.assign(text, static_cast<size_t>(size));
    return put(entry);
  }

  Status file(const UniqueFd& from, const struct stat& st, CopyEntry entry) {
    std::optional<Lease> lease;
    if (options_.exclusive) {
      TRY_AS(Lease taken, Lease::take(from, st));
      lease.emplace(std::move(taken));
    }
    entry.size = static_cast<uint64_t>(st.st_size);
    TRY(put(entry));
    TRY(data(from.get(), st.st_size));
    TRY(writer_.end_data());
    packed_.bytes += entry.size;
    report_->progress("pack", packed_.bytes, 0);
    if (!lease) return {};
    TRY(lease->held());
    packed_.identity = identity_of(st);
    return {};
  }

  Status data(int from, off_t size) {
    std::string buffer(size_t{256} << 10, '\0');
    off_t at = 0;
    while (at < size) {
      off_t start = lseek(from, at, SEEK_DATA);
      if (start < 0 && errno == ENXIO) return {};
      if (start < 0) return sys_error("find data");
      off_t end = lseek(from, start, SEEK_HOLE);
      if (end < 0) return sys_error("find a hole");
      end = std::min(end, size);
      for (at = start; at < end;) {
        auto wanted = std::min(buffer.size(), static_cast<size_t>(end - at));
        ssize_t n = pread(from, buffer.data(), wanted, at);
        if (n < 0) return sys_error("read");
        if (n == 0) return {};  // it became shorter
        TRY(writer_.data(static_cast<uint64_t>(at),
                         std::string_view(buffer).substr(0, static_cast<size_t>(n))));
        at += n;
      }
      if (start >= size) return {};
    }
    return {};
  }

  PackOptions options_;
  api::CopyWriter writer_;
  UnpackReport* report_;
  std::vector<Level> levels_;
  Packed packed_;
  uint64_t special_ = 0;
};

}  // namespace

Result<Place> find_place(int tree, const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos || !api::is_file_name(path.substr(slash + 1)))
    return make_error(Code::kInvalid, "not the path of a file or folder");
  Place place;
  place.name = path.substr(slash + 1);
  const std::string folder = slash == 0 ? "/" : path.substr(0, slash);
  auto opened = base::open_in_root(tree, folder, O_RDONLY | O_DIRECTORY, 0, kStrict);
  if (!opened && opened.error().sys_errno == ELOOP)
    return make_error(Code::kInvalid, quoted(folder, kMaxShown) + " holds a symbolic link",
                      "name the place itself");
  if (!opened && opened.error().sys_errno == EXDEV)
    return make_error(Code::kInvalid, quoted(folder, kMaxShown) + " is on another file system");
  if (!opened && opened.error().sys_errno == ENOTDIR)
    return make_error(Code::kInvalid, quoted(folder, kMaxShown) + " leads through a file");
  if (!opened) return std::move(opened).error();
  place.folder = *std::move(opened);
  return place;
}

Result<Packed> pack_files(int tree, const std::string& path, const PackOptions& options, int out,
                          UnpackReport* report) {
  auto packed = Packer(options, out, report).run(tree, path);
  if (packed) return packed;
  // Of a full disk the job's error tells by these words (core::job_error).
  if (packed.error().sys_errno == ENOSPC)
    return base::Error(write_error("keep what is copied", ENOSPC));
  return std::move(packed).error().context(quoted(path, kMaxShown));
}

Status take_away(int tree, const std::string& path, const std::string& identity,
                 const std::function<Status()>& go) {
  auto take = [&]() -> Status {
    TRY_AS(Place place, find_place(tree, path));
    struct stat st = {};
    TRY_AS(UniqueFd file, open_known(place.folder.get(), place.name, &st, O_RDONLY));
    TRY(check_single(st));
    TRY_AS(Lease lease, Lease::take(file, st));
    auto unchanged = [&]() -> Status {
      struct stat now = {};
      if (fstat(file.get(), &now) != 0) return sys_error("stat");
      if (identity_of(now) == identity) return {};
      return make_error(Code::kState, "the file has changed meanwhile", "try again");
    };
    TRY(unchanged());
    TRY(go());
    TRY(lease.held());
    TRY(unchanged());
    struct stat named = {};
    if (fstatat(place.folder.get(), place.name.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0)
      return sys_error("stat");
    if (named.st_ino != st.st_ino || named.st_dev != st.st_dev)
      return make_error(Code::kState, "the file was renamed meanwhile", "try again");
    if (unlinkat(place.folder.get(), place.name.c_str(), 0) != 0) return sys_error("remove");
    if (fsync(place.folder.get()) != 0) return sys_error("sync");
    return {};
  };
  Status taken = take();
  if (!taken) return std::move(taken).error().context(quoted(path, kMaxShown));
  return {};
}

}  // namespace core
