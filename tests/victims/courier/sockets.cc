// Sockets of every kind that reaches beyond its process, and frames.
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/vm_sockets.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <map>

#include "tests/victims/courier/channel.h"
#include "tests/victims/courier/os.h"

namespace {

constexpr uint16_t kPort = 4711;
constexpr uint16_t kMdnsPort = 5353;

struct Address {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  int family() const { return storage.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Address parse(const std::string& text, uint16_t port) {
  Address result;
  sockaddr_in four = {};
  sockaddr_in6 six = {};
  if (inet_pton(AF_INET, text.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    std::memcpy(&result.storage, &four, result.size = sizeof four);
  } else if (inet_pton(AF_INET6, text.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    std::memcpy(&result.storage, &six, result.size = sizeof six);
  }
  return result;
}

Fd open_socket(int family, int type, int protocol = 0) {
  return Fd(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
}

bool send_to(const Fd& fd, const Address& to, const std::string& bytes) {
  return fd && sendto(fd.get(), bytes.data(), bytes.size(), 0, to.get(), to.size) > 0;
}

// A socket bound to a port of all addresses of the family.
Fd bound(int family, int type, uint16_t port) {
  Fd fd = open_socket(family, type);
  int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  Address any = parse(family == AF_INET6 ? "::" : "0.0.0.0", port);
  if (bind(fd.get(), any.get(), any.size) != 0) return {};
  return fd;
}

class AbstractSockets : public Channel {
 public:
  const char* name() const override { return "abstract-sockets"; }
  void listen() override {
    own_ = open_socket(AF_UNIX, SOCK_DGRAM);
    sockaddr_un address = abstract("courier");
    if (bind(own_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) own_ = Fd();
  }
  std::set<std::string> hear() override { return tokens_in(drain_socket(own_.get())); }
  std::string send(const std::string& token) override {
    Fd fd = open_socket(AF_UNIX, SOCK_DGRAM);
    sockaddr_un address = abstract("courier");
    return outcome(send_with_descriptor(fd.get(), &address, sizeof address, token));
  }

 private:
  Fd own_;
};

// UDP to a set of addresses.
class Datagrams : public Channel {
 public:
  Datagrams(const char* name, std::vector<std::string> to, uint16_t port)
      : name_(name), to_(std::move(to)), port_(port) {}
  const char* name() const override { return name_; }
  void listen() override {
    four_ = bound(AF_INET, SOCK_DGRAM, port_);
    six_ = bound(AF_INET6, SOCK_DGRAM, port_);
    for (const std::string& address : to_) join(address);
  }
  std::set<std::string> hear() override {
    return tokens_in(drain_socket(four_.get()) + " " + drain_socket(six_.get()));
  }
  std::string send(const std::string& token) override {
    return tell_all(to_, [this, &token](const std::string& text) {
      Address to = parse(text, port_);
      Fd fd = open_socket(to.family(), SOCK_DGRAM);
      int on = 1;
      setsockopt(fd.get(), SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
      if (!is_multicast(to)) return send_to(fd, to, token);
      bool any = false;
      for (const auto& [index, interface] : interfaces()) {
        ip_mreqn by = {};
        by.imr_ifindex = index;
        setsockopt(fd.get(), IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof by);
        setsockopt(fd.get(), IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index);
        any = send_to(fd, to, token) || any;
      }
      return any;
    });
  }

 private:
  static bool is_multicast(const Address& address) {
    if (address.family() == AF_INET6) {
      sockaddr_in6 six = {};
      std::memcpy(&six, &address.storage, sizeof six);
      return IN6_IS_ADDR_MULTICAST(&six.sin6_addr) != 0;
    }
    sockaddr_in four = {};
    std::memcpy(&four, &address.storage, sizeof four);
    return IN_MULTICAST(ntohl(four.sin_addr.s_addr));
  }
  void join(const std::string& text) {
    for (const auto& [index, interface] : interfaces()) {
      ip_mreqn four = {};
      four.imr_ifindex = index;
      ipv6_mreq six = {};
      six.ipv6mr_interface = static_cast<unsigned>(index);
      if (inet_pton(AF_INET, text.c_str(), &four.imr_multiaddr) == 1)
        setsockopt(four_.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &four, sizeof four);
      if (inet_pton(AF_INET6, text.c_str(), &six.ipv6mr_multiaddr) == 1)
        setsockopt(six_.get(), IPPROTO_IPV6, IPV6_JOIN_GROUP, &six, sizeof six);
    }
  }
  static std::map<int, std::string> interfaces() {
    std::map<int, std::string> found;
    struct if_nameindex* names = if_nameindex();
    for (auto* it = names; it != nullptr && it->if_index != 0; ++it)
      found[static_cast<int>(it->if_index)] = it->if_name;
    if_freenameindex(names);
    return found;
  }

  const char* name_;
  std::vector<std::string> to_;
  uint16_t port_;
  Fd four_, six_;
};

class Streams : public Channel {
 public:
  explicit Streams(std::vector<std::string> to) : to_(std::move(to)) {}
  const char* name() const override { return "TCP"; }
  void listen() override {
    for (Fd* fd : {&four_, &six_}) {
      *fd = bound(fd == &four_ ? AF_INET : AF_INET6, SOCK_STREAM, kPort);
      ::listen(fd->get(), 64);
    }
  }
  std::set<std::string> hear() override {
    std::string bytes;
    for (Fd* fd : {&four_, &six_})
      for (Fd peer(accept4(fd->get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)); peer;
           peer = Fd(accept4(fd->get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)))
        calls_.push_back(std::move(peer));
    for (Fd& call : calls_) bytes += " " + drain(call.get());
    return tokens_in(bytes);
  }
  std::string send(const std::string& token) override {
    return tell_all(to_, [&](const std::string& text) {
      // One connection an address, tried anew until it is there.
      Fd& fd = going_[text];
      Address to = parse(text, kPort);
      if (!fd) {
        fd = open_socket(to.family(), SOCK_STREAM);
        static_cast<void>(connect(fd.get(), to.get(), to.size));
      }
      pollfd ready = {fd.get(), POLLOUT, 0};
      poll(&ready, 1, 2);
      if (::send(fd.get(), token.data(), token.size(), MSG_NOSIGNAL) > 0) return true;
      if (errno != EAGAIN && errno != EINPROGRESS && errno != ENOTCONN) fd = Fd();
      return false;
    });
  }

 private:
  std::vector<std::string> to_;
  Fd four_, six_;
  std::vector<Fd> calls_;
  std::map<std::string, Fd> going_;
};

// Echo requests with the token; whoever may listen to raw ICMP hears them.
class Pings : public Channel {
 public:
  explicit Pings(std::vector<std::string> to) : to_(std::move(to)) {}
  const char* name() const override { return "ICMP"; }
  void listen() override {
    four_ = open_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    six_ = open_socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
  }
  std::set<std::string> hear() override {
    return tokens_in(drain_socket(four_.get()) + " " + drain_socket(six_.get()));
  }
  std::string send(const std::string& token) override {
    return tell_all(to_, [&token](const std::string& text) {
      Address to = parse(text, 0);
      bool six = to.family() == AF_INET6;
      Fd fd = open_socket(to.family(), SOCK_RAW, six ? int{IPPROTO_ICMPV6} : int{IPPROTO_ICMP});
      std::string packet(sizeof(icmphdr), '\0');
      packet[0] = six ? static_cast<char>(ICMP6_ECHO_REQUEST) : ICMP_ECHO;
      packet += token;
      if (!six) put_checksum(&packet);
      return send_to(fd, to, packet);
    });
  }

 private:
  static void put_checksum(std::string* packet) {
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < packet->size(); i += 2) {
      uint16_t word = 0;
      std::memcpy(&word, packet->data() + i, sizeof word);
      sum += word;
    }
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    auto folded = static_cast<uint16_t>(~sum);
    std::memcpy(packet->data() + offsetof(icmphdr, checksum), &folded, sizeof folded);
  }
  std::vector<std::string> to_;
  Fd four_, six_;
};

// Broadcast frames on every interface: ARP requests with a token behind them, and of a type of our own.
class Frames : public Channel {
 public:
  Frames(const char* name, uint16_t type) : name_(name), type_(type) {}
  const char* name() const override { return name_; }
  // All types, filtered: what is sent is shown only to those who want everything.
  void listen() override {
    own_ = open_socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    sock_filter code[] = {BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(ethhdr, h_proto)),
                          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, type_, 0, 1),
                          BPF_STMT(BPF_RET | BPF_K, 2048), BPF_STMT(BPF_RET | BPF_K, 0)};
    int room = 16 << 20;  // guests are slow to look; only they get it
    setsockopt(own_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    sock_fprog program = {std::size(code), code};
    setsockopt(own_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
  }
  std::set<std::string> hear() override {
    std::string bytes;
    char frame[2048];
    for (int i = 0; i < 1000; ++i) {
      ssize_t n = recv(own_.get(), frame, sizeof frame, MSG_DONTWAIT);
      if (n < ETH_HLEN) break;
      if (frame[12] == static_cast<char>(type_ >> 8) &&
          frame[13] == static_cast<char>(type_ & 0xff))
        bytes.append(" ").append(frame, static_cast<size_t>(n));
    }
    return tokens_in(bytes);
  }
  std::string send(const std::string& token) override {
    Fd fd = open_socket(AF_PACKET, SOCK_RAW, htons(type_));
    if (!fd) return outcome(false);
    bool any = false;
    struct if_nameindex* names = if_nameindex();
    for (auto* it = names; it != nullptr && it->if_index != 0; ++it) {
      sockaddr_ll to = {};
      to.sll_family = AF_PACKET;
      to.sll_ifindex = static_cast<int>(it->if_index);
      to.sll_halen = ETH_ALEN;
      std::memset(to.sll_addr, 0xff, ETH_ALEN);
      std::string frame = frame_from(hardware_address(it->if_index), token);
      any = sendto(fd.get(), frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&to),
                   sizeof to) > 0 ||
            any;
    }
    if_freenameindex(names);
    return outcome(any);
  }

 private:
  static std::string hardware_address(unsigned index) {
    Fd fd = open_socket(AF_PACKET, SOCK_RAW);
    sockaddr_ll own = {};
    own.sll_family = AF_PACKET;
    own.sll_ifindex = static_cast<int>(index);
    socklen_t size = sizeof own;
    static_cast<void>(bind(fd.get(), reinterpret_cast<sockaddr*>(&own), sizeof own));
    getsockname(fd.get(), reinterpret_cast<sockaddr*>(&own), &size);
    return std::string(reinterpret_cast<const char*>(own.sll_addr), ETH_ALEN);
  }
  std::string frame_from(const std::string& source, const std::string& token) const {
    std::string frame(6, '\xff');
    frame += source;
    frame += static_cast<char>(type_ >> 8);
    frame += static_cast<char>(type_ & 0xff);
    if (type_ == ETH_P_ARP) {
      frame += std::string{0, 1, 8, 0, 6, 4, 0, 1} + source + std::string(4, '\0') +
               std::string(6, '\0') + std::string{10, 1, 0, 1};
    }
    return frame + token;
  }

  const char* name_;
  uint16_t type_;
  Fd own_;
};

class Vsock : public Channel {
 public:
  const char* name() const override { return "vsock"; }
  void listen() override {
    own_ = open_socket(AF_VSOCK, SOCK_STREAM);
    sockaddr_vm any = at(VMADDR_CID_ANY);
    if (bind(own_.get(), reinterpret_cast<sockaddr*>(&any), sizeof any) != 0) own_ = Fd();
    ::listen(own_.get(), 16);
  }
  std::set<std::string> hear() override {
    Fd peer(accept4(own_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    return peer ? tokens_in(drain(peer.get())) : std::set<std::string>();
  }
  std::string send(const std::string& token) override {
    bool any = false;
    for (unsigned cid :
         std::initializer_list<unsigned>{VMADDR_CID_LOCAL, VMADDR_CID_HOST, 3, 4, 5}) {
      Fd fd = open_socket(AF_VSOCK, SOCK_STREAM);
      sockaddr_vm to = at(cid);
      if (!fd) return outcome(false);
      static_cast<void>(connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to));
      any = ::send(fd.get(), token.data(), token.size(), MSG_NOSIGNAL) > 0 || any;
    }
    return outcome(any);
  }

 private:
  static sockaddr_vm at(unsigned cid) {
    sockaddr_vm address = {};
    address.svm_family = AF_VSOCK;
    address.svm_port = kPort;
    address.svm_cid = cid;
    return address;
  }
  Fd own_;
};

}  // namespace

void add_socket_channels(Channels* channels, const Place& place) {
  channels->push_back(std::make_unique<AbstractSockets>());
  channels->push_back(std::make_unique<Vsock>());
  channels->push_back(std::make_unique<Datagrams>(
      "loopback", std::vector<std::string>{"127.0.0.1", "::1"}, kPort + 1));
  channels->push_back(std::make_unique<Datagrams>("UDP", place.addresses, kPort));
  channels->push_back(std::make_unique<Streams>(place.addresses));
  channels->push_back(std::make_unique<Pings>(place.addresses));
  channels->push_back(std::make_unique<Datagrams>(
      "broadcast", std::vector<std::string>{"255.255.255.255", "10.2.255.255"}, kPort + 2));
  channels->push_back(std::make_unique<Datagrams>(
      "mDNS", std::vector<std::string>{"224.0.0.251", "ff02::fb"}, kMdnsPort));
  channels->push_back(std::make_unique<Frames>("ARP", ETH_P_ARP));
  channels->push_back(std::make_unique<Frames>("frames", 0x88b5));
}
