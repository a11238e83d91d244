#include "netns/firewall.h"

#include "base/strings.h"

namespace netns {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;

constexpr std::string_view kDirections[] = {"in", "out"};
constexpr std::string_view kActions[] = {"accept", "drop"};
constexpr std::string_view kProtocols[] = {"any", "tcp", "udp", "icmp"};

template <typename E, size_t kCount>
Result<E> one_of(const char* what, std::string_view text, const std::string_view (&names)[kCount]) {
  std::vector<std::string> offered(std::begin(names), std::end(names));
  for (size_t i = 0; i < kCount; ++i)
    if (names[i] == text) return static_cast<E>(i);
  std::string near = base::nearest(text, offered);
  return make_error(
      Code::kInvalid, std::string("unknown ") + what + " " + base::quoted(text),
      near.empty() ? "one of " + base::join(offered, ", ") : "did you mean '" + near + "'?");
}

Result<uint16_t> parse_port(std::string_view text) {
  auto port = base::parse_uint(text, 1, 65535);
  if (!port)
    return make_error(Code::kInvalid, base::quoted(text) + " is not a port number of 1..65535");
  return static_cast<uint16_t>(*port);
}

}  // namespace

Result<Direction> parse_direction(std::string_view text) {
  return one_of<Direction>("direction", text, kDirections);
}
Result<Action> parse_action(std::string_view text) {
  return one_of<Action>("action", text, kActions);
}
Result<Protocol> parse_protocol(std::string_view text) {
  return one_of<Protocol>("protocol", text, kProtocols);
}
std::string_view name_of(Direction direction) {
  return kDirections[static_cast<size_t>(direction)];
}
std::string_view name_of(Action action) { return kActions[static_cast<size_t>(action)]; }
std::string_view name_of(Protocol protocol) { return kProtocols[static_cast<size_t>(protocol)]; }

Result<std::vector<PortRange>> parse_ports(std::string_view text) {
  std::vector<PortRange> ports;
  for (const std::string& part : base::split(text, ',')) {
    std::string_view range = base::trim(part);
    size_t dash = range.find('-');
    TRY_AS(uint16_t first, parse_port(range.substr(0, dash)));
    uint16_t last = first;
    if (dash != std::string_view::npos) {
      TRY_AS(last, parse_port(range.substr(dash + 1)));
    }
    if (last < first)
      return make_error(Code::kInvalid, base::quoted(range) + " ends before it starts");
    ports.push_back({first, last});
  }
  return ports;
}

std::string ports_text(const std::vector<PortRange>& ports) {
  std::vector<std::string> parts;
  for (const PortRange& range : ports)
    parts.push_back(std::to_string(range.first) +
                    (range.last == range.first ? "" : "-" + std::to_string(range.last)));
  return base::join(parts, ",");
}

Status check(const FirewallRule& rule) {
  if (!rule.ports.empty() && rule.protocol != Protocol::kTcp && rule.protocol != Protocol::kUdp)
    return make_error(Code::kInvalid,
                      "ports: protocol " + std::string(name_of(rule.protocol)) + " has none",
                      "set the protocol to tcp or udp");
  for (const PortRange& range : rule.ports)
    if (range.first == 0 || range.last < range.first)
      return make_error(Code::kInvalid, "ports: " + ports_text({range}) + " is not a range");
  bool v4 = false;
  bool v6 = false;
  for (const auto* list : {&rule.from, &rule.to})
    for (const Prefix& prefix : *list) {
      if (!prefix.address.valid() || prefix.length > prefix.address.bits() || !prefix.is_network())
        return make_error(Code::kInvalid, std::string(list == &rule.from ? "from: " : "to: ") +
                                              base::quoted(prefix.text()) + " is not a network");
      (prefix.address.is_v4() ? v4 : v6) = true;
    }
  if (v4 && v6)
    return make_error(Code::kInvalid, "from, to: addresses of both families in one rule",
                      "write one rule for IPv4 and one for IPv6");
  return {};
}

Result<Publish> parse_publish(std::string_view text) {
  auto refuse = [&](const std::string& why) {
    return make_error(Code::kInvalid, base::quoted(text) + ": " + why,
                      "write 8080:80, 127.0.0.1:8080:80 or [fd00::1]:8080:80/udp");
  };
  Publish publish;
  publish.host = Address::v4(0);
  std::string_view rest = text;
  if (size_t slash = rest.rfind('/'); slash != std::string_view::npos) {
    TRY_AS(publish.protocol, parse_protocol(rest.substr(slash + 1)));
    if (publish.protocol != Protocol::kTcp && publish.protocol != Protocol::kUdp)
      return refuse("only tcp and udp have ports");
    rest = rest.substr(0, slash);
  }
  size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos)
    return refuse("no ':' between the host's and the zone's port");
  auto zone_port = parse_port(rest.substr(colon + 1));
  if (!zone_port) return refuse(zone_port.error().message);
  rest = rest.substr(0, colon);
  if (colon = rest.rfind(':'); colon != std::string_view::npos) {
    std::string_view host = rest.substr(0, colon);
    bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    auto address = Address::parse(bracketed ? host.substr(1, host.size() - 2) : host);
    if (!address) return refuse(address.error().message);
    if (address->is_v6() != bracketed) return refuse("IPv6 addresses go into brackets, others not");
    if (address->is_v6() && address->is_loopback())
      return refuse("the kernel does not forward ::1; publish on 127.0.0.1");
    if (address->is_multicast()) return refuse("a multicast address");
    publish.host = *address;
    rest = rest.substr(colon + 1);
  }
  auto host_port = parse_port(rest);
  if (!host_port) return refuse(host_port.error().message);
  publish.host_port = *host_port;
  publish.zone_port = *zone_port;
  return publish;
}

std::string publish_text(const Publish& publish) {
  std::string host = publish.host.text();
  std::string text;
  if (publish.host.is_v6()) {
    text = "[" + host + "]:";
  } else if (!publish.host.is_unspecified()) {
    text = host + ":";
  }
  text += std::to_string(publish.host_port) + ":" + std::to_string(publish.zone_port);
  return publish.protocol == Protocol::kTcp ? text
                                            : text + "/" + std::string(name_of(publish.protocol));
}

bool clash(const Publish& a, const Publish& b) {
  return a.protocol == b.protocol && a.host_port == b.host_port &&
         a.host.family() == b.host.family() &&
         (a.host == b.host || a.host.is_unspecified() || b.host.is_unspecified());
}

Result<uint16_t> parse_multilevel(std::string_view text) {
  constexpr std::string_view kUdp = "udp:";
  if (text.starts_with("tcp:"))
    return make_error(Code::kInvalid,
                      base::quoted(text) + ": TCP needs acknowledgements, which would flow down",
                      "only datagrams that nobody answers can go up: udp:PORT");
  if (!text.starts_with(kUdp))
    return make_error(Code::kInvalid, base::quoted(text) + " is not udp:PORT");
  return parse_port(text.substr(kUdp.size()));
}

}  // namespace netns
