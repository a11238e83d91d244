#include "vmzone/qcow2.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <functional>
#include <random>

#include "base/files.h"
#include "base/process.h"
#include "vmzone/disk_format.h"

namespace vmzone {
namespace {

constexpr uint64_t kFileSize = 1 << 20;

void put(std::string* image, size_t at, uint64_t value, size_t count) {
  for (size_t i = 0; i < count; ++i)
    (*image)[at + i] = static_cast<char>(value >> (8 * (count - 1 - i)));
}

std::string good_image() {
  auto image = make_qcow2(std::string(100000, 'x'));
  REQUIRE(image.ok());
  return image->substr(0, kImageHeadBytes);
}

base::Result<Qcow2Header> with_field(size_t at, uint64_t value, size_t count) {
  std::string head = good_image();
  put(&head, at, value, count);
  return read_qcow2(head, kFileSize);
}

void check_field(size_t at, uint64_t value, size_t count, base::Code code,
                 const std::string& message) {
  auto header = with_field(at, value, count);
  INFO(message);
  REQUIRE_FALSE(header.ok());
  CHECK(header.error().code == code);
  CHECK(header.error().message == message);
  CHECK_FALSE(header.error().hint.empty());
}

std::string extension(uint32_t type, uint32_t bytes) {
  std::string text(8 + (bytes + 7) / 8 * 8, 'e');
  put(&text, 0, type, 4);
  put(&text, 4, bytes, 4);
  return text;
}

base::Result<Qcow2Header> with_extensions(const std::string& extensions) {
  std::string head = good_image();
  head.replace(104, extensions.size(), extensions);
  return read_qcow2(head, kFileSize);
}

}  // namespace

TEST_CASE("an image that we make is one that we take") {
  for (size_t size : {1, 512, 65536, 65537, 540672}) {
    auto image = make_qcow2(std::string(size, 'x'));
    REQUIRE(image.ok());
    auto header = read_qcow2(image->substr(0, kImageHeadBytes), image->size());
    REQUIRE(header.ok());
    CHECK(header->virtual_size == (size + 511) / 512 * 512);
    CHECK(header->version == 3);
    CHECK_FALSE(header->dirty);
    auto seen = inspect_image(image->substr(0, kImageHeadBytes), image->size());
    REQUIRE(seen.ok());
    CHECK(*seen == DiskImage{DiskFormat::kQcow2, (size + 511) / 512 * 512});
  }
  CHECK_FALSE(make_qcow2("").ok());
  CHECK_FALSE(make_qcow2(std::string((16 << 20) + 1, 'x')).ok());
}

TEST_CASE("what names another file, or can't be read by us, is refused") {
  using base::Code;
  CHECK(with_field(0, 0x514649fb, 4).ok());
  check_field(8, 512, 8, Code::kUnsupported, "qcow2 image has a backing file");
  check_field(16, 9, 4, Code::kUnsupported, "qcow2 image has a backing file");
  check_field(32, 1, 4, Code::kUnsupported, "qcow2 image is encrypted");
  check_field(32, 2, 4, Code::kUnsupported, "qcow2 image is encrypted");
  check_field(72, 4, 8, Code::kUnsupported, "qcow2 image keeps its data in another file");
  check_field(72, 32, 8, Code::kUnsupported, "qcow2 image has features that are not known");
  check_field(4, 1, 4, Code::kUnsupported, "qcow2 image is of the first version (qcow)");
  check_field(4, 4, 4, Code::kUnsupported, "qcow2 image is of an unknown version");
}

TEST_CASE("lies about sizes and places are refused") {
  auto check = [](size_t at, uint64_t value, size_t count, const std::string& what) {
    check_field(at, value, count, base::Code::kInvalid, "qcow2 image: " + what);
  };
  check(0, 0, 4, "its magic is missing");
  check(20, 8, 4, "the size of clusters is out of range");
  check(20, 22, 4, "the size of clusters is out of range");
  check(20, 0xffffffff, 4, "the size of clusters is out of range");
  check(24, 0, 8, "the disk is empty");
  check(24, 513, 8, "the disk is no whole number of sectors of 512 bytes");
  check(24, uint64_t{1} << 63, 8, "the disk is larger than 64T");
  check(24, uint64_t{1} << 40, 8, "the L1 table is too small for the disk");
  check(36, 0, 4, "the L1 table is too small for the disk");
  check(36, 0xffffffff, 4, "the L1 table is too large");
  check(36, 200000, 4, "the L1 table lies beyond the end of the file");
  check(40, 0, 8, "the L1 table does not begin at a cluster");
  check(40, 3 * 65536 + 8, 8, "the L1 table does not begin at a cluster");
  check(40, ~uint64_t{0} - 0xffff, 8, "the L1 table lies beyond the end of the file");
  check(48, kFileSize, 8, "the refcount table lies beyond the end of the file");
  check(56, 0, 4, "there is no refcount table");
  check(56, 0xffffffff, 4, "the refcount table is too large");
  check(60, 65537, 4, "it has too many snapshots");
  check(60, 1, 4, "the snapshot table does not begin at a cluster");
  check(72, 2, 8, "it is marked as corrupt");
  check(96, 7, 4, "the width of refcounts is out of range");
  check(100, 96, 4, "the length of the header is out of range");
  check(100, 108, 4, "the length of the header is out of range");
  check(100, 0xfffffff8, 4, "the length of the header is out of range");
}

TEST_CASE("a header that is cut off anywhere is refused") {
  std::string image = good_image();
  for (size_t size = 0; size < 112; ++size)
    CHECK_FALSE(read_qcow2(image.substr(0, size), size).ok());
  CHECK(read_qcow2(image, kFileSize).ok());
}

TEST_CASE("header extensions that are harmless pass, and no others") {
  constexpr uint32_t kNames = 0x6803f857;
  CHECK(with_extensions(extension(kNames, 47) + extension(0, 0)).ok());
  auto refused = [](const std::string& extensions) {
    auto header = with_extensions(extensions);
    REQUIRE_FALSE(header.ok());
    return header.error().message;
  };
  CHECK(refused(extension(kNames, 8) + extension(0xe2792aca, 5)) ==
        "qcow2 image names the format of a backing file");
  CHECK(refused(extension(0x44415441, 11)) == "qcow2 image names another file for its data");
  CHECK(refused(extension(0x0537be77, 16)) == "qcow2 image is encrypted");
  CHECK(refused(extension(0x12345678, 8)) ==
        "qcow2 image has a header extension that is not known");
  std::string long_one = extension(kNames, 8);
  put(&long_one, 4, 0xffffffff, 4);
  CHECK(refused(long_one) == "qcow2 image: a header extension is cut off");
  put(&long_one, 4, kImageHeadBytes - 104 - 8, 4);
  CHECK(refused(long_one) == "qcow2 image: the header extensions have no end");
}

TEST_CASE("no random change of the header is taken for another disk") {
  std::mt19937 random(1);
  const std::string good = good_image();
  for (int round = 0; round < 20000; ++round) {
    std::string head = good;
    for (int i = 0; i < 3; ++i) head[random() % 120] = static_cast<char>(random());
    auto header = read_qcow2(head, kFileSize);
    if (!header) continue;
    CHECK(header->virtual_size <= kMaxDiskBytes);
    CHECK((header->version == 2 || header->version == 3));
  }
}

TEST_CASE("images of qemu-img are told apart") {
  char folder[] = "/tmp/qcow2-test-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  std::string path = std::string(folder) + "/disk";
  auto create = [&](std::vector<std::string> options) {
    std::vector<std::string> argv = {"qemu-img", "create", "-q"};
    argv.insert(argv.end(), options.begin(), options.end());
    auto output = base::run_program(argv);
    REQUIRE(output.ok());
    INFO(output->err);
    REQUIRE(output->status == 0);
  };
  auto inspect = [&]() -> base::Result<DiskImage> {
    TRY_AS(base::UniqueFd file, base::open_at(AT_FDCWD, path, O_RDONLY));
    struct stat status = {};
    REQUIRE(fstat(file.get(), &status) == 0);
    std::string head(std::min<size_t>(kImageHeadBytes, static_cast<size_t>(status.st_size)), '\0');
    REQUIRE(read(file.get(), head.data(), head.size()) == static_cast<ssize_t>(head.size()));
    return inspect_image(head, static_cast<uint64_t>(status.st_size));
  };
  for (const char* options :
       {"compat=0.10", "compat=1.1", "cluster_size=512", "cluster_size=2M", "lazy_refcounts=on",
        "compression_type=zstd", "extended_l2=on", "preallocation=metadata", "refcount_bits=1"}) {
    INFO(options);
    create({"-f", "qcow2", "-o", options, path, "1G"});
    auto image = inspect();
    REQUIRE(image.ok());
    CHECK(*image == DiskImage{DiskFormat::kQcow2, uint64_t{1} << 30});
  }
  create({"-f", "raw", path, "3M"});
  REQUIRE(inspect().ok());
  CHECK(*inspect() == DiskImage{DiskFormat::kRaw, 3 << 20});
  create({"-f", "raw", path, "100"});
  REQUIRE(truncate(path.c_str(), 100) == 0);
  CHECK(inspect().error().message ==
        "the image has 100 bytes, which is no whole number of sectors");
  std::string base_image = std::string(folder) + "/base";
  create({"-f", "raw", base_image, "1M"});
  create({"-f", "qcow2", "-F", "raw", "-b", base_image, path});
  CHECK(inspect().error().message == "qcow2 image has a backing file");
  create({"-f", "qcow2", "-o", "data_file=" + base_image, path, "1M"});
  CHECK(inspect().error().message == "qcow2 image keeps its data in another file");
  for (const char* format : {"vmdk", "vdi", "vhdx", "qed", "parallels"}) {
    INFO(format);
    create({"-f", format, path, "4M"});
    auto image = inspect();
    REQUIRE_FALSE(image.ok());
    CHECK(image.error().code == base::Code::kUnsupported);
    CHECK(image.error().hint.find(std::string("qemu-img convert -f ") + format) !=
          std::string::npos);
  }
  REQUIRE(base::remove_tree(AT_FDCWD, folder).ok());
}

}  // namespace vmzone
