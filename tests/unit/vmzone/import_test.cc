#include "vmzone/import.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/files.h"
#include "tests/harness/kernel_images.h"
#include "tests/unit/install/temporary_folder.h"

namespace {

using base::Code;
using base::UniqueFd;

constexpr off_t kMiB = 1 << 20;

// A folder with sources, and a target below it.
struct World {
  World() {
    REQUIRE(mkdirat(folder.fd(), "vm", 0700) == 0);
    auto opened = base::open_at(folder.fd(), "vm", O_RDONLY | O_DIRECTORY);
    REQUIRE(opened);
    target = *std::move(opened);
  }
  UniqueFd open(const std::string& name, int flags = O_RDONLY) {
    auto fd = base::open_at(folder.fd(), name, flags);
    REQUIRE(fd);
    return *std::move(fd);
  }
  UniqueFd source(const std::string& text) {
    folder.file("source", text);
    return open("source");
  }
  std::string imported(const std::string& name) {
    auto text = base::read_file(target.get(), name, 64 << 20);
    REQUIRE(text);
    return *text;
  }
  bool empty() {
    auto names = base::list_dir(target.get());
    REQUIRE(names);
    return names->empty();
  }
  base::Status import_disk(int image) {
    return vmzone::import_disk(image, target.get(), folder.path() + "/vm", &report);
  }
  TemporaryFolder folder;
  UniqueFd target;
  core::UnpackReport report{{}, {}};
};

}  // namespace

TEST_CASE("a kernel and its initrd are copied, for everybody to read") {
  World world;
  UniqueFd kernel = world.source(harness::bzimage());
  world.folder.file("ramdisk", "ramdisk");
  UniqueFd initrd = world.open("ramdisk");
  REQUIRE(vmzone::import_kernel(kernel.get(), initrd.get(), world.target.get(), &world.report));
  CHECK(world.imported("kernel") == harness::bzimage());
  CHECK(world.imported("initrd") == "ramdisk");
  struct stat st = {};
  REQUIRE(fstatat(world.target.get(), "kernel", &st, 0) == 0);
  CHECK((st.st_mode & 07777) == 0644);
}

TEST_CASE("an empty initrd is refused before anything is copied") {
  World world;
  UniqueFd kernel = world.source(harness::bzimage());
  world.folder.file("ramdisk", "");
  UniqueFd initrd = world.open("ramdisk");
  auto done = vmzone::import_kernel(kernel.get(), initrd.get(), world.target.get(), &world.report);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == Code::kInvalid);
  CHECK(world.empty());
}

TEST_CASE("a raw disk keeps its content, its size and its holes") {
  World world;
  world.folder.file("source", "");
  UniqueFd image = world.open("source", O_RDWR);
  REQUIRE(ftruncate(image.get(), 32 * kMiB) == 0);
  REQUIRE(pwrite(image.get(), "boot", 4, 0) == 4);
  REQUIRE(pwrite(image.get(), "far", 3, 20 * kMiB) == 3);
  REQUIRE(world.import_disk(image.get()));
  struct stat st = {};
  REQUIRE(fstatat(world.target.get(), "image", &st, 0) == 0);
  CHECK(st.st_size == 32 * kMiB);
  CHECK(st.st_blocks * 512 < kMiB);
  CHECK((st.st_mode & 07777) == 0600);
  std::string copy = world.imported("image");
  CHECK(copy.substr(0, 4) == "boot");
  CHECK(copy.substr(20 * kMiB, 3) == "far");
}

TEST_CASE("an image that QEMU writes to is refused until it no longer does") {
  World world;
  world.folder.file("source", std::string(4096, 'x'));
  UniqueFd image = world.open("source", O_RDWR);
  {
    UniqueFd writer = world.open("source", O_RDWR);
    struct flock lock = {};
    lock.l_type = F_RDLCK;  // QEMU holds its locks shared
    lock.l_whence = SEEK_SET;
    lock.l_start = 101;
    lock.l_len = 1;
    REQUIRE(fcntl(writer.get(), F_OFD_SETLK, &lock) == 0);
    auto done = world.import_disk(image.get());
    REQUIRE_FALSE(done);
    CHECK(done.error().code == Code::kBusy);
    CHECK(world.empty());
  }
  CHECK(world.import_disk(image.get()).ok());
}

TEST_CASE("a CD is told by its volume descriptor") {
  World world;
  std::string cd(40960, '\0');
  UniqueFd disk = world.source(cd);
  auto refused = vmzone::import_iso(disk.get(), world.target.get(), &world.report);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kInvalid);
  CHECK(refused.error().hint.find("disk:") != std::string::npos);
  CHECK(world.empty());
  cd.replace(32769, 5, "CD001");
  for (bool whole : {false, true}) {
    REQUIRE(unlinkat(world.folder.fd(), "source", 0) == 0);
    UniqueFd image = world.source(whole ? cd : cd.substr(0, cd.size() - 1));
    CHECK(vmzone::import_iso(image.get(), world.target.get(), &world.report).ok() == whole);
  }
  CHECK(world.imported("image") == cd);
}
