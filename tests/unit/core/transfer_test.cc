#include "zoned/core/transfer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/files.h"
#include "tests/unit/daemon/temporary.h"

namespace {

using base::Code;
using base::UniqueFd;
using core::PackOptions;
using zoned::testing::must;
using zoned::testing::TemporaryFolder;
using zoned::testing::write_text;

// Two zones' trees, and the stream between them.
struct World {
  TemporaryFolder folder;
  UniqueFd from, to;
  core::UnpackReport report{[](std::string_view, uint64_t, uint64_t) {}, [](const std::string&) {}};

  World() {
    from = must(base::make_dirs(AT_FDCWD, folder / "from/srv", 0755));
    from = must(base::open_at(AT_FDCWD, folder / "from", O_RDONLY | O_DIRECTORY));
    to = must(base::make_dirs(AT_FDCWD, folder / "to/srv", 0755));
    to = must(base::open_at(AT_FDCWD, folder / "to", O_RDONLY | O_DIRECTORY));
  }
  std::string operator/(const std::string& name) const { return folder / name; }

  base::Result<core::Packed> pack(const std::string& path, PackOptions options = {}) {
    UniqueFd out =
        must(base::open_at(AT_FDCWD, folder / "stream", O_WRONLY | O_CREAT | O_TRUNC, 0600));
    return core::pack_files(from.get(), path, options, out.get(), &report);
  }
  UniqueFd stream() const { return must(base::open_at(AT_FDCWD, folder / "stream", O_RDONLY)); }
  bool left = false;  // by the last place()
  base::Status place(const std::string& path, bool replace = false) {
    core::PlaceResult placed =
        core::place_files(to.get(), path, ".temporary", replace, stream().get(), &report);
    left = placed.left;
    return placed.status;
  }
  std::string read(const std::string& path) const {
    return must(base::read_file(AT_FDCWD, folder / path));
  }
  std::vector<std::string> placed() const { return must(base::list_dir(to.get(), "srv")); }
};

TEST_CASE("a tree is copied with modes, times, links and holes; set-id bits and specials stay") {
  World world;
  must(base::make_dirs(world.from.get(), "srv/tree/sub", 0755));
  write_text(world / "from/srv/tree/sub/file", "content");
  write_text(world / "from/srv/tree/big", "head");
  REQUIRE(truncate((world / "from/srv/tree/big").c_str(), 64 << 20) == 0);
  REQUIRE(chmod((world / "from/srv/tree/sub/file").c_str(), 04711) == 0);
  REQUIRE(symlink("/etc/shadow", (world / "from/srv/tree/link").c_str()) == 0);
  REQUIRE(mkfifo((world / "from/srv/tree/fifo").c_str(), 0600) == 0);
  CHECK_FALSE(world.pack("/srv/tree").ok());
  core::Packed packed = must(world.pack("/srv/tree", {.recursive = true}));
  CHECK(packed.files == 5);
  must(world.place("/srv/copy"));
  CHECK(world.read("to/srv/copy/sub/file") == "content");
  struct stat st = {};
  REQUIRE(lstat((world / "to/srv/copy/sub/file").c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0711);
  REQUIRE(lstat((world / "to/srv/copy/link").c_str(), &st) == 0);
  CHECK(S_ISLNK(st.st_mode));
  CHECK_FALSE(base::exists_at(world.to.get(), "srv/copy/fifo"));
  REQUIRE(lstat((world / "to/srv/copy/big").c_str(), &st) == 0);
  CHECK(st.st_size == 64 << 20);
  CHECK(st.st_blocks * 512 < 1 << 20);
  CHECK(world.placed() == std::vector<std::string>{"copy"});
}

TEST_CASE("nothing is overwritten but a file by a file, where asked for") {
  World world;
  write_text(world / "from/srv/file", "new");
  must(world.pack("/srv/file"));
  write_text(world / "to/srv/file", "old");
  must(base::make_dirs(world.to.get(), "srv/folder", 0755));
  CHECK(world.place("/srv/file").error().code == Code::kExists);
  CHECK(world.read("to/srv/file") == "old");
  must(world.place("/srv/file", true));
  CHECK(world.read("to/srv/file") == "new");
  CHECK(world.place("/srv/folder", true).error().code == Code::kExists);
  REQUIRE(symlink("/etc/passwd", (world / "to/srv/link").c_str()) == 0);
  CHECK(world.place("/srv/link", true).error().code == Code::kExists);
  CHECK(world.placed() == std::vector<std::string>{"file", "folder", "link"});
}

TEST_CASE("symbolic links and special files are not followed, and lead nowhere") {
  World world;
  write_text(world / "secret", "secret");
  must(base::make_dirs(AT_FDCWD, world / "outside", 0755));
  REQUIRE(symlink((world / "outside").c_str(), (world / "from/out").c_str()) == 0);
  REQUIRE(symlink((world / "outside").c_str(), (world / "to/out").c_str()) == 0);
  REQUIRE(symlink((world / "secret").c_str(), (world / "from/link").c_str()) == 0);
  REQUIRE(mkfifo((world / "from/fifo").c_str(), 0600) == 0);
  write_text(world / "from/srv/file", "x");
  for (const char* path : {"/link", "/fifo", "/out", "/out/x", "/absent"}) {
    INFO(path);
    CHECK_FALSE(world.pack(path, {.recursive = true}).ok());
  }
  must(world.pack("/srv/file"));
  CHECK_FALSE(world.place("/out/file").ok());
  CHECK_FALSE(world.place("/absent/file").ok());
  CHECK(must(base::list_dir(AT_FDCWD, world / "outside")).empty());
  must(world.place("/srv/file"));
}

TEST_CASE("a stream that breaks off leaves nothing at the target") {
  World world;
  must(base::make_dirs(world.from.get(), "srv/tree", 0755));
  for (int i = 0; i < 20; ++i)
    write_text(world / ("from/srv/tree/" + std::to_string(i)), std::string(1000, 'x'));
  must(world.pack("/srv/tree", {.recursive = true}));
  std::string whole = world.read("stream");
  write_text(world / "stream", whole.substr(0, whole.size() / 2));
  CHECK_FALSE(world.place("/srv/copy").ok());
  CHECK(world.placed().empty());
  write_text(world / "stream", whole);
  must(world.place("/srv/copy"));
}

TEST_CASE("a file moves only while nobody has it open, unchanged, with one name") {
  World world;
  write_text(world / "from/srv/file", "content");
  const std::string path = world / "from/srv/file";
  auto go = [] { return base::Status(); };
  {
    UniqueFd reader = must(base::open_at(AT_FDCWD, path, O_RDONLY));
    CHECK(world.pack("/srv/file", {.exclusive = true}).error().code == Code::kBusy);
    CHECK(world.pack("/srv/file").ok());
  }
  core::Packed packed = must(world.pack("/srv/file", {.exclusive = true}));
  {
    UniqueFd reader = must(base::open_at(AT_FDCWD, path, O_RDONLY));
    CHECK(core::take_away(world.from.get(), "/srv/file", packed.identity, go).error().code ==
          Code::kBusy);
  }
  REQUIRE(link(path.c_str(), (world / "from/srv/other").c_str()) == 0);
  CHECK_FALSE(world.pack("/srv/file", {.exclusive = true}).ok());
  CHECK_FALSE(core::take_away(world.from.get(), "/srv/file", packed.identity, go).ok());
  REQUIRE(unlink((world / "from/srv/other").c_str()) == 0);
  // Its inode has changed since.
  CHECK(core::take_away(world.from.get(), "/srv/file", packed.identity, go).error().code ==
        Code::kState);
  packed = must(world.pack("/srv/file", {.exclusive = true}));
  auto no = [] { return base::Status(base::make_error(Code::kIo, "no")); };
  CHECK_FALSE(core::take_away(world.from.get(), "/srv/file", packed.identity, no).ok());
  CHECK(base::exists_at(AT_FDCWD, path));
  auto renamed = [&] {
    REQUIRE(rename(path.c_str(), (world / "from/srv/away").c_str()) == 0);
    write_text(path, "another");
    return base::Status();
  };
  CHECK_FALSE(core::take_away(world.from.get(), "/srv/file", packed.identity, renamed).ok());
  CHECK(world.read("from/srv/file") == "another");
  packed = must(world.pack("/srv/file", {.exclusive = true}));
  must(core::take_away(world.from.get(), "/srv/file", packed.identity, go));
  CHECK_FALSE(base::exists_at(AT_FDCWD, path));
}

TEST_CASE("undoing removes what was placed, and nothing else") {
  World world;
  write_text(world / "from/srv/file", "content");
  must(world.pack("/srv/file"));
  auto retract = [&](const char* path, bool placed = true) {
    return core::retract_files(world.to.get(), path, ".temporary", placed, world.stream().get());
  };
  must(world.place("/srv/file"));
  write_text(world / "to/srv/.temporary", "half");
  must(retract("/srv/file", false));
  CHECK(world.read("to/srv/file") == "content");
  CHECK_FALSE(base::exists_at(AT_FDCWD, world / "to/srv/.temporary"));
  must(retract("/srv/file"));
  CHECK(world.placed().empty());
  must(retract("/srv/file"));
  must(retract("/absent/file"));
  write_text(world / "to/srv/plain", "content");
  base::Status through = retract("/srv/plain/file");
  REQUIRE_FALSE(through.ok());
  CHECK(through.error().code == Code::kInvalid);
  CHECK_FALSE(world.place("/srv/plain/file").ok());
  CHECK_FALSE(world.left);
  write_text(world / "to/srv/file", "CONTENT");
  must(retract("/srv/file"));
  CHECK(world.read("to/srv/file") == "CONTENT");
}

}  // namespace
