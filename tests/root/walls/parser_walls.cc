// The walls of zone-parse's cell, one by one, with an attacker in its place. Beyond them the filter:
// every system call, in the cell as it is and without the filter.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "base/unix_socket.h"
#include "tests/root/cells/must.h"
#include "tests/root/walls/small_cell.h"
#include "zoned/core/parser_cell.h"

namespace {

using cells::must;
using core::ParserCell;
using walls::Attack;
using walls::opens;

constexpr uid_t kHostId = 2000000000;  // beyond what the registry leases

std::string in_cell(const ParserCell& cell, const Attack& attack) {
  auto pair = must(base::socket_pair(SOCK_STREAM));
  // The starter goes with its one thread, as zone-parse does: the cell's process becomes our child.
  int starter = fork();
  REQUIRE(starter >= 0);
  if (starter == 0) {
    auto process = core::start_in_cell(cell, pair.second.get(), [&attack](int socket) -> int {
      walls::attack_and_tell(socket, attack);
    });
    _exit(process ? 0 : 1);
  }
  pair.second.reset();
  int status = 0;
  REQUIRE(waitpid(starter, &status, 0) == starter);
  REQUIRE(status == 0);
  return walls::hear(std::move(pair.first));
}

void no_filter(ParserCell& cell) { cell.filter.clear(); }
void no_root(ParserCell& cell) {
  no_filter(cell);
  cell.landlock = false;
  cell.limits = false;
}

// A name of the abstract kind: how long its address is.
socklen_t abstract_address(const std::string& name, sockaddr_un* address) {
  *address = {};
  address->sun_family = AF_UNIX;
  std::memcpy(address->sun_path + 1, name.data(), name.size());
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
}

bool connects_abstract(const std::string& name) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address;
  socklen_t length = abstract_address(name, &address);
  return fd >= 0 && connect(fd, reinterpret_cast<sockaddr*>(&address), length) == 0;
}

using Wall = walls::CellWall<ParserCell>;

std::vector<Wall> parser_walls(const std::string& secret, const std::string& abstract,
                               pid_t neighbour) {
  return {
      {"filter", [] { return socket(AF_UNIX, SOCK_STREAM, 0) >= 0; },
       [](ParserCell& cell) { cell.limits = false; }, no_filter},
      {"empty root", [] { return opens("/etc/passwd", O_RDONLY); }, no_root,
       [](ParserCell& cell) { cell.empty_root = false; }},
      {"landlock", [] { return opens("/", O_RDONLY | O_DIRECTORY); },
       [](ParserCell& cell) {
         no_filter(cell);
         cell.limits = false;
       },
       [](ParserCell& cell) { cell.landlock = false; }},
      {"id of nobody else", [secret] { return opens(secret, O_RDONLY); },
       [](ParserCell& cell) {
         no_root(cell);
         cell.empty_root = false;
         cell.drop_capabilities = false;
       },
       [](ParserCell& cell) { cell.host_id = 0; }},
      {"namespaces: network", [abstract] { return connects_abstract(abstract); }, no_root,
       [](ParserCell& cell) { cell.new_namespaces = false; }},
      {"namespaces: pid", [neighbour] { return kill(neighbour, 0) == 0 || errno == EPERM; },
       no_root, [](ParserCell& cell) { cell.new_namespaces = false; }},
      {"capabilities", [] { return mount("none", "/", "tmpfs", 0, nullptr) == 0; }, no_root,
       [](ParserCell& cell) { cell.drop_capabilities = false; }},
      {"no_new_privs", [] { return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0; },
       [](ParserCell& cell) {
         no_root(cell);
         cell.drop_capabilities = false;
       },
       [](ParserCell& cell) { cell.no_new_privs = false; }},
      {"descriptors", walls::writes_leaked, no_filter,
       [](ParserCell& cell) { cell.close_descriptors = false; }},
      {"limits",
       [] {
         return mmap(nullptr, size_t{1} << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                     -1, 0) != MAP_FAILED;
       },
       [](ParserCell&) {}, [](ParserCell& cell) { cell.limits = false; }},
  };
}

}  // namespace

TEST_CASE("each wall of zone-parse's cell holds, and without it the same attack succeeds") {
  walls::Bait bait;
  std::string abstract = "zoned-parser-canary." + std::to_string(getpid());
  base::UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address;
  socklen_t length = abstract_address(abstract, &address);
  REQUIRE(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(listen(listener.get(), 8) == 0);
  walls::check_walls(parser_walls(bait.secret(), abstract, getpid()), "api",
                     must(core::parser_cell(kHostId)), in_cell);
}

TEST_CASE("what has taken zone-parse over reaches a handful of system calls") {
  walls::Bait bait;
  ParserCell whole = must(core::parser_cell(kHostId));
  ParserCell open_cell = whole;
  open_cell.filter.clear();
  std::set<long> passed =
      walls::calls_let_pass([&](const Attack& attack) { return in_cell(whole, attack); },
                            [&](const Attack& attack) { return in_cell(open_cell, attack); });
  CHECK(passed == std::set<long>{SYS_close, SYS_mremap});
}
