// The walls of zone-parse's cell, one by one, with an attacker in its place: the attack with the cell
// whole but for what else would refuse the same, and with the wall itself away too. Beyond them the
// filter: every system call, in the cell as it is and without the filter.
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/process.h"
#include "base/unix_socket.h"
#include "tests/root/cells/must.h"
#include "zoned/core/parser_cell.h"

namespace {

using cells::must;
using core::ParserCell;

constexpr uid_t kHostId = 2000000000;  // beyond what the registry leases
constexpr int kLeaked = 200;

void say(const std::string& text) {
  if (write(0, text.data(), text.size()) < 0) _exit(1);
}

// What `attack` says in the cell: "reached", "refused: ...", or "killed".
std::string in_cell(const ParserCell& cell, const std::function<bool()>& attack) {
  auto pair = must(base::socket_pair(SOCK_STREAM));
  // The starter goes with its one thread, as zone-parse does: the cell's process becomes our child.
  int starter = fork();
  REQUIRE(starter >= 0);
  if (starter == 0) {
    auto process = core::start_in_cell(cell, pair.second.get(), [&attack](int) {
      bool reached = attack();
      say(reached ? "reached" : std::string("refused: ") + strerror(errno));
      return 0;
    });
    if (!process) say("no cell: " + process.error().message);
    _exit(process ? 0 : 1);
  }
  pair.second.reset();
  int status = 0;
  REQUIRE(waitpid(starter, &status, 0) == starter);
  pollfd waiting = {pair.first.get(), POLLIN, 0};
  constexpr int kPatienceMs = 2000;
  std::string said = "blocked";
  if (poll(&waiting, 1, kPatienceMs) == 1) said = must(base::read_fd(pair.first.get(), 4096));
  pair.first.reset();
  // One that still runs is told apart from one that has ended by its answer.
  pid_t child = waitpid(-1, &status, WNOHANG);
  for (int i = 0; child == 0 && i < 200; ++i) {
    usleep(1000);
    child = waitpid(-1, &status, WNOHANG);
  }
  return said.empty() ? "killed" : said;
}

struct ParserWall {
  std::string name;
  std::function<bool()> attack;
  std::function<void(ParserCell&)> shadow;  // what else would refuse it: away in both runs
  std::function<void(ParserCell&)> remove;
};

void no_filter(ParserCell& cell) { cell.filter.clear(); }
void no_root(ParserCell& cell) {
  no_filter(cell);
  cell.landlock = false;
  cell.limits = false;
}

bool opens(const char* path, int flags) { return open(path, flags | O_CLOEXEC) >= 0; }  // NOLINT

std::string canary() { return "/tmp/zoned-parser-canary." + std::to_string(getpid()); }

bool connects_abstract(const std::string& name) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return fd >= 0 && connect(fd, reinterpret_cast<sockaddr*>(&address), length) == 0;
}

std::vector<ParserWall> parser_walls(const std::string& secret, const std::string& abstract,
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
      {"id of nobody else", [secret] { return opens(secret.c_str(), O_RDONLY); },
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
      {"descriptors", [] { return write(kLeaked, "x", 1) == 1; }, no_filter,
       [](ParserCell& cell) { cell.close_descriptors = false; }},
      {"limits",
       [] {
         return mmap(nullptr, size_t{1} << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                     -1, 0) != MAP_FAILED;
       },
       [](ParserCell&) {}, [](ParserCell& cell) { cell.limits = false; }},
  };
}

std::string first_line(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  return line.size() > 44 ? line.substr(0, 44) : line;
}

}  // namespace

TEST_CASE("each wall of zone-parse's cell holds, and without it the same attack succeeds") {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  std::string secret = canary();
  auto file = must(base::open_at(AT_FDCWD, secret, O_CREAT | O_EXCL | O_WRONLY, 0600));
  REQUIRE(dup2(must(base::open_at(AT_FDCWD, "/dev/null", O_RDWR)).get(), kLeaked) == kLeaked);
  std::string abstract = "zoned-parser-canary." + std::to_string(getpid());
  base::UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, abstract.data(), abstract.size());
  auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + abstract.size());
  REQUIRE(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(listen(listener.get(), 8) == 0);

  for (const ParserWall& wall : parser_walls(secret, abstract, getpid())) {
    ParserCell cell = must(core::parser_cell(kHostId));
    wall.shadow(cell);
    std::string with = in_cell(cell, wall.attack);
    wall.remove(cell);
    std::string without = in_cell(cell, wall.attack);
    std::printf("%-36s %-4s %-44s %s\n", wall.name.c_str(), "api", first_line(with).c_str(),
                first_line(without).c_str());
    std::fflush(stdout);
    INFO(wall.name << "\nwith it: " << with << "\nwithout it: " << without);
    CHECK(with != "reached");
    CHECK(!with.starts_with("no cell"));
    CHECK(with != "blocked");
    CHECK(without == "reached");
  }
  close(kLeaked);
  unlink(secret.c_str());
}

TEST_CASE("what has taken zone-parse over reaches a handful of system calls") {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  constexpr long kLast = 470;
  // Those that end, block or leave the process by themselves say nothing about a filter.
  const std::set<long> silent = {
      SYS_exit,         SYS_exit_group,      SYS_pause,   SYS_fork,        SYS_vfork, SYS_clone,
      SYS_rt_sigreturn, SYS_rt_sigsuspend,   SYS_seccomp, SYS_close_range, SYS_read,  SYS_brk,
      SYS_munmap,       SYS_restart_syscall, SYS_select,  SYS_pselect6};
  ParserCell whole = must(core::parser_cell(kHostId));
  ParserCell open_cell = whole;
  open_cell.filter.clear();
  std::set<long> reached;
  long tried = 0;
  long answered = 0;
  for (long number = 0; number <= kLast; ++number) {
    if (silent.contains(number)) continue;
    auto attack = [number] {
      // Descriptor 0 is the socket: nothing here closes or changes it.
      syscall(number, 1, 0, 0, 0, 0, 0);
      return true;
    };
    if (in_cell(whole, attack) == "reached") reached.insert(number);
    ++tried;
    answered += in_cell(open_cell, attack) == "reached" ? 1 : 0;
  }
  // uretprobe and uprobe (x86-64): newer kernels let them pass every filter; they do nothing outside of
  // the kernel's own trampoline.
  for (long number : {335L, 336L}) reached.erase(number);
  CHECK(reached == std::set<long>{SYS_close, SYS_mremap});
  // The control: without the filter nearly all of them answer.
  INFO(answered << " of " << tried);
  CHECK(answered * 100 >= tried * 95);
}
