#include "vmzone/import.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "vmzone/disk_format.h"
#include "vmzone/hardware.h"
#include "vmzone/kernel_image.h"
#include "vmzone/vm_folder.h"
#include "zoned/core/file_copy.h"

namespace vmzone {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::sys_error;
using base::UniqueFd;

Result<uint64_t> size_of(int file) {
  struct stat st = {};
  if (fstat(file, &st) != 0) return sys_error("stat the image");
  return static_cast<uint64_t>(st.st_size);
}

Result<std::string> head_of(int file) {
  std::string head(kImageHeadBytes, '\0');
  size_t done = 0;
  while (done < head.size()) {
    ssize_t n = pread(file, head.data() + done, head.size() - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return sys_error("read the image");
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  head.resize(done);
  return head;
}

// QEMU and qemu-img hold a lock on this byte of an image that they may write to: the first byte for
// permissions, and the bit of the permission to write (QEMU, block/file-posix.c).
Status check_not_written(int file) {
  constexpr off_t kWriterByte = 101;
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = kWriterByte;
  lock.l_len = 1;
  bool free = fcntl(file, F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK;
  // A vm zone's VMM holds this one (zoned/daemon/guests.cc).
  if (free && (flock(file, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)) return {};
  return make_error(Code::kBusy, "the image is in use: a running machine writes to it",
                    "shut that machine down first");
}

base::Error no_space(const std::string& name, uint64_t needed, int target) {
  struct statvfs fs = {};
  std::string free;
  if (fstatvfs(target, &fs) == 0)
    free = ", " + base::format_size(uint64_t{fs.f_bavail} * fs.f_frsize) + " are free";
  base::Error error = core::write_error("write", ENOSPC);
  error.message += ": the " + name + " needs " + base::format_size(needed) + free;
  return error;
}

// Refuses before the disk is full for everybody else.
Status check_space(const std::string& name, uint64_t needed, int target) {
  struct statvfs fs = {};
  if (fstatvfs(target, &fs) != 0) return sys_error("statvfs");
  if (needed <= uint64_t{fs.f_bavail} * fs.f_frsize) return {};
  return no_space(name, needed, target);
}

Status fill(int from, int to, const std::string& name, int target, core::UnpackReport* report) {
  TRY_AS(uint64_t size, size_of(from));
  if (core::share_data(from, to)) return {};
  auto end = static_cast<off_t>(size);
  uint64_t needed = core::data_bytes(from, end);
  TRY(check_space(name, needed, target));
  Status copied = core::copy_data(from, to, end, [&](off_t done) {
    report->progress("copy", std::min(static_cast<uint64_t>(done), size), size);
  });
  if (!copied && copied.error().code == Code::kNoSpace) return no_space(name, needed, target);
  if (!copied) return copied;
  report->progress("copy", size, size);
  return {};
}

Status copy_in(int from, int target, const std::string& name, mode_t mode,
               core::UnpackReport* report) {
  UniqueFd to(
      openat(target, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!to) return core::write_error("create " + base::quoted(name), errno);
  TRY(fill(from, to.get(), name, target, report));
  if (fchmod(to.get(), mode) != 0) return sys_error("chmod " + base::quoted(name));
  if (fsync(to.get()) != 0) return core::write_error("fsync " + base::quoted(name), errno);
  return {};
}

// Leaks only waste space; repairing is for who owns the image.
Status check_qcow2(const std::string& path) {
  constexpr int kCorrupt = 2;
  constexpr int kLeaks = 3;
  auto ran =
      base::run_program({"qemu-img", "check", "-q", "-f", "qcow2", path}, std::chrono::hours(1));
  if (!ran && ran.error().sys_errno == ENOENT)
    return make_error(Code::kUnsupported, "this host has no qemu-img to check a qcow2 image with",
                      "install the package qemu-utils");
  if (!ran) return std::move(ran).error();
  if (ran->status == 0 || ran->status == kLeaks) return {};
  if (ran->status == kCorrupt)
    return make_error(Code::kInvalid, "the qcow2 image is damaged or cut short",
                      "fetch it again, or repair it: qemu-img check -r all IMAGE");
  std::string words(base::trim(ran->err));
  return make_error(Code::kInvalid,
                    "qemu-img can't check the image: " + words.substr(words.rfind('\n') + 1));
}

Status check_cd(int image) {
  constexpr size_t kDescriptor = 32768;  // ECMA-119, 6.2.1: sector 16; ECMA-167 2/9.1
  TRY_AS(std::string head, head_of(image));
  std::string_view volume(head);
  volume.remove_prefix(std::min(volume.size(), kDescriptor + 1));
  if (volume.starts_with("CD001") || volume.starts_with("BEA01")) return {};
  return make_error(Code::kInvalid, "the file is no image of a CD: neither ISO 9660 nor UDF",
                    "for the image of a disk write disk:IMAGE");
}

}  // namespace

Status import_kernel(int image, std::optional<int> initrd, int target, core::UnpackReport* report) {
  constexpr mode_t kReadable = 0644;  // by the VMM, which is nobody here
  TRY(kernel_format(image));
  if (initrd) {
    TRY_AS(uint64_t size, size_of(*initrd));
    if (size == 0) return make_error(Code::kInvalid, "the initrd is empty");
  }
  TRY(copy_in(image, target, kKernelFile, kReadable, report));
  return initrd ? copy_in(*initrd, target, kInitrdFile, kReadable, report) : Status();
}

Status import_disk(int image, int target, const std::string& target_path,
                   core::UnpackReport* report) {
  TRY_AS(std::string head, head_of(image));
  TRY_AS(uint64_t size, size_of(image));
  TRY_AS(DiskImage disk, inspect_image(head, size));
  TRY(check_not_written(image));
  TRY(copy_in(image, target, kInstalledDisk, 0600, report));
  if (disk.format != DiskFormat::kQcow2) return {};
  report->progress("check", 0, 0);
  return check_qcow2(target_path + "/" + kInstalledDisk);
}

Status import_iso(int image, int target, core::UnpackReport* report) {
  constexpr uint64_t kSector = 512;  // QEMU's
  TRY_AS(uint64_t size, size_of(image));
  TRY(check_cd(image));
  if (size % kSector != 0)
    return make_error(Code::kInvalid, "the image of the CD is cut short", "fetch it again");
  return copy_in(image, target, kInstalledDisk, 0600, report);
}

}  // namespace vmzone
