// The inherited descriptors: ioctl(2) by every value of their kinds, fcntl(2), sizes and places.
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/kd.h>
#include <linux/sockios.h>
#include <linux/tiocl.h>
#include <net/if_arp.h>
#include <scsi/sg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <csignal>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "tests/victims/evilvmm/attempts.h"

namespace evil {
namespace {

// What a request reads; large enough for what it writes.
struct Argument {
  alignas(16) char bytes[4096] = {};
};

constexpr int kHeader = 12;  // sizeof(virtio_net_hdr_mrg_rxbuf)

struct Request {
  const char* name;
  unsigned long value;
  std::function<void(Argument*)> fill = {};
  bool by_value = false;  // the argument is the number itself
  long number = 0;
};

auto number(int value) {
  return [value](Argument* argument) { std::memcpy(argument->bytes, &value, sizeof value); };
}
auto interface(short flags) {
  return [flags](Argument* argument) {
    ifreq request = {};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = flags;
    std::memcpy(argument->bytes, &request, sizeof request);
  };
}
void socket_filter(Argument* argument) {
  static sock_filter pass[] = {BPF_STMT(BPF_RET | BPF_K, 0xffffffff)};
  sock_fprog program = {1, pass};
  std::memcpy(argument->bytes, &program, sizeof program);
}
void hardware_address(Argument* argument) {
  ifreq request = {};
  request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  const unsigned char mac[] = {2, 0, 0, 0, 0, 0x66};
  std::memcpy(request.ifr_hwaddr.sa_data, mac, sizeof mac);
  std::memcpy(argument->bytes, &request, sizeof request);
}
void no_filters(Argument*) {}
void whole_file(Argument* argument) {
  fiemap map = {};
  map.fm_length = ~uint64_t{0};
  std::memcpy(argument->bytes, &map, sizeof map);
}

std::vector<Request> tap_requests() {
  return {
      {"TUNGETIFF", TUNGETIFF},
      {"TUNGETFEATURES", TUNGETFEATURES},
      {"TUNSETOFFLOAD", TUNSETOFFLOAD, {}, true, 0},
      {"TUNSETVNETHDRSZ", TUNSETVNETHDRSZ, number(kHeader)},
      {"TUNGETVNETHDRSZ", TUNGETVNETHDRSZ},
      {"TUNSETVNETLE", TUNSETVNETLE, number(1)},
      {"TUNGETVNETLE", TUNGETVNETLE},
      {"TUNSETVNETBE", TUNSETVNETBE, number(0)},
      {"TUNSETSNDBUF", TUNSETSNDBUF, number(1 << 20)},
      {"TUNGETSNDBUF", TUNGETSNDBUF},
      {"TUNSETPERSIST", TUNSETPERSIST, {}, true, 0},
      {"TUNSETOWNER", TUNSETOWNER, {}, true, 0},
      {"TUNSETGROUP", TUNSETGROUP, {}, true, 0},
      {"TUNSETNOCSUM", TUNSETNOCSUM, {}, true, 0},
      {"TUNSETCARRIER", TUNSETCARRIER, number(1)},
      {"TUNSETTXFILTER", TUNSETTXFILTER, no_filters},
      {"TUNATTACHFILTER", TUNATTACHFILTER, socket_filter},
      {"TUNGETFILTER", TUNGETFILTER},
      {"TUNDETACHFILTER", TUNDETACHFILTER, socket_filter},
      {"TUNSETSTEERINGEBPF", TUNSETSTEERINGEBPF, number(-1)},
      {"TUNSETFILTEREBPF", TUNSETFILTEREBPF, number(-1)},
      {"TUNGETDEVNETNS", TUNGETDEVNETNS, {}, true, 0},
      {"TUNSETIFF", TUNSETIFF, interface(IFF_TAP)},
      {"TUNSETLINK", TUNSETLINK, {}, true, ARPHRD_ETHER},
      {"TUNSETQUEUE", TUNSETQUEUE, interface(IFF_DETACH_QUEUE)},
      {"SIOCGIFHWADDR", SIOCGIFHWADDR},
      {"SIOCSIFHWADDR", SIOCSIFHWADDR, hardware_address},
  };
}

std::vector<Request> socket_requests() {
  return {
      {"FIONBIO", FIONBIO, number(0)},
      {"FIONREAD", FIONREAD},
      {"FIOASYNC", FIOASYNC, number(0)},
      {"SIOCATMARK", SIOCATMARK},
      {"SIOCOUTQ", SIOCOUTQ},
      {"SIOCGIFCONF", SIOCGIFCONF},
      {"SIOCGIFINDEX", SIOCGIFINDEX, interface(0)},
      {"SIOCGIFFLAGS", SIOCGIFFLAGS, interface(0)},
      {"SIOCSIFFLAGS", SIOCSIFFLAGS, interface(IFF_UP)},
      {"SIOCGIFADDR", SIOCGIFADDR, interface(0)},
      {"SIOCGIFHWADDR", SIOCGIFHWADDR, interface(0)},
      {"SIOCGIFMTU", SIOCGIFMTU, interface(0)},
      {"SIOCGSKNS", SIOCGSKNS, {}, true, 0},
      {"SIOCUNIXFILE", SIOCPROTOPRIVATE, {}, true, 0},
      {"FIOSETOWN", FIOSETOWN, number(0)},
      {"FIOGETOWN", FIOGETOWN},
      {"TIOCSTI", TIOCSTI},
      {"TIOCLINUX", TIOCLINUX},
      {"TIOCSCTTY", TIOCSCTTY, {}, true, 0},
      {"TCGETS", TCGETS},
  };
}

// FIFREEZE and FITRIM would stop the host's file system: not even as the control.
std::vector<Request> file_requests() {
  return {
      {"FIGETBSZ", FIGETBSZ},
      {"FIBMAP", FIBMAP, number(0)},
      {"FS_IOC_FIEMAP", FS_IOC_FIEMAP, whole_file},
      {"FS_IOC_GETFLAGS", FS_IOC_GETFLAGS},
      {"FS_IOC_SETFLAGS", FS_IOC_SETFLAGS, number(FS_NODUMP_FL | FS_EXTENT_FL)},
      {"FS_IOC_FSGETXATTR", FS_IOC_FSGETXATTR},
      {"FS_IOC_GETVERSION", FS_IOC_GETVERSION},
      {"FIOQSIZE", FIOQSIZE},
      {"FICLONE", FICLONE, {}, true, -1},
      {"BLKGETSIZE64", BLKGETSIZE64},
      {"BLKDISCARD", BLKDISCARD},
      {"SG_IO", SG_IO},
      {"FIOASYNC", FIOASYNC, number(0)},
      {"TCGETS", TCGETS},
      {"KDSETMODE", KDSETMODE, {}, true, 0},
  };
}

Result ask(int fd, const Request& request) {
  Argument argument;
  if (request.fill) request.fill(&argument);
  long result = request.by_value ? ioctl(fd, request.value, request.number)
                                 : ioctl(fd, request.value, argument.bytes);
  return verdict(result >= 0);
}

void add_requests(const char* fd_name, int fd, const std::vector<Request>& requests,
                  Attempts* out) {
  for (const Request& request : requests)
    out->push_back({std::string("ioctl ") + request.name + ": " + fd_name, "",
                    [fd, request](const Target&) { return ask(fd, request); }});
}

void add_locks(int disk, Attempts* out) {
  auto add = [out](const char* name, auto run) {
    out->push_back({name, "", [run](const Target& t) { return run(t); }});
  };
  add("fcntl F_OFD_SETLK: disk", [disk](const Target&) {
    struct flock lock = {F_WRLCK, SEEK_SET, 0, 0, 0};
    return verdict(fcntl(disk, F_OFD_SETLK, &lock) == 0);
  });
  add("fcntl F_GETLK: disk", [disk](const Target&) {
    struct flock lock = {F_WRLCK, SEEK_SET, 0, 0, 0};
    return verdict(fcntl(disk, F_GETLK, &lock) == 0);
  });
  add("fcntl F_SETLEASE: disk", [disk](const Target&) {
    Result result = verdict(fcntl(disk, F_SETLEASE, F_WRLCK) == 0);
    fcntl(disk, F_SETLEASE, F_UNLCK);
    return result;
  });
  add("fcntl F_SETFL O_NONBLOCK: disk", [disk](const Target&) {
    return verdict(fcntl(disk, F_SETFL, fcntl(disk, F_GETFL) | O_NONBLOCK) == 0);
  });
  add("fcntl F_SETFL O_NOATIME: disk", [disk](const Target&) {
    return verdict(fcntl(disk, F_SETFL, fcntl(disk, F_GETFL) | O_NOATIME) == 0);
  });
  add("fcntl F_SETOWN: a process of the host",
      [disk](const Target& t) { return verdict(fcntl(disk, F_SETOWN, t.number("victim")) == 0); });
  add("flock: disk", [disk](const Target&) { return verdict(syscall(SYS_flock, disk, 2) == 0); });
}

void add_sizes(int disk, Attempts* out) {
  constexpr off_t kFar = 1 << 30;
  auto add = [out](const char* name, auto run) {
    out->push_back({name, "", [run](const Target&) { return run(); }});
  };
  // The disk is given its size back: whoever comes next shall find it as it was.
  auto grown = [disk](auto grow) {
    signal(SIGXFSZ, SIG_IGN);
    struct stat st = {};
    if (fstat(disk, &st) != 0 || !grow()) return verdict(false);
    return verdict(ftruncate(disk, st.st_size) == 0);
  };
  add("pwrite64: past the disk's end",
      [=] { return grown([disk] { return pwrite(disk, "x", 1, kFar) == 1; }); });
  add("fallocate: past the disk's end",
      [=] { return grown([disk] { return fallocate(disk, 0, kFar, 4096) == 0; }); });
  add("ftruncate: disk", [disk] {
    struct stat st = {};
    return verdict(fstat(disk, &st) == 0 && ftruncate(disk, st.st_size) == 0);
  });
  add("fstat: the disk's inode on the host", [disk] {
    struct stat st = {};
    return verdict(fstat(disk, &st) == 0 && st.st_ino != 0);
  });
  add("mmap: disk, shared and writable", [disk] {
    void* at = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, disk, 0);
    return verdict(at != MAP_FAILED);
  });
  add("fchmod: disk", [disk] { return verdict(fchmod(disk, 0600) == 0); });
  add("fchown: disk", [disk] { return verdict(fchown(disk, 0, 0) == 0); });
  add("openat: below the disk's descriptor",
      [disk] { return past_privilege(openat(disk, "x", O_RDONLY | O_CLOEXEC), ENOTDIR); });
}

}  // namespace

void add_descriptors(const Target& target, Attempts* attempts) {
  int disk = target.fds.at("disk0");
  add_requests("tap", target.fds.at("tap0"), tap_requests(), attempts);
  add_requests("console", target.fds.at("console"), socket_requests(), attempts);
  add_requests("QMP", target.fds.at("qmp"), socket_requests(), attempts);
  add_requests("disk", disk, file_requests(), attempts);
  add_locks(disk, attempts);
  add_sizes(disk, attempts);
}

}  // namespace evil
