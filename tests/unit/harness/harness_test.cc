#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>

#include "base/files.h"
#include "base/process.h"
#include "tests/harness/busybox_tree.h"
#include "tests/harness/current_test.h"
#include "tests/harness/host_objects.h"
#include "tests/harness/rounds.h"
#include "tests/harness/sandbox.h"

namespace {

class Folder {
 public:
  Folder() { REQUIRE(mkdtemp(path_.data()) != nullptr); }
  ~Folder() { CHECK(base::remove_tree(AT_FDCWD, path_).ok()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/harness-test.XXXXXX";
};

}  // namespace

TEST_CASE("the busybox tree runs its own programs by their names") {
  Folder folder;
  auto made = harness::make_busybox_tree(folder.path() + "/tree");
  INFO((made.ok() ? "" : made.error().message));
  REQUIRE(made.ok());
  auto echo = base::run_program({folder.path() + "/tree/bin/echo", "hello"});
  REQUIRE(echo.ok());
  CHECK(echo->out == "hello\n");
  struct stat tmp = {};
  REQUIRE(stat((folder.path() + "/tree/tmp").c_str(), &tmp) == 0);
  CHECK((tmp.st_mode & 07777) == 01777);
  CHECK_FALSE(harness::make_busybox_tree(folder.path() + "/tree").ok());
}

TEST_CASE("a killed process has ended when kill_and_wait returns") {
  pid_t child = fork();
  if (child == 0) {
    while (true) pause();
  }
  auto killed = harness::kill_and_wait(child);
  CHECK(killed.ok());
  int status = 0;
  REQUIRE(waitpid(child, &status, WNOHANG) == child);
  CHECK(WTERMSIG(status) == SIGKILL);
}

TEST_CASE("a process that names a folder is found") {
  Folder folder;
  pid_t child = fork();
  if (child == 0) {
    if (chdir(folder.path().c_str()) != 0) _exit(1);
    while (true) pause();
  }
  CHECK(harness::eventually(
      [&] { return harness::processes_naming(folder.path()) == std::vector<pid_t>{child}; }));
  CHECK(harness::kill_and_wait(child).ok());
  waitpid(child, nullptr, 0);
  CHECK(harness::processes_naming(folder.path()).empty());
}

TEST_CASE("the fixture knows its test case") {
  CHECK(harness::current_test_name() == "the fixture knows its test case");
  CHECK_FALSE(harness::current_test_failed());
}

TEST_CASE("rounds are as many as usual, a part of that on a slow machine, never none") {
  unsetenv("ZONED_SOAK");
  unsetenv("ZONED_ROUNDS");
  CHECK(harness::rounds(100, 1000) == 100);
  setenv("ZONED_ROUNDS", "10", 1);
  CHECK(harness::rounds(100, 1000) == 10);
  CHECK(harness::slow_machine());
  CHECK(harness::rounds(5, 1000) == 1);
  setenv("ZONED_ROUNDS", "0", 1);
  CHECK(harness::rounds(100, 1000) == 100);
  CHECK_FALSE(harness::slow_machine());
  unsetenv("ZONED_ROUNDS");
  setenv("ZONED_SOAK", "1", 1);
  CHECK(harness::rounds(100, 1000) == 1000);
  CHECK(harness::soaking());
  unsetenv("ZONED_SOAK");
}
