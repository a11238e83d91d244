// What shape.cc and share.cc have in common: messages of tc(8). For this folder's sources only.
#pragma once

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <cstdint>
#include <string>

#include "base/result.h"
#include "netns/links.h"
#include "netns/netlink.h"

namespace netns {

inline constexpr uint32_t kRootHandle = 0x10000;        // "1:"
inline constexpr uint32_t kIngressHandle = 0xffff0000;  // "ffff:"

tcmsg tc_place(const Link& link, uint32_t parent, uint32_t handle);
// The kernel's numbers of 32 bits: what is more is the most.
uint32_t clamped(uint64_t value);
// Absent is success.
base::Status remove_queue(Links& host, const Link& link, uint32_t parent, uint32_t handle);
// Up; existing is success.
base::Status create_ifb(Links& host, const std::string& name, uint32_t mtu);
// A filter under `parent` that hands every frame to `to`.
Request redirect_all(const Link& from, uint32_t parent, const Link& to);
// Into an open TCA_OPTIONS of a u32 filter: matches every frame.
Request& match_all(Request& request);
// A filter's tcm_info: `priority` orders filters, each frame of any protocol is looked at.
uint32_t filter_info(uint32_t priority);

}  // namespace netns
