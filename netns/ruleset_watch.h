// A watch over the instance's nftables tables, by netlink (nfnetlink, NFNLGRP_NFTABLES).
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "netns/instance.h"

namespace netns {

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
