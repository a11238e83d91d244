#include "netns/dhcp6_server.h"

#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>

#include "base/files.h"
#include "base/process.h"

namespace netns {
namespace {

using base::Result;
using base::Status;
using base::sys_error;
using base::UniqueFd;

constexpr const char* kInterface = "net0";
constexpr const char* kAllRouters = "ff02::2";
constexpr const char* kAllServers = "ff02::1:2";
constexpr size_t kMaxPacket = 2048;
constexpr size_t kMaxFile = 4 << 20;
constexpr std::chrono::minutes kAdvertised{30};
constexpr int kNotRun = 127;

sockaddr_in6 socket_address(const Address& address, uint16_t port, uint32_t interface) {
  sockaddr_in6 to = {};
  to.sin6_family = AF_INET6;
  to.sin6_port = htons(port);
  std::memcpy(&to.sin6_addr, address.data(), address.size());
  if (address.is_link_local()) to.sin6_scope_id = interface;
  return to;
}

Status set(int fd, int level, int name, const void* value, socklen_t size) {
  if (setsockopt(fd, level, name, value, size) == 0) return {};
  return sys_error("setsockopt");
}

Status set(int fd, int name, int value) {
  return set(fd, IPPROTO_IPV6, name, &value, sizeof value);
}

Status join(int fd, const char* group, uint32_t interface) {
  ipv6_mreq request = {};
  TRY_AS(Address address, Address::parse(group));
  std::memcpy(&request.ipv6mr_multiaddr, address.data(), address.size());
  request.ipv6mr_interface = interface;
  return set(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request);
}

Result<UniqueFd> open_socket(int type, int protocol) {
  UniqueFd fd(socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!fd) return sys_error("socket");
  TRY(set(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, kInterface, std::strlen(kInterface)));
  return fd;
}

struct Packet {
  sockaddr_in6 from = {};
  Address source;
  std::string bytes;
};

// False: there is none, for now.
bool receive(int fd, Packet* packet) {
  std::array<char, kMaxPacket> buffer;
  socklen_t size = sizeof packet->from;
  ssize_t got = recvfrom(fd, buffer.data(), buffer.size(), 0,
                         reinterpret_cast<sockaddr*>(&packet->from), &size);
  if (got < 0) return false;
  packet->bytes.assign(buffer.data(), static_cast<size_t>(got));
  std::array<uint8_t, 16> bytes;
  std::memcpy(bytes.data(), &packet->from.sin6_addr, bytes.size());
  packet->source = Address::v6(bytes);
  return true;
}

// What can't be sent is asked for again.
void send(int fd, const sockaddr_in6& to, const std::string& bytes) {
  static_cast<void>(
      sendto(fd, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to));
}

[[noreturn]] void become(const std::vector<std::string>& argv) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  std::vector<char*> args;
  for (const std::string& arg : argv) args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  execv(args[0], args.data());
  _exit(kNotRun);
}

}  // namespace

Result<std::unique_ptr<Dhcp6Server>> Dhcp6Server::create(std::string file) {
  std::unique_ptr<Dhcp6Server> server(new Dhcp6Server(std::move(file)));
  TRY(server->read_file());
  TRY_AS(server->loop_, base::EventLoop::create());
  if (server->guidance_.dns.valid()) TRY(server->open_sockets());
  return server;
}

Status Dhcp6Server::read_file() {
  TRY_AS(std::string text, base::read_file(AT_FDCWD, file_, kMaxFile));
  auto guidance = parse_guidance(text);
  if (!guidance) return std::move(guidance).error().context(file_);
  guidance_ = *std::move(guidance);
  return {};
}

Status Dhcp6Server::open_sockets() {
  constexpr int kHopLimit = 255;  // RFC 4861: what says that a neighbour sent it
  interface_ = if_nametoindex(kInterface);
  if (interface_ == 0) return sys_error(kInterface);
  TRY_AS(router_, open_socket(SOCK_RAW, IPPROTO_ICMPV6));
  icmp6_filter filter;
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(ND_ROUTER_SOLICIT, &filter);
  TRY(set(router_.get(), IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter));
  TRY(set(router_.get(), IPV6_UNICAST_HOPS, kHopLimit));
  TRY(join(router_.get(), kAllRouters, interface_));
  TRY_AS(dhcp_, open_socket(SOCK_DGRAM, 0));
  TRY(set(dhcp_.get(), IPV6_V6ONLY, 1));
  TRY(join(dhcp_.get(), kAllServers, interface_));
  sockaddr_in6 own = socket_address(*Address::parse("::"), kDhcp6Server, interface_);
  if (bind(dhcp_.get(), reinterpret_cast<sockaddr*>(&own), sizeof own) != 0)
    return sys_error("bind");
  TRY(loop_->add(router_.get(), EPOLLIN, [this](uint32_t) { on_solicitation(); }));
  return loop_->add(dhcp_.get(), EPOLLIN, [this](uint32_t) { on_message(); });
}

Result<int> Dhcp6Server::run(const std::vector<std::string>& argv) {
  if (!guidance_.dns.valid()) become(argv);
  TRY(loop_->on_signals({SIGHUP, SIGTERM, SIGINT, SIGCHLD},
                        [this](int signal) { on_signal(signal); }));
  child_ = fork();
  if (child_ < 0) return sys_error("fork");
  if (child_ == 0) become(argv);
  advertise_to_all();
  TRY(loop_->run());
  return status_;
}

void Dhcp6Server::on_signal(int signal) {
  if (signal == SIGCHLD) {
    int status = 0;
    if (waitpid(child_, &status, WNOHANG) != child_) return;
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return loop_->stop();
  }
  kill(child_, signal);
  if (signal != SIGHUP) return;
  if (Status read = read_file(); read) return;
  status_ = 1;
  loop_->stop();
}

void Dhcp6Server::on_solicitation() {
  Packet packet;
  if (receive(router_.get(), &packet) && guidance_.clients.contains(packet.source))
    send(router_.get(), socket_address(packet.source, 0, interface_),
         router_advertisement(guidance_));
}

void Dhcp6Server::on_message() {
  Packet packet;
  if (!receive(dhcp_.get(), &packet)) return;
  if (auto answer = dhcp6_answer(guidance_, packet.source, packet.bytes))
    send(dhcp_.get(), socket_address(packet.source, kDhcp6Client, interface_), *answer);
}

void Dhcp6Server::advertise_to_all() {
  std::string advertisement = router_advertisement(guidance_);
  for (const auto& [source, lease] : guidance_.clients)
    send(router_.get(), socket_address(source, 0, interface_), advertisement);
  loop_->after(kAdvertised, [this] { advertise_to_all(); });
}

}  // namespace netns
