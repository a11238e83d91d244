#include "netns/ruleset_watch.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace netns {
namespace {

using base::make_error;
using base::Result;
using base::Status;
using base::sys_error;

// The kernel tells each element of a change; a whole ruleset of 10,000 ports is some 20 MB.
constexpr int kQueueBytes = 32 << 20;
constexpr size_t kReadBytes = 256 << 10;

struct Attributes {
  std::string first;  // attribute 1: the table's name in all messages but NEWGEN
  uint32_t pid = 0;   // NEWGEN
  std::string program;
};

std::string text_of(const nlattr* attribute) {
  const char* text = reinterpret_cast<const char*>(attribute) + NLA_HDRLEN;
  return {text, strnlen(text, attribute->nla_len - NLA_HDRLEN)};
}

Attributes attributes_of(const nlmsghdr* message) {
  Attributes result;
  const char* place = reinterpret_cast<const char*>(message) + NLMSG_LENGTH(sizeof(nfgenmsg));
  const char* end = reinterpret_cast<const char*>(message) + message->nlmsg_len;
  while (end - place >= static_cast<ptrdiff_t>(sizeof(nlattr))) {
    const auto* attribute = reinterpret_cast<const nlattr*>(place);
    if (attribute->nla_len < NLA_HDRLEN || attribute->nla_len > end - place) break;
    unsigned type = attribute->nla_type & NLA_TYPE_MASK;
    if (type == NFTA_GEN_ID) result.first = text_of(attribute);
    if (type == NFTA_GEN_PROC_PID && attribute->nla_len == NLA_HDRLEN + sizeof(uint32_t)) {
      uint32_t value;
      memcpy(&value, place + NLA_HDRLEN, sizeof value);
      result.pid = __builtin_bswap32(value);
    }
    if (type == NFTA_GEN_PROC_NAME) result.program = text_of(attribute);
    place += NLA_ALIGN(attribute->nla_len);
  }
  return result;
}

// The kernel answers with the pid that it would write into our own changes.
Result<uint32_t> ask_own_pid(int socket) {
  struct {
    nlmsghdr header;
    nfgenmsg generic;
  } request = {};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.generic.version = NFNETLINK_V0;
  if (send(socket, &request, sizeof request, 0) < 0) return sys_error("ask for the generation");
  alignas(nlmsghdr) char buffer[1024];
  ssize_t size = recv(socket, buffer, sizeof buffer, 0);
  if (size < 0) return sys_error("read the generation");
  const auto* answer = reinterpret_cast<const nlmsghdr*>(buffer);
  if (!NLMSG_OK(answer, static_cast<size_t>(size)) || answer->nlmsg_type == NLMSG_ERROR)
    return make_error(base::Code::kUnsupported, "the kernel tells no nftables generation");
  return attributes_of(answer).pid;
}

}  // namespace

Result<RulesetWatch> RulesetWatch::open(const Instance& instance) {
  base::UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!socket) return sys_error("open a netfilter socket");
  TRY_AS(uint32_t own_pid, ask_own_pid(socket.get()));
  int bytes = kQueueBytes;
  // Without the privilege the default queue must do; an overflow is told as kLost.
  if (setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0 &&
      setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) != 0)
    return sys_error("size the queue of the watch");
  int group = NFNLGRP_NFTABLES;
  if (setsockopt(socket.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
    return sys_error("watch nftables");
  return RulesetWatch(std::move(socket), instance.table(), own_pid);
}

// Messages of one transaction come first, then NEWGEN with who made it.
void RulesetWatch::digest(const char* data, size_t size, Report* worst) {
  const auto* message = reinterpret_cast<const nlmsghdr*>(data);
  for (; NLMSG_OK(message, size); message = NLMSG_NEXT(message, size)) {
    if (message->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES) continue;
    Attributes attributes = attributes_of(message);
    unsigned kind = message->nlmsg_type & 0xff;
    if (kind == NFT_MSG_NEWGEN) {
      if (attributes.pid != own_pid_ && pending_ > worst->event)
        *worst = {pending_, attributes.program, attributes.pid};
      pending_ = Event::kNothing;
    } else if (attributes.first == table_) {
      pending_ = std::max(pending_, kind == NFT_MSG_DELTABLE ? Event::kGone : Event::kChanged);
    }
  }
}

Result<RulesetWatch::Report> RulesetWatch::read() {
  Report worst;
  // Not cleared: most changes are a page.
  auto buffer = std::make_unique_for_overwrite<char[]>(kReadBytes);
  while (true) {
    ssize_t size = recv(socket_.get(), buffer.get(), kReadBytes, MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return worst;
    if (size < 0 && errno == ENOBUFS) {
      worst.event = Event::kLost;
      pending_ = Event::kNothing;
      continue;
    }
    if (size < 0) return sys_error("read the watch of nftables");
    digest(buffer.get(), static_cast<size_t>(size), &worst);
  }
}

}  // namespace netns
