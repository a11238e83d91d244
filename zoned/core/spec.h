// ZoneSpec: what the user said, as typed values, nothing decided yet. Parsed from TOML
// (zone.toml(5)); see spec_toml.h. Keys are named after zonecfg(8).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace core {

enum class Brand { kNative, kVm };
enum class Restart { kNo, kOnFailure, kAlways };

// [[fs]]: a host tree inside the zone.
struct FsSpec {
  std::string dir;      // in the zone: absolute, without "." and ".."
  std::string special;  // on the host: absolute
  bool read_only = false;
  bool nosuid = true;
  bool nodev = true;  // can't be turned off: a zone never gets device nodes by a mount
  bool noexec = false;
  bool operator==(const FsSpec&) const = default;
};

// [[admin]]: who else may act on the zone (zonecfg(8) "admin").
struct AdminSpec {
  std::string user;                // a user name of the host
  std::vector<std::string> auths;  // "login", "manage", "clonefrom"
  bool operator==(const AdminSpec&) const = default;
};

// [[net]]: a port of the zone on one of the host's networks.
struct NetSpec {
  std::string network;               // network: an object of `zone net`
  std::string name;                  // name of the interface in the zone; empty: "net" + its index
  std::string addresses;             // address: with commas, as netns::Prefix; empty: leased
  std::string mac;                   // mac; empty: derived from the zone's name, always the same
  std::optional<uint32_t> mtu;       // mtu; none: the network's
  std::vector<std::string> allowed;  // allowed-address: further sources, as netns::Prefix
  std::vector<std::string> relax;    // relax: names of protections taken away
  std::vector<std::string> publish;  // publish: "8080:80", as netns::Publish
  std::vector<std::string> multilevel;  // multilevel-port: "udp:514", from dominated labels
  std::optional<uint64_t> bandwidth;    // bandwidth, bits/s each way
  uint32_t bandwidth_share = 1;         // bandwidth-share, 1..65535, of the network's bandwidth
  std::optional<uint64_t> packets;      // packets, packets/s from the zone
  bool dhcp = false;                 // dhcp: the zone asks for its IPv4 address (guests always do)
  std::optional<std::string> model;  // model: the adapter that a guest sees; none: the profile's
  bool operator==(const NetSpec&) const = default;
};

// [[firewall]]: a rule for all ports of the zone; in order, the first that fits decides.
struct FirewallSpec {
  std::string direction;          // direction = "in" | "out", as the zone sees it
  std::string action;             // action = "accept" | "drop"
  std::string protocol = "any";   // protocol = "any" | "tcp" | "udp" | "icmp"
  std::string ports;              // ports: destination ports, "80,8000-8010"
  std::vector<std::string> from;  // from: as netns::Prefix; empty: any
  std::vector<std::string> to;    // to
  bool operator==(const FirewallSpec&) const = default;
};

// [vm]: the machine of a vm zone. What is empty or absent is the profile's choice (vmzone/profiles.h).
struct VmSpec {
  std::optional<std::string>
      profile;                 // profile = "linux" | "generic-bios" | "generic-uefi"; none: by
                               // what the zone was installed from
  uint32_t vcpus = 1;          // vcpus, 1..255
  uint64_t memory = 1 << 30;   // memory, bytes of the guest's RAM, 4M..1T
  std::string accel = "auto";  // accel = "auto" | "kvm" | "tcg"
  std::string command_line = "console=ttyS0";  // kernel-command-line
  std::string machine;                         // machine: "q35", "pc-i440fx-7.2"
  std::string cpu;                             // cpu: QEMU's model, with features: "Nehalem,-aes"
  std::optional<std::string> bus;              // bus = "ide" | "sata" | "scsi" | "virtio"
  std::optional<std::string> video;  // video = "std" | "cirrus" | "vmware" | "virtio" | "none"
  std::optional<bool> acpi;          // acpi
  std::optional<bool> apic;          // apic
  std::optional<bool> hpet;          // hpet
  std::optional<bool> tablet;        // tablet: a USB pointer with absolute coordinates
  std::string clock = "utc";         // clock = "utc" | "localtime"
  std::vector<std::string> boot;     // boot: order of "disk", "cd", "net"
  bool operator==(const VmSpec&) const = default;
};

// [[disk]]: a disk or CD of a vm zone, beside the one it was installed from.
struct DiskSpec {
  std::string path;            // path: a file of the zone's disk folder, or absolute; a CD drive
                               // without one is empty
  std::string media = "disk";  // media = "disk" | "cd"
  std::optional<std::string> bus;  // bus, as vm.bus; none: vm.bus
  std::string serial;              // serial; empty: made at install
  bool read_only = false;          // read-only; a CD always is
  bool operator==(const DiskSpec&) const = default;
};

struct ZoneSpec {
  std::string name;                        // given beside the text, never in it
  Brand brand = Brand::kNative;            // brand = "native"
  std::string label;                       // label = "PUBLIC"; empty: the default
  std::string pool = "default";            // pool
  bool autoboot = false;                   // autoboot
  uint32_t boot_priority = 100;            // boot-priority, 0..1000, lower boots first
  std::vector<std::string> command;        // command; empty: the tree's init, else a waiting one
  std::map<std::string, std::string> env;  // [env]
  std::string user;                        // user: a name or number in the zone; empty: root
  std::string workdir = "/";               // workdir
  std::string hostname;                    // hostname; empty: the zone's name
  Restart restart = Restart::kNo;          // restart = "no" | "on-failure" | "always"
  uint64_t stop_timeout_ms = 10000;        // stop-timeout = "10s", 0..1h
  bool read_only_root = false;             // read-only-root
  bool nesting = false;                    // nesting: may make user namespaces
  std::string display;                     // display: a socket in the zone that speaks RFB (VNC)
  bool landlock = false;                   // landlock: a second wall around an app zone
  // export: folders that dominating zones may read; none: /export, where the tree has it
  std::optional<std::vector<std::string>> exports;
  uint64_t log_size = 1 << 20;  // log-size, bytes kept per file, 4K..1G; two files

  uint32_t cpu_shares = 1;                    // cpu-shares, 1..65535
  std::optional<double> capped_cpus;          // [capped-cpu] ncpus, 0.01..8192
  std::optional<std::string> dedicated_cpus;  // [dedicated-cpu] ncpus = "1-2" (a CPU list)
  std::optional<uint64_t> memory_physical;    // [capped-memory] physical, >= 1M
  std::optional<uint64_t> memory_swap;        // [capped-memory] swap
  std::optional<uint64_t> memory_locked;      // [capped-memory] locked: RLIMIT_MEMLOCK
  std::optional<uint64_t> processes;          // [limits] processes, >= 1
  std::optional<uint64_t> open_files;         // [limits] open-files: RLIMIT_NOFILE
  std::optional<uint32_t> io_weight;          // [limits] io-weight, 1..10000
  std::optional<uint64_t> io_read_bps;        // [limits] io-read = "50M/s"
  std::optional<uint64_t> io_write_bps;       // [limits] io-write

  std::string firewall_in = "accept";   // firewall-in: what no rule decides, "accept" | "drop"
  std::string firewall_out = "accept";  // firewall-out

  std::vector<NetSpec> net;
  std::vector<FirewallSpec> firewall;
  std::vector<FsSpec> fs;
  std::vector<AdminSpec> admin;
  VmSpec vm;                   // of brand vm alone
  std::vector<DiskSpec> disk;  // likewise
  bool operator==(const ZoneSpec&) const = default;
};

// The name of the interface of spec.net[index]: its own, or "net" and the index.
std::string port_name(const ZoneSpec& spec, size_t index);

// A pool's configuration file.
struct PoolSpec {
  std::string name;
  uint32_t shares = 1;                      // shares, 1..65535, among pools
  std::optional<std::string> cpus;          // cpus = "0-1": the pool's processor set
  std::optional<double> capped_cpus;        // ncpus
  std::optional<uint64_t> memory_physical;  // physical
  std::optional<uint64_t> processes;        // processes
  bool operator==(const PoolSpec&) const = default;
};

}  // namespace core
