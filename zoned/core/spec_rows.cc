// The rows of the table of keys.
#include "zoned/core/spec_rows.h"

#include <algorithm>
#include <utility>

#include "netns/port.h"
#include "zoned/core/spec_checks.h"
#include "zoned/core/spec_keys.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using namespace rows;  // NOLINT(google-build-using-namespace)

constexpr string_view kFsOptions[] = {"ro", "suid", "noexec"};
constexpr string_view kDirections[] = {"in", "out"};
constexpr string_view kActions[] = {"accept", "drop"};
constexpr string_view kProtocols[] = {"any", "tcp", "udp", "icmp"};
constexpr string_view kNicModels[] = {"virtio", "e1000", "e1000e", "rtl8139", "pcnet", "ne2k"};
constexpr string_view kProfiles[] = {"linux", "generic-bios", "generic-uefi"};
constexpr string_view kAccelerators[] = {"auto", "kvm", "tcg"};
constexpr string_view kBuses[] = {"ide", "sata", "scsi", "virtio"};
constexpr string_view kVideos[] = {"std", "cirrus", "vmware", "virtio", "none"};
constexpr string_view kClocks[] = {"utc", "localtime"};
constexpr string_view kBootOrder[] = {"disk", "cd", "net"};
constexpr string_view kMedia[] = {"disk", "cd"};
constexpr string_view kAuths[] = {"login", "manage", "clonefrom"};

// --- rows with rules of their own --------------------------------------------------------------

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

// What lies inside another would be there twice.
Status set_exports(ZoneSpec& spec, const KeyRef&, const ConfigValue& value) {
  const Texts& paths = std::get<Texts>(value);
  auto folder = [](const std::string& path) { return path == "/" ? path : path + "/"; };
  for (const std::string& outer : paths)
    for (const std::string& inner : paths)
      if (&outer != &inner && folder(inner).starts_with(folder(outer)))
        return make_error(Code::kInvalid, quote(inner) + " is part of " + quote(outer));
  spec.exports = paths;
  return {};
}

ConfigValue get_exports(const ZoneSpec& spec, const KeyRef&) {
  if (!spec.exports) return std::monostate();
  return *spec.exports;
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
constexpr double kMaxExports = 16;
constexpr double kMaxKernelLine = 2047;  // COMMAND_LINE_SIZE of x86 without its NUL
constexpr double kMaxText = 131071;      // MAX_ARG_STRLEN without its NUL

constexpr Key<ZoneSpec> kZoneKeys[] = {
    field<&ZoneSpec::brand>(
        choice("brand", kBrands, kBoot, "A container of this kernel, or a machine of its own.")),
    field<&ZoneSpec::label>(
        text("label", 1024, check_line, kBoot, "Security label; none is the host's default.")),
    field<&ZoneSpec::pool>(
        text("pool", 63, check_pool_name, kBoot, "Pool whose resources the zone shares.")),
    field<&ZoneSpec::autoboot>(
        boolean("autoboot", kLive, "Boot the zone when zoned starts with the host.")),
    field<&ZoneSpec::boot_priority>(number("boot-priority", KeyType::kInteger, 0, 1000, kLive,
                                           "Order of autoboot: lower boots first.")),
    {native(texts("command", kMaxCommandElements, kBoot,
                  "Program of an app zone and its arguments; none runs the tree's init.")),
     set_command, [](const ZoneSpec& spec, const KeyRef&) { return read(spec.command); }, nullptr},
    field<&ZoneSpec::user>(
        native(text("user", 32, check_zone_user, kBoot, "Who runs the command; none is root."))),
    field<&ZoneSpec::workdir>(native(
        text("workdir", kMaxPathBytes, check_path, kBoot, "Folder where the command starts."))),
    field<&ZoneSpec::hostname>(
        native(text("hostname", 64, check_hostname, kBoot, "Host name; none is the zone's name."))),
    field<&ZoneSpec::restart>(
        choice("restart", kRestarts, kLive, "Boot again when the zone ends by itself.")),
    field<&ZoneSpec::stop_timeout_ms>(number("stop-timeout", KeyType::kDuration, 0, 3600e3, kLive,
                                             "Time for a clean shutdown before a halt.")),
    field<&ZoneSpec::read_only_root>(
        native(boolean("read-only-root", kBoot, "Mount the zone's tree read-only."))),
    field<&ZoneSpec::nesting>(
        native(boolean("nesting", kBoot, "The zone may make user namespaces of its own."))),
    field<&ZoneSpec::landlock>(native(
        boolean("landlock", kBoot, "A second wall around an app zone: the kernel's Landlock."))),
    field<&ZoneSpec::display>(native(text("display", kMaxPathBytes, check_display, kLive,
                                          "Where the zone's VNC server listens, a unix socket."))),
    {native(texts("export", kMaxExports, kBoot,
                  "Folders of its tree that zones with a dominating label may read.", check_path)),
     set_exports, get_exports, nullptr},
    field<&ZoneSpec::log_size>(number("log-size", KeyType::kSize, 4 * kK, 1024 * kM, kBoot,
                                      "Bytes kept in each of the two log files.")),
    field<&ZoneSpec::cpu_shares>(number("cpu-shares", KeyType::kInteger, 1, 65535, kLive,
                                        "Shares of the pool's CPU time among its active zones.")),
    field<&ZoneSpec::firewall_in>(choice(
        "firewall-in", kActions, kLive, "What becomes of packets to the zone that no rule names.")),
    field<&ZoneSpec::firewall_out>(choice("firewall-out", kActions, kLive,
                                          "What becomes of packets from it that no rule names.")),
    {native(text("env.NAME", kMaxText, nullptr, kBoot, "Environment variable of the command.")),
     set_env, get_env, env_refs},
    field<&ZoneSpec::capped_cpus>(
        number("capped-cpu.ncpus", KeyType::kNumber, 0.01, 8192, kLive, "Most CPU time, in CPUs.")),
    field<&ZoneSpec::dedicated_cpus>(
        text("dedicated-cpu.ncpus", 256, check_cpu_list, kLive, "CPUs that the zone may use.")),
    field<&ZoneSpec::memory_physical>(number("capped-memory.physical", KeyType::kSize, kM,
                                             kMaxBytes, kLive, "Most physical memory.")),
    field<&ZoneSpec::memory_swap>(
        number("capped-memory.swap", KeyType::kSize, 0, kMaxBytes, kLive, "Most swap space.")),
    field<&ZoneSpec::memory_locked>(
        native(number("capped-memory.locked", KeyType::kSize, 0, kMaxBytes, kBoot,
                      "Most locked memory of a process."))),
    field<&ZoneSpec::processes>(number("limits.processes", KeyType::kInteger, 1, kMaxTasks, kLive,
                                       "Most processes and threads.")),
    field<&ZoneSpec::open_files>(native(number("limits.open-files", KeyType::kInteger, 16,
                                               kMaxFiles, kBoot, "Most open files of a process."))),
    field<&ZoneSpec::io_weight>(number("limits.io-weight", KeyType::kInteger, 1, 10000, kLive,
                                       "Weight of block input and output; the kernel's is 100.")),
    field<&ZoneSpec::io_read_bps>(number("limits.io-read", KeyType::kRate, 1, kMaxBytes, kLive,
                                         "Most bytes read from block devices.")),
    field<&ZoneSpec::io_write_bps>(number("limits.io-write", KeyType::kRate, 1, kMaxBytes, kLive,
                                          "Most bytes written to block devices.")),
    item<&ZoneSpec::net, &NetSpec::network>(
        required(text("net.N.network", 63, check_network_name, kLive, "A network of the host."))),
    item<&ZoneSpec::net, &NetSpec::name>(text("net.N.name", 15, check_interface, kLive,
                                              "The interface's name; none is net and its index.")),
    item<&ZoneSpec::net, &NetSpec::addresses>(text("net.N.address", 1024, check_addresses, kLive,
                                                   "Addresses, with commas; none are leased.")),
    item<&ZoneSpec::net, &NetSpec::mac>(
        text("net.N.mac", 17, check_mac, kLive, "Hardware address; none is made from the names.")),
    item<&ZoneSpec::net, &NetSpec::mtu>(number("net.N.mtu", KeyType::kInteger, netns::kMinMtu,
                                               netns::kMaxMtu, kLive,
                                               "Largest packet in bytes; none is the network's.")),
    item<&ZoneSpec::net, &NetSpec::allowed>(texts("net.N.allowed-address", kMaxAddresses, kLive,
                                                  "Further addresses that it may send from.",
                                                  check_prefix)),
    item<&ZoneSpec::net, &NetSpec::relax>(
        choices("net.N.relax", 0, netns::kProtectionNames, kLive, "Protections taken away.")),
    item<&ZoneSpec::net, &NetSpec::publish>(texts("net.N.publish", kMaxPublished, kLive,
                                                  "Ports of the host that lead to it.",
                                                  check_publish)),
    item<&ZoneSpec::net, &NetSpec::multilevel>(texts("net.N.multilevel-port", kMaxPublished, kLive,
                                                     "Ports that dominated labels may send to.",
                                                     check_multilevel)),
    item<&ZoneSpec::net, &NetSpec::bandwidth>(number("net.N.bandwidth", KeyType::kBits,
                                                     netns::kMinBits, netns::kMaxBits, kLive,
                                                     "Most bits each way.")),
    item<&ZoneSpec::net, &NetSpec::bandwidth_share>(
        number("net.N.bandwidth-share", KeyType::kInteger, 1, netns::kMaxShare, kLive,
               "Shares of the network's bandwidth among its busy ports.")),
    item<&ZoneSpec::net, &NetSpec::packets>(number("net.N.packets", KeyType::kInteger, 1,
                                                   netns::kMaxPackets, kLive,
                                                   "Most packets a second from the zone.")),
    item<&ZoneSpec::net, &NetSpec::dhcp>(
        native(boolean("net.N.dhcp", kLive, "The zone asks for its IPv4 address."))),
    item<&ZoneSpec::net, &NetSpec::model>(
        vm(choice("net.N.model", kNicModels, kBoot, "The adapter that the guest sees."))),
    item<&ZoneSpec::firewall, &FirewallSpec::direction>(
        required(choice("firewall.N.direction", kDirections, kLive, "As the zone sees it."))),
    item<&ZoneSpec::firewall, &FirewallSpec::action>(
        required(choice("firewall.N.action", kActions, kLive, "What becomes of the packet."))),
    item<&ZoneSpec::firewall, &FirewallSpec::protocol>(
        choice("firewall.N.protocol", kProtocols, kLive, "Protocol of the packet.")),
    item<&ZoneSpec::firewall, &FirewallSpec::ports>(text(
        "firewall.N.ports", 1024, check_ports, kLive, "Destination ports, such as 80,8000-8010.")),
    item<&ZoneSpec::firewall, &FirewallSpec::from>(
        texts("firewall.N.from", kMaxAddresses, kLive, "Sources; none is any.", check_prefix)),
    item<&ZoneSpec::firewall, &FirewallSpec::to>(
        texts("firewall.N.to", kMaxAddresses, kLive, "Destinations; none is any.", check_prefix)),
    item<&ZoneSpec::fs, &FsSpec::dir>(
        required(native(text("fs.N.dir", kMaxPathBytes, check_inner_path, kBoot,
                             "Where the tree appears in the zone.")))),
    item<&ZoneSpec::fs, &FsSpec::special>(required(
        native(text("fs.N.special", kMaxPathBytes, check_path, kBoot, "The tree on the host.")))),
    {native(choices("fs.N.options", 0, kFsOptions, kBoot,
                    "Read-only, setuid programs allowed, no programs.")),
     set_fs_options, get_fs_options, indices<&ZoneSpec::fs>},
    item<&ZoneSpec::admin, &AdminSpec::user>(
        required(text("admin.N.user", 32, check_user, kLive, "A user of the host."))),
    item<&ZoneSpec::admin, &AdminSpec::auths>(
        required(choices("admin.N.auths", 1, kAuths, kLive, "What that user may do."))),
    part<&ZoneSpec::vm, &VmSpec::profile>(vm(
        choice("vm.profile", kProfiles, kBoot, "The kind of guest, which chooses the devices."))),
    part<&ZoneSpec::vm, &VmSpec::vcpus>(
        vm(number("vm.vcpus", KeyType::kInteger, 1, 255, kBoot, "Processors of the guest."))),
    part<&ZoneSpec::vm, &VmSpec::memory>(
        vm(number("vm.memory", KeyType::kSize, 4 * kM, kM* kM, kBoot, "Memory of the guest."))),
    part<&ZoneSpec::vm, &VmSpec::accel>(
        vm(choice("vm.accel", kAccelerators, kBoot, "What runs the guest's instructions."))),
    part<&ZoneSpec::vm, &VmSpec::command_line>(
        vm(text("vm.kernel-command-line", kMaxKernelLine, check_line, kBoot,
                "Command line of a kernel: source."))),
    part<&ZoneSpec::vm, &VmSpec::machine>(
        vm(text("vm.machine", 32, check_machine, kBoot, "QEMU's machine type."))),
    part<&ZoneSpec::vm, &VmSpec::cpu>(
        vm(text("vm.cpu", 256, check_cpu_model, kBoot, "QEMU's model of the processors."))),
    part<&ZoneSpec::vm, &VmSpec::bus>(
        vm(choice("vm.bus", kBuses, kBoot, "How disks are attached."))),
    part<&ZoneSpec::vm, &VmSpec::video>(
        vm(choice("vm.video", kVideos, kBoot, "The display adapter."))),
    part<&ZoneSpec::vm, &VmSpec::acpi>(vm(boolean("vm.acpi", kBoot, "The machine has ACPI."))),
    part<&ZoneSpec::vm, &VmSpec::apic>(
        vm(boolean("vm.apic", kBoot, "The processors have a local APIC."))),
    part<&ZoneSpec::vm, &VmSpec::hpet>(
        vm(boolean("vm.hpet", kBoot, "The machine has a high precision event timer."))),
    part<&ZoneSpec::vm, &VmSpec::tablet>(
        vm(boolean("vm.tablet", kBoot, "A USB pointer with absolute coordinates."))),
    part<&ZoneSpec::vm, &VmSpec::clock>(
        vm(choice("vm.clock", kClocks, kBoot, "What the guest's clock chip tells."))),
    part<&ZoneSpec::vm, &VmSpec::boot>(
        vm(choices("vm.boot", 0, kBootOrder, kBoot, "What the firmware boots from, in order."))),
    item<&ZoneSpec::disk, &DiskSpec::path>(
        vm(text("disk.N.path", kMaxPathBytes, check_disk_path, kBoot, "The image."))),
    item<&ZoneSpec::disk, &DiskSpec::media>(
        vm(choice("disk.N.media", kMedia, kBoot, "A disk, or a CD in its drive."))),
    item<&ZoneSpec::disk, &DiskSpec::bus>(
        vm(choice("disk.N.bus", kBuses, kBoot, "How it is attached; none is as vm.bus."))),
    item<&ZoneSpec::disk, &DiskSpec::serial>(
        vm(text("disk.N.serial", 20, check_serial, kBoot, "Serial number that the guest sees."))),
    item<&ZoneSpec::disk, &DiskSpec::read_only>(
        vm(boolean("disk.N.read-only", kBoot, "The guest can't write to it."))),
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

}  // namespace

template <>
std::span<const Key<ZoneSpec>> keys_of<ZoneSpec>() {
  return kZoneKeys;
}
template <>
std::span<const Key<PoolSpec>> keys_of<PoolSpec>() {
  return kPoolKeys;
}

}  // namespace core
