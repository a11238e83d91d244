// Channels between zones that share a host, for their capacity: what one does, another feels or counts.
//   covert send CHANNEL SLOT_US COUNT START     raises something in the slots whose bit is set
//   covert receive CHANNEL SLOT_US COUNT START  looks in each slot; prints how many bits it guessed right,
//                                               of COUNT
// START: microseconds of the wall clock at which both begin. The bits are the same for both, by a generator.
//
//   cpu      one processor kept busy; how much gets done on it
//   threads  threads started; sysinfo(2), procs
//   loadavg  the same; /proc/loadavg
//   meminfo  memory asked for and not touched; /proc/meminfo, Committed_AS
//   statfs   room taken in a file; free blocks of the file system
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::system_clock;

struct Slots {
  Clock::duration length;
  Clock::time_point start;
  std::vector<bool> bits;
  Clock::time_point at(size_t slot, int quarters) const {
    return start + length * static_cast<long>(slot) + length * quarters / 4;
  }
};

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// Sending: from raise() until lower() the receiver's figure is another.
class Lever {
 public:
  Lever() = default;
  virtual ~Lever() = default;
  Lever(const Lever&) = delete;
  Lever& operator=(const Lever&) = delete;
  virtual void raise() = 0;
  virtual void lower() = 0;
};

class Threads : public Lever {
 public:
  void raise() override {
    stop_ = false;
    for (int i = 0; i < kThreads; ++i)
      threads_.emplace_back([this] {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [this] { return stop_; });
      });
  }
  void lower() override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  static constexpr int kThreads = 6;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

class Memory : public Lever {
 public:
  void raise() override {
    memory_ = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) fail("mmap");
  }
  void lower() override { munmap(memory_, kBytes); }

 private:
  static constexpr size_t kBytes = size_t{512} << 20;
  void* memory_ = nullptr;
};

class Room : public Lever {
 public:
  Room() : file_(open("/covert.tmp", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {
    if (file_ < 0 || unlink("/covert.tmp") != 0) fail("/covert.tmp");
  }
  void raise() override {
    if (fallocate(file_, 0, 0, kBytes) != 0) fail("fallocate");
  }
  void lower() override {
    if (ftruncate(file_, 0) != 0) fail("ftruncate");
  }

 private:
  static constexpr off_t kBytes = off_t{32} << 20;
  int file_;
};

void send_by(Lever* lever, const Slots& slots) {
  bool raised = false;
  for (size_t i = 0; i < slots.bits.size(); ++i) {
    std::this_thread::sleep_until(slots.at(i, 0));
    if (slots.bits[i] != raised) raised ? lever->lower() : lever->raise();
    raised = slots.bits[i];
  }
  if (raised) lever->lower();
}

void send_cpu(const Slots& slots) {
  for (size_t i = 0; i < slots.bits.size(); ++i) {
    std::this_thread::sleep_until(slots.at(i, 0));
    while (slots.bits[i] && Clock::now() < slots.at(i, 4)) {
    }
  }
}

// The number behind the last blank or slash, or behind `key`.
double number_in(const char* path, const char* key) {
  char text[4096] = {};
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 || read(file, text, sizeof text - 1) <= 0) fail(path);
  close(file);
  const char* found = strstr(text, key);
  return found == nullptr ? 0 : std::strtod(found + strlen(key), nullptr);
}

double look(const std::string& channel) {
  struct sysinfo info = {};
  struct statvfs room = {};
  if (channel == "loadavg") return number_in("/proc/loadavg", "/");
  if (channel == "meminfo") return number_in("/proc/meminfo", "Committed_AS:");
  if (sysinfo(&info) != 0 || statvfs("/", &room) != 0) fail("look");
  if (channel == "threads") return info.procs;
  return -static_cast<double>(room.f_bfree);
}

std::vector<double> seen(const std::string& channel, const Slots& slots) {
  std::vector<double> figures;
  for (size_t i = 0; i < slots.bits.size(); ++i) {
    if (channel == "cpu") {
      std::this_thread::sleep_until(slots.at(i, 0));
      double count = 0;
      while (Clock::now() < slots.at(i, 4)) --count;
      figures.push_back(count);
    } else {
      std::this_thread::sleep_until(slots.at(i, 3));
      figures.push_back(look(channel));
    }
  }
  return figures;
}

// High and low are parted half way between what is seldom undershot and seldom overshot, among some
// slots at a time: others move the figures too.
size_t right(const std::vector<double>& figures, const std::vector<bool>& bits) {
  constexpr size_t kWindow = 16;
  size_t good = 0;
  for (size_t begin = 0; begin < figures.size(); begin += kWindow) {
    size_t end = std::min(begin + kWindow, figures.size());
    std::vector<double> sorted(figures.begin() + static_cast<long>(begin),
                               figures.begin() + static_cast<long>(end));
    std::sort(sorted.begin(), sorted.end());
    double middle = (sorted[sorted.size() / 10] + sorted[sorted.size() * 9 / 10]) / 2;
    for (size_t i = begin; i < end; ++i) good += (figures[i] > middle) == bits[i] ? 1 : 0;
  }
  return good;
}

void stay_on_first_processor() {
  cpu_set_t all;
  if (sched_getaffinity(0, sizeof all, &all) != 0) fail("sched_getaffinity");
  size_t first = 0;
  while (!CPU_ISSET(first, &all)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  if (sched_setaffinity(0, sizeof one, &one) != 0) fail("sched_setaffinity");
}

void send(const std::string& channel, const Slots& slots) {
  if (channel == "cpu") return send_cpu(slots);
  std::unique_ptr<Lever> lever;
  if (channel == "threads" || channel == "loadavg") lever = std::make_unique<Threads>();
  if (channel == "meminfo") lever = std::make_unique<Memory>();
  if (channel == "statfs") lever = std::make_unique<Room>();
  if (lever) send_by(lever.get(), slots);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  const std::string channel = argv[2];
  Slots slots;
  slots.length = std::chrono::microseconds(std::atol(argv[3]));
  slots.start = Clock::time_point(std::chrono::microseconds(std::atol(argv[5])));
  std::mt19937 generator(4711);  // NOLINT: both sides need the same bits
  for (long i = 0; i < std::atol(argv[4]); ++i) slots.bits.push_back((generator() & 1) != 0);
  if (channel == "cpu") stay_on_first_processor();
  if (strcmp(argv[1], "send") == 0)
    send(channel, slots);
  else
    std::printf("%zu\n", right(seen(channel, slots), slots.bits));
  return 0;
}
