// prober ACT FILE...: one act on a file, from inside a zone, and what came of it in one word or number;
// what fails says the name of its errno.
//
//   flock | lock FILE            takes a lock without waiting (lock: for reading, F_SETLK); "locked"
//   hold-flock | hold-lock FILE  the same for writing, held in the background; "held"
//   hold-open FILE               keeps the file open in the background; "held"
//   lease FILE                   takes a write lease, then opens the file for reading; "broken"
//   watch FILE EVENTS SECONDS    inotify(7): "watching", then what came (hexadecimal) or "none";
//                                "refused"
//   resident FILE                how many of its pages are in memory
//   drop FILE                    writes it back and drops its pages; "dropped"
//   atime FILE                   its time of last access
//   write-fifo | read-fifo FILE  opens a FIFO without waiting; "open"
//   await-fifo FILE              opens it for writing in the background; then makes FILE.seen
//   listen | connect SOCKET      a unix stream socket; listen: in the background
//   map | sum FILE               the sum of its bytes, by mmap(2) or in pieces of 1000
//   flip A B                     exchanges two names all the time, in the background
//   change ACT FILE              one of the acts of kChanges; "done"
//   append-read FILE             opens it for reading, and for appending; "open"
//   flood COUNT FOLDER           tries to make it so many times
//   fine-times FILE SECONDS      how often of two changes of it within one tick of the coarse clock the
//                                second was told a finer time: whether somebody asked in between
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace {

volatile sig_atomic_t signals = 0;

int say(const char* word) {
  puts(word);
  return 0;
}

int fail() { return say(strerrorname_np(errno)); }

// Goes on in the background for a minute at most; its caller says `word`.
template <typename Act>
int in_background(const char* word, Act act) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid < 0) return fail();
  if (pid > 0) return say(word);
  setsid();
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; ++fd) dup2(null, fd);
  alarm(60);
  act();
  _exit(0);
}

int take_lock(int fd, bool flock_wanted, short type) {
  if (flock_wanted) return flock(fd, LOCK_EX | LOCK_NB);
  struct flock lock = {};
  lock.l_type = type;
  return fcntl(fd, F_SETLK, &lock);
}

int hold_lock(const char* file, bool flock_wanted) {
  int fd = open(file, (flock_wanted ? O_RDONLY : O_RDWR) | O_CLOEXEC);
  if (fd < 0) return fail();
  if (flock_wanted && take_lock(fd, true, F_WRLCK) != 0) return fail();
  // Locks of fcntl(2) are the process's own: the child has to take it.
  return in_background("held", [&] {
    if (!flock_wanted) take_lock(fd, false, F_WRLCK);
    pause();
  });
}

int lease(const char* file) {
  int fd = open(file, O_RDWR | O_CLOEXEC);
  if (fd < 0) return fail();
  signal(SIGIO, [](int) { signals = signals + 1; });
  if (fcntl(fd, F_SETLEASE, F_WRLCK) != 0) return fail();
  int other = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  return say(other < 0 && signals > 0 ? "broken" : "kept");
}

int watch(const char* file, const char* events, const char* seconds) {
  int fd = inotify_init1(IN_CLOEXEC);
  if (inotify_add_watch(fd, file, static_cast<uint32_t>(strtoul(events, nullptr, 16))) < 0)
    return say(errno == EPERM ? "refused" : strerrorname_np(errno));
  say("watching");
  fflush(stdout);
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(atoi(seconds));
  std::string seen;
  for (;;) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    pollfd ready = {fd, POLLIN, 0};
    if (left.count() <= 0 || poll(&ready, 1, static_cast<int>(left.count())) <= 0) break;
    alignas(inotify_event) char buffer[4096];
    ssize_t n = read(fd, buffer, sizeof buffer);
    for (ssize_t at = 0; at < n;) {
      inotify_event event = {};
      memcpy(&event, buffer + at, sizeof event);
      char text[16];
      snprintf(text, sizeof text, "%x ", event.mask);
      seen += text;
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  }
  return say(seen.empty() ? "none" : seen.c_str());
}

int resident(const char* file) {
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  struct stat st = {};
  if (fd < 0 || fstat(fd, &st) != 0) return fail();
  auto size = static_cast<size_t>(st.st_size);
  void* at = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  std::vector<unsigned char> pages((size + 4095) / 4096);
  if (at == MAP_FAILED || mincore(at, size, pages.data()) != 0) return fail();
  int count = 0;
  for (unsigned char page : pages) count += page & 1;
  printf("%d\n", count);
  return 0;
}

int drop(const char* file) {
  int fd = open(file, O_RDWR | O_CLOEXEC);
  if (fd < 0 || fsync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0) return fail();
  return say("dropped");
}

sockaddr_un address(const char* path) {
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  strncpy(name.sun_path, path, sizeof name.sun_path - 1);
  return name;
}

int listen_at(const char* path) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un name = address(path);
  if (bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof name) != 0 || listen(fd, 5) != 0)
    return fail();
  return in_background("listening", [] { pause(); });
}

int connect_to(const char* path) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un name = address(path);
  if (connect(fd, reinterpret_cast<sockaddr*>(&name), sizeof name) != 0) return fail();
  return say("connected");
}

int map(const char* file) {
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  struct stat st = {};
  if (fd < 0 || fstat(fd, &st) != 0) return fail();
  auto size = static_cast<size_t>(st.st_size);
  void* at = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (at == MAP_FAILED) return fail();
  uint64_t total = 0;
  for (size_t i = 0; i < size; ++i) total += static_cast<unsigned char*>(at)[i];
  printf("%ju\n", static_cast<uintmax_t>(total));
  return 0;
}

int sum(const char* file) {
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail();
  unsigned char piece[1000];
  uint64_t total = 0;
  ssize_t n;
  while ((n = read(fd, piece, sizeof piece)) > 0)
    for (ssize_t i = 0; i < n; ++i) total += piece[i];
  if (n < 0) return fail();
  printf("%ju\n", static_cast<uintmax_t>(total));
  return 0;
}

int flip(const char* a, const char* b) {
  return in_background("flipping", [&] {
    for (;;) renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
  });
}

int open_and_say(const char* file, int flags) {
  if (open(file, flags | O_CLOEXEC) < 0) return fail();
  return say("open");
}

int await_fifo(const char* file) {
  return in_background("waiting", [&] {
    if (open(file, O_WRONLY | O_CLOEXEC) >= 0)
      close(open((std::string(file) + ".seen").c_str(), O_CREAT | O_CLOEXEC, 0600));
  });
}

int64_t nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1000000000 + time.tv_nsec;
}

int64_t clock_now(clockid_t clock) {
  timespec now = {};
  clock_gettime(clock, &now);
  return nanoseconds(now);
}

int fine_times(const char* file, const char* seconds) {
  constexpr int64_t kBetween = 1000000;
  int fd = open(file, O_RDWR | O_CLOEXEC);
  if (fd < 0) return fail();
  const int64_t end = clock_now(CLOCK_MONOTONIC) + atoi(seconds) * int64_t{1000000000};
  int count = 0;
  while (clock_now(CLOCK_MONOTONIC) < end) {
    int64_t tick = clock_now(CLOCK_REALTIME_COARSE);
    while (clock_now(CLOCK_REALTIME_COARSE) == tick) continue;
    tick = clock_now(CLOCK_REALTIME_COARSE);
    int64_t begin = clock_now(CLOCK_MONOTONIC);
    if (pwrite(fd, "x", 1, 0) != 1) return fail();
    while (clock_now(CLOCK_MONOTONIC) < begin + kBetween) continue;
    struct stat st = {};
    if (pwrite(fd, "x", 1, 0) != 1 || clock_now(CLOCK_REALTIME_COARSE) != tick) continue;
    if (fstat(fd, &st) == 0 && nanoseconds(st.st_ctim) > tick + kBetween / 2) ++count;
  }
  printf("%d\n", count);
  return 0;
}

int lock(const char* file, bool flock_wanted) {
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || take_lock(fd, flock_wanted, F_RDLCK) != 0) return fail();
  return say("locked");
}

bool opens(const char* file, int flags) { return open(file, flags | O_CLOEXEC, 0600) >= 0; }

bool binds(const char* file) {
  sockaddr_un name = address(file);
  return bind(socket(AF_UNIX, SOCK_STREAM, 0), reinterpret_cast<sockaddr*>(&name), sizeof name) ==
         0;
}

std::string beside(const char* file) { return std::string(file) + ".new"; }

// removexattr takes away what setxattr gave; link, symlink and rename make FILE.new.
const std::map<std::string, bool (*)(const char*)> kChanges = {
    {"write", [](const char* file) { return opens(file, O_WRONLY); }},
    {"append", [](const char* file) { return opens(file, O_RDWR | O_APPEND); }},
    {"open-truncate", [](const char* file) { return opens(file, O_RDONLY | O_TRUNC); }},
    {"create", [](const char* file) { return opens(file, O_RDWR | O_CREAT); }},
    {"nameless", [](const char* folder) { return opens(folder, O_RDWR | O_TMPFILE); }},
    {"bind", binds},
    {"mkdir", [](const char* file) { return mkdir(file, 0700) == 0; }},
    {"mkfifo", [](const char* file) { return mkfifo(file, 0600) == 0; }},
    {"unlink", [](const char* file) { return unlink(file) == 0; }},
    {"rmdir", [](const char* file) { return rmdir(file) == 0; }},
    {"link", [](const char* file) { return link(file, beside(file).c_str()) == 0; }},
    {"symlink", [](const char* file) { return symlink("x", beside(file).c_str()) == 0; }},
    {"rename", [](const char* file) { return rename(file, beside(file).c_str()) == 0; }},
    {"truncate", [](const char* file) { return truncate(file, 1) == 0; }},
    {"chmod", [](const char* file) { return chmod(file, 0640) == 0; }},
    {"chown", [](const char* file) { return chown(file, 1, 1) == 0; }},
    {"utimes", [](const char* file) { return utimensat(AT_FDCWD, file, nullptr, 0) == 0; }},
    {"setxattr", [](const char* file) { return setxattr(file, "user.a", "b", 1, 0) == 0; }},
    {"removexattr", [](const char* file) { return removexattr(file, "user.a") == 0; }},
};

int change(const std::string& act, const char* file) {
  auto known = kChanges.find(act);
  if (known == kChanges.end()) return 2;
  return known->second(file) ? say("done") : fail();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const std::string act = argv[1];
  const char* file = argv[2];
  if (act == "flock" || act == "lock") return lock(file, act == "flock");
  if (act == "hold-flock" || act == "hold-lock") return hold_lock(file, act == "hold-flock");
  if (act == "hold-open") {
    if (open(file, O_RDONLY | O_CLOEXEC) < 0) return fail();
    return in_background("held", [] { pause(); });
  }
  if (act == "lease") return lease(file);
  if (act == "watch" && argc == 5) return watch(file, argv[3], argv[4]);
  if (act == "resident") return resident(file);
  if (act == "drop") return drop(file);
  if (act == "write-fifo") return open_and_say(file, O_WRONLY | O_NONBLOCK);
  if (act == "read-fifo") return open_and_say(file, O_RDONLY | O_NONBLOCK);
  if (act == "await-fifo") return await_fifo(file);
  if (act == "listen") return listen_at(file);
  if (act == "connect") return connect_to(file);
  if (act == "map") return map(file);
  if (act == "sum") return sum(file);
  if (act == "flip" && argc == 4) return flip(file, argv[3]);
  if (act == "append-read") return open_and_say(file, O_RDONLY | O_APPEND);
  if (act == "fine-times" && argc == 4) return fine_times(file, argv[3]);
  if (act == "flood" && argc == 4) {
    for (int i = 0; i < atoi(file); ++i)
      if (mkdir(argv[3], 0700) == 0) rmdir(argv[3]);
    return fail();
  }
  if (act == "change" && argc == 4) return change(file, argv[3]);
  if (act == "atime") {
    struct stat st = {};
    if (stat(file, &st) != 0) return fail();
    printf("%jd.%09ld\n", static_cast<intmax_t>(st.st_atim.tv_sec), st.st_atim.tv_nsec);
    return 0;
  }
  return 2;
}
