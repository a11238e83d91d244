// What the packet filter refused because of labels, told by the kernel (nfnetlink_log,
// linux/netfilter/nfnetlink_log.h; rules in ruleset_tables.cc).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "netns/address.h"
#include "netns/instance.h"

struct nl_sock;

namespace netns {

struct Refusal {
  std::string from;  // the port's host name
  std::string to;    // the interface that it would have left by
  Address target;    // whom it was for, as it says itself; invalid when it does not
};

// A netlink socket of the calling thread's network namespace that alone gets what is told to its group.
// The kernel tells at most 5 packets a second of a port and 100 of all, up to a second late.
class RefusalLog {
 public:
  // The instance's own group, or the next one that nobody has. kUnsupported: the kernel can't tell.
  static base::Result<RefusalLog> open(const Instance& instance);

  uint16_t group() const { return group_; }
  // For epoll: readable when there is something to tell.
  int fd() const;
  // All that is queued; what the kernel could not queue is lost. Interfaces that have gone meanwhile are
  // left out. Never blocks.
  base::Result<std::vector<Refusal>> read();

 private:
  using Socket = std::unique_ptr<nl_sock, void (*)(nl_sock*)>;
  RefusalLog(Socket socket, uint16_t group, std::string prefix)
      : socket_(std::move(socket)), group_(group), prefix_(std::move(prefix)) {}

  Socket socket_;
  uint16_t group_;
  std::string prefix_;
};

// Whom a packet is for: of IPv4, IPv6, ARP and neighbour solicitations. protocol: an EtherType. The bytes
// after the Ethernet header may be anything, and cut off anywhere.
Address target_of(uint16_t protocol, std::string_view packet);

}  // namespace netns
