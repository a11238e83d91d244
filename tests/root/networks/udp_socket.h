#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <catch2/catch.hpp>
#include <string>

#include "base/unique_fd.h"

namespace networks {

// A UDP socket in a zone's network stack, bound to a port.
class UdpSocket {
 public:
  UdpSocket(pid_t zone, uint16_t port) {
    base::UniqueFd home(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    base::UniqueFd there(
        open(("/proc/" + std::to_string(zone) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE((home && there));
    REQUIRE(setns(there.get(), CLONE_NEWNET) == 0);
    socket_ = base::UniqueFd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    REQUIRE(setns(home.get(), CLONE_NEWNET) == 0);
    int on = 1;
    timeval patience = {1, 0};
    REQUIRE(setsockopt(socket_.get(), SOL_SOCKET, SO_BROADCAST, &on, sizeof on) == 0);
    REQUIRE(setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    sockaddr_in any = address("0.0.0.0", port);
    REQUIRE(bind(socket_.get(), reinterpret_cast<sockaddr*>(&any), sizeof any) == 0);
  }
  void send(const std::string& to, uint16_t port, const std::string& text) {
    sockaddr_in target = address(to, port);
    CHECK(sendto(socket_.get(), text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&target),
                 sizeof target) == static_cast<ssize_t>(text.size()));
  }
  // Empty: nothing came within a second.
  std::string receive() {
    std::string text(100, '\0');
    ssize_t n = recv(socket_.get(), text.data(), text.size(), 0);
    text.resize(n < 0 ? 0 : static_cast<size_t>(n));
    return text;
  }

 private:
  static sockaddr_in address(const std::string& text, uint16_t port) {
    sockaddr_in result = {};
    result.sin_family = AF_INET;
    result.sin_port = htons(port);
    REQUIRE(inet_pton(AF_INET, text.c_str(), &result.sin_addr) == 1);
    return result;
  }
  base::UniqueFd socket_;
};

}  // namespace networks
