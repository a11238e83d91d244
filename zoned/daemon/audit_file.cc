#include "zoned/daemon/audit_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"
#include "zoned/daemon/audit_scan.h"

namespace zoned {

using base::Result;
using base::Status;

Result<AuditFile> AuditFile::create(int dir, const std::string& path, const std::string& name) {
  AuditFile file;
  file.name_ = name;
  file.path_ = path + "/" + name;
  constexpr int kFlags = O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW;
  TRY_AS(file.fd_, base::open_at(dir, name, kFlags, 0600));
  Status made = file.make_room(0, kReserve);
  if (made && (fsync(file.fd()) != 0 || fsync(dir) != 0)) made = base::sys_error("fsync");
  file.remember();
  if (made) return file;
  unlinkat(dir, name.c_str(), 0);
  return std::move(made).error();
}

Result<AuditFile> AuditFile::open(int dir, const std::string& path, const std::string& name) {
  AuditFile file;
  file.name_ = name;
  file.path_ = path + "/" + name;
  TRY_AS(file.fd_, base::open_at(dir, name, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK));
  struct stat info = {};
  if (fstat(file.fd(), &info) != 0) return base::sys_error("fstat");
  if (!S_ISREG(info.st_mode))
    return base::make_error(base::Code::kInvalid, "'" + name + "' is not a regular file");
  file.size_ = static_cast<uint64_t>(info.st_size);
  file.changed_ = info.st_mtim;
  return file;
}

Status AuditFile::make_room(uint64_t bytes, uint64_t reserve) {
  uint64_t wanted = size_ + bytes + reserve;
  if (!ahead_ || wanted <= room_) return {};
  for (uint64_t room : {wanted + kAhead, wanted}) {
    int failed = fallocate(fd(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(room));
    if (failed == 0) {
      room_ = room;
      return {};
    }
    if (errno == EOPNOTSUPP) {
      ahead_ = false;
      return {};
    }
    if (errno != ENOSPC && errno != EDQUOT) break;
  }
  return base::sys_error("allocate");
}

std::string AuditFile::fault(int dir) const {
  struct stat info = {};
  if (fstat(fd(), &info) != 0) return base::sys_error("fstat").message;
  if (info.st_nlink == 0) return "was removed";
  if (!leads_to(dir, name_, fd())) return "was moved away or replaced";
  if (static_cast<uint64_t>(info.st_size) < size_) return "was cut off";
  bool touched = info.st_mtim.tv_sec != changed_.tv_sec || info.st_mtim.tv_nsec != changed_.tv_nsec;
  if (touched || static_cast<uint64_t>(info.st_size) != size_) return "was written to by another";
  return {};
}

void AuditFile::remember() {
  struct stat info = {};
  if (fd_ && fstat(fd(), &info) == 0) changed_ = info.st_mtim;
}

Status AuditFile::append(std::string_view text, bool in_reserve) {
  Status written = make_room(text.size(), in_reserve ? 0 : kReserve);
  if (written) written = write_whole(text);
  remember();
  return written;
}

Status AuditFile::write_whole(std::string_view text) {
  size_t written = 0;
  while (written < text.size()) {
    ssize_t n = write(fd(), text.data() + written, text.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      base::Error error = base::sys_error("write", n < 0 ? errno : EIO);
      // A part of a line would stand in the way of the next one.
      if (written > 0 && ftruncate(fd(), static_cast<off_t>(size_)) != 0) fd_.reset();
      return error;
    }
    written += static_cast<size_t>(n);
  }
  size_ += text.size();
  return {};
}

}  // namespace zoned
