#include "zoned/core/cell_tree.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include "base/process.h"
#include "tests/unit/install/temporary_folder.h"

using core::cell_tree;
using core::CellRecipe;

namespace {

CellRecipe cell_of_true() {
  CellRecipe recipe;
  recipe.name = "probe";
  recipe.programs = {"/usr/bin/true"};
  return recipe;
}

std::vector<std::string> trees_in(const TemporaryFolder& folder) {
  auto names = base::list_dir(folder.fd());
  REQUIRE(names);
  return *names;
}

// Whole seconds of the distant past: no two runs of the clock are alike.
void set_time(const std::string& path, time_t seconds) {
  timespec times[2] = {{seconds, 0}, {seconds, 0}};
  REQUIRE(utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

}  // namespace

TEST_CASE("A cell's tree holds a program and its libraries, and no shell") {
  TemporaryFolder cells;
  auto tree = cell_tree(cells.fd(), cell_of_true());
  REQUIRE(tree);
  REQUIRE(trees_in(cells).size() == 1);
  std::string path = cells.path() + "/" + trees_in(cells).front();
  for (const char* there : {"usr/bin/true", "bin/true", "lib64/ld-linux-x86-64.so.2",
                            "lib/x86_64-linux-gnu/libc.so.6", "dev", "proc", "sys", "run", "tmp"})
    CHECK(base::exists_at(tree->get(), there));
  for (const char* absent : {"bin/sh", "usr/bin/env", "etc/passwd"})
    CHECK_FALSE(base::exists_at(tree->get(), absent));
  // The loader of the tree itself finds all that the program needs there.
  auto listed =
      base::run_program({path + "/lib64/ld-linux-x86-64.so.2", "--inhibit-cache", "--library-path",
                         path + "/lib/x86_64-linux-gnu", path + "/usr/bin/true"});
  REQUIRE(listed);
  CHECK(listed->status == 0);
}

TEST_CASE("A cell's programs may be run, its data only read, and nothing is set-uid") {
  TemporaryFolder cells;
  TemporaryFolder host;
  host.file("firmware.bin", "rom", 04755);
  CellRecipe recipe = cell_of_true();
  recipe.data = {host.path()};
  auto tree = cell_tree(cells.fd(), recipe);
  REQUIRE(tree);
  struct stat st = {};
  REQUIRE(fstatat(tree->get(), "usr/bin/true", &st, 0) == 0);
  CHECK((st.st_mode & 07777) == 0755);
  REQUIRE(fstatat(tree->get(), (host.path().substr(1) + "/firmware.bin").c_str(), &st, 0) == 0);
  CHECK((st.st_mode & 07777) == 0644);
}

TEST_CASE("Links among a cell's data become files, dangling ones are left out") {
  TemporaryFolder cells;
  TemporaryFolder host;
  host.folder("data/deep");
  host.file("outside", "content");
  host.link("data/deep/inside", "../../outside");
  host.link("data/gone", "nowhere");
  CellRecipe recipe = cell_of_true();
  recipe.data = {host.path() + "/data"};
  auto tree = cell_tree(cells.fd(), recipe);
  REQUIRE(tree);
  std::string data = host.path().substr(1) + "/data";
  struct stat st = {};
  REQUIRE(fstatat(tree->get(), (data + "/deep/inside").c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0);
  CHECK(S_ISREG(st.st_mode));
  auto text = base::read_file(tree->get(), data + "/deep/inside");
  REQUIRE(text);
  CHECK(*text == "content");
  CHECK_FALSE(base::exists_at(tree->get(), data + "/gone"));
  CHECK_FALSE(base::exists_at(tree->get(), host.path().substr(1) + "/outside"));
}

TEST_CASE("A cell's tree is made once, and anew when a file or the recipe changes") {
  TemporaryFolder cells;
  TemporaryFolder host;
  host.file("data", "one");
  set_time(host.path() + "/data", 1000);
  CellRecipe recipe = cell_of_true();
  recipe.data = {host.path() + "/data"};
  auto inode = [&] {
    auto tree = cell_tree(cells.fd(), recipe);
    REQUIRE(tree);
    struct stat st = {};
    REQUIRE(fstat(tree->get(), &st) == 0);
    return st.st_ino;
  };
  ino_t first = inode();
  CHECK(inode() == first);
  set_time(host.path() + "/data", 2000);
  CHECK(inode() != first);
  recipe.mount_points = {{"/etc/hosts", false}};
  inode();
  CHECK(trees_in(cells).size() == 3);
}

TEST_CASE("Of old trees of a cell the one used last stays") {
  TemporaryFolder cells;
  for (const char* name : {"one-01", "one-02", "two-01", ".one-03.tmp"})
    cells.folder(std::string(name) + "/sub");
  set_time(cells.path() + "/one-01", 2000);
  set_time(cells.path() + "/one-02", 1000);
  REQUIRE(core::remove_old_cell_trees(cells.fd()));
  CHECK(trees_in(cells) == std::vector<std::string>{"one-01", "two-01"});
}

TEST_CASE("What a cell's recipe names must be there, and be what it says") {
  TemporaryFolder cells;
  TemporaryFolder host;
  host.file("text", "#!/bin/sh\n", 0755);
  struct Bad {
    std::string program;
    base::Code code;
  };
  for (const Bad& bad :
       {Bad{"/usr/bin/no-such-program", base::Code::kNotFound},
        Bad{host.path() + "/text", base::Code::kInvalid}, Bad{"usr/bin/true", base::Code::kInvalid},
        Bad{"/usr/../etc/passwd", base::Code::kInvalid}}) {
    CellRecipe recipe;
    recipe.name = "bad";
    recipe.programs = {bad.program};
    auto tree = cell_tree(cells.fd(), recipe);
    REQUIRE_FALSE(tree);
    CHECK(tree.error().code == bad.code);
    CHECK(tree.error().message.find(bad.program) != std::string::npos);
  }
  CHECK(trees_in(cells).empty());
}
