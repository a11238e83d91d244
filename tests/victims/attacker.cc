// The attacker: runs inside a zone and tries one thing. Prints "reached" when it got what no zone may
// get, else "refused: <why>". Static, so that it runs in an empty tree.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

namespace {

using Args = std::vector<std::string>;

int reached() {
  std::puts("reached");
  return 0;
}
int refused(const std::string& why) {
  std::printf("refused: %s\n", why.c_str());
  return 0;
}
int verdict(bool got, const char* what) {
  return got ? reached() : refused(std::string(what) + ": " + std::strerror(errno));
}

std::string slurp(const std::string& path) {
  std::string text;
  int fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  char buffer[4096];
  ssize_t n = 0;
  while (fd >= 0 && text.size() < (1 << 20) && (n = read(fd, buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<size_t>(n));
  int saved = errno;
  if (fd >= 0) close(fd);
  errno = saved;
  return text;
}

// write FILE: makes a file; whom it belongs to is looked at from outside.
int make_file(const Args& a) {
  int fd = open(a[0].c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  return verdict(fd >= 0, "create");
}
int read_file(const Args& a) { return verdict(!slurp(a[0]).empty(), "read"); }
int open_write(const Args& a) {
  return verdict(open(a[0].c_str(), O_WRONLY | O_CLOEXEC) >= 0, "open for writing");
}
// read-at FD PATH, write-at FD PATH, make-at FD: below a folder that somebody left open.
int read_at(const Args& a) {
  int fd = openat(std::atoi(a[0].c_str()), a[1].c_str(), O_RDONLY | O_CLOEXEC);
  char byte = 0;
  return verdict(fd >= 0 && read(fd, &byte, 1) == 1, "openat");
}
// Of a FIFO both ends.
int write_at(const Args& a) {
  int fd = openat(std::atoi(a[0].c_str()), a[1].c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  return verdict(fd >= 0 && write(fd, "x", 1) == 1, "openat");
}
int make_at(const Args& a) {
  std::string name =
      "tmp/zoned-walls-made-" + std::to_string(getpid()) + std::to_string(time(nullptr));
  int folder = std::atoi(a[0].c_str());
  bool made = mkdirat(folder, name.c_str(), 0700) == 0;
  int why = errno;
  if (made) unlinkat(folder, name.c_str(), AT_REMOVEDIR);
  errno = why;
  return verdict(made, "mkdirat");
}
int make_folder(const Args& a) { return verdict(mkdir(a[0].c_str(), 0755) == 0, "mkdir"); }
int writable_mount(const Args& a) {
  struct statvfs fs = {};
  if (statvfs(a[0].c_str(), &fs) != 0) return refused("statvfs");
  errno = EROFS;
  return verdict((fs.f_flag & ST_RDONLY) == 0, "mount");
}
// see-pid PID: does the number mean anything here?
int see_pid(const Args& a) {
  return verdict(kill(std::atoi(a[0].c_str()), 0) == 0 || errno == EPERM, "kill 0");
}
int abstract_socket(const Args& a) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, a[0].data(), a[0].size());
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  socklen_t length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + a[0].size());
  return verdict(connect(fd, reinterpret_cast<sockaddr*>(&address), length) == 0, "connect");
}
int host_name(const Args& a) {
  utsname name = {};
  uname(&name);
  errno = EPERM;
  return verdict(a[0] == name.nodename, "another name");
}
int shared_memory(const Args& a) {
  return verdict(shmget(std::atoi(a[0].c_str()), 0, 0) >= 0, "shmget");
}
int cgroup_path(const Args&) {
  std::string text = slurp("/proc/self/cgroup");
  errno = EPERM;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    std::string line = text.substr(at, end - at);
    if (line.find("zoned-") != std::string::npos) return reached();
    at = end == std::string::npos ? text.size() : end + 1;
  }
  return refused("paths start at the zone");
}
// same-namespace KIND NUMBER: is ours the host's?
int same_namespace(const Args& a) {
  char link[64] = {};
  std::string path = "/proc/self/ns/" + a[0];
  if (readlink(path.c_str(), link, sizeof link - 1) < 0) return refused("readlink");
  errno = EPERM;
  return verdict(std::string(link) == a[1], "another namespace");
}
// Taking loopback down needs CAP_NET_ADMIN and nothing that the filter knows.
int net_admin(const Args&) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request = {};
  std::strcpy(request.ifr_name, "lo");
  return verdict(ioctl(fd, SIOCSIFFLAGS, &request) == 0, "interface down");
}
// Is there a network, if only with oneself?
int loopback(const Args&) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(9);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return verdict(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0,
                 "connect to loopback");
}
// setuid-exec FILE [ATTACK]: FILE is this program, owned by root, mode 4755; we are not root.
int setuid_exec(const Args& a) {
  if (geteuid() == 0) return refused("already root: bad test");
  execl(a[0].c_str(), "attacker", a.size() > 1 ? a[1].c_str() : "am-root", nullptr);
  return refused(std::string("exec: ") + std::strerror(errno));
}
int am_root(const Args&) {
  errno = EPERM;
  return verdict(geteuid() == 0, "not root");
}
// exec-script FILE: makes a script that runs us, and runs it.
int exec_script(const Args& a) {
  constexpr char kText[] = "#!/bin/attacker say-reached\n";
  int out = open(a[0].c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755);
  if (write(out, kText, sizeof kText - 1) < 0) return refused("no script: bad test");
  close(out);
  execl(a[0].c_str(), a[0].c_str(), nullptr);
  return refused(std::string("exec: ") + std::strerror(errno));
}
int say_reached(const Args&) { return reached(); }

// --- system calls --------------------------------------------------------------------------------

int keyring(const Args&) {
  return verdict(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, -3, 1) >= 0, "keyctl");
}
int io_uring(const Args&) {
  char parameters[256] = {};
  long fd = syscall(SYS_io_uring_setup, 4, parameters);
  return verdict(fd >= 0, "io_uring_setup");
}
int packet_socket(const Args&) {
  return verdict(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0, "socket AF_PACKET");
}
// The high bits of an int argument do not count for the kernel: they must not fool the filter.
int packet_socket_high(const Args&) {
  return verdict(syscall(SYS_socket, 0xffffffff00000000UL | AF_PACKET, SOCK_RAW, 0) >= 0,
                 "socket AF_PACKET with high bits");
}
int xfrm_socket(const Args&) {
  return verdict(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 6) >= 0, "socket NETLINK_XFRM");
}
int new_user_namespace(const Args&) {
  pid_t pid = fork();
  if (pid == 0) _exit(unshare(CLONE_NEWUSER) == 0 ? 0 : errno);
  int status = 0;
  waitpid(pid, &status, 0);
  errno = WEXITSTATUS(status);
  return verdict(status == 0, "unshare");
}
int inject_input(const Args&) {
  int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
  if (tty < 0) tty = 0;
  char c = 'x';
  if (syscall(SYS_ioctl, tty, 0xffffffff00000000UL | TIOCSTI, &c) == 0) return reached();
  return verdict(ioctl(tty, TIOCSTI, &c) == 0, "TIOCSTI");
}

int offer_memory(int advice, bool whole_process) {
  constexpr size_t kBytes = 1 << 20;
  void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (!whole_process) return madvise(memory, kBytes, advice);
  int self = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
  iovec range = {memory, kBytes};
  return static_cast<int>(syscall(SYS_process_madvise, self, &range, 1, advice, 0));
}
int merge_pages(const Args&) {
  return verdict(offer_memory(MADV_MERGEABLE, false) == 0, "madvise MADV_MERGEABLE");
}
int merge_pages_by_process(const Args&) {
  return verdict(offer_memory(MADV_MERGEABLE, true) > 0, "process_madvise MADV_MERGEABLE");
}
int merge_everything(const Args&) {
  constexpr int kSetMemoryMerge = 67;
  return verdict(prctl(kSetMemoryMerge, 1, 0, 0, 0) == 0, "PR_SET_MEMORY_MERGE");
}

// --- descriptors, limits, mounts -----------------------------------------------------------------

// census [FIRST]
int census(const Args& a) {
  for (int fd = a.empty() ? 3 : std::atoi(a[0].c_str()); fd < 4096; ++fd) {
    if (fcntl(fd, F_GETFD) < 0) continue;
    char target[256] = {};
    std::string path = "/proc/self/fd/" + std::to_string(fd);
    if (readlink(path.c_str(), target, sizeof target - 1) < 0) target[0] = '?';
    std::fprintf(stderr, "descriptor %d is %s\n", fd, target);
    return reached();
  }
  errno = EBADF;
  return refused("no descriptor but the standard ones");
}
int open_many(const Args& a) {
  int want = std::atoi(a[0].c_str());
  rlimit64 limit = {static_cast<rlim64_t>(want) + 8, static_cast<rlim64_t>(want) + 8};
  syscall(SYS_prlimit64, 0, 7 /* RLIMIT_NOFILE */, &limit, nullptr);
  for (int i = 0; i < want; ++i)
    if (fcntl(0, F_DUPFD, 3) < 0) return refused(std::string("dup: ") + std::strerror(errno));
  return reached();
}
int fork_many(const Args& a) {
  int want = std::atoi(a[0].c_str());
  for (int i = 0; i < want; ++i) {
    pid_t pid = fork();
    if (pid < 0) return refused(std::string("fork: ") + std::strerror(errno));
    if (pid == 0) pause();
  }
  return reached();
}
// unmask FILE: takes the mask off, then reads what was under it.
int unmask(const Args& a) {
  while (umount2(a[0].c_str(), MNT_DETACH) == 0) {
  }
  int why = errno;
  mount(nullptr, a[0].c_str(), nullptr, MS_REMOUNT | MS_BIND, nullptr);
  bool got = !slurp(a[0]).empty();
  errno = why;
  return verdict(got, "unmount");
}
// unmask-write FOLDER: takes the read-only cover off, by unmounting and by remounting.
int unmask_write(const Args& a) {
  umount2(a[0].c_str(), MNT_DETACH);
  int why = errno;
  mount(nullptr, a[0].c_str(), nullptr, MS_REMOUNT | MS_BIND, nullptr);
  struct statvfs fs = {};
  if (statvfs(a[0].c_str(), &fs) != 0) return refused("statvfs");
  errno = why;
  return verdict((fs.f_flag & ST_RDONLY) == 0, "unmount and remount");
}
int overwrite_init(const Args&) {
  int fd = open("/proc/1/exe", O_WRONLY | O_CLOEXEC);
  if (fd < 0 && errno == ETXTBSY) return refused("text busy");
  return verdict(fd >= 0, "open /proc/1/exe");
}

// --- in the place of a VMM -----------------------------------------------------------------------

// see-thread PID: tgkill(2) is what a VMM may call.
int see_thread(const Args& a) {
  int pid = std::atoi(a[0].c_str());
  return verdict(syscall(SYS_tgkill, pid, pid, 0) == 0 || errno == EPERM, "tgkill 0");
}
int signal_thread(const Args& a) {
  int pid = std::atoi(a[0].c_str());
  return verdict(syscall(SYS_tgkill, pid, pid, 0) == 0, "tgkill 0");
}
// late-read FILE: once the guest runs, which is when a byte comes.
int late_read(const Args& a) {
  std::puts("ready");
  char byte = 0;
  if (read(1, &byte, 1) != 1) return refused("nobody says when: bad test");
  return read_file(a);
}
int tap_persist(const Args& a) {
  return verdict(ioctl(std::atoi(a[0].c_str()), TUNSETPERSIST, 0) == 0, "TUNSETPERSIST");
}
int foreign_entry(const Args&) {
  constexpr int kGetpid = 20;  // of i386
  long result = 0;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(kGetpid) : "memory", "r8", "r9", "r10", "r11");
  errno = ENOSYS;
  return verdict(result > 0, "int 0x80");
}
// Any answer but a refusal comes from an IP stack.
int tcp_connect(const Args&) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(9);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int result = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
  return verdict(fd >= 0 && (result == 0 || errno != EACCES), "connect");
}
int fork_once(const Args&) {
  pid_t pid = fork();
  if (pid == 0) _exit(0);
  return verdict(pid > 0, "fork");
}
// run FILE ARGS: another program of the host, which says the word.
int run_program(const Args& a) {
  std::vector<char*> argv;
  for (const std::string& arg : a) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  return verdict(false, "exec");
}
int eat_memory(const Args& a) {
  size_t size = std::strtoull(a[0].c_str(), nullptr, 10);
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return verdict(false, "mmap");
  std::memset(memory, 1, size);
  return reached();
}
int many_threads(const Args& a) {
  std::vector<pthread_t> threads(std::strtoul(a[0].c_str(), nullptr, 10));
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 64 << 10);
  auto wait = [](void*) -> void* {
    while (true) poll(nullptr, 0, -1);
    return nullptr;
  };
  for (pthread_t& thread : threads)
    if (errno = pthread_create(&thread, &small, wait, nullptr); errno != 0)
      return verdict(false, "thread");
  return reached();
}

struct Attack {
  const char* name;
  int (*run)(const Args&);
};
constexpr Attack kAttacks[] = {
    {"create", make_file},
    {"read", read_file},
    {"open-write", open_write},
    {"read-at", read_at},
    {"write-at", write_at},
    {"make-at", make_at},
    {"mkdir", make_folder},
    {"writable", writable_mount},
    {"see-pid", see_pid},
    {"abstract", abstract_socket},
    {"host-name", host_name},
    {"shm", shared_memory},
    {"cgroup-path", cgroup_path},
    {"same-ns", same_namespace},
    {"net-admin", net_admin},
    {"loopback", loopback},
    {"setuid-exec", setuid_exec},
    {"am-root", am_root},
    {"exec-script", exec_script},
    {"say-reached", say_reached},
    {"keyring", keyring},
    {"io-uring", io_uring},
    {"packet", packet_socket},
    {"packet-high", packet_socket_high},
    {"xfrm", xfrm_socket},
    {"userns", new_user_namespace},
    {"merge", merge_pages},
    {"merge-process", merge_pages_by_process},
    {"merge-all", merge_everything},
    {"inject", inject_input},
    {"census", census},
    {"open-many", open_many},
    {"fork-many", fork_many},
    {"unmask-write", unmask_write},
    {"unmask", unmask},
    {"overwrite-init", overwrite_init},
    {"see-thread", see_thread},
    {"signal-thread", signal_thread},
    {"late-read", late_read},
    {"tap-persist", tap_persist},
    {"foreign-entry", foreign_entry},
    {"tcp", tcp_connect},
    {"fork", fork_once},
    {"run", run_program},
    {"eat", eat_memory},
    {"threads", many_threads},
};

}  // namespace

int main(int argc, char** argv) {
  setvbuf(stdout, nullptr, _IONBF, 0);
  for (const Attack& attack : kAttacks)
    if (argc > 1 && std::string(argv[1]) == attack.name)
      return attack.run(Args(argv + 2, argv + argc));
  std::fprintf(stderr, "attacker: unknown attack\n");
  return 2;
}
