#include "tests/victims/courier/os.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "tests/victims/courier/channel.h"

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  DIR* dir = opendir(folder.c_str());
  if (dir == nullptr) return names;
  while (const dirent* entry = readdir(dir)) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  closedir(dir);
  return names;
}

std::string drain(int fd) {
  std::string bytes;
  char buffer[4096];
  for (ssize_t n = 1; bytes.size() < (64 << 10) && n > 0;) {
    n = read(fd, buffer, sizeof buffer);
    if (n > 0) bytes.append(buffer, static_cast<size_t>(n));
  }
  return bytes;
}

std::string read_whole(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  return fd ? drain(fd.get()) : "";
}

bool write_whole(const std::string& path, const std::string& bytes) {
  Fd fd(open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0666));
  return fd && write(fd.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
}

std::string drain_socket(int fd) {
  std::string bytes;
  for (int i = 0; i < 100; ++i) {
    char buffer[4096];
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    iovec data = {buffer, sizeof buffer};
    msghdr message = {};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0) break;
    bytes += " ";
    bytes.append(buffer, static_cast<size_t>(n));
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) continue;
    int passed = -1;
    std::memcpy(&passed, CMSG_DATA(header), sizeof passed);
    Fd file(passed);
    if (pread(passed, buffer, kTokenSize, 0) == kTokenSize)
      bytes.append(" ").append(buffer, kTokenSize);
  }
  return bytes;
}

sockaddr_un at_path(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

sockaddr_un abstract(const std::string& name) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  return address;
}

bool send_with_descriptor(int socket, const void* to, socklen_t size, const std::string& token) {
  Fd file(memfd_create("letter", MFD_CLOEXEC));
  if (write(file.get(), token.data(), token.size()) < 0) return false;
  std::string text = token;
  iovec data = {text.data(), text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  sockaddr_storage address = {};
  std::memcpy(&address, to, size);
  message.msg_name = &address;
  message.msg_namelen = size;
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  int passed = file.get();
  std::memcpy(CMSG_DATA(header), &passed, sizeof passed);
  return sendmsg(socket, &message, MSG_DONTWAIT) > 0;
}

std::string outcome(bool done) {
  if (done) return "";
  const char* name = strerrorname_np(errno);
  return name == nullptr ? "?" : name;
}

std::string tell_all(const std::vector<std::string>& places,
                     const std::function<bool(const std::string&)>& act) {
  bool any = false;
  std::string last;
  for (const std::string& place : places) {
    bool done = act(place);
    if (!done) last = outcome(false);
    any = any || done;
  }
  return any ? "" : last;
}

void for_each_bit(const std::string& bytes, const std::function<void(size_t)>& act) {
  for (size_t i = 0; i < bytes.size() * 8; ++i)
    if ((static_cast<unsigned char>(bytes[i / 8]) >> (7 - i % 8) & 1) != 0) act(i);
}

std::string from_bits(const std::function<bool(size_t)>& is_set) {
  std::string bytes(kTokenSize, '\0');
  for (size_t i = 0; i < bytes.size() * 8; ++i)
    if (is_set(i)) bytes[i / 8] = static_cast<char>(bytes[i / 8] | 1 << (7 - i % 8));
  return bytes;
}
