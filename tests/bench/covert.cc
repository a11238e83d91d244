// A timing channel, for its capacity: who computes slows down who shares its processors.
//   covert send SLOT_US COUNT START     busy on all processors in the slots whose bit is set
//   covert receive SLOT_US COUNT START  counts what it gets done in each slot; prints how many bits it
//                                       guessed right, of COUNT
// START: seconds of the wall clock at which both begin. The bits are the same for both, by a generator.
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::system_clock;

struct Slots {
  Clock::duration length;
  Clock::time_point start;
  std::vector<bool> bits;
  Clock::time_point end_of(size_t slot) const {
    return start + length * (static_cast<long>(slot) + 1);
  }
};

void busy_until(Clock::time_point end) {
  while (Clock::now() < end) {
  }
}

void send(const Slots& slots) {
  auto work = [&slots] {
    std::this_thread::sleep_until(slots.start);
    for (size_t i = 0; i < slots.bits.size(); ++i) {
      if (slots.bits[i])
        busy_until(slots.end_of(i));
      else
        std::this_thread::sleep_until(slots.end_of(i));
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
}

// On as many processors as there are: one thread alone may be moved out of the way.
std::vector<unsigned long> work_done(const Slots& slots) {
  std::vector<std::vector<unsigned long>> each(std::thread::hardware_concurrency());
  auto work = [&slots](std::vector<unsigned long>* done) {
    std::this_thread::sleep_until(slots.start);
    for (size_t i = 0; i < slots.bits.size(); ++i) {
      unsigned long count = 0;
      for (auto end = slots.end_of(i); Clock::now() < end;) ++count;
      done->push_back(count);
    }
  };
  std::vector<std::thread> threads;
  for (auto& done : each) threads.emplace_back(work, &done);
  for (std::thread& thread : threads) thread.join();
  std::vector<unsigned long> sum(slots.bits.size());
  for (const auto& done : each)
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += done[i];
  return sum;
}

size_t receive(const Slots& slots) {
  std::vector<unsigned long> done = work_done(slots);
  // The busy and the quiet are parted half way between what is seldom undershot and seldom overshot.
  std::vector<unsigned long> sorted = done;
  std::sort(sorted.begin(), sorted.end());
  unsigned long middle = (sorted[sorted.size() / 10] + sorted[sorted.size() * 9 / 10]) / 2;
  size_t right = 0;
  for (size_t i = 0; i < done.size(); ++i) right += (done[i] < middle) == slots.bits[i] ? 1 : 0;
  return right;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  Slots slots;
  slots.length = std::chrono::microseconds(std::atol(argv[2]));
  slots.start = Clock::from_time_t(std::atol(argv[4]));
  std::mt19937 generator(4711);  // NOLINT: both sides need the same bits
  for (long i = 0; i < std::atol(argv[3]); ++i) slots.bits.push_back((generator() & 1) != 0);
  if (strcmp(argv[1], "send") == 0)
    send(slots);
  else
    std::printf("%zu\n", receive(slots));
  return 0;
}
