#include "zoned/core/down_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "base/result.h"
#include "zoned/core/quiet_read.h"

namespace core {
namespace {

using base::UniqueFd;

// A name is asked for each time, so that what comes and goes below is seen at once; what is known of an
// open file may be this old.
constexpr double kNameSeconds = 0;
constexpr double kAttributeSeconds = 0.1;
constexpr size_t kMaxRead = 1 << 20;

DownFiles& files_of(fuse_req_t request) {
  return *static_cast<DownFiles*>(fuse_req_userdata(request));
}

DownNodes& nodes_of(fuse_req_t request) { return files_of(request).nodes; }

// name: of what would be made, removed or renamed in the node.
void note(DownFiles* files, const char* act, fuse_ino_t node, const char* name) {
  auto [zone, path] = files->nodes.place(node, name == nullptr ? "" : name);
  files->writes.note({act, std::move(zone), std::move(path)});
}

void refuse(fuse_req_t request, const char* act, fuse_ino_t node, const char* name = nullptr) {
  note(&files_of(request), act, node, name);
  fuse_reply_err(request, EROFS);
}

int errno_of(const base::Error& error) { return error.sys_errno != 0 ? error.sys_errno : EIO; }

void do_lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  auto found = nodes_of(request).lookup(parent, name);
  if (!found) {
    fuse_reply_err(request, errno_of(found.error()));
    return;
  }
  fuse_entry_param entry = {};
  entry.ino = found->node;
  entry.attr = found->attributes;
  entry.attr_timeout = kAttributeSeconds;
  entry.entry_timeout = kNameSeconds;
  if (fuse_reply_entry(request, &entry) != 0) nodes_of(request).forget(found->node, 1);
}

void do_forget(fuse_req_t request, fuse_ino_t node, uint64_t lookups) {
  nodes_of(request).forget(node, lookups);
  fuse_reply_none(request);
}

void do_forget_multi(fuse_req_t request, size_t count, fuse_forget_data* forgets) {
  for (size_t i = 0; i < count; ++i) nodes_of(request).forget(forgets[i].ino, forgets[i].nlookup);
  fuse_reply_none(request);
}

void do_getattr(fuse_req_t request, fuse_ino_t node, fuse_file_info*) {
  auto attributes = nodes_of(request).attributes(node);
  if (attributes)
    fuse_reply_attr(request, &*attributes, kAttributeSeconds);
  else
    fuse_reply_err(request, errno_of(attributes.error()));
}

void do_readlink(fuse_req_t request, fuse_ino_t node) {
  auto text = nodes_of(request).link_text(node);
  if (text)
    fuse_reply_readlink(request, text->c_str());
  else
    fuse_reply_err(request, errno_of(text.error()));
}

void do_open(fuse_req_t request, fuse_ino_t node, fuse_file_info* file) {
  if ((file->flags & O_TRUNC) != 0) return refuse(request, "truncate", node);
  if ((file->flags & O_ACCMODE) != O_RDONLY) return refuse(request, "write", node);
  auto opened = nodes_of(request).open_file(node);
  if (opened)
    fuse_reply_open(request, file);
  else
    fuse_reply_err(request,
                   opened.error().sys_errno == EINVAL ? EOPNOTSUPP : errno_of(opened.error()));
}

char* aligned_buffer() {
  static const std::unique_ptr<char, decltype(&free)> kBuffer(
      static_cast<char*>(std::aligned_alloc(kReadAlignment, kMaxRead)), &free);
  return kBuffer.get();
}

void do_read(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset, fuse_file_info*) {
  char* buffer = aligned_buffer();
  constexpr auto kAlign = static_cast<off_t>(kReadAlignment);
  off_t start = offset / kAlign * kAlign;
  auto skip = static_cast<size_t>(offset - start);
  size_t wanted = std::min(size, kMaxRead - kReadAlignment);
  size_t whole = (skip + wanted + kReadAlignment - 1) / kReadAlignment * kReadAlignment;
  auto fd = nodes_of(request).open_file(node);
  auto got = fd ? quiet_read(fd->get(), start, buffer, whole)
                : base::Result<size_t>(std::move(fd).error());
  if (!got) {
    fuse_reply_err(request, errno_of(got.error()));
    return;
  }
  size_t there = *got > skip ? std::min(*got - skip, wanted) : 0;
  fuse_reply_buf(request, buffer + skip, there);
}

// Fills `out` with what fits.
class Listing {
 public:
  Listing(fuse_req_t request, char* out, size_t size) : request_(request), out_(out), size_(size) {}
  bool add(const char* name, ino_t inode, mode_t type, off_t next) {
    struct stat st = {};
    st.st_ino = inode;
    st.st_mode = type;
    size_t length = fuse_add_direntry(request_, out_ + used_, size_ - used_, name, &st, next);
    if (length > size_ - used_) return false;
    used_ += length;
    return true;
  }
  size_t used() const { return used_; }

 private:
  fuse_req_t request_;
  char* out_;
  size_t size_;
  size_t used_ = 0;
};

mode_t shown_type(unsigned char type) {
  if (type == DT_UNKNOWN) return 0;
  return type == DT_REG || type == DT_DIR || type == DT_LNK ? DTTOIF(type) : S_IFSOCK;
}

int list_folder(int fd, off_t offset, Listing* listing) {
  constexpr size_t kPiece = 32768;
  alignas(dirent64) char buffer[kPiece];
  if (lseek(fd, offset, SEEK_SET) < 0) return errno;
  for (;;) {
    ssize_t n = getdents64(fd, buffer, sizeof buffer);
    if (n < 0) return errno;
    if (n == 0) return 0;
    for (ssize_t at = 0; at < n;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer + at);
      if (!listing->add(entry->d_name, entry->d_ino, shown_type(entry->d_type), entry->d_off))
        return 0;
      at += entry->d_reclen;
    }
  }
}

void list_names(const std::vector<std::string>& names, off_t offset, Listing* listing) {
  for (auto i = static_cast<size_t>(offset); i < names.size(); ++i)
    if (!listing->add(names[i].c_str(), i + 1, S_IFDIR, static_cast<off_t>(i + 1))) return;
}

void do_readdir(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset, fuse_file_info*) {
  std::vector<std::string> names;
  auto folder = nodes_of(request).open_folder(node, &names);
  if (!folder) {
    fuse_reply_err(request, errno_of(folder.error()));
    return;
  }
  size = std::min(size, kMaxRead);
  Listing listing(request, aligned_buffer(), size);
  int failed = 0;
  if (*folder)
    failed = list_folder(folder->get(), offset, &listing);
  else
    list_names(names, offset, &listing);
  if (failed != 0)
    fuse_reply_err(request, failed);
  else
    fuse_reply_buf(request, aligned_buffer(), listing.used());
}

void do_statfs(fuse_req_t request, fuse_ino_t) {
  struct statvfs answer = {};
  answer.f_bsize = kReadAlignment;
  answer.f_frsize = kReadAlignment;
  answer.f_namemax = NAME_MAX;
  answer.f_flag = ST_RDONLY | ST_NOSUID;
  fuse_reply_statfs(request, &answer);
}

const char* change_named(int what) {
  if ((what & FUSE_SET_ATTR_SIZE) != 0) return "truncate";
  if ((what & FUSE_SET_ATTR_MODE) != 0) return "chmod";
  if ((what & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) != 0) return "chown";
  return "utimes";
}

void refuse_writes(fuse_lowlevel_ops* ops) {
  ops->setattr = [](fuse_req_t request, fuse_ino_t node, struct stat*, int what, fuse_file_info*) {
    refuse(request, change_named(what), node);
  };
  ops->mknod = [](fuse_req_t request, fuse_ino_t parent, const char* name, mode_t, dev_t) {
    refuse(request, "mknod", parent, name);
  };
  ops->mkdir = [](fuse_req_t request, fuse_ino_t parent, const char* name, mode_t) {
    refuse(request, "mkdir", parent, name);
  };
  ops->unlink = [](fuse_req_t request, fuse_ino_t parent, const char* name) {
    refuse(request, "unlink", parent, name);
  };
  ops->rmdir = [](fuse_req_t request, fuse_ino_t parent, const char* name) {
    refuse(request, "rmdir", parent, name);
  };
  ops->symlink = [](fuse_req_t request, const char*, fuse_ino_t parent, const char* name) {
    refuse(request, "symlink", parent, name);
  };
  ops->rename = [](fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t, const char*,
                   unsigned) { refuse(request, "rename", parent, name); };
  ops->link = [](fuse_req_t request, fuse_ino_t, fuse_ino_t parent, const char* name) {
    refuse(request, "link", parent, name);
  };
  ops->create = [](fuse_req_t request, fuse_ino_t parent, const char* name, mode_t,
                   fuse_file_info*) { refuse(request, "create", parent, name); };
  ops->setxattr = [](fuse_req_t request, fuse_ino_t node, const char*, const char*, size_t, int) {
    refuse(request, "setxattr", node);
  };
  ops->removexattr = [](fuse_req_t request, fuse_ino_t node, const char*) {
    refuse(request, "removexattr", node);
  };
}

}  // namespace

// include/uapi/linux/fuse.h
bool refuse_nameless(int fuse, const fuse_buf& request, size_t size, DownFiles* files) {
  fuse_in_header header = {};
  if ((request.flags & FUSE_BUF_IS_FD) != 0 || size < sizeof header) return false;
  std::memcpy(&header, request.mem, sizeof header);
  if (header.opcode != FUSE_TMPFILE) return false;
  note(files, "create", header.nodeid, nullptr);
  const fuse_out_header answer = {sizeof answer, -EROFS, header.unique};
  // One that was interrupted meanwhile wants no answer.
  return write(fuse, &answer, sizeof answer) >= 0 || errno == ENOENT;
}

const fuse_lowlevel_ops& down_operations() {
  static const fuse_lowlevel_ops kOperations = [] {
    fuse_lowlevel_ops ops = {};
    ops.lookup = do_lookup;
    ops.forget = do_forget;
    ops.forget_multi = do_forget_multi;
    ops.getattr = do_getattr;
    ops.readlink = do_readlink;
    ops.open = do_open;
    ops.read = do_read;
    ops.readdir = do_readdir;
    ops.statfs = do_statfs;
    refuse_writes(&ops);
    return ops;
  }();
  return kOperations;
}

}  // namespace core
