#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "base/files.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "zoned/api/copy_stream.h"
#include "zoned/core/transfer.h"

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

// Owner first: changing it drops bits of the mode.
Status give(int fd, const CopyEntry& entry) {
  if (fchown(fd, entry.uid, entry.gid) != 0) return write_error("chown", errno);
  if (fchmod(fd, entry.mode) != 0) return write_error("chmod", errno);
  timespec times[2] = {{entry.mtime, 0}, {entry.mtime, 0}};
  if (futimens(fd, times) != 0) return write_error("set times", errno);
  return {};
}

// Makes what a stream holds, its top as `name` in `folder`.
class Writer {
 public:
  Writer(int folder, std::string name, int in, UnpackReport* report)
      : folder_(folder), name_(std::move(name)), reader_(in), report_(report) {}

  Status run() {
    while (true) {
      TRY_AS(auto entry, reader_.next());
      if (!entry) break;
      Status made = make(*entry);
      if (!made && entry->path.empty()) return made;
      if (!made) return std::move(made).error().context(quoted(entry->path, kMaxShown));
    }
    while (!levels_.empty()) TRY(leave());
    report_->progress("place", bytes_, bytes_);
    return {};
  }

 private:
  struct Level {
    CopyEntry entry;
    UniqueFd fd;
  };

  Status make(const CopyEntry& entry) {
    int at = folder_;
    std::string name = name_;
    if (!entry.path.empty()) {
      // The reader has seen to it that the folder is one of those that are open.
      size_t slash = entry.path.rfind('/');
      std::string parent = slash == std::string::npos ? "" : entry.path.substr(0, slash);
      while (levels_.back().entry.path != parent) TRY(leave());
      at = levels_.back().fd.get();
      name = entry.path.substr(slash == std::string::npos ? 0 : slash + 1);
    }
    switch (entry.kind) {
      case Kind::kFolder:
        return folder(at, name, entry);
      case Kind::kFile:
        return file(at, name, entry);
      case Kind::kLink:
        break;
    }
    if (symlinkat(entry.link.c_str(), at, name.c_str()) != 0) return write_error("symlink", errno);
    if (fchownat(at, name.c_str(), entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0)
      return write_error("chown", errno);
    return {};
  }

  Status folder(int at, const std::string& name, const CopyEntry& entry) {
    if (mkdirat(at, name.c_str(), 0700) != 0) return write_error("mkdir", errno);
    TRY_AS(UniqueFd fd, base::open_at(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    levels_.push_back({entry, std::move(fd)});
    return {};
  }

  Status file(int at, const std::string& name, const CopyEntry& entry) {
    UniqueFd to(
        openat(at, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!to) return write_error("create", errno);
    if (ftruncate(to.get(), static_cast<off_t>(entry.size)) != 0)
      return write_error("set its size", errno);
    while (true) {
      TRY_AS(auto chunk, reader_.chunk());
      if (!chunk) break;
      TRY(write_at(to.get(), *chunk));
      bytes_ += chunk->data.size();
      report_->progress("place", bytes_, 0);
    }
    return give(to.get(), entry);
  }

  static Status write_at(int to, api::CopyChunk chunk) {
    while (!chunk.data.empty()) {
      ssize_t n =
          pwrite(to, chunk.data.data(), chunk.data.size(), static_cast<off_t>(chunk.offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return write_error("write", errno);
      chunk.offset += static_cast<uint64_t>(n);
      chunk.data.remove_prefix(static_cast<size_t>(n));
    }
    return {};
  }

  Status leave() {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    return give(level.fd.get(), level.entry);
  }

  int folder_;
  std::string name_;
  api::CopyReader reader_;
  UnpackReport* report_;
  std::vector<Level> levels_;  // the folder that is being filled and those above it
  uint64_t bytes_ = 0;
};

base::Error exists(const std::string& path) {
  return make_error(Code::kExists, quoted(path, kMaxShown) + " is there already",
                    "name another place; --force replaces a file by a file");
}

bool is_regular(int folder, const std::string& name) {
  struct stat st = {};
  return fstatat(folder, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

// named: it has its own name.
Status place(const Place& at, const std::string& path, const std::string& temporary, bool replace,
             int in, UnpackReport* report, bool* named) {
  int folder = at.folder.get();
  bool there = base::exists_at(folder, at.name);
  if (there && !(replace && is_regular(folder, at.name))) return exists(path);
  TRY(Writer(folder, temporary, in, report).run());
  if (there && !is_regular(folder, temporary)) return exists(path);
  if (syncfs(folder) != 0) return write_error("sync", errno);
  int result =
      there ? renameat(folder, temporary.c_str(), folder, at.name.c_str())
            : renameat2(folder, temporary.c_str(), folder, at.name.c_str(), RENAME_NOREPLACE);
  if (result != 0 && errno == EEXIST) return exists(path);
  if (result != 0) return write_error("rename", errno);
  *named = true;
  if (fsync(folder) != 0) return write_error("sync", errno);
  return {};
}

// The name is that of a regular file that is what the stream holds.
Result<bool> is_same_file(int folder, const std::string& name, int in) {
  api::CopyReader reader(in);
  TRY_AS(auto entry, reader.next());
  if (!entry || entry->kind != Kind::kFile || !is_regular(folder, name)) return false;
  TRY_AS(UniqueFd file, base::open_at(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  struct stat st = {};
  if (fstat(file.get(), &st) != 0) return sys_error("stat");
  if (!S_ISREG(st.st_mode) || static_cast<uint64_t>(st.st_size) != entry->size ||
      st.st_mtim.tv_sec != entry->mtime || st.st_uid != entry->uid)
    return false;
  std::string there;
  while (true) {
    TRY_AS(auto chunk, reader.chunk());
    if (!chunk) return true;
    there.resize(chunk->data.size());
    ssize_t n = pread(file.get(), there.data(), there.size(), static_cast<off_t>(chunk->offset));
    if (n < 0) return sys_error("read");
    if (there.substr(0, static_cast<size_t>(n)) != chunk->data) return false;
  }
}

}  // namespace

PlaceResult place_files(int tree, const std::string& path, const std::string& temporary,
                        bool replace, int in, UnpackReport* report) {
  auto at = find_place(tree, path);
  if (!at) return {std::move(at).error().context(quoted(path, kMaxShown)), false};
  bool named = false;
  Status placed = place(*at, path, temporary, replace, in, report, &named);
  if (placed) return {};
  Status removed = base::remove_tree(at->folder.get(), temporary);
  if (!removed) report->warn("a piece of the copy is left: " + removed.error().message);
  if (placed.error().code != Code::kExists)
    placed = std::move(placed).error().context(quoted(path, kMaxShown));
  return {std::move(placed), named || !removed};
}

Status retract_files(int tree, const std::string& path, const std::string& temporary, bool placed,
                     int in) {
  auto at = find_place(tree, path);
  if (!at && at.error().sys_errno == ENOENT) return {};
  if (!at) return std::move(at).error().context(quoted(path, kMaxShown));
  int folder = at->folder.get();
  TRY(base::remove_tree(folder, temporary));
  if (!placed) return {};
  TRY_AS(bool same, is_same_file(folder, at->name, in));
  if (!same) return {};
  if (unlinkat(folder, at->name.c_str(), 0) != 0) return sys_error("remove");
  if (fsync(folder) != 0) return sys_error("sync");
  return {};
}

}  // namespace core
