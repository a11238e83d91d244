#include "vmzone/closure.h"

#include "base/files.h"
#include "base/strings.h"

namespace vmzone {
namespace {

constexpr const char* kModules = "/usr/lib/x86_64-linux-gnu/qemu/";
constexpr const char* kSeaBios = "/usr/share/seabios/";
constexpr const char* kQemuData = "/usr/share/qemu/";
constexpr const char* kIpxe = "/usr/lib/ipxe/qemu/";

struct Package {
  std::string_view prefix;
  std::string_view name;
};

constexpr Package kPackages[] = {
    {"/usr/share/seabios/", "seabios"},
    {"/usr/share/OVMF/", "ovmf"},
    {"/usr/lib/ipxe/", "ipxe-qemu"},
    {"/usr/share/qemu/keymaps/", "qemu-system-data"},
    {"/usr/share/qemu/", "qemu-system-data"},
    {"/usr/lib/x86_64-linux-gnu/qemu/accel", "qemu-system-x86"},
    {"/usr/lib/x86_64-linux-gnu/qemu/", "qemu-system-common"},
    {"/usr/bin/", "qemu-system-x86"},
    {"/etc/localtime", "tzdata"},
};

const char* boot_rom(NicModel model) {
  switch (model) {
    case NicModel::kVirtio:
      return "efi-virtio.rom";
    case NicModel::kE1000:
      return "efi-e1000.rom";
    case NicModel::kE1000e:
      return "efi-e1000e.rom";
    case NicModel::kRtl8139:
      return "efi-rtl8139.rom";
    case NicModel::kPcnet:
      return "efi-pcnet.rom";
    case NicModel::kNe2k:
      return "efi-ne2k_pci.rom";
  }
  return "";
}

void add_video(Video video, Closure* closure) {
  auto add_bios = [&](const char* name) { closure->data.push_back(std::string(kSeaBios) + name); };
  switch (video) {
    case Video::kNone:
      return;
    case Video::kStd:
      add_bios("vgabios-stdvga.bin");
      break;
    case Video::kCirrus:
      add_bios("vgabios-cirrus.bin");
      break;
    case Video::kVmware:
      add_bios("vgabios-vmware.bin");
      break;
    case Video::kVirtio:
      add_bios("vgabios-virtio.bin");
      closure->modules.push_back(std::string(kModules) + "hw-display-virtio-gpu.so");
      closure->modules.push_back(std::string(kModules) + "hw-display-virtio-vga.so");
      break;
  }
  // VNC reads it, whatever keys the client sends.
  closure->data.push_back(std::string(kQemuData) + "keymaps/en-us");
}

}  // namespace

Closure closure_of(const Machine& machine) {
  Closure closure;
  closure.programs = {kQemuPath};
  if (machine.accelerator == Accelerator::kTcg)
    closure.modules.push_back(std::string(kModules) + "accel-tcg-x86_64.so");
  if (machine.firmware == Firmware::kUefi)
    closure.data.emplace_back(kUefiCodePath);
  else
    closure.data.push_back(std::string(kSeaBios) + "bios-256k.bin");
  closure.data.push_back(std::string(kQemuData) + "kvmvapic.bin");
  // bzImage, multiboot and PVH: QEMU looks at the kernel and takes one.
  if (machine.kernel)
    for (const char* name : {"linuxboot_dma.bin", "multiboot_dma.bin", "pvh.bin"})
      closure.data.push_back(std::string(kQemuData) + name);
  add_video(machine.video, &closure);
  for (const MachineNic& nic : machine.nics) {
    if (nic.boot_index == 0) continue;
    std::string rom = std::string(kIpxe) + boot_rom(nic.model);
    bool known = false;
    for (const std::string& one : closure.data) known = known || one == rom;
    if (!known) closure.data.push_back(std::move(rom));
  }
  if (machine.localtime) closure.data.emplace_back("/etc/localtime");
  return closure;
}

base::Status check_closure(int root, const Closure& closure) {
  for (const std::vector<std::string>* paths :
       {&closure.programs, &closure.modules, &closure.data}) {
    for (const std::string& path : *paths) {
      if (base::open_in_root(root, path, O_PATH).ok()) continue;
      std::string hint;
      for (const Package& package : kPackages)
        if (hint.empty() && path.starts_with(package.prefix))
          hint = "install Debian's " + std::string(package.name);
      return base::make_error(base::Code::kUnsupported,
                              "QEMU's file " + base::quoted(path) + " is not there", hint);
    }
  }
  return {};
}

}  // namespace vmzone
