#include "zoned/core/spec_keys.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/strings.h"
#include "netns/port.h"
#include "zoned/core/spec_checks.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using base::Status;
using std::string_view;
using Texts = std::vector<std::string>;

constexpr string_view kBrands[] = {"native", "vm"};
constexpr string_view kRestarts[] = {"no", "on-failure", "always"};
constexpr string_view kFsOptions[] = {"ro", "suid", "noexec"};
constexpr string_view kDirections[] = {"in", "out"};
constexpr string_view kActions[] = {"accept", "drop"};
constexpr string_view kProtocols[] = {"any", "tcp", "udp", "icmp"};
constexpr string_view kAuths[] = {"login", "manage", "clonefrom"};

template <typename Enum>
constexpr std::span<const string_view> names_of() {
  if constexpr (std::is_same_v<Enum, Brand>)
    return kBrands;
  else
    return kRestarts;
}

// --- from a checked value to a member and back -------------------------------------------------

template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <typename T>
void assign(T& member, const ConfigValue& value) {
  if constexpr (IsOptional<T>::value) {
    assign(member.emplace(), value);
  } else if constexpr (std::is_enum_v<T>) {
    auto names = names_of<T>();
    auto at = std::find(names.begin(), names.end(), std::get<std::string>(value)) - names.begin();
    member = static_cast<T>(at);
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    member = static_cast<T>(std::get<int64_t>(value));
  } else {
    member = std::get<T>(value);
  }
}

template <typename T>
ConfigValue read(const T& member) {
  if constexpr (IsOptional<T>::value) {
    if (!member) return std::monostate();
    return read(*member);
  } else if constexpr (std::is_enum_v<T>) {
    return std::string(names_of<T>()[static_cast<size_t>(member)]);
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    return static_cast<int64_t>(member);
  } else {
    return member;
  }
}

template <typename T>
struct MemberOf;
template <typename Class, typename T>
struct MemberOf<T Class::*> {
  using Owner = Class;
};

// A row for a plain member.
template <auto Member>
constexpr auto field(KeyInfo info) {
  using Spec = typename MemberOf<decltype(Member)>::Owner;
  return Key<Spec>{info,
                   [](Spec& spec, const KeyRef&, const ConfigValue& value) -> Status {
                     assign(spec.*Member, value);
                     return {};
                   },
                   [](const Spec& spec, const KeyRef&) { return read(spec.*Member); }, nullptr};
}

template <typename List>
auto& element_at(List& list, size_t index) {
  if (list.size() <= index) list.resize(index + 1);
  return list[index];
}

template <auto List>
std::vector<KeyRef> indices(const ZoneSpec& spec) {
  std::vector<KeyRef> refs;
  for (size_t i = 0; i < (spec.*List).size(); ++i) refs.push_back({i, {}});
  return refs;
}

// A row for a member of a list's elements.
template <auto List, auto Member>
constexpr Key<ZoneSpec> item(KeyInfo info) {
  return {info,
          [](ZoneSpec& spec, const KeyRef& ref, const ConfigValue& value) -> Status {
            assign(element_at(spec.*List, ref.index).*Member, value);
            return {};
          },
          [](const ZoneSpec& spec, const KeyRef& ref) -> ConfigValue {
            if (ref.index >= (spec.*List).size()) return std::monostate();
            return read((spec.*List)[ref.index].*Member);
          },
          indices<List>};
}

// --- rows with rules of their own --------------------------------------------------------------

Status set_brand(ZoneSpec& spec, const KeyRef&, const ConfigValue& value) {
  assign(spec.brand, value);
  if (spec.brand == Brand::kNative) return {};
  return make_error(Code::kUnsupported, "brand 'vm' is not available in this version",
                    "use brand = \"native\"");
}

Status set_command(ZoneSpec& spec, const KeyRef&, const ConfigValue& value) {
  assign(spec.command, value);
  if (spec.command.empty() || !spec.command[0].empty()) return {};
  return make_error(Code::kInvalid, "the program's name is empty");
}

Status set_env(ZoneSpec& spec, const KeyRef& ref, const ConfigValue& value) {
  TRY(check_env_name(ref.name));
  spec.env[ref.name] = std::get<std::string>(value);
  if (spec.env.size() > kMaxEnv)
    return make_error(Code::kInvalid, "more than " + std::to_string(kMaxEnv) + " variables");
  return {};
}

ConfigValue get_env(const ZoneSpec& spec, const KeyRef& ref) {
  auto found = spec.env.find(ref.name);
  if (found == spec.env.end()) return std::monostate();
  return found->second;
}

std::vector<KeyRef> env_refs(const ZoneSpec& spec) {
  std::vector<KeyRef> refs;
  for (const auto& [name, value] : spec.env) refs.push_back({0, name});
  return refs;
}

Status set_fs_options(ZoneSpec& spec, const KeyRef& ref, const ConfigValue& value) {
  const Texts& options = std::get<Texts>(value);
  auto has = [&](string_view name) {
    return std::find(options.begin(), options.end(), name) != options.end();
  };
  FsSpec& fs = element_at(spec.fs, ref.index);
  fs.read_only = has("ro");
  fs.nosuid = !has("suid");
  fs.noexec = has("noexec");
  return {};
}

ConfigValue get_fs_options(const ZoneSpec& spec, const KeyRef& ref) {
  if (ref.index >= spec.fs.size()) return std::monostate();
  const FsSpec& fs = spec.fs[ref.index];
  Texts options;
  if (fs.read_only) options.emplace_back("ro");
  if (!fs.nosuid) options.emplace_back("suid");
  if (fs.noexec) options.emplace_back("noexec");
  return options;
}

// --- the table -----------------------------------------------------------------------------------

constexpr double kK = 1024;
constexpr double kM = kK * kK;
constexpr double kMaxBytes = 1024 * kM * kM;  // 1024T; exact in a double, as base::parse_size needs
constexpr double kMaxTasks = 4194304;         // PID_MAX_LIMIT
constexpr double kMaxFiles = 2147483584;      // the most that fs.nr_open takes
constexpr double kMaxPathBytes = 4095;
constexpr double kMaxAddresses = 64;
constexpr double kMaxPublished = 256;
constexpr double kMaxText = 131071;  // MAX_ARG_STRLEN without its NUL

constexpr bool kLive = true;
constexpr bool kBoot = false;

constexpr KeyInfo boolean(string_view name, bool live, string_view description) {
  return {name, KeyType::kBoolean, 0, 1, {}, nullptr, live, false, description};
}
constexpr KeyInfo number(string_view name, KeyType type, double min, double max, bool live,
                         string_view description) {
  return {name, type, min, max, {}, nullptr, live, false, description};
}
constexpr KeyInfo choice(string_view name, std::span<const string_view> choices, bool live,
                         string_view description) {
  return {name, KeyType::kChoice, 0, 0, choices, nullptr, live, false, description};
}
constexpr KeyInfo text(string_view name, double max, Status (*check)(string_view), bool live,
                       string_view description) {
  return {name, KeyType::kText, 0, max, {}, check, live, false, description};
}
constexpr KeyInfo texts(string_view name, double max, bool live, string_view description,
                        Status (*check)(string_view) = nullptr) {
  return {name, KeyType::kTexts, 0, max, {}, check, live, false, description};
}
constexpr KeyInfo choices(string_view name, double min, std::span<const string_view> of, bool live,
                          string_view description) {
  return {name,  KeyType::kChoices, min, static_cast<double>(of.size()), of, nullptr, live,
          false, description};
}
constexpr KeyInfo required(KeyInfo info) {
  info.required = true;
  return info;
}

constexpr Key<ZoneSpec> kZoneKeys[] = {
    {choice("brand", kBrands, kBoot, "Kind of the zone; only native is available."), set_brand,
     [](const ZoneSpec& spec, const KeyRef&) { return read(spec.brand); }, nullptr},
    field<&ZoneSpec::label>(
        text("label", 1024, check_line, kBoot, "Security label; none is the host's default.")),
    field<&ZoneSpec::pool>(
        text("pool", 63, check_pool_name, kBoot, "Pool whose resources the zone shares.")),
    field<&ZoneSpec::autoboot>(
        boolean("autoboot", kLive, "Boot the zone when zoned starts with the host.")),
    field<&ZoneSpec::boot_priority>(number("boot-priority", KeyType::kInteger, 0, 1000, kLive,
                                           "Order of autoboot: lower boots first.")),
    {texts("command", kMaxCommandElements, kBoot,
           "Program of an app zone and its arguments; none runs the tree's init."),
     set_command, [](const ZoneSpec& spec, const KeyRef&) { return read(spec.command); }, nullptr},
    field<&ZoneSpec::user>(
        text("user", 32, check_zone_user, kBoot, "Who runs the command; none is root.")),
    field<&ZoneSpec::workdir>(
        text("workdir", kMaxPathBytes, check_path, kBoot, "Folder where the command starts.")),
    field<&ZoneSpec::hostname>(
        text("hostname", 64, check_hostname, kBoot, "Host name; none is the zone's name.")),
    field<&ZoneSpec::restart>(
        choice("restart", kRestarts, kLive, "Boot again when the zone ends by itself.")),
    field<&ZoneSpec::stop_timeout_ms>(number("stop-timeout", KeyType::kDuration, 0, 3600e3, kLive,
                                             "Time for a clean shutdown before a halt.")),
    field<&ZoneSpec::read_only_root>(
        boolean("read-only-root", kBoot, "Mount the zone's tree read-only.")),
    field<&ZoneSpec::nesting>(
        boolean("nesting", kBoot, "The zone may make user namespaces of its own.")),
    field<&ZoneSpec::log_size>(number("log-size", KeyType::kSize, 4 * kK, 1024 * kM, kBoot,
                                      "Bytes kept in each of the two log files.")),
    field<&ZoneSpec::cpu_shares>(number("cpu-shares", KeyType::kInteger, 1, 65535, kLive,
                                        "Shares of the pool's CPU time among its active zones.")),
    field<&ZoneSpec::firewall_in>(choice(
        "firewall-in", kActions, kBoot, "What becomes of packets to the zone that no rule names.")),
    field<&ZoneSpec::firewall_out>(choice("firewall-out", kActions, kBoot,
                                          "What becomes of packets from it that no rule names.")),
    {text("env.NAME", kMaxText, nullptr, kBoot, "Environment variable of the command."), set_env,
     get_env, env_refs},
    field<&ZoneSpec::capped_cpus>(
        number("capped-cpu.ncpus", KeyType::kNumber, 0.01, 8192, kLive, "Most CPU time, in CPUs.")),
    field<&ZoneSpec::dedicated_cpus>(
        text("dedicated-cpu.ncpus", 256, check_cpu_list, kLive, "CPUs that the zone may use.")),
    field<&ZoneSpec::memory_physical>(number("capped-memory.physical", KeyType::kSize, kM,
                                             kMaxBytes, kLive, "Most physical memory.")),
    field<&ZoneSpec::memory_swap>(
        number("capped-memory.swap", KeyType::kSize, 0, kMaxBytes, kLive, "Most swap space.")),
    field<&ZoneSpec::memory_locked>(number("capped-memory.locked", KeyType::kSize, 0, kMaxBytes,
                                           kBoot, "Most locked memory of a process.")),
    field<&ZoneSpec::processes>(number("limits.processes", KeyType::kInteger, 1, kMaxTasks, kLive,
                                       "Most processes and threads.")),
    field<&ZoneSpec::open_files>(number("limits.open-files", KeyType::kInteger, 16, kMaxFiles,
                                        kBoot, "Most open files of a process.")),
    field<&ZoneSpec::io_weight>(number("limits.io-weight", KeyType::kInteger, 1, 10000, kLive,
                                       "Weight of block input and output; the kernel's is 100.")),
    field<&ZoneSpec::io_read_bps>(number("limits.io-read", KeyType::kRate, 1, kMaxBytes, kLive,
                                         "Most bytes read from block devices.")),
    field<&ZoneSpec::io_write_bps>(number("limits.io-write", KeyType::kRate, 1, kMaxBytes, kLive,
                                          "Most bytes written to block devices.")),
    item<&ZoneSpec::net, &NetSpec::network>(
        required(text("net.N.network", 63, check_network_name, kBoot, "A network of the host."))),
    item<&ZoneSpec::net, &NetSpec::name>(text("net.N.name", 15, check_interface, kBoot,
                                              "The interface's name; none is net and its index.")),
    item<&ZoneSpec::net, &NetSpec::addresses>(text("net.N.address", 1024, check_addresses, kBoot,
                                                   "Addresses, with commas; none are leased.")),
    item<&ZoneSpec::net, &NetSpec::mac>(
        text("net.N.mac", 17, check_mac, kBoot, "Hardware address; none is made from the names.")),
    item<&ZoneSpec::net, &NetSpec::mtu>(number("net.N.mtu", KeyType::kInteger, netns::kMinMtu,
                                               netns::kMaxMtu, kBoot,
                                               "Largest packet in bytes; none is the network's.")),
    item<&ZoneSpec::net, &NetSpec::allowed>(texts("net.N.allowed-address", kMaxAddresses, kBoot,
                                                  "Further addresses that it may send from.",
                                                  check_prefix)),
    item<&ZoneSpec::net, &NetSpec::relax>(
        choices("net.N.relax", 0, netns::kProtectionNames, kBoot, "Protections taken away.")),
    item<&ZoneSpec::net, &NetSpec::publish>(texts("net.N.publish", kMaxPublished, kBoot,
                                                  "Ports of the host that lead to it.",
                                                  check_publish)),
    item<&ZoneSpec::net, &NetSpec::bandwidth>(number("net.N.bandwidth", KeyType::kBits,
                                                     netns::kMinBits, netns::kMaxBits, kBoot,
                                                     "Most bits each way.")),
    item<&ZoneSpec::net, &NetSpec::packets>(number("net.N.packets", KeyType::kInteger, 1,
                                                   netns::kMaxPackets, kBoot,
                                                   "Most packets a second from the zone.")),
    item<&ZoneSpec::firewall, &FirewallSpec::direction>(
        required(choice("firewall.N.direction", kDirections, kBoot, "As the zone sees it."))),
    item<&ZoneSpec::firewall, &FirewallSpec::action>(
        required(choice("firewall.N.action", kActions, kBoot, "What becomes of the packet."))),
    item<&ZoneSpec::firewall, &FirewallSpec::protocol>(
        choice("firewall.N.protocol", kProtocols, kBoot, "Protocol of the packet.")),
    item<&ZoneSpec::firewall, &FirewallSpec::ports>(text(
        "firewall.N.ports", 1024, check_ports, kBoot, "Destination ports, such as 80,8000-8010.")),
    item<&ZoneSpec::firewall, &FirewallSpec::from>(
        texts("firewall.N.from", kMaxAddresses, kBoot, "Sources; none is any.", check_prefix)),
    item<&ZoneSpec::firewall, &FirewallSpec::to>(
        texts("firewall.N.to", kMaxAddresses, kBoot, "Destinations; none is any.", check_prefix)),
    item<&ZoneSpec::fs, &FsSpec::dir>(required(text("fs.N.dir", kMaxPathBytes, check_inner_path,
                                                    kBoot, "Where the tree appears in the zone."))),
    item<&ZoneSpec::fs, &FsSpec::special>(
        required(text("fs.N.special", kMaxPathBytes, check_path, kBoot, "The tree on the host."))),
    {choices("fs.N.options", 0, kFsOptions, kBoot,
             "Read-only, setuid programs allowed, no programs."),
     set_fs_options, get_fs_options, indices<&ZoneSpec::fs>},
    item<&ZoneSpec::admin, &AdminSpec::user>(
        required(text("admin.N.user", 32, check_user, kLive, "A user of the host."))),
    item<&ZoneSpec::admin, &AdminSpec::auths>(
        required(choices("admin.N.auths", 1, kAuths, kLive, "What that user may do."))),
};

constexpr Key<PoolSpec> kPoolKeys[] = {
    field<&PoolSpec::shares>(number("shares", KeyType::kInteger, 1, 65535, kLive,
                                    "Shares of the host's CPU time among active pools.")),
    field<&PoolSpec::cpus>(
        text("cpus", 256, check_cpu_list, kLive, "CPUs that the pool's zones may use.")),
    field<&PoolSpec::capped_cpus>(
        number("ncpus", KeyType::kNumber, 0.01, 8192, kLive, "Most CPU time, in CPUs.")),
    field<&PoolSpec::memory_physical>(
        number("physical", KeyType::kSize, kM, kMaxBytes, kLive, "Most physical memory.")),
    field<&PoolSpec::processes>(
        number("processes", KeyType::kInteger, 1, kMaxTasks, kLive, "Most processes and threads.")),
};

// --- paths ---------------------------------------------------------------------------------------

// "0", "17": an index as path_of writes it.
std::optional<size_t> index_of(const std::string& segment) {
  auto index = base::parse_uint(segment, 0, 99999);
  if (!index || std::to_string(*index) != segment) return std::nullopt;
  return static_cast<size_t>(*index);
}

// True when the path fits as many leading segments of the row's name as it has; fills in ref.
bool fits(const Texts& pattern, const ConfigPath& path, KeyRef& ref) {
  if (path.empty() || path.size() > pattern.size()) return false;
  for (size_t i = 0; i < path.size(); ++i) {
    if (pattern[i] == "N") {
      auto index = index_of(path[i]);
      if (!index) return false;
      ref.index = *index;
    } else if (pattern[i] == "NAME") {
      ref.name = path[i];
    } else if (pattern[i] != path[i]) {
      return false;
    }
  }
  return true;
}

void add_candidates(Texts& candidates, string_view name, const ConfigPath& path) {
  Texts pattern = base::split(name, '.');
  ConfigPath filled;
  for (size_t i = 0; i < pattern.size() && pattern[i] != "NAME"; ++i) {
    bool given = i < path.size() && index_of(path[i]).has_value();
    filled.push_back(pattern[i] != "N" ? pattern[i] : given ? path[i] : "0");
    std::string candidate = path_text(filled);
    if (std::find(candidates.begin(), candidates.end(), candidate) == candidates.end())
      candidates.push_back(candidate);
  }
}

}  // namespace

template <>
std::span<const Key<ZoneSpec>> keys_of<ZoneSpec>() {
  return kZoneKeys;
}
template <>
std::span<const Key<PoolSpec>> keys_of<PoolSpec>() {
  return kPoolKeys;
}

template <typename Spec>
std::vector<KeyRef> refs_of(const Key<Spec>& key, const Spec& spec) {
  return key.refs != nullptr ? key.refs(spec) : std::vector<KeyRef>(1);
}

template <typename Spec>
ConfigValue default_of(const Key<Spec>& key) {
  Spec spec;
  // A fresh element in each list: its keys have defaults too.
  if constexpr (std::is_same_v<Spec, ZoneSpec>) {
    spec.fs.resize(1);
    spec.admin.resize(1);
    spec.net.resize(1);
    spec.firewall.resize(1);
  }
  return key.get(spec, {});
}

ConfigPath path_of(const KeyInfo& info, const KeyRef& ref) {
  ConfigPath path = base::split(info.name, '.');
  for (std::string& segment : path) {
    if (segment == "N") segment = std::to_string(ref.index);
    if (segment == "NAME") segment = ref.name;
  }
  return path;
}

template <typename Spec>
KeyMatch match_key(const ConfigPath& path) {
  std::span<const Key<Spec>> keys = keys_of<Spec>();
  for (size_t row = 0; row < keys.size(); ++row) {
    Texts pattern = base::split(keys[row].info.name, '.');
    KeyMatch match;
    if (!fits(pattern, path, match.ref)) continue;
    match.row = row;
    if (pattern.size() > 1 && pattern[1] == "N" && path.size() > 1) match.list_depth = 2;
    if (path.size() == pattern.size())
      match.kind = KeyMatch::Kind::kKey;
    else if (pattern[path.size()] == "N")
      match.kind = KeyMatch::Kind::kList;
    else if (pattern[path.size() - 1] == "N")
      match.kind = KeyMatch::Kind::kElement;
    else
      match.kind = KeyMatch::Kind::kTable;
    return match;
  }
  return {};
}

template <typename Spec>
base::Error unknown_key(const ConfigPath& path) {
  constexpr size_t kMaxGuess = 64;
  std::string word = path_text(path);
  std::string near;
  if (word.size() <= kMaxGuess) {
    Texts candidates;
    for (const Key<Spec>& key : keys_of<Spec>()) {
      // "ncpus" for "capped-cpu.ncpus".
      Texts segments = base::split(key.info.name, '.');
      if (near.empty() && path.size() == 1 && segments.size() == 2 && segments[1] == word)
        near = key.info.name;
      add_candidates(candidates, key.info.name, path);
    }
    if (near.empty()) near = base::nearest(word, candidates);
  }
  return make_error(Code::kInvalid, "unknown key " + quote(word),
                    near.empty() ? "" : "did you mean " + quote(near) + "?");
}

template std::vector<KeyRef> refs_of(const Key<ZoneSpec>& key, const ZoneSpec& spec);
template std::vector<KeyRef> refs_of(const Key<PoolSpec>& key, const PoolSpec& spec);
template ConfigValue default_of(const Key<ZoneSpec>& key);
template ConfigValue default_of(const Key<PoolSpec>& key);
template KeyMatch match_key<ZoneSpec>(const ConfigPath& path);
template KeyMatch match_key<PoolSpec>(const ConfigPath& path);
template base::Error unknown_key<ZoneSpec>(const ConfigPath& path);
template base::Error unknown_key<PoolSpec>(const ConfigPath& path);

}  // namespace core
