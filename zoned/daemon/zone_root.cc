#include "zoned/daemon/zone_root.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"
#include "zoned/core/plan.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::UniqueFd;

namespace {

// connect(2) as another user: without our capabilities, and known to the listener as that user.
// Ours alone to change: the daemon has one thread.
class ActingAs {
 public:
  ActingAs(uid_t uid, gid_t gid)
      : good_(syscall(SYS_setresgid, -1, gid, -1) == 0 &&
              syscall(SYS_setresuid, -1, uid, -1) == 0) {}
  ~ActingAs() {
    // Anything else would leave a daemon without rights.
    if (syscall(SYS_setresuid, -1, 0, -1) != 0 || syscall(SYS_setresgid, -1, 0, -1) != 0) abort();
  }
  ActingAs(const ActingAs&) = delete;
  ActingAs& operator=(const ActingAs&) = delete;
  bool good() const { return good_; }

 private:
  bool good_;
};

bool is_zones_own(const struct stat& st, uint32_t base) {
  auto inside = [base](uint32_t id) { return id - base < core::kIdsPerZone; };
  return inside(st.st_uid) && inside(st.st_gid);
}

}  // namespace

// The number can't have been used again unseen: the start time is compared after the folder was
// opened.
Result<UniqueFd> zone_root(const RuntimeRecord& record) {
  TRY_AS(UniqueFd root, base::open_at(AT_FDCWD, "/proc/" + std::to_string(record.pid) + "/root",
                                      O_PATH | O_DIRECTORY));
  TRY_AS(uint64_t start, base::start_time_of(record.pid));
  if (start != record.start_time) return make_error(Code::kState, "its first process has ended");
  return root;
}

Result<UniqueFd> connect_in_zone(const RuntimeRecord& record, const std::string& path) {
  TRY_AS(UniqueFd root, zone_root(record));
  TRY_AS(UniqueFd place, base::open_in_root(root.get(), path, O_PATH));
  struct stat st = {};
  if (fstat(place.get(), &st) != 0) return base::sys_error("stat " + base::quoted(path));
  if (!S_ISSOCK(st.st_mode) || !is_zones_own(st, record.range_base))
    return make_error(Code::kInvalid, base::quoted(path) + " is not a socket of the zone's own");
  UniqueFd connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!connection) return base::sys_error("socket");
  // By the descriptor: what is connected to is what was looked at.
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::string link = "/proc/self/fd/" + std::to_string(place.get());
  std::memcpy(address.sun_path, link.c_str(), link.size() + 1);
  int failure = 0;
  {
    ActingAs owner(st.st_uid, st.st_gid);
    if (!owner.good() ||
        connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      failure = errno;
  }
  if (failure == EAGAIN)
    return make_error(Code::kBusy, base::quoted(path) + " takes no connection now");
  if (failure != 0) return base::sys_error("connect to " + base::quoted(path), failure);
  return connection;
}

}  // namespace zoned
