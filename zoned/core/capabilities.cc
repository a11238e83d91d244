#include "zoned/core/capabilities.h"

#include <linux/capability.h>

#include <initializer_list>

namespace core {
namespace {

constexpr uint64_t mask(std::initializer_list<int> capabilities) {
  uint64_t bits = 0;
  for (int capability : capabilities) bits |= uint64_t{1} << capability;
  return bits;
}

constexpr uint64_t kJob = mask({CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL,
                                CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_SETFCAP, CAP_SYS_CHROOT});
constexpr uint64_t kApp = kJob | mask({CAP_NET_BIND_SERVICE, CAP_NET_RAW, CAP_AUDIT_WRITE});
constexpr uint64_t kNames =
    mask({CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW});
// Any file may be read, and asked what of it is in memory (mincore(2) wants an owner).
constexpr uint64_t kReader = mask({CAP_DAC_READ_SEARCH, CAP_FOWNER});
constexpr uint64_t kOs =
    kApp |
    mask({CAP_DAC_READ_SEARCH, CAP_LINUX_IMMUTABLE, CAP_NET_BROADCAST, CAP_NET_ADMIN, CAP_IPC_LOCK,
          CAP_IPC_OWNER, CAP_SYS_PTRACE, CAP_SYS_PACCT, CAP_SYS_ADMIN, CAP_SYS_BOOT, CAP_SYS_NICE,
          CAP_SYS_RESOURCE, CAP_SYS_TTY_CONFIG, CAP_MKNOD, CAP_LEASE, CAP_AUDIT_CONTROL});

}  // namespace

uint64_t capabilities_of(Profile profile) {
  switch (profile) {
    case Profile::kApp:
      return kApp;
    case Profile::kOs:
      return kOs;
    case Profile::kVmm:
      return 0;
    case Profile::kNames:
      return kNames;
    case Profile::kReader:
      return kReader;
    case Profile::kJob:
      break;
  }
  return kJob;
}

}  // namespace core
