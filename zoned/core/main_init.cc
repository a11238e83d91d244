// zone-init: the first process of a zone that has no init of its own. Runs one command (or waits),
// reaps orphans, forwards signals, ends with the command's status.
//
//   zone-init                                        wait for SIGTERM
//   zone-init UID GID GROUPS WORKDIR PATH ARGV0...   run PATH; GROUPS is "-" or "1,2,3"
//
// Without libc: it costs an exec per zone, and its pages are shared by all of them.
#include <asm/unistd.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

namespace {

long call(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
  register long r10 __asm__("r10") = d;
  long result = 0;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                   : "rcx", "r11", "memory");
  return result;
}

template <typename T>
long arg(T* pointer) {
  return reinterpret_cast<long>(pointer);
}

[[noreturn]] void leave(int status) {
  while (true) call(__NR_exit_group, status);
}

void say(const char* text) {
  size_t n = 0;
  while (text[n] != '\0') ++n;
  call(__NR_write, 2, arg(text), static_cast<long>(n));
}

[[noreturn]] void fail(const char* what, const char* subject, int status) {
  say("zone-init: ");
  say(what);
  say(" '");
  say(subject);
  say("'\n");
  leave(status);
}

// Decimal digits up to the end or a comma; the keeper's plan wrote them.
const char* number(const char* text, uint32_t* value) {
  *value = 0;
  while (*text >= '0' && *text <= '9') *value = *value * 10 + static_cast<uint32_t>(*text++ - '0');
  return *text == ',' ? text + 1 : text;
}

constexpr size_t kMaxGroups = 256;

void become(char** argv) {
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t groups[kMaxGroups];
  size_t count = 0;
  number(argv[1], &uid);
  number(argv[2], &gid);
  for (const char* text = argv[3]; *text >= '0' && *text <= '9' && count < kMaxGroups;)
    text = number(text, &groups[count++]);
  bool changed = call(__NR_setgroups, static_cast<long>(count), arg(groups)) == 0 &&
                 call(__NR_setresgid, gid, gid, gid) == 0 &&
                 call(__NR_setresuid, uid, uid, uid) == 0;
  if (!changed) fail("cannot become user", argv[1], 126);
  if (call(__NR_chdir, arg(argv[4])) != 0) fail("cannot enter folder", argv[4], 126);
}

[[noreturn]] void run_command(char** argv, char** envp) {
  call(__NR_setpgid, 0, 0);
  // With a terminal the command is its foreground job; without one this fails, which is fine.
  // SIGTTOU is blocked still.
  int own = static_cast<int>(call(__NR_getpid));
  call(__NR_ioctl, 0, TIOCSPGRP, arg(&own));
  uint64_t none = 0;
  call(__NR_rt_sigprocmask, SIG_SETMASK, arg(&none), 0, sizeof none);
  become(argv);
  long err = call(__NR_execve, arg(argv[5]), arg(argv + 6), arg(envp));
  fail(err == -ENOENT ? "no such command" : "cannot run", argv[5], err == -ENOENT ? 127 : 126);
}

int run(int argc, char** argv, char** envp) {
  uint64_t all = ~uint64_t{0};
  call(__NR_rt_sigprocmask, SIG_SETMASK, arg(&all), 0, sizeof all);
  // Not to be traced, and so stopped, by others of the zone; exec makes the command traceable again.
  call(__NR_prctl, PR_SET_DUMPABLE, 0);
  long command = 0;
  if (argc > 6) {
    command = call(__NR_fork);
    if (command == 0) run_command(argv, envp);
    if (command < 0) fail("cannot fork for", argv[5], 126);
  }
  while (true) {
    siginfo_t info = {};
    int signal = static_cast<int>(call(__NR_rt_sigtimedwait, arg(&all), arg(&info), 0, sizeof all));
    if (signal == SIGCHLD) {
      int status = 0;
      long pid;
      while ((pid = call(__NR_wait4, -1, arg(&status), WNOHANG)) > 0) {
        if (pid != command) continue;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      }
    } else if (signal > 0 && command > 0) {
      // What people and programs send; a signal that the kernel raised (SIGPIPE) is not for the command.
      if (info.si_code <= 0) call(__NR_kill, command, signal);
    } else if (signal == SIGTERM || signal == SIGINT) {
      return 0;
    }
  }
}

}  // namespace

extern "C" [[noreturn]] void zone_init_start(long* stack) {
  int argc = static_cast<int>(stack[0]);
  char** argv = reinterpret_cast<char**>(stack + 1);
  leave(run(argc, argv, argv + argc + 1));
}

__asm__(
    ".globl _start\n"
    "_start:\n"
    "  xor %ebp, %ebp\n"
    "  mov %rsp, %rdi\n"
    "  and $-16, %rsp\n"
    "  call zone_init_start\n");
