#include "zoned/core/down_nodes.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <climits>
#include <set>

#include "base/files.h"
#include "base/strings.h"

namespace core {
namespace {

using base::Result;
using base::Status;
using base::sys_error;
using base::UniqueFd;

constexpr mode_t kFolder = S_IFDIR | 0755;

// Name by name, and not by openat2(2): a filter can't see what that one opens for. A link is opened itself,
// and nothing lies beneath it.
Result<UniqueFd> open_beneath(int root, const std::string& path) {
  constexpr int kLook = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd at(openat(root, ".", kLook));
  if (!at) return sys_error("open");
  if (path.empty()) return at;
  for (const std::string& name : base::split(path, '/')) {
    if (name.empty() || name == "." || name == "..") return sys_error("open", EINVAL);
    UniqueFd next(openat(at.get(), name.c_str(), kLook));
    if (!next) return sys_error("open", errno == ENOTDIR ? ESTALE : errno);
    at = std::move(next);
  }
  return at;
}

// Asking when a file was changed leaves a mark with it where the kernel has finer times for files that somebody
// asks about (Linux 6.13, multigrain timestamps): its owner's next change would be told finer.
Status look_at(int fd, struct statx* info) {
  constexpr unsigned kMask = (STATX_BASIC_STATS & ~unsigned{STATX_MTIME | STATX_CTIME}) |
                             STATX_BTIME | STATX_MNT_ID | STATX_DIOALIGN;
  if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, kMask, info) != 0)
    return sys_error("statx");
  return {};
}

struct stat to_stat(const struct statx& info) {
  struct stat st = {};
  mode_t type = info.stx_mode & S_IFMT;
  mode_t bits = info.stx_mode & ~static_cast<mode_t>(S_IFMT);
  if (type != S_IFDIR) bits &= ~static_cast<mode_t>(S_ISUID | S_ISGID);
  bool shown = type == S_IFREG || type == S_IFDIR || type == S_IFLNK;
  st.st_mode = (shown ? type : S_IFSOCK) | bits;
  st.st_ino = info.stx_ino;
  st.st_nlink = info.stx_nlink;
  st.st_uid = info.stx_uid;
  st.st_gid = info.stx_gid;
  st.st_size = shown ? static_cast<off_t>(info.stx_size) : 0;
  st.st_blocks = static_cast<blkcnt_t>(info.stx_blocks);
  st.st_blksize = 4096;
  // Kernels without such marks tell the others unasked.
  auto time = [&info](const statx_timestamp& t, unsigned which) {
    const statx_timestamp& told = (info.stx_mask & which) != 0 ? t : info.stx_btime;
    return timespec{told.tv_sec, told.tv_nsec};
  };
  st.st_atim = time(info.stx_atime, STATX_ATIME);
  st.st_mtim = time(info.stx_mtime, STATX_MTIME);
  st.st_ctim = time(info.stx_ctime, STATX_CTIME);
  return st;
}

struct stat leading_folder(uint64_t node) {
  constexpr uint64_t kNotOnDisk = uint64_t{1} << 63;
  struct stat st = {};
  st.st_mode = kFolder;
  st.st_ino = kNotOnDisk | node;
  st.st_nlink = 2;
  return st;
}

}  // namespace

DownNodes::DownNodes() {
  Node& root = nodes_[kRoot];
  root.lookups = 1;
  auto descriptors = base::open_at(AT_FDCWD, "/proc/self/fd", O_PATH | O_DIRECTORY);
  if (descriptors) descriptors_ = *std::move(descriptors);
}

void DownNodes::set_zone(const std::string& zone, std::string tag, std::vector<DownTree> trees) {
  for (DownTree& tree : trees) {
    struct statx info = {};
    if (look_at(tree.root.get(), &info)) tree.mount = info.stx_mnt_id;
  }
  zones_[zone] = {std::move(tag), std::move(trees)};
}

void DownNodes::remove_zone(const std::string& zone) { zones_.erase(zone); }

std::map<std::string, std::string> DownNodes::zones() const {
  std::map<std::string, std::string> tags;
  for (const auto& [name, zone] : zones_) tags[name] = zone.tag;
  return tags;
}

DownNodes::Key DownNodes::key_of(const Node& node) {
  return {node.zone, node.real ? std::string() : node.path, node.identity};
}

Result<const DownNodes::Node*> DownNodes::find(uint64_t node) const {
  auto it = nodes_.find(node);
  if (it == nodes_.end()) return sys_error("node", ESTALE);
  return &it->second;
}

Result<std::pair<const DownTree*, std::string>> DownNodes::locate(const Node& node) const {
  using Place = std::pair<const DownTree*, std::string>;
  if (node.zone.empty()) return Place(nullptr, "");
  auto zone = zones_.find(node.zone);
  if (zone == zones_.end()) return sys_error("zone", ENOENT);
  bool leads = node.path.empty();
  for (const DownTree& tree : zone->second.trees) {
    std::string folder = tree.path == "/" ? "" : tree.path;
    if (node.path == folder) return Place(&tree, "");
    if (node.path.starts_with(folder + "/"))
      return Place(&tree, node.path.substr(folder.size() + 1));
    leads = leads || folder.starts_with(node.path + "/");
  }
  if (!leads) return sys_error("path", ENOENT);
  return Place(nullptr, "");
}

// An empty descriptor for what only leads to trees.
Result<UniqueFd> DownNodes::open(const Node& node, struct statx* info) const {
  TRY_AS(auto place, locate(node));
  if (place.first == nullptr) return UniqueFd();
  TRY_AS(UniqueFd fd, open_beneath(place.first->root.get(), place.second));
  TRY(look_at(fd.get(), info));
  if (info->stx_mnt_id != place.first->mount) return sys_error("another mount", ESTALE);
  return fd;
}

Result<DownNodes::Node> DownNodes::look(std::string zone, std::string path,
                                        struct stat* attributes) const {
  Node node;
  node.zone = std::move(zone);
  node.path = std::move(path);
  struct statx info = {};
  TRY_AS(UniqueFd fd, open(node, &info));
  node.real = static_cast<bool>(fd);
  if (!node.real) return node;
  node.identity = {makedev(info.stx_dev_major, info.stx_dev_minor), info.stx_ino,
                   info.stx_btime.tv_sec, info.stx_btime.tv_nsec,
                   static_cast<mode_t>(info.stx_mode & S_IFMT)};
  *attributes = to_stat(info);
  return node;
}

Result<DownNodes::Found> DownNodes::lookup(uint64_t parent, std::string_view name) {
  TRY_AS(const Node* folder, find(parent));
  bool top = folder->zone.empty();
  std::string zone = top ? std::string(name) : folder->zone;
  std::string path = top ? std::string() : folder->path + "/" + std::string(name);
  if (path.size() >= PATH_MAX) return sys_error("path", ENAMETOOLONG);
  Found found;
  TRY_AS(Node node, look(std::move(zone), std::move(path), &found.attributes));
  Key key = key_of(node);
  auto it = known_.find(key);
  found.node = it == known_.end() ? next_++ : it->second;
  if (it == known_.end()) known_[key] = found.node;
  Node& kept = nodes_[found.node];
  uint64_t lookups = kept.lookups + 1;
  kept = std::move(node);  // it may have been renamed
  kept.lookups = lookups;
  if (!kept.real) found.attributes = leading_folder(found.node);
  return found;
}

std::pair<std::string, std::string> DownNodes::place(uint64_t number, std::string_view name) const {
  auto node = find(number);
  if (!node) return {};
  const std::string rest = name.empty() ? std::string() : "/" + std::string(name);
  return {(*node)->zone, (*node)->path + rest};
}

void DownNodes::forget(uint64_t node, uint64_t lookups) {
  auto it = nodes_.find(node);
  if (it == nodes_.end() || node == kRoot) return;
  it->second.lookups -= std::min(lookups, it->second.lookups);
  if (it->second.lookups > 0) return;
  known_.erase(key_of(it->second));
  nodes_.erase(it);
}

Result<struct stat> DownNodes::attributes(uint64_t number) const {
  TRY_AS(const Node* node, find(number));
  if (number == kRoot) return leading_folder(number);
  struct stat st = {};
  TRY_AS(Node now, look(node->zone, node->path, &st));
  if (key_of(now) != key_of(*node)) return sys_error("node", ESTALE);
  if (!now.real) return leading_folder(number);
  return st;
}

Result<std::string> DownNodes::link_text(uint64_t number) const {
  TRY_AS(const Node* node, find(number));
  struct statx info = {};
  TRY_AS(UniqueFd fd, open(*node, &info));
  if (!fd || !S_ISLNK(info.stx_mode)) return sys_error("link", ESTALE);
  std::string text(PATH_MAX, '\0');
  ssize_t n = readlinkat(fd.get(), "", text.data(), text.size());
  if (n < 0) return sys_error("readlink");
  text.resize(static_cast<size_t>(n));
  return text;
}

// What was looked at, and nothing that has come to its name since: opening a FIFO would wake who waits
// at its other end.
Result<UniqueFd> DownNodes::reopen(int fd, int flags) const {
  UniqueFd opened(
      openat(descriptors_.get(), std::to_string(fd).c_str(), flags | O_CLOEXEC | O_NONBLOCK));
  if (!opened) return sys_error("open");
  return opened;
}

Result<UniqueFd> DownNodes::open_file(uint64_t number) const {
  TRY_AS(const Node* node, find(number));
  struct statx info = {};
  TRY_AS(UniqueFd fd, open(*node, &info));
  if (!fd || !S_ISREG(info.stx_mode) || std::get<1>(node->identity) != info.stx_ino ||
      std::get<2>(node->identity) != info.stx_btime.tv_sec ||
      std::get<3>(node->identity) != info.stx_btime.tv_nsec)
    return sys_error("file", ESTALE);
  // O_DIRECT alone is no promise: what lies in the inode or is compressed is read into memory all the same.
  if ((info.stx_mask & STATX_DIOALIGN) == 0 || info.stx_dio_offset_align == 0)
    return sys_error("direct I/O", EOPNOTSUPP);
  return reopen(fd.get(), O_RDONLY | O_DIRECT);
}

Result<UniqueFd> DownNodes::open_folder(uint64_t number, std::vector<std::string>* names) const {
  TRY_AS(const Node* node, find(number));
  struct statx info = {};
  TRY_AS(UniqueFd fd, open(*node, &info));
  if (fd && !S_ISDIR(info.stx_mode)) return sys_error("folder", ESTALE);
  if (fd) return reopen(fd.get(), O_RDONLY | O_DIRECTORY);
  std::set<std::string> found;
  if (node->zone.empty()) {
    for (const auto& [name, zone] : zones_) found.insert(name);
  } else {
    for (const DownTree& tree : zones_.at(node->zone).trees) {
      if (!tree.path.starts_with(node->path + "/")) continue;
      std::string rest = tree.path.substr(node->path.size() + 1);
      found.insert(rest.substr(0, rest.find('/')));
    }
  }
  names->assign(found.begin(), found.end());
  return UniqueFd();
}

}  // namespace core
