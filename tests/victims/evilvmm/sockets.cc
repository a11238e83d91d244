// Sockets of every family, new and inherited.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "tests/victims/evilvmm/attempts.h"

namespace evil {
namespace {

constexpr int kFamilies = 46;
constexpr int kSoPeerPidfd = 77;
constexpr int kSoNetnsCookie = 71;

Result open_socket(int family, int type) {
  int fd = socket(family, type | SOCK_CLOEXEC, 0);
  // A family that has no such type says so in many ways.
  if (fd < 0 && (errno == EINVAL || errno == ESOCKTNOSUPPORT)) return Result::kAbsent;
  return verdict(fd >= 0);
}

struct Name {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};
Name unix_name(const std::string& path, bool abstract) {
  Name name;
  auto* address = reinterpret_cast<sockaddr_un*>(&name.storage);
  address->sun_family = AF_UNIX;
  size_t skip = abstract ? 1 : 0;
  std::memcpy(address->sun_path + skip, path.data(), path.size());
  name.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + skip + path.size());
  return name;
}
Name loopback(long port) {
  Name name;
  auto* address = reinterpret_cast<sockaddr_in*>(&name.storage);
  address->sin_family = AF_INET;
  address->sin_port = htons(static_cast<uint16_t>(port));
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  name.size = sizeof *address;
  return name;
}
Result connect_to(int family, Name name) {
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return verdict(false);
  return verdict(connect(fd, name.get(), name.size) == 0);
}

void add_new(const Target& target, Attempts* out) {
  for (int family = 0; family < kFamilies; ++family)
    for (int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET}) {
      if (target.bare && target.loads_module.contains(family)) continue;
      out->push_back({"socket", std::to_string(family) + "/" + std::to_string(type),
                      [family, type](const Target&) { return open_socket(family, type); }});
    }
  out->push_back({"socketpair", "", [](const Target&) {
                    int fds[2];
                    return verdict(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
                  }});
  out->push_back({"connect: abstract socket of the host", "", [](const Target& t) {
                    return connect_to(AF_UNIX, unix_name(t.text("abstract"), true));
                  }});
  out->push_back({"connect: socket in the host's files", "", [](const Target& t) {
                    return connect_to(AF_UNIX, unix_name(t.text("unix"), false));
                  }});
  out->push_back({"connect: TCP on the host's loopback", "",
                  [](const Target& t) { return connect_to(AF_INET, loopback(t.number("tcp"))); }});
  out->push_back({"bind: TCP", "", [](const Target&) {
                    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                    Name any = loopback(0);
                    return verdict(fd >= 0 && bind(fd, any.get(), any.size) == 0);
                  }});
}

Result set_option(int fd, int option, int value) {
  return verdict(setsockopt(fd, SOL_SOCKET, option, &value, sizeof value) == 0);
}
Result attach_filter(int fd) {
  sock_filter pass[] = {BPF_STMT(BPF_RET | BPF_K, 0xffffffff)};
  sock_fprog program = {1, pass};
  return verdict(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0);
}
template <typename T>
Result get_option(int fd, int option) {
  T value = {};
  socklen_t size = sizeof value;
  return verdict(getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0);
}

// Sends with a control message: to whoever is at the console's other end, who reads without.
Result send_control(int fd, int type, const void* data, size_t size) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))] = {};
  char byte = '\n';
  iovec iov = {&byte, 1};
  msghdr message = {};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(size);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(size);
  std::memcpy(CMSG_DATA(header), data, size);
  return verdict(sendmsg(fd, &message, MSG_NOSIGNAL) == 1);
}

void add_inherited(const Target& target, Attempts* out) {
  int console = target.fds.at("console");
  int qmp = target.fds.at("qmp");
  auto add = [out](const char* name, auto run) {
    out->push_back({name, "", [run](const Target&) { return run(); }});
  };
  add("accept4: QMP's socket", [qmp] {
    fcntl(qmp, F_SETFL, O_NONBLOCK);
    int fd = accept4(qmp, nullptr, nullptr, SOCK_CLOEXEC);
    return verdict(fd >= 0 || errno == EAGAIN);
  });
  add("listen: QMP's socket", [qmp] { return verdict(listen(qmp, 8) == 0); });
  add("connect: an inherited socket", [console] {
    Name name = unix_name("/nowhere", false);
    return past_privilege(connect(console, name.get(), name.size), ENOENT);
  });
  add("bind: an inherited socket", [console] {
    Name name = unix_name("evil-" + std::to_string(getpid()), true);
    return verdict(bind(console, name.get(), name.size) == 0);
  });
  add("getsockname: QMP's path on the host", [qmp] {
    Name name;
    name.size = sizeof name.storage;
    return verdict(getsockname(qmp, name.get(), &name.size) == 0);
  });
  add("getpeername: console", [console] {
    Name name;
    name.size = sizeof name.storage;
    return verdict(getpeername(console, name.get(), &name.size) == 0);
  });
  add("getsockopt SO_PEERCRED: console",
      [console] { return get_option<ucred>(console, SO_PEERCRED); });
  add("getsockopt SO_PEERPIDFD: console",
      [console] { return get_option<int>(console, kSoPeerPidfd); });
  add("getsockopt SO_NETNS_COOKIE: console",
      [console] { return get_option<uint64_t>(console, kSoNetnsCookie); });
  add("setsockopt SO_SNDBUF: console",
      [console] { return set_option(console, SO_SNDBUF, 1 << 20); });
  add("setsockopt SO_SNDBUFFORCE: console",
      [console] { return set_option(console, SO_SNDBUFFORCE, 1 << 20); });
  add("setsockopt SO_MARK: console", [console] { return set_option(console, SO_MARK, 1); });
  add("setsockopt SO_PASSCRED: console", [console] { return set_option(console, SO_PASSCRED, 0); });
  add("setsockopt SO_ATTACH_FILTER: console", [console] { return attach_filter(console); });
  add("sendmsg SCM_RIGHTS: a descriptor to the console's other end",
      [console] { return send_control(console, SCM_RIGHTS, &console, sizeof console); });
  add("sendmsg SCM_CREDENTIALS: another's ids", [console] {
    ucred other = {1, 1, 1};
    return send_control(console, SCM_CREDENTIALS, &other, sizeof other);
  });
}

}  // namespace

void add_sockets(const Target& target, Attempts* attempts) {
  add_new(target, attempts);
  add_inherited(target, attempts);
}

}  // namespace evil
