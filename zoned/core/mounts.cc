#include "zoned/core/mounts.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <algorithm>
#include <iterator>

#include "base/files.h"
#include "base/strings.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using base::quoted;
using base::Result;
using base::Status;
using base::sys_error;
using base::UniqueFd;

Result<UniqueFd> open_tree_at(int at, const char* path, unsigned flags) {
  long fd = syscall(SYS_open_tree, at, path, flags | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (fd < 0) return sys_error("open_tree");
  return UniqueFd(static_cast<int>(fd));
}

Status set_attributes(int mount, const mount_attr& attributes) {
  if (syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0)
    return sys_error("mount_setattr");
  return {};
}

Status move_mount_to(int mount, int target) {
  constexpr unsigned kFlags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  if (syscall(SYS_move_mount, mount, "", target, "", kFlags) != 0) return sys_error("move_mount");
  return {};
}

struct FsOption {
  const char* key;
  const char* value;
};

Result<UniqueFd> new_filesystem(const char* type, const std::vector<FsOption>& options,
                                unsigned attributes) {
  UniqueFd context(static_cast<int>(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC)));
  if (!context) return sys_error("fsopen");
  for (const FsOption& option : options)
    if (syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_STRING, option.key, option.value, 0) != 0)
      return sys_error(std::string("option ") + option.key);
  if (syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return sys_error(std::string("make ") + type);
  UniqueFd mount(
      static_cast<int>(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, attributes)));
  if (!mount) return sys_error("fsmount");
  return mount;
}

Result<uint64_t> mount_id(int at, const char* path) {
  struct statx info = {};
  if (statx(at, path, AT_EMPTY_PATH, STATX_MNT_ID, &info) != 0) return sys_error("statx");
  if ((info.stx_mask & STATX_MNT_ID) == 0)
    return make_error(Code::kUnsupported, "the kernel tells no mount ids");
  return info.stx_mnt_id;
}

// Documentation/admin-guide/devices.txt
struct Device {
  const char* name;
  unsigned major, minor;
};
constexpr Device kDevices[] = {{"null", 1, 3},    {"zero", 1, 5}, {"full", 1, 7},  {"random", 1, 8},
                               {"urandom", 1, 9}, {"tty", 5, 0},  {"kvm", 10, 232}};
constexpr Device kFuse = {"fuse", 10, 229};  // of our mounter alone

Result<UniqueFd> node_folder() {
  return new_filesystem("tmpfs", {{"mode", "0755"}, {"size", "4096"}},
                        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
}

// For everybody; it may be there already.
Status make_node(int folder, const Device& device) {
  int made = mknodat(folder, device.name, S_IFCHR | 0666, makedev(device.major, device.minor));
  if (made != 0 && errno == EEXIST) return {};
  if (made != 0 || fchmodat(folder, device.name, 0666, 0) != 0)
    return sys_error("make a node of /dev/" + std::string(device.name));
  return {};
}

Result<UniqueFd> mask_folder() {
  return new_filesystem(
      "tmpfs", {{"mode", "0555"}, {"size", "4096"}, {"nr_inodes", "1"}},
      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

}  // namespace

Result<int> find_fd(const FdTable& fds, std::string_view name) {
  auto it = fds.find(name);
  if (it == fds.end())
    return make_error(Code::kInternal, "descriptor " + quoted(name) + " is missing");
  return it->second;
}

Result<UniqueFd> clone_tree(int fd) { return open_tree_at(fd, "", AT_EMPTY_PATH); }

Result<UniqueFd> fuse_folder() {
  TRY_AS(UniqueFd folder, node_folder());
  TRY(make_node(folder.get(), kFuse));
  return folder;
}

bool made_by_child(MountOp::Kind kind) { return filesystem_type(kind) != nullptr; }

const char* filesystem_type(MountOp::Kind kind) {
  switch (kind) {
    case MountOp::Kind::kTmpfs:
      return "tmpfs";
    case MountOp::Kind::kProc:
      return "proc";
    case MountOp::Kind::kSysfs:
      return "sysfs";
    case MountOp::Kind::kCgroup2:
      return "cgroup2";
    case MountOp::Kind::kDevpts:
      return "devpts";
    case MountOp::Kind::kMqueue:
      return "mqueue";
    default:
      return nullptr;
  }
}

unsigned mount_attributes(const MountOp& op) {
  unsigned attributes = 0;
  if (op.read_only) attributes |= MOUNT_ATTR_RDONLY;
  if (op.nosuid) attributes |= MOUNT_ATTR_NOSUID;
  if (op.nodev) attributes |= MOUNT_ATTR_NODEV;
  if (op.noexec) attributes |= MOUNT_ATTR_NOEXEC;
  return attributes;
}

Result<UniqueFd> RootAssembler::source_of(const MountOp& op) {
  if (op.kind == MountOp::Kind::kDevice) return device(op.source);
  TRY_AS(int given, find_fd(fds_, op.source));
  TRY_AS(UniqueFd mount, base::dup_fd(given));
  bool overlaid = op.kind == MountOp::Kind::kOverlay;
  mount_attr attributes = {};
  attributes.attr_set = mount_attributes(op) | (overlaid ? MOUNT_ATTR_RDONLY : 0U);
  if (op.idmap && user_namespace_ >= 0) {
    attributes.attr_set |= MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<uint64_t>(user_namespace_);
  }
  if (Status set = set_attributes(mount.get(), attributes); !set) {
    if (op.idmap && set.error().sys_errno == EINVAL)
      return make_error(Code::kUnsupported,
                        "the file system of the tree can't be mounted with shifted ids",
                        "keep it on ext4, xfs or btrfs; tmpfs takes kernel 6.3");
    return std::move(set).error();
  }
  if (overlaid) return overlay(op, std::move(mount));
  return mount;
}

// Nodes of the zone's own: locks, leases and watches on the host's would be seen by every zone, and the
// host's may be for a group that no zone has. Their tmpfs is attached on top of our root (see overlay()):
// kernels before 6.15 clone attached mounts only.
Result<UniqueFd> RootAssembler::device(const std::string& name) {
  const auto* known = std::find_if(std::begin(kDevices), std::end(kDevices),
                                   [&name](const Device& item) { return name == item.name; });
  if (known == std::end(kDevices))
    return make_error(Code::kInvalid, quoted(name) + " is not a device that zones get");
  if (!devices_) {
    TRY_AS(devices_, node_folder());
    TRY_AS(UniqueFd top, base::open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
    TRY(move_mount_to(devices_.get(), top.get()));
    ++stacked_;
  }
  TRY(make_node(devices_.get(), *known));
  TRY_AS(UniqueFd node, base::open_at(devices_.get(), name, O_PATH | O_NOFOLLOW));
  return clone_tree(node.get());
}

// What covers masked files.
Result<UniqueFd> RootAssembler::mask_file() {
  TRY_AS(UniqueFd mount, device("null"));
  mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
  TRY(set_attributes(mount.get(), attributes));
  return mount;
}

// Layers are attached to a scratch tmpfs on top of our own root (the namespace is private and about
// to be pivoted away): kernels before 6.5 refuse detached layers. The overlay itself can't be
// idmapped, so its upper folder belongs to the zone's root by number.
Result<UniqueFd> RootAssembler::overlay(const MountOp& op, UniqueFd lower) {
  std::vector<FsOption> options = {{"mode", "0755"}};
  for (const auto& [key, value] : op.options) options.push_back({key.c_str(), value.c_str()});
  TRY_AS(UniqueFd scratch, new_filesystem("tmpfs", options, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID));
  for (const char* name : {"lower", "upper", "work"})
    if (mkdirat(scratch.get(), name, 0755) != 0) return sys_error("mkdir in the scratch tmpfs");
  if (fchownat(scratch.get(), "upper", plan_.ids.base, plan_.ids.base, 0) != 0)
    return sys_error("chown in the scratch tmpfs");
  TRY_AS(UniqueFd top, base::open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
  TRY(move_mount_to(scratch.get(), top.get()));
  ++stacked_;
  TRY_AS(UniqueFd lower_target, base::open_at(scratch.get(), "lower", O_PATH | O_DIRECTORY));
  TRY(move_mount_to(lower.get(), lower_target.get()));
  if (fchdir(scratch.get()) != 0) return sys_error("fchdir");
  unsigned attributes = mount_attributes(op);
  auto mount = new_filesystem(
      "overlay", {{"lowerdir", "lower"}, {"upperdir", "upper"}, {"workdir", "work"}}, attributes);
  if (chdir("/") != 0) return sys_error("chdir");
  return mount;
}

Status RootAssembler::prepare() {
  prepared_.resize(plan_.mounts.size());
  for (size_t i = 0; i < plan_.mounts.size(); ++i) {
    const MountOp& op = plan_.mounts[i];
    if (made_by_child(op.kind) || op.kind == MountOp::Kind::kConsole) continue;
    auto source = source_of(op);
    if (!source) return std::move(source).error().context("mount " + quoted(op.target));
    prepared_[i] = *std::move(source);
  }
  TRY_AS(file_cover_, mask_file());
  TRY_AS(folder_cover_, mask_folder());
  return {};
}

// An ephemeral zone's tree is somebody's folder that is not ours to change: what it lacks is made in
// the overlay. Through links nothing is made.
Status RootAssembler::make_target(const std::string& path, bool folder_wanted) {
  std::string parent;
  for (const std::string& part : base::split(path, '/')) {
    if (part.empty()) continue;
    std::string here = parent + "/" + part;
    auto known = base::open_in_root(root_.get(), here, O_PATH | O_NOFOLLOW);
    if (!known && known.error().sys_errno != ENOENT) return std::move(known).error();
    if (!known) {
      TRY_AS(UniqueFd folder, base::open_in_root(root_.get(), parent.empty() ? "/" : parent,
                                                 O_RDONLY | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS));
      uid_t owner = plan_.ids.base;
      bool file = here == path && !folder_wanted;
      int made = file ? mknodat(folder.get(), part.c_str(), S_IFREG | 0644, 0)
                      : mkdirat(folder.get(), part.c_str(), 0755);
      if (made != 0 || fchownat(folder.get(), part.c_str(), owner, owner, AT_SYMLINK_NOFOLLOW) != 0)
        return sys_error("make the mount point");
    }
    parent = here;
  }
  return {};
}

// Kernel file systems go onto real folders of the tree only; a user's own [[fs]] may follow links
// as long as they stay inside.
Status RootAssembler::attach(const MountOp& op, int mount) {
  if (plan_.mounts.front().kind == MountOp::Kind::kOverlay) {
    struct stat source = {};
    if (fstat(mount, &source) != 0) return sys_error("stat");
    TRY(make_target(op.target, S_ISDIR(source.st_mode)));
  }
  uint64_t resolve = op.kind == MountOp::Kind::kTree ? 0 : RESOLVE_NO_SYMLINKS;
  auto target = base::open_in_root(root_.get(), op.target, O_PATH | O_NOFOLLOW, 0, resolve);
  if (!target && target.error().sys_errno == ELOOP)
    return make_error(Code::kInvalid, "the zone's tree has a symbolic link at " + quoted(op.target),
                      "make it a real folder in the tree");
  if (!target) return std::move(target).error();
  struct stat st = {};
  if (fstat(target->get(), &st) != 0) return sys_error("stat");
  if (S_ISLNK(st.st_mode))
    return make_error(Code::kInvalid, "the zone's tree has a symbolic link at " + quoted(op.target),
                      "make it a real folder in the tree");
  return move_mount_to(mount, target->get());
}

Status RootAssembler::attach_console(const MountOp& op) {
  TRY_AS(UniqueFd pty, base::open_in_root(root_.get(), "/dev/pts/0", O_PATH | O_NOFOLLOW, 0,
                                          RESOLVE_NO_SYMLINKS));
  struct statfs fs = {};
  constexpr long kDevptsMagic = 0x1cd1;
  if (fstatfs(pty.get(), &fs) != 0) return sys_error("statfs");
  if (fs.f_type != kDevptsMagic) return make_error(Code::kIo, "/dev/pts/0 is not a pty");
  TRY_AS(UniqueFd mount, clone_tree(pty.get()));
  return attach(op, mount.get());
}

// The old root comes to lie on top of the new one, with what we stacked on it; each umount takes the
// topmost. What is left is checked, not believed: a mount left on top would be the zone's root.
Status RootAssembler::pivot() {
  if (fchdir(root_.get()) != 0) return sys_error("fchdir to the new root");
  if (syscall(SYS_pivot_root, ".", ".") != 0) return sys_error("pivot_root");
  for (int i = 0; i < 1 + stacked_; ++i)
    if (umount2(".", MNT_DETACH) != 0) return sys_error("detach the old root");
  if (chdir("/") != 0) return sys_error("chdir to the new root");
  TRY_AS(uint64_t expected, mount_id(root_.get(), ""));
  // ".." climbs out of /proc and then follows whatever is mounted over the root.
  TRY_AS(uint64_t topmost, mount_id(AT_FDCWD, "/proc/.."));
  if (expected != topmost) return make_error(Code::kInternal, "the old root is still mounted");
  return {};
}

Status RootAssembler::assemble() {
  size_t next_offered = 0;
  for (size_t i = 0; i < plan_.mounts.size(); ++i) {
    const MountOp& op = plan_.mounts[i];
    UniqueFd mount = std::move(prepared_[i]);
    if (made_by_child(op.kind)) {
      if (next_offered == offered_.size())
        return make_error(Code::kInternal, "the child made too few file systems");
      mount = std::move(offered_[next_offered++]);
    }
    if (op.target == "/") {
      // On top of our own root: the namespace is ours alone.
      TRY_AS(UniqueFd top, base::open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
      TRY(move_mount_to(mount.get(), top.get()));
      root_ = std::move(mount);
      continue;
    }
    if (!root_) return make_error(Code::kInternal, "the plan's first mount is not the root");
    Status done = op.kind == MountOp::Kind::kConsole ? attach_console(op) : attach(op, mount.get());
    if (!done) return std::move(done).error().context("mount " + quoted(op.target));
  }
  return pivot();
}

// Two calls per mask, since every boot makes some twenty: what lies below /proc and /sys is the
// kernel's own, so the path may be walked by the mounting call itself.
Status RootAssembler::mask(const std::string& target) {
  const char* path = target.c_str() + 1;
  for (UniqueFd* cover : {&file_cover_, &folder_cover_}) {
    UniqueFd copy;
    if (covers_used_.contains(cover)) {
      // A detached mount can be attached once, and kernels before 6.15 do not copy one: the first
      // use attaches the cover itself, later ones copy it from there.
      TRY_AS(copy, clone_tree(cover->get()));
    }
    int mount = copy ? copy.get() : cover->get();
    if (syscall(SYS_move_mount, mount, "", root_.get(), path, MOVE_MOUNT_F_EMPTY_PATH) == 0) {
      covers_used_.insert(cover);
      return {};
    }
    if (errno == ENOENT) return {};
    // A file does not cover a folder: try the other.
    if (errno != ENOTDIR && errno != EINVAL) return sys_error("move_mount");
  }
  return sys_error("move_mount");
}

Status RootAssembler::make_read_only(const std::string& target) {
  const char* path = target.c_str() + 1;
  auto mount = open_tree_at(root_.get(), path, AT_SYMLINK_NOFOLLOW);
  if (!mount && mount.error().sys_errno == ENOENT) return {};
  if (!mount) return std::move(mount).error();
  mount_attr read_only = {};
  read_only.attr_set = MOUNT_ATTR_RDONLY;
  TRY(set_attributes(mount->get(), read_only));
  if (syscall(SYS_move_mount, mount->get(), "", root_.get(), path, MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return sys_error("move_mount");
  return {};
}

Status RootAssembler::protect() {
  for (const std::string& path : plan_.masked)
    if (Status done = mask(path); !done)
      return std::move(done).error().context("mask " + quoted(path));
  for (const std::string& path : plan_.read_only)
    if (Status done = make_read_only(path); !done)
      return std::move(done).error().context("write-protect " + quoted(path));
  return {};
}

}  // namespace core
