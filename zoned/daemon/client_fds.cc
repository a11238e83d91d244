#include "zoned/daemon/client_fds.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>

namespace zoned {
namespace {

using base::Code;
using base::make_error;
using base::Status;

// Magic numbers that <linux/magic.h> of older headers lacks.
constexpr long kMqueueMagic = 0x19800202;
constexpr long kConfigfsMagic = 0x62656570;
constexpr long kFusectlMagic = 0x65735543;
constexpr long kResctrlMagic = 0x7655821;

bool is_kernel_filesystem(int fd) {
  constexpr std::array<long, 16> kMagics = {
      PROC_SUPER_MAGIC, SYSFS_MAGIC,    CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
      SECURITYFS_MAGIC, SELINUX_MAGIC,  SMACK_MAGIC,        DEBUGFS_MAGIC,
      TRACEFS_MAGIC,    BPF_FS_MAGIC,   EFIVARFS_MAGIC,     PSTOREFS_MAGIC,
      kMqueueMagic,     kConfigfsMagic, kFusectlMagic,      kResctrlMagic};
  struct statfs fs = {};
  if (fstatfs(fd, &fs) != 0) return true;
  return std::any_of(kMagics.begin(), kMagics.end(),
                     [&fs](long magic) { return static_cast<long>(fs.f_type) == magic; });
}

// Documentation/admin-guide/devices.txt
bool is_terminal_or_null(dev_t device) {
  constexpr unsigned kMemory = 1, kNull = 3, kTty = 4, kConsole = 5, kPtmx = 2;
  constexpr unsigned kFirstPts = 136, kLastPts = 143, kHvc = 229, kVirtioPort = 204;
  unsigned number = major(device);
  if (number == kMemory) return minor(device) == kNull;
  if (number == kConsole) return minor(device) != kPtmx;
  return number == kTty || (number >= kFirstPts && number <= kLastPts) || number == kHvc ||
         number == kVirtioPort;
}

Status check_count(const std::vector<base::UniqueFd>& fds, size_t count) {
  if (fds.size() == count) return {};
  return make_error(Code::kInvalid, "needs " + std::to_string(count) + " descriptors, got " +
                                        std::to_string(fds.size()));
}

}  // namespace

Status check_client_fd(int fd) {
  auto refuse = [](const char* what) {
    return make_error(Code::kInvalid, std::string("descriptor: ") + what,
                      "pass a pipe, a stream socket, a terminal or a regular file");
  };
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return base::sys_error("descriptor");
  if ((flags & O_PATH) != 0) return refuse("opened with O_PATH");
  struct stat st = {};
  if (fstat(fd, &st) != 0) return base::sys_error("descriptor: stat");
  if (S_ISFIFO(st.st_mode)) return {};
  if (S_ISSOCK(st.st_mode)) {
    int type = 0;
    socklen_t length = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_STREAM)
      return refuse("a socket that is not a stream");
    return {};
  }
  if (S_ISCHR(st.st_mode)) {
    if (is_terminal_or_null(st.st_rdev)) return {};
    return refuse("a device");
  }
  if (S_ISDIR(st.st_mode)) return refuse("a folder");
  if (!S_ISREG(st.st_mode)) return refuse("a device or another special file");
  if (is_kernel_filesystem(fd)) return refuse("a file of the kernel's own");
  return {};
}

base::Result<base::UniqueFd> take_client_image(std::vector<base::UniqueFd> fds) {
  TRY(check_count(fds, 1));
  TRY(check_client_fd(fds[0].get()));
  struct stat st = {};
  if (fstat(fds[0].get(), &st) != 0) return base::sys_error("descriptor: stat");
  if (!S_ISREG(st.st_mode))
    return make_error(Code::kInvalid, "not a regular file", "give an image file");
  constexpr off_t kSector = 512;
  if (st.st_size == 0 || st.st_size % kSector != 0)
    return make_error(Code::kInvalid, "not an image: " + std::to_string(st.st_size) + " bytes",
                      "a CD is made of whole sectors");
  if ((fcntl(fds[0].get(), F_GETFL) & O_ACCMODE) != O_RDONLY)
    return make_error(Code::kInvalid, "descriptor: open for writing", "open the image read-only");
  return std::move(fds[0]);
}

base::Result<ClientStdio> take_client_stdio(std::vector<base::UniqueFd> fds, size_t count) {
  TRY(check_count(fds, count));
  ClientStdio stdio;
  for (size_t i = 0; i < fds.size() && i < stdio.size(); ++i) {
    TRY(check_client_fd(fds[i].get()));
    stdio.at(i) = std::move(fds[i]);
  }
  return stdio;
}

}  // namespace zoned
