// The mounter: see launcher.h.
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/strings.h"
#include "zoned/core/exports.h"
#include "zoned/core/helper_process.h"
#include "zoned/core/launcher.h"

namespace core {
namespace {

using base::Result;
using base::Status;
using base::sys_error;
using base::UniqueFd;

// FUSE takes a descriptor only from the user namespace that the file system will belong to.
Result<UniqueFd> open_device(int folder) {
  return base::open_at(folder, "fuse", O_RDWR | O_NOFOLLOW);
}

Result<UniqueFd> new_fuse(int device) {
  UniqueFd context(static_cast<int>(syscall(SYS_fsopen, "fuse", FSOPEN_CLOEXEC)));
  if (!context) return sys_error("fsopen");
  const std::string fd = std::to_string(device);
  struct Option {
    unsigned command;
    const char* key;
    const char* value;
  };
  // fs/fuse/inode.c; Documentation/filesystems/fuse.rst
  const Option options[] = {{FSCONFIG_SET_STRING, "source", "zone"},
                            {FSCONFIG_SET_STRING, "subtype", "readdown"},
                            {FSCONFIG_SET_STRING, "fd", fd.c_str()},
                            {FSCONFIG_SET_STRING, "rootmode", "40755"},
                            {FSCONFIG_SET_STRING, "user_id", "0"},
                            {FSCONFIG_SET_STRING, "group_id", "0"},
                            {FSCONFIG_SET_FLAG, "default_permissions", nullptr},
                            {FSCONFIG_SET_FLAG, "allow_other", nullptr},
                            {FSCONFIG_CMD_CREATE, nullptr, nullptr}};
  for (const Option& option : options)
    if (syscall(SYS_fsconfig, context.get(), option.command, option.key, option.value, 0) != 0)
      return sys_error(option.key == nullptr ? std::string("make a FUSE file system")
                                             : std::string("option ") + option.key);
  // Writable for the kernel, so that the server hears who tries to write: it refuses all.
  UniqueFd mount(
      static_cast<int>(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC,
                               MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME)));
  if (!mount) return sys_error("fsmount");
  return mount;
}

// What an earlier server has left is dead: nothing may walk into it. A mount that the zone made there
// itself goes too; one of its plan is locked and stays.
Status clear_mount_point() {
  constexpr int kMost = 64;
  for (int i = 0; i < kMost; ++i)
    if (umount2(kReadDownFolder, MNT_DETACH | UMOUNT_NOFOLLOW) != 0) break;
  if (mkdir(kReadDownFolder, 0755) != 0 && errno != EEXIST) return sys_error("mkdir");
  return {};
}

Result<UniqueFd> mount_in_zone(int zone_pidfd) {
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return sys_error("PR_SET_DUMPABLE");
  TRY_AS(UniqueFd folder, fuse_folder());
  if (setns(zone_pidfd, CLONE_NEWUSER | CLONE_NEWNS) != 0)
    return sys_error("enter the zone's namespaces");
  if (syscall(SYS_setresgid, 0, 0, 0) != 0 || syscall(SYS_setresuid, 0, 0, 0) != 0)
    return sys_error("become root of the zone");
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return sys_error("PR_SET_DUMPABLE");
  TRY_AS(UniqueFd device, open_device(folder.get()));
  TRY_AS(UniqueFd mount, new_fuse(device.get()));
  TRY(clear_mount_point());
  TRY_AS(UniqueFd root, base::open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
  TRY_AS(UniqueFd target,
         base::open_in_root(root.get(), kReadDownFolder, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0,
                            RESOLVE_NO_SYMLINKS));
  constexpr unsigned kFlags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  if (syscall(SYS_move_mount, mount.get(), "", target.get(), "", kFlags) != 0)
    return sys_error("move_mount");
  return device;
}

}  // namespace

Result<pid_t> fork_mounter(int zone_pidfd, int keeper) {
  clone_args args = {};
  args.exit_signal = SIGCHLD;
  TRY_AS(pid_t pid, clone_process(args));
  if (pid != 0) return pid;
  reset_signals();
  if (Status closed = close_all_but({zone_pidfd, keeper}); !closed) finish(keeper, closed);
  auto device = mount_in_zone(zone_pidfd);
  if (!device)
    finish(keeper, std::move(device).error().context("mount " + base::quoted(kReadDownFolder)));
  finish(keeper, tell_keeper(keeper, {{"ready", true}}, {device->get()}));
}

}  // namespace core
