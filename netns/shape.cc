#include "netns/shape.h"

#include <linux/gen_stats.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <limits>

#include "netns/netlink.h"
#include "netns/tc.h"

namespace netns {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr uint64_t kLeastBurst = 16 << 10;  // bytes
constexpr uint64_t kLeastQueue = 32 << 10;  // bytes
constexpr uint64_t kBurstsPerSecond = 100;  // 10 ms of the rate at once
constexpr uint64_t kQueuesPerSecond = 20;   // 50 ms of the rate may wait
constexpr uint32_t kFrameOverhead = 64;     // Ethernet header and tags above the MTU

// A frame larger than the burst would never pass: the MTU counts.
Request token_bucket(const Link& link, uint64_t bits) {
  uint64_t rate = bits / 8;
  uint64_t burst =
      std::max({rate / kBurstsPerSecond, kLeastBurst, uint64_t{link.mtu} + kFrameOverhead});
  tc_tbf_qopt options = {};
  options.rate.rate = clamped(rate);
  options.rate.linklayer = TC_LINKLAYER_ETHERNET;
  options.limit = clamped(burst + std::max(rate / kQueuesPerSecond, kLeastQueue));
  Request request("link '" + link.name + "': cap", RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE,
                  tc_place(link, TC_H_ROOT, kRootHandle));
  request.text(TCA_KIND, "tbf").nest(TCA_OPTIONS);
  request.put(TCA_TBF_PARMS, &options, sizeof options).u32(TCA_TBF_BURST, clamped(burst));
  if (rate >= std::numeric_limits<uint32_t>::max()) request.u64(TCA_TBF_RATE64, rate);
  return std::move(request.end());
}

Status cap_sending(Links& host, const Link& link, uint64_t bits) {
  std::string ifb = ifb_name(link.name);
  if (bits == 0) {
    TRY(remove_queue(host, link, TC_H_INGRESS, kIngressHandle));
    return host.remove(ifb);
  }
  auto device = host.find(ifb);
  if (device.ok()) return send_one(host.socket(), token_bucket(*device, bits));
  TRY(create_ifb(host, ifb, link.mtu));
  TRY_AS(Link fresh, host.find(ifb));
  std::vector<Request> requests;
  requests.push_back(token_bucket(fresh, bits));
  requests.emplace_back("link '" + link.name + "': cap of sending", RTM_NEWQDISC,
                        NLM_F_CREATE | NLM_F_EXCL, tc_place(link, TC_H_INGRESS, kIngressHandle));
  requests.back().text(TCA_KIND, "ingress").or_there();
  requests.push_back(redirect_all(link, kIngressHandle, fresh));
  Status status = send_all(host.socket(), requests);
  if (status.ok()) return {};
  // Half a cap would drop or pass everything.
  base::Error error = std::move(status).error();
  for (const Status& undone :
       {remove_queue(host, link, TC_H_INGRESS, kIngressHandle), host.remove(ifb)})
    if (!undone) error.message += "; " + undone.error().message;
  return error;
}

struct Held {
  uint64_t dropped = 0;
  uint64_t overlimits = 0;
};

// The token bucket's own counters: TCA_STATS2 holds TCA_STATS_QUEUE.
Held held_back(const nlmsghdr* message) {
  Attributes attributes(message, sizeof(tcmsg));
  if (!attributes.has(TCA_STATS2)) return {};
  auto queue = attributes.nested(TCA_STATS2).value<gnet_stats_queue>(TCA_STATS_QUEUE);
  return {queue.drops, queue.overlimits};
}

Result<Held> held_at(Links& host, const std::string& name) {
  auto link = host.find(name);
  if (!link && link.error().code == Code::kNotFound) return Held();
  if (!link) return std::move(link).error();
  Request request("link '" + name + "': read its queue", RTM_GETQDISC, NLM_F_DUMP,
                  tc_place(*link, 0, 0));
  Held held;
  TRY(dump(host.socket(), request, [&](const nlmsghdr* message) {
    const auto* info = static_cast<const tcmsg*>(payload_of(message));
    if (info->tcm_ifindex == static_cast<int>(link->index) && info->tcm_handle == kRootHandle)
      held = held_back(message);
  }));
  return held;
}

}  // namespace

Status set_caps(Links& host, const std::string& host_name, uint64_t receive_bits,
                uint64_t send_bits) {
  TRY_AS(Link link, host.find(host_name));
  if (receive_bits == 0) {
    TRY(remove_queue(host, link, TC_H_ROOT, kRootHandle));
  } else {
    TRY(send_one(host.socket(), token_bucket(link, receive_bits)));
  }
  return cap_sending(host, link, send_bits);
}

Result<ShapeStatistics> shape_statistics(Links& host, const std::string& host_name) {
  TRY_AS(Held receive, held_at(host, host_name));
  TRY_AS(Held send, held_at(host, ifb_name(host_name)));
  return ShapeStatistics{receive.dropped, receive.overlimits, send.dropped, send.overlimits};
}

}  // namespace netns
