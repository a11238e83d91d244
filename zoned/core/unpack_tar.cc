#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <memory>

#include "base/files.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "zoned/core/plan.h"
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

constexpr const char* kStage = "unpack";
constexpr size_t kBlock = size_t{128} << 10;
// archive_errno(3) is one of these beside errno's values; libarchive keeps their names to itself.
constexpr int kBadFormat = EILSEQ;
constexpr int kMisc = -1;

struct ReadCloser {
  void operator()(archive* a) const { archive_read_free(a); }
};
struct WriteCloser {
  void operator()(archive* a) const { archive_write_free(a); }
};
using Reader = std::unique_ptr<archive, ReadCloser>;
using Writer = std::unique_ptr<archive, WriteCloser>;

// libarchive works from the working directory.
class WorkingFolder {
 public:
  static Result<WorkingFolder> enter(int folder) {
    TRY_AS(UniqueFd before, base::open_at(AT_FDCWD, ".", O_PATH | O_DIRECTORY));
    if (fchdir(folder) != 0) return sys_error("enter the target");
    return WorkingFolder(std::move(before));
  }
  WorkingFolder(WorkingFolder&&) = default;
  WorkingFolder& operator=(WorkingFolder&&) = delete;
  WorkingFolder(const WorkingFolder&) = delete;
  WorkingFolder& operator=(const WorkingFolder&) = delete;
  ~WorkingFolder() { [[maybe_unused]] int ignored = before_ ? fchdir(before_.get()) : 0; }

 private:
  explicit WorkingFolder(UniqueFd before) : before_(std::move(before)) {}
  UniqueFd before_;
};

// No mtree (it names files by path) and no filter that starts a program.
Reader make_reader() {
  Reader reader(archive_read_new());
  archive* a = reader.get();
  for (auto add : {archive_read_support_format_tar, archive_read_support_format_gnutar,
                   archive_read_support_format_cpio, archive_read_support_format_zip,
                   archive_read_support_format_7zip, archive_read_support_filter_gzip,
                   archive_read_support_filter_bzip2, archive_read_support_filter_xz,
                   archive_read_support_filter_lzma, archive_read_support_filter_zstd,
                   archive_read_support_filter_lz4, archive_read_support_filter_compress})
    add(a);
  return reader;
}

Writer make_writer() {
  Writer writer(archive_write_disk_new());
  archive_write_disk_set_options(
      writer.get(), ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
                        ARCHIVE_EXTRACT_ACL | ARCHIVE_EXTRACT_XATTR | ARCHIVE_EXTRACT_SPARSE |
                        ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT |
                        ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS);
  return writer;
}

std::string reason(archive* a) {
  const char* text = archive_error_string(a);
  return text == nullptr ? "unknown error" : text;
}

base::Error read_failed(archive* a) {
  if (archive_errno(a) == kBadFormat || archive_errno(a) == kMisc)
    return make_error(Code::kInvalid, "the archive can't be read: " + reason(a),
                      "give a tar, cpio, zip or 7-zip file, plain or compressed with gzip, bzip2, "
                      "xz, zstd or lz4");
  return make_error(Code::kIo, "the archive can't be read: " + reason(a));
}

base::Error write_failed(archive* a, const std::string& path) {
  int err = archive_errno(a);
  std::string subject = "member " + quoted(path, 200);
  if (reason(a).find("through symlink") != std::string::npos)
    return make_error(Code::kInvalid, subject + " passes through a symbolic link",
                      "pack the tree anew; archives of whole trees have no such members");
  if (err > 0 && err != kBadFormat) return write_error(subject, err);
  return make_error(Code::kInvalid, subject + ": " + reason(a));
}

// Relative, without "./" and trailing slashes; "." for the top folder.
Result<std::string> clean_path(std::string_view what, const char* raw) {
  std::string_view path = raw == nullptr ? "" : raw;
  auto refuse = [&](const char* why, const char* hint) {
    return make_error(Code::kInvalid, std::string(what) + " " + quoted(path, 200) + " " + why,
                      hint);
  };
  if (path.empty()) return refuse("has no name", "repack the archive with UTF-8 names");
  if (path.starts_with('/'))
    return refuse("is an absolute path", "pack the tree with relative names: tar -C TREE -c .");
  std::string out;
  for (const std::string& part : base::split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..")
      return refuse("leaves the tree", "pack the tree with names below it: tar -C TREE -c .");
    out += (out.empty() ? "" : "/") + part;
  }
  return out.empty() ? "." : out;
}

Status check_owner(const std::string& path, const char* kind, int64_t id) {
  if (id >= 0 && id < kIdsPerZone) return {};
  return make_error(Code::kInvalid,
                    "member " + quoted(path, 200) + " belongs to " + kind + " " +
                        std::to_string(id) + "; a zone has the ids 0 to 65535",
                    "give it an owner below 65536 before packing");
}

void filter_attributes(archive_entry* entry) {
  struct Attribute {
    std::string name;
    std::string value;
  };
  std::vector<Attribute> kept;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  archive_entry_xattr_reset(entry);
  while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK)
    if (name != nullptr && keeps_attribute(name))
      kept.push_back({name, std::string(static_cast<const char*>(value), size)});
  archive_entry_xattr_clear(entry);
  for (const Attribute& a : kept)
    archive_entry_xattr_add_entry(entry, a.name.c_str(), a.value.data(), a.value.size());
}

// kSkip: nothing to write for this member.
enum class Verdict { kWrite, kSkip };

Result<Verdict> check_member(archive_entry* entry, const std::string& path, UnpackReport* report) {
  mode_t type = archive_entry_filetype(entry);
  if (const char* link = archive_entry_hardlink(entry); link != nullptr) {
    TRY_AS(std::string to, clean_path("member " + quoted(path, 200) + ": hard link to", link));
    archive_entry_set_hardlink(entry, to.c_str());
    return Verdict::kWrite;
  }
  if (type == AE_IFCHR || type == AE_IFBLK) {
    mode_t mode = type == AE_IFCHR ? S_IFCHR : S_IFBLK;
    bool standard =
        is_standard_device(path, mode, static_cast<unsigned>(archive_entry_rdevmajor(entry)),
                           static_cast<unsigned>(archive_entry_rdevminor(entry)));
    if (!standard) return device_error("member", path);
    report->warn("device nodes in dev/ were left out");
    return Verdict::kSkip;
  }
  if (type == AE_IFSOCK) return Verdict::kSkip;
  if (path == "." && type != AE_IFDIR)
    return make_error(Code::kInvalid, "member '.' is not a folder");
  TRY(check_owner(path, "user", archive_entry_uid(entry)));
  TRY(check_owner(path, "group", archive_entry_gid(entry)));
  // The top folder: see unpack.h.
  if (path == ".") archive_entry_set_perm(entry, archive_entry_perm(entry) | 0555U);
  return Verdict::kWrite;
}

class Unpacker {
 public:
  Unpacker(int fd, UnpackReport* report)
      : fd_(fd), report_(report), reader_(make_reader()), writer_(make_writer()) {}

  Status run() {
    struct stat st = {};
    if (fstat(fd_, &st) == 0 && S_ISREG(st.st_mode)) total_ = static_cast<uint64_t>(st.st_size);
    if (archive_read_open_fd(reader_.get(), fd_, kBlock) != ARCHIVE_OK)
      return read_failed(reader_.get());
    size_t members = 0;
    while (true) {
      archive_entry* entry = nullptr;
      int result = archive_read_next_header(reader_.get(), &entry);
      if (result == ARCHIVE_EOF) break;
      if (result == ARCHIVE_RETRY) continue;
      if (result < ARCHIVE_WARN) return read_failed(reader_.get());
      TRY(take(entry));
      ++members;
    }
    if (members == 0)
      return make_error(Code::kInvalid, "the archive is empty", "pack a tree: tar -C TREE -c .");
    // Folder times and modes are set here.
    if (archive_write_close(writer_.get()) < ARCHIVE_WARN) return write_failed(writer_.get(), ".");
    report_->progress(kStage, total_, total_);
    return {};
  }

 private:
  Status take(archive_entry* entry) {
    TRY_AS(std::string path, clean_path("member", archive_entry_pathname(entry)));
    TRY_AS(Verdict verdict, check_member(entry, path, report_));
    if (verdict == Verdict::kSkip) return {};
    archive_entry_set_pathname(entry, path.c_str());
    filter_attributes(entry);
    TRY(warn_or_fail(archive_write_header(writer_.get(), entry), path));
    bool has_data = archive_entry_filetype(entry) == AE_IFREG &&
                    (!archive_entry_size_is_set(entry) || archive_entry_size(entry) > 0);
    if (has_data) TRY(copy_data(path));
    return warn_or_fail(archive_write_finish_entry(writer_.get()), path);
  }

  Status warn_or_fail(int result, const std::string& path) {
    if (result == ARCHIVE_OK) return {};
    if (result < ARCHIVE_WARN) return write_failed(writer_.get(), path);
    report_->warn("member " + quoted(path, 200) + ": " + reason(writer_.get()));
    return {};
  }

  Status copy_data(const std::string& path) {
    while (true) {
      const void* data = nullptr;
      size_t size = 0;
      la_int64_t offset = 0;
      int result = archive_read_data_block(reader_.get(), &data, &size, &offset);
      if (result == ARCHIVE_EOF) return {};
      if (result < ARCHIVE_WARN) return read_failed(reader_.get());
      // A failed write comes as a warning.
      if (archive_write_data_block(writer_.get(), data, size, offset) != ARCHIVE_OK)
        return write_failed(writer_.get(), path);
      uint64_t done = static_cast<uint64_t>(archive_filter_bytes(reader_.get(), -1));
      report_->progress(kStage, total_ == 0 ? done : std::min(done, total_), total_);
    }
  }

  int fd_;
  UnpackReport* report_;
  Reader reader_;
  Writer writer_;
  uint64_t total_ = 0;  // bytes of the file; 0: unknown
};

}  // namespace

Status unpack_archive(int archive_fd, int target, UnpackReport* report) {
  TRY_AS(WorkingFolder folder, WorkingFolder::enter(target));
  return Unpacker(archive_fd, report).run();
}

}  // namespace core
