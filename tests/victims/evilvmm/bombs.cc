// More memory, descriptors and threads than the zone has.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "tests/victims/evilvmm/attempts.h"

namespace evil {
namespace {

Result eat_memory(const Target& t) {
  auto size = static_cast<size_t>(t.number("memory"));
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return verdict(false);
  std::memset(memory, 1, size);
  munmap(memory, size);
  return Result::kReached;
}
Result duplicate(const Target& t) {
  bool all = true;
  std::vector<int> made;
  for (long i = 0; all && i < t.number("files"); ++i) {
    made.push_back(fcntl(0, F_DUPFD, 3));
    all = made.back() >= 0;
  }
  Result result = verdict(all);
  for (int fd : made)
    if (fd >= 0) close(fd);
  return result;
}
void* wait_for_ever(void*) {
  while (true) poll(nullptr, 0, -1);
  return nullptr;
}
// They stay until the process ends: the last attempt.
Result make_threads(const Target& t) {
  constexpr size_t kStack = 64 << 10;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, kStack);
  for (long i = 0; i < t.number("threads"); ++i) {
    pthread_t thread;
    if (int err = pthread_create(&thread, &small, wait_for_ever, nullptr); err != 0) {
      errno = err;
      return verdict(false);
    }
  }
  return Result::kReached;
}

}  // namespace

void add_bombs(Attempts* attempts) {
  attempts->push_back({"bomb: memory", "", eat_memory});
  attempts->push_back({"bomb: descriptors", "", duplicate});
  attempts->push_back({"bomb: threads", "", make_threads});
}

}  // namespace evil
