// Machine -> argv of QEMU.
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "vmzone/machine.h"

namespace vmzone {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kMiB = 1 << 20;

// Every PCI device has its slot, whatever else the machine has. 0, 1 and 31 are the chipsets'.
constexpr uint32_t kVideoSlot = 2;
constexpr uint32_t kEntropySlot = 3;
constexpr uint32_t kBalloonSlot = 4;
constexpr uint32_t kUsbSlot = 5;
constexpr uint32_t kScsiSlot = 6;
constexpr uint32_t kSataSlot = 7;
constexpr uint32_t kFirstNicSlot = 8;
constexpr uint32_t kFirstDiskSlot = kFirstNicSlot + kMaxNics;
static_assert(kFirstDiskSlot + kMaxDisks <= 31);

class CommandLine {
 public:
  explicit CommandLine(const Machine& machine)
      : machine_(machine), fds_(descriptors_of(machine)), argv_{kQemuPath} {}

  std::vector<std::string> build() {
    add_process();
    add_machine();
    add_firmware();
    add_channels();
    add_devices();
    for (const MachineDisk& disk : machine_.disks) add_disk(disk);
    for (const MachineNic& nic : machine_.nics) add_nic(nic);
    return std::move(argv_);
  }

 private:
  void add(std::initializer_list<std::string> arguments) {
    argv_.insert(argv_.end(), arguments.begin(), arguments.end());
  }
  void add_json(const char* option, const Json& value) {
    argv_.emplace_back(option);
    argv_.push_back(value.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  void add_pci(Json device, uint32_t slot, uint32_t function = 0) {
    constexpr const char* kDigits = "0123456789abcdef";
    std::string address = {kDigits[slot / 16], kDigits[slot % 16], '.', kDigits[function]};
    device["bus"] = machine_.chipset == Chipset::kQ35 ? "pcie.0" : "pci.0";
    device["addr"] = address;
    add_json("-device", device);
  }

  // -1: not one of this machine's.
  std::string number_of(const std::string& name) const {
    for (const core::KeptFd& fd : fds_)
      if (fd.name == name) return std::to_string(fd.number);
    return "-1";
  }

  void add_process();
  void add_machine();
  void add_firmware();
  void add_channels();
  void add_devices();
  void add_video();
  void add_image(const std::string& name, DiskFormat format, bool read_only);
  void add_disk(const MachineDisk& disk);
  void add_nic(const MachineNic& nic);
  bool has_disk_on(Bus bus) const;

  const Machine& machine_;
  std::vector<core::KeptFd> fds_;
  std::vector<std::string> argv_;
};

const char* on_off(bool on) { return on ? "on" : "off"; }

// In QEMU's lists of options a comma is written twice.
std::string doubled_commas(const std::string& text) {
  std::string out;
  for (char c : text) out.append(c == ',' ? 2 : 1, c);
  return out;
}

std::string image_node(const std::string& id) { return id + "-image"; }

void CommandLine::add_process() {
  add({"-no-user-config", "-nodefaults"});
  add({"-name", "guest=" + machine_.name});
  add({"-S"});
  add({"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"});
  add({"-display", "none"});
  if (machine_.video != Video::kNone) add({"-vnc", "none"});
  add({"-action", "reboot=reset,shutdown=poweroff,panic=exit-failure"});
}

void CommandLine::add_machine() {
  bool q35 = machine_.chipset == Chipset::kQ35;
  std::string type = machine_.type + ",acpi=" + on_off(machine_.acpi) +
                     ",hpet=" + on_off(machine_.hpet) + ",smm=off,usb=off" +
                     ",vmport=" + on_off(machine_.video == Video::kVmware) +
                     ",dump-guest-core=off,mem-merge=off";
  if (machine_.firmware == Firmware::kUefi) type += ",pflash0=firmware,pflash1=nvram-image";
  add({"-machine", type});
  // A guest that sleeps looks like one that hangs: there is nobody to press a key.
  const std::string power = q35 ? "ICH9-LPC" : "PIIX4_PM";
  if (q35 || machine_.acpi)
    add({"-global", power + ".disable_s3=1", "-global", power + ".disable_s4=1"});
  if (machine_.accelerator == Accelerator::kKvm)
    add({"-accel", "kvm"});
  else
    add({"-accel", "tcg,thread=multi,tb-size=" + std::to_string(kTranslationCache / kMiB)});
  std::string cpus = std::to_string(machine_.vcpus);
  add({"-cpu", machine_.cpu});
  add({"-smp", "cpus=" + cpus + ",sockets=1,cores=" + cpus + ",threads=1,maxcpus=" + cpus});
  add({"-m", "size=" + std::to_string(machine_.memory / kMiB) + "M"});
  add({"-uuid", machine_.uuid});
  add({"-rtc", std::string("base=") + (machine_.localtime ? "localtime" : "utc") + ",clock=host"});
}

void CommandLine::add_firmware() {
  add({"-boot", "menu=off,strict=on"});
  if (machine_.firmware == Firmware::kUefi) {
    add_json("-blockdev", {{"driver", "file"},
                           {"node-name", "firmware-file"},
                           {"filename", kUefiCodePath},
                           {"locking", "off"},
                           {"read-only", true},
                           {"auto-read-only", false}});
    add_json("-blockdev", {{"driver", "raw"},
                           {"node-name", "firmware"},
                           {"file", "firmware-file"},
                           {"read-only", true},
                           {"auto-read-only", false}});
    add_image("nvram", DiskFormat::kQcow2, false);
  }
  if (machine_.kernel) add({"-kernel", kKernelPath, "-append", machine_.command_line});
  if (machine_.initrd) add({"-initrd", kInitrdPath});
  if (!machine_.label.empty())
    add({"-fw_cfg", "name=opt/io.zoned/label,string=" + doubled_commas(machine_.label)});
}

void CommandLine::add_channels() {
  add({"-chardev", "socket,id=qmp,fd=" + number_of("qmp") + ",server=on,wait=off"});
  add({"-mon", "chardev=qmp,mode=control"});
  add({"-chardev", "socket,id=console,fd=" + number_of("console")});
  add_json("-device",
           {{"driver", "isa-serial"}, {"id", "serial0"}, {"chardev", "console"}, {"index", 0}});
}

bool CommandLine::has_disk_on(Bus bus) const {
  for (const MachineDisk& disk : machine_.disks)
    if (disk.bus == bus) return true;
  return false;
}

void CommandLine::add_video() {
  const char* driver = nullptr;
  switch (machine_.video) {
    case Video::kNone:
      return;
    case Video::kStd:
      driver = "VGA";
      break;
    case Video::kCirrus:
      driver = "cirrus-vga";
      break;
    case Video::kVmware:
      driver = "vmware-svga";
      break;
    case Video::kVirtio:
      driver = "virtio-vga";
      break;
  }
  add_pci({{"driver", driver}, {"id", "video0"}}, kVideoSlot);
}

void CommandLine::add_devices() {
  bool q35 = machine_.chipset == Chipset::kQ35;
  add_video();
  if (machine_.paravirtual) {
    add_json("-object", {{"qom-type", "rng-builtin"}, {"id", "entropy"}});
    add_pci({{"driver", "virtio-rng-pci"}, {"id", "rng0"}, {"rng", "entropy"}}, kEntropySlot);
    add_pci({{"driver", "virtio-balloon-pci"}, {"id", "balloon0"}, {"deflate-on-oom", true}},
            kBalloonSlot);
    add_json("-device", {{"driver", "pvpanic"}, {"id", "panic0"}});
  }
  if (machine_.tablet) {
    if (q35)
      add_pci({{"driver", "qemu-xhci"}, {"id", "usb0"}}, kUsbSlot);
    else
      add_pci({{"driver", "piix3-usb-uhci"}, {"id", "usb0"}}, 1, 2);
    add_json("-device",
             {{"driver", "usb-tablet"}, {"id", "tablet0"}, {"bus", "usb0.0"}, {"port", "1"}});
  }
  if (has_disk_on(Bus::kScsi)) add_pci({{"driver", machine_.scsi}, {"id", "scsi0"}}, kScsiSlot);
  if (has_disk_on(Bus::kSata) && !q35)
    add_pci({{"driver", "ich9-ahci"}, {"id", "sata0"}}, kSataSlot);
}

// The format is named at every layer, so that nothing is ever probed.
void CommandLine::add_image(const std::string& name, DiskFormat format, bool read_only) {
  std::string fd = number_of(name);
  add({"-add-fd", "fd=" + fd + ",set=" + fd});
  Json file = {{"driver", "file"},  {"node-name", name + "-file"}, {"filename", "/dev/fdset/" + fd},
               {"locking", "off"},  {"read-only", read_only},      {"auto-read-only", false},
               {"discard", "unmap"}};
  add_json("-blockdev", file);
  Json image = {{"driver", format_name(format)}, {"node-name", image_node(name)},
                {"file", name + "-file"},        {"read-only", read_only},
                {"auto-read-only", false},       {"discard", "unmap"}};
  if (format == DiskFormat::kQcow2) image["backing"] = nullptr;
  add_json("-blockdev", image);
}

void CommandLine::add_disk(const MachineDisk& disk) {
  bool medium = !disk.path.empty();
  if (medium) add_image(disk.id, disk.format, disk.read_only);
  const std::string kind = disk.cd ? "cd" : "hd";
  Json device;
  if (disk.bus == Bus::kVirtio)
    device["driver"] = "virtio-blk-pci";
  else
    device["driver"] = (disk.bus == Bus::kScsi ? "scsi-" : "ide-") + kind;
  device["id"] = disk.id;
  if (medium) device["drive"] = image_node(disk.id);
  device["serial"] = disk.serial;
  if (disk.boot_index != 0) device["bootindex"] = disk.boot_index;
  switch (disk.bus) {
    case Bus::kVirtio:
      return add_pci(std::move(device), kFirstDiskSlot + disk.unit);
    case Bus::kIde:
      device["bus"] = "ide." + std::to_string(disk.unit / 2);
      device["unit"] = disk.unit % 2;
      break;
    case Bus::kSata:
      device["bus"] =
          (machine_.chipset == Chipset::kQ35 ? "ide." : "sata0.") + std::to_string(disk.unit);
      break;
    case Bus::kScsi:
      device["bus"] = "scsi0.0";
      device["scsi-id"] = disk.unit;
      break;
  }
  add_json("-device", device);
}

const char* driver_of(NicModel model) {
  switch (model) {
    case NicModel::kVirtio:
      return "virtio-net-pci";
    case NicModel::kE1000:
      return "e1000";
    case NicModel::kE1000e:
      return "e1000e";
    case NicModel::kRtl8139:
      return "rtl8139";
    case NicModel::kPcnet:
      return "pcnet";
    case NicModel::kNe2k:
      return "ne2k_pci";
  }
  return "";
}

void CommandLine::add_nic(const MachineNic& nic) {
  add_json("-netdev",
           {{"type", "tap"}, {"id", nic.id + "-tap"}, {"fd", number_of(nic.id)}, {"vhost", false}});
  Json device = {{"driver", driver_of(nic.model)},
                 {"id", nic.id},
                 {"netdev", nic.id + "-tap"},
                 {"mac", nic.mac}};
  if (nic.boot_index != 0)
    device["bootindex"] = nic.boot_index;
  else
    device["romfile"] = "";
  add_pci(std::move(device), kFirstNicSlot + nic.unit);
}

}  // namespace

std::vector<std::string> command_line(const Machine& machine) {
  return CommandLine(machine).build();
}

}  // namespace vmzone
