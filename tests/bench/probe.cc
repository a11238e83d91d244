// Prints what the kernel charges for common acts, in nanoseconds each: `NAME NS` a line. Runs on the
// host and in a zone; two partners share one CPU, so that each turn is a switch.
//   probe PROGRAM    PROGRAM is what creations start: the same file on both sides
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>

namespace {

template <typename Act>
double per_act(unsigned count, Act act) {
  auto start = std::chrono::steady_clock::now();
  for (unsigned i = 0; i < count; ++i) act();
  std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
  return time.count() / count;
}

void pin() {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(sched_getcpu(), &set);
  // Unpinned the numbers are those of two CPUs: still the same on both sides.
  static_cast<void>(sched_setaffinity(0, sizeof set, &set));
}

double yields(unsigned count) {
  pid_t partner = fork();
  auto turns = [] { sched_yield(); };
  double time = per_act(count, turns);
  if (partner == 0) _exit(0);
  waitpid(partner, nullptr, 0);
  return time / 2;
}

double pipes(unsigned count) {
  int there[2];
  int back[2];
  if (pipe2(there, O_CLOEXEC) != 0 || pipe2(back, O_CLOEXEC) != 0) return 0;
  pid_t partner = fork();
  char byte = 0;
  if (partner == 0) {
    for (unsigned i = 0; i < count; ++i)
      if (read(there[0], &byte, 1) != 1 || write(back[1], &byte, 1) != 1) _exit(1);
    _exit(0);
  }
  double time = per_act(count, [&] {
    if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1) _exit(1);
  });
  waitpid(partner, nullptr, 0);
  return time;
}

double creations(unsigned count, char* program) {
  return per_act(count, [program] {
    pid_t child = fork();
    if (child == 0) {
      char* argv[] = {program, nullptr};
      char* envp[] = {nullptr};
      execve(program, argv, envp);
      _exit(1);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) _exit(1);
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  constexpr unsigned kCalls = 1000000;
  constexpr unsigned kTurns = 50000;
  constexpr unsigned kCreations = 300;
  pin();
  timespec now = {};
  std::printf("getpid %.1f\n", per_act(kCalls, [] { syscall(SYS_getpid); }));
  std::printf("clock %.1f\n", per_act(kCalls, [&] { clock_gettime(CLOCK_MONOTONIC, &now); }));
  std::printf("yield %.1f\n", yields(kTurns));
  std::printf("pipe %.1f\n", pipes(kTurns));
  std::printf("fork-exec %.1f\n", creations(kCreations, argv[1]));
}
