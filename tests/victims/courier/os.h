// Short ways to the operating system for couriers. Nothing here fails loudly: what can't be done is not
// heard.
#pragma once

#include <sys/un.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

// Entries of a folder without "." and "..".
std::vector<std::string> names_in(const std::string& folder);
// At most 64 KiB; empty when it can't be read. Opens without waiting for anybody.
std::string read_whole(const std::string& path);
// Creates or replaces.
bool write_whole(const std::string& path, const std::string& bytes);
// What can be read at once.
std::string drain(int fd);
// What datagrams hold, and the files whose descriptors came with them.
std::string drain_socket(int fd);
sockaddr_un at_path(const std::string& path);
// "@name": an abstract one.
sockaddr_un abstract(const std::string& name);
// A datagram with the token, and a descriptor of a file that holds it.
bool send_with_descriptor(int socket, const void* to, socklen_t size, const std::string& token);

// Calls act for all; "" when it worked for one of them, else the last error.
std::string tell_all(const std::vector<std::string>& places,
                     const std::function<bool(const std::string&)>& act);
// "" or the name of errno.
std::string outcome(bool done);

// Bit by bit, the highest of a byte first; calls for those that are set.
void for_each_bit(const std::string& bytes, const std::function<void(size_t)>& act);
// kTokenSize bytes.
std::string from_bits(const std::function<bool(size_t)>& is_set);
