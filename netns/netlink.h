// rtnetlink(7) and nfnetlink messages, built with libnl, sent many at a time. For this folder's sources only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "netns/address.h"

struct nl_msg;
struct nl_sock;
struct nlattr;
struct nlmsghdr;

namespace netns {

// One message. `what` goes into the error when the kernel refuses it. A message that grows too long
// fails when it is sent.
class Request {
 public:
  // header: the family's own (ifinfomsg, ifaddrmsg, ...). flags: NLM_F_* besides REQUEST and ACK.
  template <typename Header>
  Request(std::string what, uint16_t type, uint16_t flags, const Header& header)
      : Request(std::move(what), type, flags, &header, sizeof header) {}
  Request(std::string what, uint16_t type, uint16_t flags, const void* header, size_t size);

  Request& put(int attribute, const void* data, size_t size);
  Request& text(int attribute, std::string_view value);
  Request& u8(int attribute, uint8_t value) { return put(attribute, &value, sizeof value); }
  Request& u16(int attribute, uint16_t value) { return put(attribute, &value, sizeof value); }
  Request& u32(int attribute, uint32_t value) { return put(attribute, &value, sizeof value); }
  Request& u64(int attribute, uint64_t value) { return put(attribute, &value, sizeof value); }
  Request& address(int attribute, const Address& value) {
    return put(attribute, value.data(), value.size());
  }
  // Attributes until the matching end() go into it. header: bytes before the first one.
  Request& nest(int attribute);
  Request& raw(const void* data, size_t size);
  Request& end();
  // EEXIST is success.
  Request& or_there() {
    may_exist_ = true;
    return *this;
  }

 private:
  friend base::Status send_all(nl_sock* socket, std::vector<Request>& requests);
  friend base::Status send_batch(nl_sock* socket, uint16_t subsystem,
                                 std::vector<Request>& requests);
  friend base::Status dump(nl_sock* socket, Request& request,
                           const std::function<void(const nlmsghdr*)>& take);
  std::string what_;
  std::unique_ptr<nl_msg, void (*)(nl_msg*)> message_;
  std::vector<nlattr*> open_;
  bool full_ = false;
  bool may_exist_ = false;
};

// All in one sendmsg(2); the kernel works them off in order and does not stop at a failure. The
// error is that of the first that failed, with the kernel's own words where it has some.
base::Status send_all(nl_sock* socket, std::vector<Request>& requests);
base::Status send_one(nl_sock* socket, Request request);
// One transaction of a subsystem of nfnetlink (NFNL_SUBSYS_*): all or nothing, and nobody sees a part
// of it. `socket` is of open_netlink(NETLINK_NETFILTER) and for such batches alone.
base::Status send_batch(nl_sock* socket, uint16_t subsystem, std::vector<Request>& requests);
// A request with several answers (NLM_F_DUMP), or one.
base::Status dump(nl_sock* socket, Request& request,
                  const std::function<void(const nlmsghdr*)>& take);

// Attributes of a message or of a nest, by type; views into it.
class Attributes {
 public:
  Attributes(const void* start, size_t size);
  // What follows the family's own header of `header` bytes.
  Attributes(const nlmsghdr* message, size_t header);
  std::string_view bytes(unsigned type) const { return parts_[type]; }
  bool has(unsigned type) const { return parts_[type].data() != nullptr; }
  Attributes nested(unsigned type) const { return {parts_[type].data(), parts_[type].size()}; }
  std::string text(unsigned type) const {
    return std::string(parts_[type].substr(0, parts_[type].find('\0')));
  }
  template <typename T>
  T value(unsigned type) const {
    T result = {};
    if (has(type))
      memcpy(&result, parts_[type].data(), std::min(sizeof result, parts_[type].size()));
    return result;
  }

 private:
  std::string_view parts_[128];
};

// The bytes after the netlink header: the family's own header first.
const void* payload_of(const nlmsghdr* message);

bool ipv6_is_on();
// Into an open IFLA_AF_SPEC of a link: no address that the kernel makes up; all are decided in the
// plan. Nothing where IPv6 is off.
Request& no_made_up_addresses(Request& request);

// A connected socket of that netlink family (NETLINK_ROUTE, ...), in the calling thread's network
// namespace.
base::Result<nl_sock*> open_netlink(int family);
void close_netlink(nl_sock* socket);

}  // namespace netns
