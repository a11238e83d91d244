#include "zoned/core/plan_json.h"

#include <array>
#include <set>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/strings.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using nlohmann::json;

// Names of enumerators, in their order.
template <typename E>
struct Names;
template <>
struct Names<Brand> {
  static constexpr std::array kNames = {"native", "vm"};
};
template <>
struct Names<Profile> {
  static constexpr std::array kNames = {"app", "os", "job", "vmm", "names", "reader"};
};
template <>
struct Names<Stdio> {
  static constexpr std::array kNames = {"log", "console", "client", "serial"};
};
template <>
struct Names<TmpfsEntry::Kind> {
  static constexpr std::array kNames = {"dir", "file", "symlink"};
};
template <>
struct Names<MountOp::Kind> {
  static constexpr std::array kNames = {"root",    "overlay", "tree",   "tmpfs",  "proc",   "sysfs",
                                        "cgroup2", "devpts",  "mqueue", "device", "console"};
};

template <>
struct Names<netns::PortKind> {
  static constexpr std::array kNames = {"veth", "macvlan", "tap", "device"};
};
template <>
struct Names<netns::NetworkKind> {
  static constexpr std::array kNames = {"routed", "isolated", "nat", "bridge", "host-device"};
};
template <>
struct Names<netns::Direction> {
  static constexpr std::array kNames = {"in", "out"};
};
template <>
struct Names<netns::Action> {
  static constexpr std::array kNames = {"accept", "drop"};
};
template <>
struct Names<LandlockRule::Access> {
  static constexpr std::array kNames = {"look", "use", "own"};
};
template <>
struct Names<netns::Protocol> {
  static constexpr std::array kNames = {"any", "tcp", "udp", "icmp"};
};

// Addresses travel as their text; none is empty.
template <typename T>
constexpr bool kIsAddress = std::is_same_v<T, netns::Address> || std::is_same_v<T, netns::Prefix>;

// One list of members per type serves both directions: a Visitor is a Writer or a Reader.
template <typename V>
void members(V& v, Namespaces& x) {
  v("user", x.user), v("pid", x.pid), v("net", x.net), v("uts", x.uts), v("ipc", x.ipc);
  v("cgroup", x.cgroup), v("time", x.time);
}
template <typename V>
void members(V& v, IdRange& x) {
  v("base", x.base);
}
template <typename V>
void members(V& v, TmpfsEntry& x) {
  v("kind", x.kind), v("path", x.path), v("target", x.target), v("mode", x.mode);
}
template <typename V>
void members(V& v, MountOp& x) {
  v("kind", x.kind), v("target", x.target), v("source", x.source), v("read_only", x.read_only);
  v("nosuid", x.nosuid), v("nodev", x.nodev), v("noexec", x.noexec), v("idmap", x.idmap);
  v("options", x.options), v("entries", x.entries);
}
template <typename V>
void members(V& v, Rlimit& x) {
  v("resource", x.resource), v("soft", x.soft), v("hard", x.hard);
}
template <typename V>
void members(V& v, ExecPlan& x) {
  v("descriptor", x.descriptor), v("path", x.path), v("argv", x.argv), v("env", x.env);
  v("workdir", x.workdir), v("uid", x.uid), v("gid", x.gid), v("groups", x.groups);
}
template <typename V>
void members(V& v, KeptFd& x) {
  v("name", x.name), v("number", x.number);
}
template <typename V>
void members(V& v, resource::CgroupWrite& x) {
  v("controller", x.controller), v("file", x.file), v("value", x.value), v("required", x.required);
}
template <typename V>
void members(V& v, CgroupPlan& x) {
  v("pool", x.pool), v("zone", x.zone), v("writes", x.writes);
}
template <typename V>
void members(V& v, netns::Route& x) {
  v("to", x.to), v("via", x.via);
}
template <typename V>
void members(V& v, netns::Protections& x) {
  v("mac_nospoof", x.mac_nospoof), v("ip_nospoof", x.ip_nospoof);
  v("dhcp_nospoof", x.dhcp_nospoof), v("ra_guard", x.ra_guard), v("restricted", x.restricted);
}
template <typename V>
void members(V& v, netns::PortRange& x) {
  v("first", x.first), v("last", x.last);
}
template <typename V>
void members(V& v, netns::FirewallRule& x) {
  v("direction", x.direction), v("action", x.action), v("protocol", x.protocol);
  v("ports", x.ports), v("from", x.from), v("to", x.to);
}
template <typename V>
void members(V& v, netns::Firewall& x) {
  v("in", x.in), v("out", x.out), v("rules", x.rules);
}
template <typename V>
void members(V& v, netns::Publish& x) {
  v("host", x.host), v("host_port", x.host_port), v("zone_port", x.zone_port);
  v("protocol", x.protocol);
}
template <typename V>
void members(V& v, netns::PortPlan& x) {
  v("name", x.name), v("network", x.network), v("mac", x.mac), v("mtu", x.mtu);
  v("kind", x.kind), v("network_kind", x.network_kind), v("host_name", x.host_name);
  v("host_mac", x.host_mac), v("device", x.device), v("bridge", x.bridge), v("vlan", x.vlan);
  v("addresses", x.addresses), v("gateways", x.gateways), v("routes", x.routes);
  v("metric", x.metric);
  v("allowed", x.allowed), v("host_addresses", x.host_addresses);
  v("protections", x.protections), v("receive_bits", x.receive_bits);
  v("send_bits", x.send_bits), v("share", x.share), v("packets", x.packets), v("label", x.label);
  v("outward", x.outward), v("multilevel", x.multilevel);
  v("firewall", x.firewall), v("publish", x.publish);
  v("dhcp_server", x.dhcp_server), v("dhcp6_server", x.dhcp6_server);
  v("serves_dhcp", x.serves_dhcp);
}
template <typename V>
void members(V& v, LandlockRule& x) {
  v("path", x.path), v("access", x.access);
}
template <typename V>
void members(V& v, LandlockPlan& x) {
  v("rules", x.rules), v("tcp", x.tcp), v("scoped", x.scoped);
}
template <typename V>
void members(V& v, ZonePlan& x) {
  v("name", x.name), v("boot_id", x.boot_id), v("brand", x.brand), v("profile", x.profile);
  v("label", x.label), v("namespaces", x.namespaces), v("ids", x.ids), v("hostname", x.hostname);
  v("mounts", x.mounts), v("masked", x.masked), v("read_only", x.read_only);
  v("lock_mounts", x.lock_mounts), v("capabilities", x.capabilities);
  v("no_new_privs", x.no_new_privs), v("filter", x.filter);
  v("exports", x.exports), v("filter_narrows", x.filter_narrows), v("landlock", x.landlock),
      v("rlimits", x.rlimits);
  v("oom_score_adj", x.oom_score_adj), v("loopback_up", x.loopback_up), v("ports", x.ports);
  v("cgroup", x.cgroup), v("stdio", x.stdio), v("log_size", x.log_size);
  v("kept_fds", x.kept_fds), v("close_fds", x.close_fds), v("exec", x.exec);
}
template <typename V>
void members(V& v, EnterPlan& x) {
  v("zone", x.zone), v("boot_id", x.boot_id), v("capabilities", x.capabilities);
  v("no_new_privs", x.no_new_privs), v("filter", x.filter);
  v("landlock", x.landlock), v("tty", x.tty), v("tty_rows", x.tty_rows),
      v("tty_columns", x.tty_columns), v("close_fds", x.close_fds);
  v("exec", x.exec);
}

class Writer {
 public:
  template <typename T>
  void operator()(const char* name, T& value) {
    out[name] = write(value);
  }
  json out = json::object();

 private:
  template <typename T>
  static json write(T& value) {
    if constexpr (std::is_enum_v<T>) {
      return Names<T>::kNames.at(static_cast<size_t>(value));
    } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
      return value;
    } else if constexpr (std::is_same_v<T, labels::Label>) {
      return value.encode();
    } else if constexpr (kIsAddress<T>) {
      return value.text();
    } else {
      Writer nested;
      members(nested, value);
      return std::move(nested.out);
    }
  }
  template <typename T>
  static json write(std::vector<T>& values) {
    json list = json::array();
    for (T& value : values) list.push_back(write(value));
    return list;
  }
  static json write(std::pair<std::string, std::string>& value) {
    return json::array({value.first, value.second});
  }
};

class Reader {
 public:
  Reader(const json& in, std::string where) : in_(in), where_(std::move(where)) {
    if (!in_.is_object()) fail("is not an object");
  }
  template <typename T>
  void operator()(const char* name, T& value) {
    if (!error.empty()) return;
    auto it = in_.find(name);
    if (it == in_.end()) return fail("lacks '" + std::string(name) + "'");
    ++seen_;
    read(*it, where_ + "." + name, value);
  }
  void finish() {
    if (error.empty() && seen_ != in_.size()) fail("has an unknown member");
  }
  std::string error;

 private:
  void fail(const std::string& what) {
    if (error.empty()) error = where_ + " " + what;
  }
  void wrong(const std::string& where, const char* expected) {
    if (error.empty()) error = where + " is not " + expected;
  }

  template <typename T>
  void read(const json& in, const std::string& where, T& value) {
    if constexpr (std::is_enum_v<T>) {
      for (size_t i = 0; i < Names<T>::kNames.size(); ++i) {
        if (!in.is_string() || in.get_ref<const std::string&>() != Names<T>::kNames.at(i)) continue;
        value = static_cast<T>(i);
        return;
      }
      wrong(where, "a known word");
    } else if constexpr (std::is_same_v<T, bool>) {
      if (!in.is_boolean()) return wrong(where, "true or false");
      value = in.get<bool>();
    } else if constexpr (std::is_integral_v<T>) {
      read_integer(in, where, value);
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (!in.is_string()) return wrong(where, "a string");
      value = in.get<std::string>();
      // Becomes a C string: a NUL inside would cut it.
      if (value.find('\0') != std::string::npos) wrong(where, "free of NUL");
    } else if constexpr (std::is_same_v<T, labels::Label>) {
      auto label = labels::Label::decode(in.is_string() ? in.get<std::string>() : std::string());
      if (!label) return wrong(where, "a label");
      value = *label;
    } else if constexpr (kIsAddress<T>) {
      if (!in.is_string()) return wrong(where, "an address");
      if (in.get_ref<const std::string&>().empty()) return;
      auto parsed = T::parse(in.get_ref<const std::string&>());
      if (!parsed) return wrong(where, "an address");
      value = *parsed;
    } else {
      Reader nested(in, where);
      if (nested.error.empty()) members(nested, value);
      nested.finish();
      if (error.empty()) error = nested.error;
    }
  }
  template <typename T>
  void read_integer(const json& in, const std::string& where, T& value) {
    if (!in.is_number_integer()) return wrong(where, "a whole number");
    bool fits = in.is_number_unsigned()
                    ? in.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<T>::max())
                    : std::is_signed_v<T> &&
                          in.get<int64_t>() >= static_cast<int64_t>(std::numeric_limits<T>::min());
    if (!fits) return wrong(where, "in range");
    value = in.get<T>();
  }
  template <typename T>
  void read(const json& in, const std::string& where, std::vector<T>& values) {
    if (!in.is_array()) return wrong(where, "a list");
    values.clear();
    for (const json& item : in) {
      if (!error.empty()) return;
      T value{};
      read(item, where + "[]", value);
      values.push_back(std::move(value));
    }
  }
  void read(const json& in, const std::string& where, std::pair<std::string, std::string>& value) {
    if (!in.is_array() || in.size() != 2) return wrong(where, "a pair");
    read(in[0], where, value.first);
    read(in[1], where, value.second);
  }

  const json& in_;
  std::string where_;
  size_t seen_ = 0;
};

template <typename T>
json write_plan(const T& plan) {
  T copy = plan;  // members() is written for both directions and so takes a mutable object
  Writer writer;
  members(writer, copy);
  return std::move(writer.out);
}

template <typename T>
base::Result<T> read_plan(const json& value) {
  T plan;
  Reader reader(value, "plan");
  if (reader.error.empty()) members(reader, plan);
  reader.finish();
  if (!reader.error.empty()) return make_error(Code::kInvalid, reader.error);
  return plan;
}

}  // namespace

json to_json(const ZonePlan& plan) { return write_plan(plan); }
json to_json(const EnterPlan& plan) { return write_plan(plan); }

base::Result<ZonePlan> zone_plan_from_json(const json& value) { return read_plan<ZonePlan>(value); }
base::Result<EnterPlan> enter_plan_from_json(const json& value) {
  return read_plan<EnterPlan>(value);
}

}  // namespace core
