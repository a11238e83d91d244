#include "netns/refusal_log.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "base/strings.h"
#include "netns/netlink.h"

namespace netns {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;

constexpr size_t kReadBytes = 256 << 10;
constexpr uint32_t kSnapBytes = 128;
constexpr uint16_t kTries = 100;

nfgenmsg for_group(uint16_t group) {
  nfgenmsg header = {};
  header.nfgen_family = AF_UNSPEC;
  header.version = NFNETLINK_V0;
  header.res_id = htons(group);
  return header;
}

Status bind(nl_sock* socket, uint16_t group) {
  constexpr uint16_t kConfig = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
  Request request("netlink log group " + std::to_string(group), kConfig, 0, for_group(group));
  nfulnl_msg_config_cmd command = {NFULNL_CFG_CMD_BIND};
  nfulnl_msg_config_mode mode = {htonl(kSnapBytes), NFULNL_COPY_PACKET, 0};
  request.put(NFULA_CFG_CMD, &command, sizeof command).put(NFULA_CFG_MODE, &mode, sizeof mode);
  return send_one(socket, std::move(request));
}

Address address_at(std::string_view packet, size_t offset, bool v4) {
  std::array<uint8_t, 16> bytes = {};
  size_t size = v4 ? 4 : 16;
  if (packet.size() < offset + size) return {};
  memcpy(bytes.data(), packet.data() + offset, size);
  if (!v4) return Address::v6(bytes);
  uint32_t number;
  memcpy(&number, bytes.data(), sizeof number);
  return Address::v4(ntohl(number));
}

std::string interface_of(const Attributes& attributes, unsigned at_bridge, unsigned otherwise) {
  auto index = ntohl(attributes.value<uint32_t>(attributes.has(at_bridge) ? at_bridge : otherwise));
  std::array<char, IF_NAMESIZE> name = {};
  return index != 0 && if_indextoname(index, name.data()) != nullptr ? name.data() : "";
}

std::optional<Refusal> refusal_of(const nlmsghdr* message, const std::string& prefix) {
  constexpr uint16_t kPacket = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET;
  if (message->nlmsg_type != kPacket || message->nlmsg_len < NLMSG_LENGTH(sizeof(nfgenmsg)))
    return {};
  Attributes attributes(message, sizeof(nfgenmsg));
  if (attributes.text(NFULA_PREFIX) != prefix) return {};
  Refusal refusal;
  refusal.from = interface_of(attributes, NFULA_IFINDEX_PHYSINDEV, NFULA_IFINDEX_INDEV);
  refusal.to = interface_of(attributes, NFULA_IFINDEX_PHYSOUTDEV, NFULA_IFINDEX_OUTDEV);
  auto header = attributes.value<nfulnl_msg_packet_hdr>(NFULA_PACKET_HDR);
  refusal.target = target_of(ntohs(header.hw_protocol), attributes.bytes(NFULA_PAYLOAD));
  if (refusal.from.empty() || refusal.to.empty()) return {};
  return refusal;
}

}  // namespace

// RFC 791, 826, 8200, 4861.
Address target_of(uint16_t protocol, std::string_view packet) {
  constexpr size_t kNextHeader = 6;
  constexpr size_t kHeader6 = 40;
  constexpr char kIcmp6 = 58;
  constexpr char kSolicitation = static_cast<char>(135);
  switch (protocol) {
    case ETH_P_IP:
      return address_at(packet, 16, true);
    case ETH_P_ARP:
      return address_at(packet, 24, true);
    case ETH_P_IPV6:
      if (packet.size() > kHeader6 && packet[kNextHeader] == kIcmp6 &&
          packet[kHeader6] == kSolicitation)
        return address_at(packet, kHeader6 + 8, false);
      return address_at(packet, 24, false);
    default:
      return {};
  }
}

Result<RefusalLog> RefusalLog::open(const Instance& instance) {
  Socket socket(nl_socket_alloc(), nl_socket_free);
  if (!socket) return make_error(Code::kNoSpace, "netlink: no socket");
  if (int failed = nl_connect(socket.get(), NETLINK_NETFILTER); failed < 0)
    return make_error(Code::kIo, std::string("netlink: ") + nl_geterror(failed));
  Status bound;
  uint16_t group = instance.log_group();
  for (uint16_t i = 0; i < kTries; ++i, ++group) {
    bound = bind(socket.get(), group);
    // EPERM: another socket has it.
    if (bound || bound.error().sys_errno != EPERM) break;
  }
  if (!bound && bound.error().sys_errno == EINVAL)
    return make_error(Code::kUnsupported, "the kernel has no nfnetlink_log");
  if (!bound) return std::move(bound).error();
  return RefusalLog(std::move(socket), group, instance.table());
}

int RefusalLog::fd() const { return nl_socket_get_fd(socket_.get()); }

Result<std::vector<Refusal>> RefusalLog::read() {
  std::vector<Refusal> refusals;
  std::vector<char> buffer(kReadBytes);
  while (true) {
    ssize_t got = recv(fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return refusals;
    if (got < 0 && (errno == EINTR || errno == ENOBUFS)) continue;
    if (got < 0) return base::sys_error("read what the packet filter refused");
    const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
    for (auto left = static_cast<size_t>(got); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left))
      if (auto refusal = refusal_of(message, prefix_)) refusals.push_back(*std::move(refusal));
  }
}

}  // namespace netns
