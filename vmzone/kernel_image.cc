#include "vmzone/kernel_image.h"

#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace vmzone {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::sys_error;

constexpr size_t kHeadBytes = 8192;  // where QEMU looks for a multiboot header
constexpr size_t kMaxNoteBytes = 64 << 10;
constexpr size_t kMaxSegments = 1024;
constexpr size_t kMaxNoteSegments = 16;
constexpr uint32_t kPhys32Entry = 18;  // XEN_ELFNOTE_PHYS32_ENTRY

// The bytes at `offset`, fewer at the end of the file.
Result<std::string> read_at(int file, uint64_t offset, size_t size) {
  if (offset > static_cast<uint64_t>(INT64_MAX) - size) return std::string();
  std::string bytes(size, '\0');
  size_t done = 0;
  while (done < size) {
    ssize_t n = pread(file, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return sys_error("read");
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

// A plain structure at `offset`; nothing when it does not lie wholly in the bytes.
template <typename T>
std::optional<T> value_at(std::string_view bytes, size_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

base::Error cut_short() {
  return make_error(Code::kInvalid, "the kernel is cut short", "fetch or copy it again");
}

bool is_linux(std::string_view head) {
  constexpr size_t kMagic = 0x202;
  return head.size() > kMagic && head.substr(kMagic).starts_with("HdrS");
}

base::Status check_linux(std::string_view head, uint64_t file_size) {
  constexpr uint16_t kSyssizeSince = 0x204;  // four bytes before that were two
  auto sectors = value_at<uint8_t>(head, 0x1f1);
  auto syssize = value_at<uint32_t>(head, 0x1f4);
  auto protocol = value_at<uint16_t>(head, 0x206);
  if (!sectors || !syssize || !protocol) return cut_short();
  uint64_t needed = (uint64_t{*sectors == 0 ? 4U : *sectors} + 1) * 512;
  if (*protocol >= kSyssizeSince) needed += uint64_t{*syssize} * 16;
  // syssize is rounded up, the file need not be (iPXE, memtest86+).
  if (file_size + 15 < needed) return cut_short();
  return {};
}

// The flags of the multiboot header, when there is one.
std::optional<uint32_t> multiboot_flags(std::string_view head) {
  constexpr uint32_t kMagic = 0x1badb002;
  constexpr size_t kHeaderBytes = 12;
  for (size_t i = 0; i + kHeaderBytes <= head.size(); i += 4) {
    if (value_at<uint32_t>(head, i) != kMagic) continue;
    uint32_t flags = *value_at<uint32_t>(head, i + 4);
    if (kMagic + flags + *value_at<uint32_t>(head, i + 8) == 0) return flags;
  }
  return std::nullopt;
}

bool is_elf(std::string_view head) {
  return head.starts_with(std::string_view(ELFMAG, SELFMAG)) && head.size() > EI_CLASS;
}

base::Status check_multiboot(std::string_view head, uint32_t flags) {
  constexpr uint32_t kAddressesGiven = 1U << 16;
  if ((flags & kAddressesGiven) != 0) return {};
  if (!is_elf(head))
    return make_error(Code::kInvalid,
                      "the multiboot kernel is no ELF file and tells no addresses to load it to");
  if (head[EI_CLASS] != ELFCLASS32)
    return make_error(Code::kInvalid, "the multiboot kernel is a 64-bit ELF file",
                      "make a 32-bit one of it: objcopy -O elf32-i386 IMAGE NEW");
  return {};
}

bool has_pvh_note(std::string_view notes, size_t align) {
  align = std::max<size_t>(align, 1);
  auto padded = [align](uint64_t size) { return (size + align - 1) / align * align; };
  for (uint64_t at = 0; at < notes.size();) {
    auto note = value_at<Elf64_Nhdr>(notes, at);  // that of ELF32 has the same form
    if (!note) return false;
    std::string_view name = notes.substr(at + sizeof *note).substr(0, note->n_namesz);
    if (note->n_type == kPhys32Entry && name == std::string_view("Xen", sizeof "Xen"))
      return note->n_descsz >= sizeof(uint32_t);
    at += sizeof *note + padded(note->n_namesz) + padded(note->n_descsz);
  }
  return false;
}

template <typename Header, typename Segment>
Result<bool> elf_has_pvh(int file, std::string_view head) {
  auto header = value_at<Header>(head, 0);
  if (!header) return cut_short();
  if (header->e_phentsize != sizeof(Segment)) return false;
  size_t count = std::min<size_t>(header->e_phnum, kMaxSegments);
  TRY_AS(std::string table, read_at(file, header->e_phoff, count * sizeof(Segment)));
  size_t notes_seen = 0;
  for (size_t i = 0; i < count && notes_seen < kMaxNoteSegments; ++i) {
    auto segment = value_at<Segment>(table, i * sizeof(Segment));
    if (!segment) return cut_short();
    if (segment->p_type != PT_NOTE) continue;
    ++notes_seen;
    if (segment->p_align > kMaxNoteBytes) return false;
    size_t size = static_cast<size_t>(std::min<uint64_t>(segment->p_filesz, kMaxNoteBytes));
    TRY_AS(std::string notes, read_at(file, segment->p_offset, size));
    if (has_pvh_note(notes, static_cast<size_t>(segment->p_align))) return true;
  }
  return false;
}

Result<bool> is_pvh(int file, std::string_view head) {
  if (!is_elf(head)) return false;
  if (head[EI_CLASS] == ELFCLASS64) return elf_has_pvh<Elf64_Ehdr, Elf64_Phdr>(file, head);
  if (head[EI_CLASS] == ELFCLASS32) return elf_has_pvh<Elf32_Ehdr, Elf32_Phdr>(file, head);
  return false;
}

}  // namespace

Result<KernelFormat> kernel_format(int file) {
  struct stat st = {};
  if (fstat(file, &st) != 0) return sys_error("stat");
  TRY_AS(std::string head, read_at(file, 0, kHeadBytes));
  if (is_linux(head)) {
    TRY(check_linux(head, static_cast<uint64_t>(st.st_size)));
    return KernelFormat::kLinux;
  }
  if (auto flags = multiboot_flags(head)) {
    TRY(check_multiboot(head, *flags));
    return KernelFormat::kMultiboot;
  }
  TRY_AS(bool pvh, is_pvh(file, head));
  if (pvh) return KernelFormat::kPvh;
  return make_error(
      Code::kInvalid,
      is_elf(head) ? "the ELF file has neither a multiboot header nor a PVH entry"
                   : "the file is no kernel: no bzImage, multiboot or PVH image",
      "a compressed kernel has to be unpacked first; for the image of a disk write disk:IMAGE");
}

}  // namespace vmzone
