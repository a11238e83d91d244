// Applies nft(8) text through libnftables, reads counters, watches the tables. Acts on the network
// namespace that the calling thread is in when open() is called.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "netns/instance.h"
#include "netns/port.h"

struct nft_ctx;

namespace netns {

// Packets and bytes that one protection refused.
struct DropCount {
  uint64_t packets = 0;
  uint64_t bytes = 0;
  bool operator==(const DropCount&) const = default;
};
// By counter name (kCounterNames); counters that are off are absent.
using PortCounters = std::map<std::string, DropCount>;

class Nft {
 public:
  static base::Result<Nft> open();
  Nft(Nft&&) noexcept;
  Nft& operator=(Nft&&) noexcept;
  ~Nft();

  // One transaction: all or nothing. The error carries nft's first message; the code is kNotFound
  // (a table, set or element that is not there), kExists, kDenied, kUnsupported (a kernel without
  // the feature) or kIo.
  base::Status apply(const std::string& text);
  // Checked by the kernel, not applied.
  base::Status check(const std::string& text);

  // True when the instance's inet and arp tables are there.
  base::Result<bool> present(const Instance& instance);
  // All ports of the instance, by host name, summed over the families.
  base::Result<std::map<std::string, PortCounters>> counters(const Instance& instance);
  // One port; O(1). kNotFound when it has no elements.
  base::Result<PortCounters> counters(const Instance& instance, const std::string& host_name);
  // Packets of links of our prefix that have no elements.
  base::Result<DropCount> unknown_ports(const Instance& instance);
  // Base chains of others on the forward hook whose policy is drop: "ip filter FORWARD".
  base::Result<std::vector<std::string>> forward_drops(const Instance& instance);

 private:
  explicit Nft(nft_ctx* context) : context_(context) {}
  base::Result<std::string> run(const std::string& text);
  nft_ctx* context_;
};

// Tells when somebody else changed our tables, flushed or deleted them. A netlink socket of the
// calling thread's network namespace; one thread must call apply() and use the watch.
class RulesetWatch {
 public:
  static base::Result<RulesetWatch> open(const Instance& instance);

  // For epoll: readable when there is something to tell.
  int fd() const { return socket_.get(); }

  enum class Event {
    kNothing,  // of others, or our own changes
    kChanged,  // our tables were changed by another process
    kGone,     // at least one of our tables was deleted by another process
    kLost,     // the kernel dropped messages: look by Nft::present(), or apply the whole set
  };
  struct Report {
    Event event = Event::kNothing;
    std::string program;  // comm of who did it, as the kernel tells
    uint32_t pid = 0;
  };
  // Reads all that is queued; the worst event of it. Never blocks.
  base::Result<Report> read();

 private:
  RulesetWatch(base::UniqueFd socket, std::string table, uint32_t own_pid)
      : socket_(std::move(socket)), table_(std::move(table)), own_pid_(own_pid) {}
  void digest(const char* data, size_t size, Report* worst);

  base::UniqueFd socket_;
  std::string table_;
  uint32_t own_pid_;                 // as the kernel names us, whatever our pid namespace
  Event pending_ = Event::kNothing;  // of the transaction whose end has not come yet
};

}  // namespace netns
