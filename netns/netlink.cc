#include "netns/netlink.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstring>

#include "base/files.h"
#include "base/strings.h"

namespace netns {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::sys_error;

namespace {

constexpr size_t kReadBytes = 64 << 10;
// The kernel's words about a refusal (linux/netlink.h; libnl's copy of the header lacks it).
constexpr int kExtendedAck = 11;      // NETLINK_EXT_ACK
constexpr int kCapAck = 10;           // NETLINK_CAP_ACK
constexpr int kAckMessage = 1;        // NLMSGERR_ATTR_MSG
constexpr unsigned kAckTlvs = 0x200;  // NLM_F_ACK_TLVS

void free_message(nl_msg* message) { nlmsg_free(message); }

std::string kernel_words(const nlmsghdr* answer) {
  if ((answer->nlmsg_flags & kAckTlvs) == 0) return {};
  const char* place = static_cast<const char*>(nlmsg_data(answer)) + NLMSG_ALIGN(sizeof(nlmsgerr));
  const char* end = reinterpret_cast<const char*>(answer) + answer->nlmsg_len;
  while (end - place >= static_cast<ptrdiff_t>(sizeof(nlattr))) {
    const auto* attribute = reinterpret_cast<const nlattr*>(place);
    if (attribute->nla_len < sizeof(nlattr) || attribute->nla_len > end - place) break;
    if (nla_type(attribute) == kAckMessage) {
      const char* text = static_cast<const char*>(nla_data(attribute));
      return {text, strnlen(text, static_cast<size_t>(nla_len(attribute)))};
    }
    place += NLA_ALIGN(attribute->nla_len);
  }
  return {};
}

base::Error refusal(const std::string& what, const nlmsghdr* answer, int error) {
  std::string words = kernel_words(answer);
  base::Error result = sys_error(what, error);
  if (!words.empty()) result.message += " (" + base::quoted(words, 120) + ")";
  return result;
}

// Hands each message of what has arrived to `take` until that returns true.
Status receive(nl_sock* socket, const std::function<bool(const nlmsghdr*)>& take) {
  auto buffer = std::make_unique_for_overwrite<char[]>(kReadBytes);
  while (true) {
    ssize_t got = recv(nl_socket_get_fd(socket), buffer.get(), kReadBytes, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return sys_error("read from netlink");
    if (got == 0) return make_error(Code::kIo, "netlink closed");
    int rest = static_cast<int>(got);
    auto* message = reinterpret_cast<nlmsghdr*>(buffer.get());
    for (; nlmsg_ok(message, rest) != 0; message = nlmsg_next(message, &rest))
      if (take(message)) return {};
  }
}

}  // namespace

Attributes::Attributes(const void* start, size_t size) {
  const char* place = static_cast<const char*>(start);
  while (size >= sizeof(nlattr)) {
    nlattr head;
    memcpy(&head, place, sizeof head);
    if (head.nla_len < sizeof head || head.nla_len > size) break;
    unsigned type = head.nla_type & NLA_TYPE_MASK;
    if (type < std::size(parts_))
      parts_[type] = std::string_view(place + sizeof head, head.nla_len - sizeof head);
    size_t step = std::min<size_t>(NLA_ALIGN(head.nla_len), size);
    place += step;
    size -= step;
  }
}

Attributes::Attributes(const nlmsghdr* message, size_t header)
    : Attributes(static_cast<const char*>(payload_of(message)) + NLMSG_ALIGN(header),
                 static_cast<size_t>(nlmsg_attrlen(message, static_cast<int>(header)))) {}

const void* payload_of(const nlmsghdr* message) { return nlmsg_data(message); }

Request::Request(std::string what, uint16_t type, uint16_t flags, const void* header, size_t size)
    : what_(std::move(what)),
      message_(nlmsg_alloc_simple(type, NLM_F_REQUEST | flags), free_message) {
  full_ =
      !message_ || nlmsg_append(message_.get(), const_cast<void*>(header), size, NLMSG_ALIGNTO) < 0;
}

Request& Request::put(int attribute, const void* data, size_t size) {
  full_ = full_ || nla_put(message_.get(), attribute, static_cast<int>(size), data) < 0;
  return *this;
}

Request& Request::text(int attribute, std::string_view value) {
  return put(attribute, std::string(value).c_str(), value.size() + 1);
}

Request& Request::nest(int attribute) {
  nlattr* nested = full_ ? nullptr : nla_nest_start(message_.get(), attribute);
  full_ = full_ || nested == nullptr;
  open_.push_back(nested);
  return *this;
}

Request& Request::raw(const void* data, size_t size) {
  full_ = full_ || nlmsg_append(message_.get(), const_cast<void*>(data), size, NLMSG_ALIGNTO) < 0;
  return *this;
}

Request& Request::end() {
  if (!full_) nla_nest_end(message_.get(), open_.back());
  open_.pop_back();
  return *this;
}

Status send_all(nl_sock* socket, std::vector<Request>& requests) {
  std::vector<iovec> parts;
  for (Request& request : requests) {
    if (request.full_) return make_error(Code::kInternal, request.what_ + ": message too long");
    nlmsghdr* header = nlmsg_hdr(request.message_.get());
    header->nlmsg_flags |= NLM_F_ACK;
    nl_complete_msg(socket, request.message_.get());
    parts.push_back({header, NLMSG_ALIGN(header->nlmsg_len)});
  }
  if (parts.empty()) return {};
  msghdr batch = {};
  batch.msg_iov = parts.data();
  batch.msg_iovlen = parts.size();
  if (sendmsg(nl_socket_get_fd(socket), &batch, 0) < 0) return sys_error("write to netlink");
  size_t next = 0;
  Status result;
  TRY(receive(socket, [&](const nlmsghdr* answer) {
    const nlmsghdr* asked = nlmsg_hdr(requests[next].message_.get());
    if (answer->nlmsg_type != NLMSG_ERROR || answer->nlmsg_seq != asked->nlmsg_seq) return false;
    int error = -static_cast<const nlmsgerr*>(nlmsg_data(answer))->error;
    if (error != 0 && result.ok() && !(error == EEXIST && requests[next].may_exist_))
      result = refusal(requests[next].what_, answer, error);
    return ++next == requests.size();
  }));
  return result;
}

// Of a transaction that is refused, each message that was wrong is answered, and the last one, which
// asked for it; a transaction that was not even begun is answered at its first message.
Status send_batch(nl_sock* socket, uint16_t subsystem, std::vector<Request>& requests) {
  if (requests.empty()) return {};
  nfgenmsg header = {AF_UNSPEC, NFNETLINK_V0, htons(subsystem)};
  Request begin("begin a transaction", NFNL_MSG_BATCH_BEGIN, 0, header);
  Request end("end a transaction", NFNL_MSG_BATCH_END, 0, header);
  std::vector<Request*> all = {&begin};
  for (Request& request : requests) all.push_back(&request);
  all.push_back(&end);
  std::vector<iovec> parts;
  for (Request* request : all) {
    if (request->full_) return make_error(Code::kInternal, request->what_ + ": message too long");
    nl_msg* message = request->message_.get();
    nl_complete_msg(socket, message);
    nlmsghdr* asked = nlmsg_hdr(message);
    asked->nlmsg_flags &= static_cast<uint16_t>(~NLM_F_ACK);
    if (request == &requests.back()) asked->nlmsg_flags |= NLM_F_ACK;
    parts.push_back({asked, NLMSG_ALIGN(asked->nlmsg_len)});
  }
  msghdr batch = {};
  batch.msg_iov = parts.data();
  batch.msg_iovlen = parts.size();
  if (sendmsg(nl_socket_get_fd(socket), &batch, 0) < 0) return sys_error("write to netlink");
  uint32_t first = nlmsg_hdr(begin.message_.get())->nlmsg_seq;
  Status result;
  TRY(receive(socket, [&](const nlmsghdr* answer) {
    uint32_t index = answer->nlmsg_seq - first;
    if (answer->nlmsg_type != NLMSG_ERROR || index >= all.size()) return false;
    int error = -static_cast<const nlmsgerr*>(nlmsg_data(answer))->error;
    if (error != 0 && result.ok()) result = refusal(all[index]->what_, answer, error);
    return index == requests.size() || (index == 0 && error != 0);
  }));
  return result;
}

Status send_one(nl_sock* socket, Request request) {
  std::vector<Request> requests;
  requests.push_back(std::move(request));
  return send_all(socket, requests);
}

Status dump(nl_sock* socket, Request& request, const std::function<void(const nlmsghdr*)>& take) {
  if (request.full_) return make_error(Code::kInternal, request.what_ + ": message too long");
  nlmsghdr* header = nlmsg_hdr(request.message_.get());
  bool one = (header->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP;
  nl_complete_msg(socket, request.message_.get());
  if (send(nl_socket_get_fd(socket), header, header->nlmsg_len, 0) < 0)
    return sys_error("write to netlink");
  Status result;
  TRY(receive(socket, [&](const nlmsghdr* answer) {
    if (answer->nlmsg_seq != header->nlmsg_seq) return false;
    if (answer->nlmsg_type == NLMSG_DONE) return true;
    if (answer->nlmsg_type == NLMSG_ERROR) {
      int error = -static_cast<const nlmsgerr*>(nlmsg_data(answer))->error;
      if (error != 0) result = refusal(request.what_, answer, error);
      return true;
    }
    take(answer);
    return one;
  }));
  return result;
}

bool ipv6_is_on() { return base::exists_at(AT_FDCWD, "/proc/sys/net/ipv6"); }

Request& no_made_up_addresses(Request& request) {
  if (!ipv6_is_on()) return request;
  return request.nest(AF_INET6).u8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE).end();
}

Result<nl_sock*> open_netlink(int family) {
  nl_sock* socket = nl_socket_alloc();
  if (socket == nullptr) return make_error(Code::kNoSpace, "netlink: no socket");
  int failed = nl_connect(socket, family);
  if (failed < 0) {
    nl_socket_free(socket);
    return make_error(Code::kIo, std::string("netlink: ") + nl_geterror(failed));
  }
  // Only the words of errors depend on these.
  int on = 1;
  for (int option : {kExtendedAck, kCapAck})
    if (setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, option, &on, sizeof on) != 0) break;
  return socket;
}

void close_netlink(nl_sock* socket) { nl_socket_free(socket); }

}  // namespace netns
