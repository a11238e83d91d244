// The walls of zone-view's decoder, which takes apart what a zone's VNC server sends, with an attacker
// in its place.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/unix_socket.h"
#include "cli/view/decoder.h"
#include "tests/root/cells/must.h"
#include "tests/root/walls/small_cell.h"

namespace {

using view::Confinement;
using walls::Attack;
using walls::opens;

std::string in_cell(const Confinement& cell, const Attack& attack) {
  auto pair = cells::must(base::socket_pair(SOCK_STREAM));
  int pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    int socket = pair.second.get();
    if (!view::confine(socket, socket, cell)) _exit(1);
    walls::attack_and_tell(socket, attack);
  }
  pair.second.reset();
  return walls::hear(std::move(pair.first));
}

bool writes_file(const std::string& path) {
  int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  return fd >= 0 && write(fd, "x", 1) == 1;
}
bool makes_code() {
  return mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
         MAP_FAILED;
}

using Wall = walls::CellWall<Confinement>;

std::vector<Wall> view_walls(const std::string& secret) {
  auto whole = [](Confinement&) {};
  auto no_filter = [](Confinement& cell) { cell.filter = false; };
  return {
      {"filter: sockets", [] { return socket(AF_UNIX, SOCK_STREAM, 0) >= 0; }, whole, no_filter},
      {"filter: code", makes_code, whole, no_filter},
      {"nobody's id", [secret] { return opens(secret, O_RDONLY); }, no_filter,
       [](Confinement& cell) { cell.become_nobody = false; }},
      {"descriptors", walls::writes_leaked, whole,
       [](Confinement& cell) { cell.close_descriptors = false; }},
      {"limits", [secret] { return writes_file(secret); },
       [](Confinement& cell) { cell.filter = cell.become_nobody = false; },
       [](Confinement& cell) { cell.limits = false; }},
      {"no_new_privs", [] { return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0; }, no_filter,
       [](Confinement& cell) { cell.no_new_privs = false; }},
  };
}

}  // namespace

TEST_CASE("each wall of zone-view's decoder holds, and without it the same attack succeeds") {
  walls::Bait bait;
  walls::check_walls(view_walls(bait.secret()), "view", Confinement(), in_cell);
}

TEST_CASE("what has taken zone-view's decoder over reaches a handful of system calls") {
  walls::Bait bait;
  Confinement open_cell;
  open_cell.filter = false;
  std::set<long> passed =
      walls::calls_let_pass([](const Attack& attack) { return in_cell(Confinement(), attack); },
                            [&](const Attack& attack) { return in_cell(open_cell, attack); });
  CHECK(passed == std::set<long>{SYS_write, SYS_poll, SYS_ppoll, SYS_mmap, SYS_mremap});
}
