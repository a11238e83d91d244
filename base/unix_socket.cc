#include "base/unix_socket.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>

#include "base/strings.h"

namespace base {
namespace {

Result<sockaddr_un> address_in(int dir, const std::string& name) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::string path = dir == AT_FDCWD ? name : "/proc/self/fd/" + std::to_string(dir) + "/" + name;
  if (path.size() >= sizeof address.sun_path)
    return make_error(Code::kInvalid, "socket path " + quoted(path, 200) + " is too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

}  // namespace

Result<UniqueFd> listen_unix(int dir, const std::string& name, int type, mode_t mode) {
  constexpr int kBacklog = 1024;
  TRY_AS(sockaddr_un address, address_in(dir, name));
  UniqueFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return sys_error("socket");
  if (unlinkat(dir, name.c_str(), 0) != 0 && errno != ENOENT)
    return sys_error("unlink " + quoted(name));
  // The mode counts from the first instant: fchmod on the socket before bind(2) (unix(7)).
  if (fchmod(fd.get(), mode) != 0) return sys_error("fchmod");
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return sys_error("bind " + quoted(name));
  if (listen(fd.get(), kBacklog) != 0) return sys_error("listen on " + quoted(name));
  return fd;
}

Result<UniqueFd> connect_unix(int dir, const std::string& name, int type) {
  TRY_AS(sockaddr_un address, address_in(dir, name));
  UniqueFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  if (!fd) return sys_error("socket");
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return sys_error("connect to " + quoted(name, 200));
  return fd;
}

Result<std::pair<UniqueFd, UniqueFd>> socket_pair(int type) {
  int fds[2];
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) != 0) return sys_error("socketpair");
  return std::pair(UniqueFd(fds[0]), UniqueFd(fds[1]));
}

Result<size_t> send_message(int socket, std::string_view data, const std::vector<int>& fds) {
  if (fds.size() > kMaxFdsPerMessage)
    return make_error(Code::kInternal, "too many descriptors in one message");
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFdsPerMessage)] = {};
  iovec iov = {const_cast<char*>(data.data()), data.size()};
  msghdr message = {};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
  }
  while (true) {
    ssize_t n = sendmsg(socket, &message, MSG_NOSIGNAL);
    if (n >= 0) return static_cast<size_t>(n);
    if (errno != EINTR) return sys_error("sendmsg");
  }
}

Result<Message> receive_message(int socket, size_t max_bytes) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFdsPerMessage)] = {};
  Message result;
  result.data.resize(max_bytes);
  iovec iov = {result.data.data(), result.data.size()};
  msghdr message = {};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t n;
  do {
    n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return sys_error("recvmsg");
  for (cmsghdr* h = CMSG_FIRSTHDR(&message); h != nullptr; h = CMSG_NXTHDR(&message, h)) {
    if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof fd);
      result.fds.emplace_back(fd);
    }
  }
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
    return make_error(Code::kInvalid, "message or descriptors truncated");
  result.data.resize(static_cast<size_t>(n));
  result.eof = n == 0;
  return result;
}

Result<Peer> peer_of(int socket) {
  ucred credentials = {};
  socklen_t length = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
    return sys_error("SO_PEERCRED");
  return Peer{credentials.pid, credentials.uid, credentials.gid};
}

}  // namespace base
