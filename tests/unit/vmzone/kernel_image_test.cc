#include "vmzone/kernel_image.h"

#include <catch2/catch.hpp>

#include "base/files.h"
#include "tests/harness/kernel_images.h"

namespace {

using harness::put;
using vmzone::kernel_format;
using vmzone::KernelFormat;

base::Result<KernelFormat> format_of(const std::string& bytes) {
  auto file = base::sealed_memfd("kernel", bytes);
  REQUIRE(file);
  return kernel_format(file->get());
}

void check_refused(const std::string& bytes, const std::string& words) {
  auto format = format_of(bytes);
  REQUIRE_FALSE(format);
  INFO(format.error().message);
  CHECK(format.error().code == base::Code::kInvalid);
  CHECK(format.error().message.find(words) != std::string::npos);
}

}  // namespace

TEST_CASE("kernels are told by their content") {
  auto linux_kernel = format_of(harness::bzimage());
  REQUIRE(linux_kernel);
  CHECK(*linux_kernel == KernelFormat::kLinux);
  auto multiboot = format_of(harness::multiboot());
  REQUIRE(multiboot);
  CHECK(*multiboot == KernelFormat::kMultiboot);
  auto pvh = format_of(harness::pvh());
  REQUIRE(pvh);
  CHECK(*pvh == KernelFormat::kPvh);
}

TEST_CASE("what is no kernel is refused, with a hint") {
  for (const std::string& bytes :
       {std::string(), std::string("#!/bin/sh\n"), std::string(100000, '\0'),
        std::string("\x1f\x8b\x08 packed"), std::string("MZ").append(4000, ' ')}) {
    check_refused(bytes, "no kernel");
    CHECK_FALSE(format_of(bytes).error().hint.empty());
  }
  check_refused(harness::elf32(PT_LOAD, 128, "code"), "neither a multiboot header nor a PVH entry");
}

TEST_CASE("a bzImage that ends before its code does is refused") {
  std::string whole = harness::bzimage();
  for (size_t size : {size_t{0x206}, size_t{0x207}, size_t{1024}, whole.size() - 16})
    check_refused(whole.substr(0, size), "cut short");
  put(&whole, 0x1f4, ~uint32_t{0});
  check_refused(whole, "cut short");
}

TEST_CASE("a bzImage may lack what rounding up adds to its size") {
  std::string whole = harness::bzimage();
  CHECK(format_of(whole.substr(0, whole.size() - 15)).ok());
}

TEST_CASE("a multiboot kernel has to be a 32-bit ELF file, or tell where to load it") {
  std::string wide = harness::multiboot();
  put(&wide, EI_CLASS, uint8_t{ELFCLASS64});
  check_refused(wide, "64-bit");
  constexpr uint32_t kMagic = 0x1badb002, kAddresses = 1U << 16;
  std::string flat(4096, '\0');
  put(&flat, 512, kMagic);
  put(&flat, 520, ~kMagic + 1);
  check_refused(flat, "no ELF file");
  put(&flat, 516, kAddresses);
  check_refused(flat, "no kernel");  // the sum is wrong now
  put(&flat, 520, ~(kMagic + kAddresses) + 1);
  CHECK(format_of(flat).ok());
}

TEST_CASE("an ELF file that lies about its parts is refused without reading beyond it") {
  const std::string good = harness::pvh(200);
  REQUIRE(format_of(good).ok());
  auto with = [&good](size_t offset, auto value) {
    std::string bytes = good;
    put(&bytes, offset, value);
    return bytes;
  };
  for (uint32_t lie : {0U, 100U, 0x7fffffffU, ~0U}) {
    check_refused(with(offsetof(Elf32_Ehdr, e_phoff), lie), "");
    check_refused(with(sizeof(Elf32_Ehdr) + offsetof(Elf32_Phdr, p_offset), lie), "PVH");
  }
  check_refused(with(offsetof(Elf32_Ehdr, e_phentsize), uint16_t{1}), "PVH");
  check_refused(with(offsetof(Elf32_Ehdr, e_phnum), uint16_t{0}), "PVH");
  check_refused(with(sizeof(Elf32_Ehdr) + offsetof(Elf32_Phdr, p_align), ~0U), "PVH");
  check_refused(with(200, ~0U), "PVH");  // the length of the note's name
  check_refused(with(204, uint32_t{0}), "PVH");
  check_refused(good.substr(0, 20), "cut short");
  std::string wide = with(EI_CLASS, uint8_t{ELFCLASS64});
  put(&wide, offsetof(Elf64_Ehdr, e_phoff), ~uint64_t{0});
  put(&wide, offsetof(Elf64_Ehdr, e_phentsize), uint16_t{sizeof(Elf64_Phdr)});
  check_refused(wide, "cut short");
}
