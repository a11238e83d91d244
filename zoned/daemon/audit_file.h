// One file of the audit log, append-only, with room that was allocated ahead (fallocate(2)): a write
// into it can't find the disk full. The last kReserve bytes of the room are for records of halting.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace zoned {

class AuditFile {
 public:
  static constexpr uint64_t kReserve = 65536;
  static constexpr uint64_t kAhead = 1 << 20;  // allocated at a time, where there is that much

  AuditFile() = default;
  // dir: LIB/audit. A new file, made durably, or an existing one; kNoSpace when the reserve can't be had
  // for a new one (which is gone again then). path: the folder's, for errors.
  static base::Result<AuditFile> create(int dir, const std::string& path, const std::string& name);
  static base::Result<AuditFile> open(int dir, const std::string& path, const std::string& name);

  // One or more whole lines. Nothing is left of them when it fails. in_reserve: may use the reserve.
  base::Status append(std::string_view text, bool in_reserve);
  // Why it is not what was written to it, and by us alone, any more ("was removed"); empty: it is.
  std::string fault(int dir) const;
  uint64_t size() const { return size_; }
  int fd() const { return fd_.get(); }
  const std::string& name() const { return name_; }
  const std::string& path() const { return path_; }  // whole
  explicit operator bool() const { return static_cast<bool>(fd_); }

 private:
  base::Status make_room(uint64_t bytes, uint64_t reserve);
  base::Status write_whole(std::string_view text);
  void remember();

  base::UniqueFd fd_;
  std::string name_;
  std::string path_;
  uint64_t size_ = 0;
  uint64_t room_ = 0;      // allocated, from the file's beginning
  bool ahead_ = true;      // the file system allocates ahead
  timespec changed_ = {};  // when it was written last (st_mtim)
};

}  // namespace zoned
