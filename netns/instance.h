// Names of all that one instance of zoned makes in the host's network namespace. They follow from
// the instance's root folder, so that after any crash "ours" is recognised by name alone, and
// several instances live side by side. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "netns/address.h"

namespace netns {

inline constexpr size_t kMaxInterfaceName = 15;  // IFNAMSIZ - 1

class Instance {
 public:
  // root: the canonical path of the instance's root folder ("/" for the system's own).
  explicit Instance(std::string_view root);

  const std::string& root() const { return root_; }
  // "zabcdef", 7 bytes: every interface of ours in the host's namespace starts with it.
  const std::string& prefix() const { return prefix_; }
  // Prefixes of host ends of ports, of bridges that we made, and of macvlans (device.h).
  std::string port_prefix() const { return prefix_ + "p"; }
  std::string bridge_prefix() const { return prefix_ + "b"; }
  std::string macvlan_prefix() const { return prefix_ + "m"; }
  // The nftables tables' name, the same in each family: "zoned_abcdef".
  std::string table() const { return "zoned_" + prefix_.substr(1); }

  // The netlink log group that is asked for first (refusal_log.h): 1024 and above.
  uint16_t log_group() const;

  // 15 bytes each, stable. `taken` tells whether another port has the name (35 bits of hash: one
  // clash in 700 among 10,000 ports); the next free candidate is returned.
  std::string port_name(std::string_view zone, std::string_view port,
                        const std::function<bool(const std::string&)>& taken = {}) const;
  std::string bridge_name(std::string_view network) const;
  // The devices where a network's ports share its bandwidth (share.h): 'r' towards the zones, 't' from
  // them.
  std::string shaper_name(std::string_view network, char direction) const;
  bool is_shaper(std::string_view name) const;
  // Stable, locally administered, unicast. `end`: "zone" or "host".
  Mac mac(std::string_view zone, std::string_view port, std::string_view end) const;

  bool operator==(const Instance&) const = default;

 private:
  std::string root_;
  std::string prefix_;
};

// What belongs to the port with this host end; 15 bytes, same prefix, another letter:
// the shaping device (shape.h), the bridge of a segment and its macvlan (device.h).
std::string ifb_name(const std::string& host_name);
std::string segment_name(const std::string& host_name);
std::string macvlan_name(const std::string& host_name);
// The host end that such a name belongs to; empty for ports, bridges of networks and others.
std::string port_of_helper(const std::string& name);
// Index of an interface of the host while it is a zone's (device.h): root there may rename it.
// 2^30 and above, where the kernel gives none by itself.
uint32_t moved_index(const std::string& device);
// [a-zA-Z0-9_.-]{1,15}, not "." or "..": what the kernel takes and needs no quoting anywhere.
base::Status check_interface_name(std::string_view name);

}  // namespace netns
