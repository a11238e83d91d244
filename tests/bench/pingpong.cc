// One byte to and fro over TCP.
//   pingpong serve PORT              answers until its stdin ends
//   pingpong ask ADDRESS PORT COUNT  prints nanoseconds a round trip, the mean of COUNT
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "base/unique_fd.h"

namespace {

sockaddr_in address_of(const char* text, const char* port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(strtoul(port, nullptr, 10)));
  inet_pton(AF_INET, text, &address.sin_addr);
  return address;
}

void send_at_once(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

bool echo(int fd) {
  char byte = 0;
  while (read(fd, &byte, 1) == 1)
    if (write(fd, &byte, 1) != 1) return false;
  return true;
}

int serve(const char* port) {
  base::UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in own = address_of("0.0.0.0", port);
  int on = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener.get(), reinterpret_cast<sockaddr*>(&own), sizeof own) != 0 ||
      listen(listener.get(), 1) != 0)
    return 1;
  while (true) {
    pollfd ready[] = {{listener.get(), POLLIN, 0}, {0, POLLIN, 0}};
    if (poll(ready, 2, -1) < 0 || ready[1].revents != 0) return 0;
    base::UniqueFd client(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    send_at_once(client.get());
    if (!echo(client.get())) return 1;
  }
}

int ask(const char* address, const char* port, unsigned long count) {
  base::UniqueFd server(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in there = address_of(address, port);
  if (connect(server.get(), reinterpret_cast<sockaddr*>(&there), sizeof there) != 0) {
    std::cerr << "connect: " << strerror(errno) << "\n";
    return 1;
  }
  send_at_once(server.get());
  char byte = 'x';
  auto start = std::chrono::steady_clock::now();
  for (unsigned long i = 0; i < count; ++i)
    if (write(server.get(), &byte, 1) != 1 || read(server.get(), &byte, 1) != 1) return 1;
  std::chrono::nanoseconds took = std::chrono::steady_clock::now() - start;
  std::cout << static_cast<unsigned long>(took.count()) / count << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "serve") == 0) return serve(argv[2]);
  unsigned long count = argc == 5 ? strtoul(argv[4], nullptr, 10) : 0;
  if (count > 0 && strcmp(argv[1], "ask") == 0) return ask(argv[2], argv[3], count);
  return 2;
}
