#include "zoned/daemon/client_fds.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/unix_socket.h"
#include "tests/unit/daemon/temporary.h"

namespace zoned {
namespace {

using base::UniqueFd;
using testing::must;

UniqueFd open_path(const std::string& path, int flags) {
  return must(base::open_at(AT_FDCWD, path, flags, 0600));
}

TEST_CASE("pipes, stream sockets, terminals, /dev/null and regular files are taken") {
  testing::TemporaryFolder folder;
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  CHECK(check_client_fd(read_end.get()).ok());
  CHECK(check_client_fd(write_end.get()).ok());
  auto pair = must(base::socket_pair(SOCK_STREAM));
  CHECK(check_client_fd(pair.first.get()).ok());
  CHECK(check_client_fd(open_path("/dev/null", O_RDWR).get()).ok());
  CHECK(check_client_fd(open_path(folder / "file", O_RDWR | O_CREAT).get()).ok());
  int master = -1;
  int slave = -1;
  if (openpty(&master, &slave, nullptr, nullptr, nullptr) == 0) {
    UniqueFd owned_master(master), owned_slave(slave);
    CHECK(check_client_fd(slave).ok());
  }
}

TEST_CASE("folders, O_PATH, other sockets, other devices and the kernel's own files are refused") {
  testing::TemporaryFolder folder;
  CHECK_FALSE(check_client_fd(open_path(folder.path(), O_RDONLY | O_DIRECTORY).get()).ok());
  open_path(folder / "file", O_RDWR | O_CREAT);
  CHECK_FALSE(check_client_fd(open_path(folder / "file", O_PATH).get()).ok());
  auto pair = must(base::socket_pair(SOCK_SEQPACKET));
  CHECK_FALSE(check_client_fd(pair.first.get()).ok());
  CHECK_FALSE(check_client_fd(open_path("/dev/zero", O_RDONLY).get()).ok());
  CHECK_FALSE(check_client_fd(open_path("/proc/self/attr/current", O_RDONLY).get()).ok());
  CHECK_FALSE(check_client_fd(open_path("/proc/self/status", O_RDONLY).get()).ok());
  CHECK_FALSE(check_client_fd(open_path("/sys/kernel/mm", O_RDONLY).get()).ok());
  CHECK_FALSE(check_client_fd(-1).ok());
}

TEST_CASE("exactly the number of descriptors that is needed is taken") {
  auto some = [](size_t count) {
    std::vector<UniqueFd> fds;
    for (size_t i = 0; i < count; ++i) fds.push_back(open_path("/dev/null", O_RDWR));
    return fds;
  };
  CHECK(take_client_stdio(some(3), 3).ok());
  CHECK(take_client_stdio(some(0), 0).ok());
  CHECK_FALSE(take_client_stdio(some(2), 3).ok());
  CHECK_FALSE(take_client_stdio(some(3), 0).ok());
  auto bad = some(2);
  bad.push_back(open_path("/", O_RDONLY | O_DIRECTORY));
  auto refused = take_client_stdio(std::move(bad), 3);
  CHECK_FALSE(refused.ok());
}

TEST_CASE("an image is one regular file of whole sectors, open for reading alone") {
  testing::TemporaryFolder folder;
  auto take = [](std::initializer_list<UniqueFd*> list) {
    std::vector<UniqueFd> fds;
    for (UniqueFd* fd : list) fds.push_back(std::move(*fd));
    return take_client_image(std::move(fds));
  };
  UniqueFd writable = open_path(folder / "image", O_RDWR | O_CREAT);
  for (off_t size : {0, 1, 511}) {
    REQUIRE(ftruncate(writable.get(), size) == 0);
    UniqueFd cut = open_path(folder / "image", O_RDONLY);
    CHECK_FALSE(take({&cut}).ok());
  }
  REQUIRE(ftruncate(writable.get(), 4096) == 0);
  UniqueFd image = open_path(folder / "image", O_RDONLY);
  CHECK(take({&image}).ok());
  UniqueFd path = open_path(folder / "image", O_PATH);
  UniqueFd device = open_path("/dev/null", O_RDONLY);
  UniqueFd kernel = open_path("/proc/self/status", O_RDONLY);
  UniqueFd dir = open_path("/", O_RDONLY | O_DIRECTORY);
  for (UniqueFd* fd : {&writable, &path, &device, &kernel, &dir}) {
    auto taken = take({fd});
    REQUIRE_FALSE(taken.ok());
    CHECK(taken.error().code == base::Code::kInvalid);
  }
  CHECK_FALSE(take({}).ok());
}

}  // namespace
}  // namespace zoned
