// Applies nft(8) text through libnftables, changes ports and reads counters. Acts on the network namespace that the
// calling thread was in when open() was called.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "netns/instance.h"
#include "netns/port.h"
#include "netns/ruleset.h"

struct nft_ctx;
struct nl_sock;

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

  // What change_ports() of ruleset.h does, in one transaction: by netlink(7) where elements change and
  // nothing else, since libnftables reads all tables before each of its own; chains of firewalls by
  // libnftables.
  base::Status change_ports(const Instance& instance, const std::vector<PortPlan>& before,
                            const std::vector<PortPlan>& after, const LabelTable& labels = {});

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
  Nft(nft_ctx* context, nl_sock* socket, nl_sock* batches)
      : context_(context), socket_(socket), batches_(batches) {}
  base::Result<std::string> run(const std::string& text);
  nft_ctx* context_;
  nl_sock* socket_;  // for counters: libnftables takes seconds to find one of 10,000 elements
  nl_sock* batches_;
};

}  // namespace netns
