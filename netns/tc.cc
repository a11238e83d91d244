#include "netns/tc.h"

#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/tc_act/tc_mirred.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace netns {

using base::Status;

tcmsg tc_place(const Link& link, uint32_t parent, uint32_t handle) {
  tcmsg info = {};
  info.tcm_family = AF_UNSPEC;
  info.tcm_ifindex = static_cast<int>(link.index);
  info.tcm_parent = parent;
  info.tcm_handle = handle;
  return info;
}

uint32_t clamped(uint64_t value) {
  return static_cast<uint32_t>(std::min<uint64_t>(value, std::numeric_limits<uint32_t>::max()));
}

// Nothing there is success: the kernel tells it as ENOENT or EINVAL.
Status remove_queue(Links& host, const Link& link, uint32_t parent, uint32_t handle) {
  Status status = send_one(host.socket(), Request("link '" + link.name + "': remove cap",
                                                  RTM_DELQDISC, 0, tc_place(link, parent, handle)));
  if (!status && (status.error().sys_errno == ENOENT || status.error().sys_errno == EINVAL))
    return {};
  return status;
}

Status create_ifb(Links& host, const std::string& name, uint32_t mtu) {
  Request request("create link '" + name + "'", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
                  ifinfomsg{});
  request.text(IFLA_IFNAME, name).u32(IFLA_MTU, mtu).u32(IFLA_NUM_TX_QUEUES, 1);
  request.u32(IFLA_NUM_RX_QUEUES, 1).nest(IFLA_LINKINFO).text(IFLA_INFO_KIND, "ifb").end();
  TRY(send_one(host.socket(), std::move(request.or_there())));
  return host.set_up(name, true);
}

uint32_t filter_info(uint32_t priority) { return priority << 16 | __builtin_bswap16(ETH_P_ALL); }

// One key whose mask is 0.
Request& match_all(Request& request) {
  // The selector, then its keys: the kernel's struct ends in a flexible array.
  std::array<char, sizeof(tc_u32_sel) + sizeof(tc_u32_key)> match = {};
  tc_u32_sel selector = {};
  selector.flags = TC_U32_TERMINAL;
  selector.nkeys = 1;
  memcpy(match.data(), &selector, sizeof selector);
  return request.put(TCA_U32_SEL, match.data(), match.size());
}

Request redirect_all(const Link& from, uint32_t parent, const Link& to) {
  tc_mirred action = {};
  action.action = TC_ACT_STOLEN;
  action.eaction = TCA_EGRESS_REDIR;
  action.ifindex = to.index;
  tcmsg info = tc_place(from, parent, 0);
  info.tcm_info = filter_info(1);
  Request request("link '" + from.name + "': redirect to '" + to.name + "'", RTM_NEWTFILTER,
                  NLM_F_CREATE | NLM_F_EXCL, info);
  match_all(request.text(TCA_KIND, "u32").nest(TCA_OPTIONS)).nest(TCA_U32_ACT).nest(1);
  request.text(TCA_ACT_KIND, "mirred").nest(TCA_ACT_OPTIONS);
  request.put(TCA_MIRRED_PARMS, &action, sizeof action).end().end().end();
  return std::move(request.end());
}

}  // namespace netns
