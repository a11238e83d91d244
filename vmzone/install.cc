#include "vmzone/install.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>

#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "vmzone/disk_format.h"
#include "vmzone/machine.h"
#include "vmzone/profiles.h"
#include "vmzone/qcow2.h"
#include "vmzone/vm_folder.h"

namespace vmzone {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;

constexpr const char* kFactoryNvram = "/usr/share/OVMF/OVMF_VARS_4M.fd";

Result<bool> has_uefi(const VmInstall& install) {
  TRY_AS(Profile profile, find_profile(install.profile));
  return profile.firmware == Firmware::kUefi;
}

Status need_file(const char* path, const char* package) {
  if (access(path, R_OK) == 0) return {};
  return make_error(Code::kUnsupported, "this host has no " + base::quoted(path),
                    std::string("install the package ") + package);
}

Result<std::string> random_uuid() {
  unsigned char bytes[16];
  if (getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes))
    return base::sys_error("getrandom");
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (unsigned char byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

Result<std::string> machine_version() {
  TRY_AS(base::Output ran,
         base::run_program({kQemuPath, "-machine", "help"}, std::chrono::seconds(30)));
  if (ran.status != 0)
    return make_error(Code::kIo, base::quoted(kQemuPath) + " -machine help: status " +
                                     std::to_string(ran.status));
  return newest_machine_version(ran.out);
}

Result<DiskFormat> format_of_copy(int vm_dir) {
  TRY_AS(UniqueFd file, base::open_at(vm_dir, kInstalledDisk, O_RDONLY | O_NOFOLLOW));
  struct stat st = {};
  if (fstat(file.get(), &st) != 0) return base::sys_error("stat the image");
  std::string head(kImageHeadBytes, '\0');
  ssize_t n = pread(file.get(), head.data(), head.size(), 0);
  if (n < 0) return base::sys_error("read the image");
  head.resize(static_cast<size_t>(n));
  TRY_AS(DiskImage disk, inspect_image(head, static_cast<uint64_t>(st.st_size)));
  return disk.format;
}

}  // namespace

VmInstall install_of(const core::Source& source, const core::ZoneSpec& spec) {
  VmInstall install;
  install.origin = source.kind == core::Source::Kind::kKernel ? Origin::kKernel
                   : source.kind == core::Source::Kind::kDisk ? Origin::kDisk
                                                              : Origin::kIso;
  install.initrd = !source.initrd.empty();
  install.profile = spec.vm.profile.value_or(std::string(default_profile(install.origin)));
  return install;
}

Status check_vm_host(const VmInstall& install) {
  TRY(need_file(kQemuPath, "qemu-system-x86"));
  TRY_AS(bool uefi, has_uefi(install));
  return uefi ? need_file(kFactoryNvram, "ovmf") : Status();
}

Status ensure_nvram(int vm_dir) {
  constexpr size_t kMaxNvram = 16 << 20;
  if (base::exists_at(vm_dir, kNvramFile)) return {};
  TRY_AS(std::string content, base::read_file(AT_FDCWD, kFactoryNvram, kMaxNvram));
  TRY_AS(std::string image, make_qcow2(content));
  return base::replace_file(vm_dir, kNvramFile, image, base::Durability::kDisk);
}

Status finish_vm(int vm_dir, const VmInstall& install) {
  TRY_AS(std::string version, machine_version());
  TRY_AS(std::string uuid, random_uuid());
  Hardware hardware = new_hardware(install.origin, version, uuid);
  hardware.initrd = install.initrd;
  if (install.origin == Origin::kDisk) {
    TRY_AS(hardware.format, format_of_copy(vm_dir));
  }
  TRY_AS(bool uefi, has_uefi(install));
  if (uefi) TRY(ensure_nvram(vm_dir));
  return base::replace_file(vm_dir, kHardwareFile, format_hardware(hardware),
                            base::Durability::kDisk);
}

}  // namespace vmzone
