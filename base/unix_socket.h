// Unix sockets with descriptors attached (unix(7), SCM_RIGHTS).
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace base {

inline constexpr size_t kMaxFdsPerMessage = 64;

// Binds and listens at `name` inside the folder `dir` (by /proc/self/fd, so the 108-byte limit of
// sun_path does not bite). An existing socket file is replaced: callers hold the folder's lock.
// type: SOCK_STREAM or SOCK_SEQPACKET. Non-blocking, close-on-exec.
Result<UniqueFd> listen_unix(int dir, const std::string& name, int type, mode_t mode = 0600);
// Blocking connection. kNotFound / ECONNREFUSED when nobody listens.
Result<UniqueFd> connect_unix(int dir, const std::string& name, int type);
// Connected pair, close-on-exec.
Result<std::pair<UniqueFd, UniqueFd>> socket_pair(int type);

struct Message {
  std::string data;           // empty with eof: the peer has closed
  std::vector<UniqueFd> fds;  // close-on-exec
  bool eof = false;
};
// One sendmsg(2), MSG_NOSIGNAL; fds stay the caller's. Returns bytes taken (a stream may take part;
// the descriptors go with the first byte). EAGAIN comes back as kBusy.
Result<size_t> send_message(int socket, std::string_view data, const std::vector<int>& fds = {});
// One recvmsg(2) of at most max_bytes. EAGAIN comes back as kBusy with sys_errno EAGAIN; truncation
// of data (seqpacket) or descriptors is an error, and descriptors received so far are closed.
Result<Message> receive_message(int socket, size_t max_bytes);

struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};
// SO_PEERCRED: as of connect(2).
Result<Peer> peer_of(int socket);

}  // namespace base
