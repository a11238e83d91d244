// What a zone's firewall lets through, and what of it is published on the host. Plain data, parsed
// from text here; ruleset.h turns it into rules. All rules are stateful: replies always pass.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "netns/address.h"

namespace netns {

enum class Direction : uint8_t { kIn, kOut };  // as the zone sees it
enum class Action : uint8_t { kAccept, kDrop };
enum class Protocol : uint8_t { kAny, kTcp, kUdp, kIcmp };  // kIcmp: ICMP and ICMPv6

struct PortRange {
  uint16_t first = 0;
  uint16_t last = 0;  // >= first
  bool operator==(const PortRange&) const = default;
};

struct FirewallRule {
  Direction direction = Direction::kIn;
  Action action = Action::kAccept;
  Protocol protocol = Protocol::kAny;
  std::vector<PortRange> ports;  // destination ports; tcp or udp only; empty: all
  std::vector<Prefix> from;      // sources; empty: any
  std::vector<Prefix> to;        // destinations; empty: any
  bool operator==(const FirewallRule&) const = default;
};

// Rules are tried in order; the first match decides, else the default of the direction.
struct Firewall {
  Action in = Action::kAccept;
  Action out = Action::kAccept;
  std::vector<FirewallRule> rules;
  bool operator==(const Firewall&) const = default;
  bool active() const { return *this != Firewall(); }
};

// host address and port -> the zone's port, at the zone's first address of that family. The
// source is preserved (except from the host's loopback and from the zone to itself).
struct Publish {
  Address host;  // unspecified address (0.0.0.0, ::): every local address. ::1 is refused
  uint16_t host_port = 0;
  uint16_t zone_port = 0;
  Protocol protocol = Protocol::kTcp;  // kTcp or kUdp
  bool operator==(const Publish&) const = default;
};

// Words of the configuration: "in"/"out", "accept"/"drop", "any"/"tcp"/"udp"/"icmp".
base::Result<Direction> parse_direction(std::string_view text);
base::Result<Action> parse_action(std::string_view text);
base::Result<Protocol> parse_protocol(std::string_view text);
std::string_view name_of(Direction direction);
std::string_view name_of(Action action);
std::string_view name_of(Protocol protocol);
// "80", "8000-8010", "80,443": 1..65535.
base::Result<std::vector<PortRange>> parse_ports(std::string_view text);
std::string ports_text(const std::vector<PortRange>& ports);
// A rule by itself: ports need tcp or udp; addresses of one rule are of one family.
base::Status check(const FirewallRule& rule);
// "8080:80", "127.0.0.1:8080:80", "[fd00::1]:8080:80/udp"; without an address 0.0.0.0.
base::Result<Publish> parse_publish(std::string_view text);
std::string publish_text(const Publish& publish);
// Two ports of the same host address (or of every address) and protocol: kExists.
bool clash(const Publish& a, const Publish& b);

// A port that receives from dominated labels: "udp:514". Whatever needs answers is kInvalid: they would
// flow down.
base::Result<uint16_t> parse_multilevel(std::string_view text);

}  // namespace netns
