#include "tests/root/walls/small_cell.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/files.h"
#include "base/process.h"
#include "tests/root/cells/must.h"

namespace walls {
namespace {

using cells::must;

std::string first_line(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  return line.size() > 44 ? line.substr(0, 44) : line;
}

}  // namespace

void attack_and_tell(int socket, const Attack& attack) {
  std::string text = attack() ? "reached" : std::string("refused: ") + strerror(errno);
  ssize_t told = write(socket, text.data(), text.size());
  _exit(told > 0 ? 0 : 1);
}

std::string hear(base::UniqueFd socket) {
  pollfd waiting = {socket.get(), POLLIN, 0};
  constexpr int kPatienceMs = 2000;
  std::string said = "blocked";
  if (poll(&waiting, 1, kPatienceMs) == 1) said = must(base::read_fd(socket.get(), 4096));
  socket.reset();
  // One that still runs is told apart from one that has ended by its answer.
  int status = 0;
  pid_t child = waitpid(-1, &status, WNOHANG);
  for (int i = 0; child == 0 && i < 200; ++i) {
    usleep(1000);
    child = waitpid(-1, &status, WNOHANG);
  }
  return said.empty() ? "killed" : said;
}

void check_row(const std::string& name, const std::string& row, const std::string& with,
               const std::string& without) {
  std::printf("%-36s %-4s %-44s %s\n", name.c_str(), row.c_str(), first_line(with).c_str(),
              first_line(without).c_str());
  std::fflush(stdout);
  INFO(name << "\nwith it: " << with << "\nwithout it: " << without);
  CHECK((with == "killed" || with.starts_with("refused: ")));
  CHECK(without == "reached");
}

std::set<long> calls_let_pass(const std::function<std::string(const Attack&)>& in_cell,
                              const std::function<std::string(const Attack&)>& without_filter) {
  constexpr long kLast = 470;
  // Those that end, block or leave the process by themselves say nothing about a filter.
  const std::set<long> silent = {
      SYS_exit,         SYS_exit_group,      SYS_pause,   SYS_fork,        SYS_vfork, SYS_clone,
      SYS_rt_sigreturn, SYS_rt_sigsuspend,   SYS_seccomp, SYS_close_range, SYS_read,  SYS_brk,
      SYS_munmap,       SYS_restart_syscall, SYS_select,  SYS_pselect6};
  std::set<long> passed;
  long tried = 0;
  long answered = 0;
  for (long number = 0; number <= kLast; ++number) {
    if (silent.contains(number)) continue;
    // No descriptor that a cell has is 1: nothing here closes or changes its socket.
    auto attack = [number] {
      syscall(number, 1, 0, 0, 0, 0, 0);
      return true;
    };
    if (in_cell(attack) != "killed") passed.insert(number);
    ++tried;
    answered += without_filter(attack) == "reached" ? 1 : 0;
  }
  // uretprobe and uprobe (x86-64): newer kernels let them pass every filter; they do nothing outside of
  // the kernel's own trampoline.
  for (long number : {335L, 336L}) passed.erase(number);
  INFO(answered << " of " << tried);
  CHECK(answered * 100 >= tried * 95);
  return passed;
}

Bait::Bait() : secret_("/tmp/zoned-walls-bait." + std::to_string(getpid())) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  must(base::open_at(AT_FDCWD, secret_, O_CREAT | O_EXCL | O_WRONLY, 0600));
  REQUIRE(dup2(must(base::open_at(AT_FDCWD, "/dev/null", O_RDWR)).get(), kLeaked) == kLeaked);
}
Bait::~Bait() {
  close(kLeaked);
  unlink(secret_.c_str());
}

bool opens(const std::string& path, int flags) {
  return open(path.c_str(), flags | O_CLOEXEC) >= 0;  // NOLINT(android-cloexec-open)
}
bool writes_leaked() { return write(kLeaked, "x", 1) == 1; }

}  // namespace walls
