// Every system call by its number, and the entries of other architectures.
#include <linux/futex.h>
#include <sys/syscall.h>

#include <cerrno>
#include <string>

#include "tests/victims/evilvmm/attempts.h"

namespace evil {

long raw_call(long number, const long (&a)[6]) {
  register long r10 __asm__("r10") = a[3];
  register long r8 __asm__("r8") = a[4];
  register long r9 __asm__("r9") = a[5];
  long result = 0;
  // A child (fork, vfork, clone) may share this stack: it must not return into it.
  __asm__ volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "cmp $56, %[number]\n\t"
      "jb 1f\n\t"
      "cmp $58, %[number]\n\t"
      "ja 1f\n\t"
      "mov $60, %%eax\n\t"
      "xor %%edi, %%edi\n\t"
      "syscall\n\t"
      "1:"
      : "=a"(result)
      : "a"(number), [number] "b"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8),
        "r"(r9)
      : "rcx", "r11", "memory");
  return result;
}

namespace {

constexpr long kLastNumber = 470;
constexpr long kX32 = 0x40000000;

Result by_number(long number) {
  static int word = 0;
  long arguments[6] = {-1, -1, -1, -1, -1, -1};
  switch (number) {
    case SYS_fork:
    case SYS_vfork:
    case SYS_pause:
      break;
    case SYS_futex:  // an unknown operation looks like an unknown call
      arguments[0] = reinterpret_cast<long>(&word);
      arguments[1] = FUTEX_WAKE;
      break;
    case SYS_msgget:  // -1 would make a queue
      arguments[0] = 0x7a6f;
      arguments[1] = 0;
      break;
    default:
      break;
  }
  long result = raw_call(number, arguments);
  errno = result < 0 ? static_cast<int>(-result) : 0;
  return result == -ENOSYS ? Result::kAbsent : Result::kReached;
}

Result by_foreign_entry(int number) {
  long result = 0;
  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "a"(number), "b"(-1), "c"(-1), "d"(-1)
                   : "memory", "r8", "r9", "r10", "r11");
  result = static_cast<int>(result);
  return result == -ENOSYS ? Result::kAbsent : Result::kReached;
}

}  // namespace

void add_numbers(Attempts* attempts) {
  for (long number = 0; number <= kLastNumber; ++number)
    attempts->push_back(
        {"call", std::to_string(number), [number](const Target&) { return by_number(number); }});
  for (long number : {SYS_read, SYS_getpid, SYS_socket, SYS_ptrace, SYS_clock_gettime})
    attempts->push_back({"x32 call", std::to_string(number),
                         [number](const Target&) { return by_number(number | kX32); }});
  // getpid, read, execve, socketcall, open, ptrace, ioctl of i386
  for (int number : {20, 3, 11, 102, 5, 26, 54})
    attempts->push_back({"i386 call", std::to_string(number),
                         [number](const Target&) { return by_foreign_entry(number); }});
}

}  // namespace evil
