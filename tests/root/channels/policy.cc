#include "tests/root/channels/policy.h"

namespace channels {

const std::vector<TestLabel>& test_labels() {
  static const std::vector<TestLabel> kLabels = {{"PUBLIC", "P", 1, 0},
                                                 {"INTERNAL", "I", 2, 0},
                                                 {"SECRET A", "A", 4, 1},
                                                 {"SECRET B", "B", 4, 2},
                                                 {"SECRET A B", "C", 4, 3}};
  return kLabels;
}

bool dominates(const TestLabel& a, const TestLabel& b) {
  return a.level >= b.level && (a.words & b.words) == b.words;
}

std::string encodings_text() {
  return R"(VERSION= LABELS OF THE CHANNEL TEST

CLASSIFICATIONS:
name= PUBLIC; sname= P; value= 1;
name= INTERNAL; sname= I; value= 2;
name= SECRET; sname= S; value= 4;

INFORMATION LABELS:
WORDS:
name= A; compartments= 1;
name= B; compartments= 2;
REQUIRED COMBINATIONS:
COMBINATION CONSTRAINTS:

SENSITIVITY LABELS:
WORDS:
name= A; compartments= 1;
name= B; compartments= 2;
REQUIRED COMBINATIONS:
COMBINATION CONSTRAINTS:

CLEARANCES:
WORDS:
name= A; compartments= 1;
name= B; compartments= 2;
REQUIRED COMBINATIONS:
COMBINATION CONSTRAINTS:

CHANNELS:
WORDS:

PRINTER BANNERS:
WORDS:

ACCREDITATION RANGE:
classification= PUBLIC; all compartment combinations valid;
classification= INTERNAL; all compartment combinations valid;
classification= SECRET; all compartment combinations valid;
minimum clearance= PUBLIC;
minimum sensitivity label= PUBLIC;
minimum protect as classification= PUBLIC;
)";
}

const std::vector<Expected>& expected() {
  using enum Reach;
  static const std::vector<Expected> kExpected = {
      {"files", kReadDown, kSameZone},
      {"file-names", kReadDown, kSameZone},
      {"FIFOs", kSameZone, kSameZone},
      {"path-sockets", kSameZone, kSameZone},
      {"file-locks", kSameZone, kSameZone},
      {"device-locks", kSameZone, kSameZone},
      {"lock-list", kNowhere, kSameZone},
      {"file-notices", kSameZone, kSameZone},
      {"page-cache", kSameZone, kNowhere},  // guests run on a tmpfs, which is all memory
      {"SysV-shared-memory", kSameZone, kSameZone},
      {"SysV-messages", kSameZone, kSameZone},
      {"POSIX-shared-memory", kSameZone, kSameZone},
      {"POSIX-messages", kSameZone, kSameZone},
      {"keyrings", kNowhere, kSameZone},
      {"/proc", kSameZone, kSameZone},
      {"signals", kSameZone, kSameZone},
      {"host-name", kSameZone, kSameZone},
      {"kernel-log", kNowhere, kSameZone},
      {"uevents", kSameZone, kSameZone},
      {"abstract-sockets", kSameZone, kSameZone},
      {"vsock", kNowhere, kNowhere},
      {"loopback", kSameZone, kSameZone},
      {"UDP", kEqual, kEqual},
      {"TCP", kEqual, kEqual},
      {"ICMP", kEqual, kEqual},
      {"broadcast", kEqual, kEqual},
      {"mDNS", kEqual, kEqual},
      {"ARP", kEqual, kEqual},
      {"frames", kSameZone, kSameZone},
  };
  return kExpected;
}

}  // namespace channels
