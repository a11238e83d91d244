// The smallest files that QEMU takes as kernels, for tests.
#pragma once

#include <elf.h>

#include <cstdint>
#include <cstring>
#include <string>

namespace harness {

template <typename T>
void put(std::string* bytes, size_t offset, const T& value) {
  if (bytes->size() < offset + sizeof value) bytes->resize(offset + sizeof value);
  memcpy(bytes->data() + offset, &value, sizeof value);
}

// One sector of set-up, 32 paragraphs of code (Linux, Documentation/arch/x86/boot.rst).
inline std::string bzimage() {
  std::string bytes(1024 + 512, '\0');
  put(&bytes, 0x1f1, uint8_t{1});
  put(&bytes, 0x1f4, uint32_t{32});
  put(&bytes, 0x1fe, uint16_t{0xaa55});
  put(&bytes, 0x202, uint32_t{0x53726448});  // "HdrS"
  put(&bytes, 0x206, uint16_t{0x20f});
  return bytes;
}

// An ELF file with one segment at `offset` of the file, loaded to 1 MiB.
inline std::string elf32(uint32_t type, uint32_t offset, const std::string& content) {
  constexpr uint32_t kAddress = 1 << 20;
  std::string bytes;
  Elf32_Ehdr header = {};
  memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS32;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = EM_386;
  header.e_version = EV_CURRENT;
  header.e_entry = kAddress;
  header.e_phoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf32_Phdr);
  header.e_phnum = 1;
  Elf32_Phdr segment = {};
  segment.p_type = type;
  segment.p_offset = offset;
  segment.p_vaddr = segment.p_paddr = kAddress;
  segment.p_filesz = segment.p_memsz = static_cast<uint32_t>(content.size());
  segment.p_align = 4;
  put(&bytes, 0, header);
  put(&bytes, sizeof header, segment);
  bytes.resize(offset);
  return bytes + content;
}

// A multiboot header and a loop without end (Multiboot Specification 0.6.96).
inline std::string multiboot() {
  constexpr uint32_t kMagic = 0x1badb002;
  std::string content;
  put(&content, 0, kMagic);
  put(&content, 4, uint32_t{0});
  put(&content, 8, ~kMagic + 1);
  put(&content, 12, uint16_t{0xfeeb});
  return elf32(PT_LOAD, 128, content);
}

// The note that tells the PVH entry, far from the head of the file.
inline std::string pvh(uint32_t offset = 100000) {
  std::string note;
  Elf32_Nhdr header = {sizeof "Xen", sizeof(uint32_t), 18};
  put(&note, 0, header);
  note.append("Xen", sizeof "Xen");
  put(&note, note.size(), uint32_t{1 << 20});
  return elf32(PT_NOTE, offset, note);
}

}  // namespace harness
