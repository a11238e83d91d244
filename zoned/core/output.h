// A zone's output: drained from a pipe or a pty, kept in a capped log, shown to whoever is attached.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <string>
#include <string_view>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace core {

inline constexpr const char* kLogName = "console.log";
inline constexpr const char* kOldLogName = "console.log.1";

// Appends to a zone's log of at most two files of `limit` bytes: ZONE/log/console.log and console.log.1
// below the folder `zones`. Nothing stays open: thousands of zones are silent most of the time. Bytes
// that can't be written (full disk, folder gone) are dropped. Returns how many were written.
size_t append_log(int zones, const std::string& zone, uint64_t limit, std::string_view data);

// Clients of a zone's console. They stay over reboots of the zone: the source comes and goes.
class ConsoleHub {
 public:
  explicit ConsoleHub(base::EventLoop* loop) : loop_(loop) {}
  ~ConsoleHub();
  ConsoleHub(const ConsoleHub&) = delete;
  ConsoleHub& operator=(const ConsoleHub&) = delete;

  void add_client(base::UniqueFd socket);
  // Where clients' input goes (not owned); -1: nowhere, it is dropped.
  void set_input(int fd) { input_ = fd; }
  // Output of the zone. A client that does not read loses bytes beyond kClientBuffer.
  void show(std::string_view data);
  bool empty() const { return clients_.empty(); }
  // Descriptors of the clients, for handing over to the next program.
  std::vector<int> clients() const;

 private:
  static constexpr size_t kClientBuffer = 64 * 1024;
  struct Client {
    base::UniqueFd socket;
    std::string pending;
  };
  void on_client(std::list<Client>::iterator client, uint32_t events);
  void flush(std::list<Client>::iterator client);
  void drop(std::list<Client>::iterator client);

  base::EventLoop* loop_;
  int input_ = -1;
  std::list<Client> clients_;
};

}  // namespace core
