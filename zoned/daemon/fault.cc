#include "zoned/daemon/fault.h"

#ifdef ZONED_FAULTS

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/strings.h"

namespace zoned {
namespace {

struct Fault {
  std::string name;
  bool kill = false;
  int error = 0;
  uint64_t from = 1;
  uint64_t passed = 0;
};

int errno_of(std::string_view name) {
  constexpr int kLargest = 133;
  for (int number = 1; number <= kLargest; ++number) {
    const char* known = strerrorname_np(number);
    if (known != nullptr && name == known) return number;
  }
  return 0;
}

[[noreturn]] void die(std::string_view why) {
  std::string line = "zoned: fault point: " + std::string(why) + "\n";
  if (write(2, line.data(), line.size()) < 0) _exit(3);
  _exit(2);
}

Fault read_fault() {
  Fault fault;
  const char* text = getenv("ZONED_FAULT");
  if (text == nullptr || *text == '\0') return fault;
  auto sides = base::split(text, '=');
  if (sides.size() != 2) die("ZONED_FAULT is not NAME=kill[:N] or NAME=errno:E[:N]");
  fault.name = sides[0];
  auto parts = base::split(sides[1], ':');
  size_t used = 1;
  if (parts[0] == "kill") {
    fault.kill = true;
  } else if (parts[0] == "errno" && parts.size() >= 2) {
    fault.error = errno_of(parts[1]);
    used = 2;
  }
  if (!fault.kill && fault.error == 0) die("unknown action in ZONED_FAULT");
  if (parts.size() > used) {
    auto from = base::parse_uint(parts[used], 1, UINT32_MAX);
    if (!from) die("bad count in ZONED_FAULT");
    fault.from = *from;
  }
  if (std::find(kFaultPoints.begin(), kFaultPoints.end(), fault.name) == kFaultPoints.end())
    die("no such point as in ZONED_FAULT");
  return fault;
}

}  // namespace

base::Status fault_point(std::string_view name) {
  static Fault fault = read_fault();
  if (std::find(kFaultPoints.begin(), kFaultPoints.end(), name) == kFaultPoints.end()) die(name);
  if (fault.name != name || ++fault.passed < fault.from) return {};
  if (fault.kill) kill(getpid(), SIGKILL);
  return base::sys_error("fault point " + fault.name, fault.error);
}

}  // namespace zoned

#endif
