// ETC/zoned.toml: what concerns the daemon as a whole.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "zoned/core/config_document.h"

namespace zoned {

struct Settings {
  uint32_t host_shares = 100;  // host-shares, 1..10000: weight of all zones together against the
                               // host's other work, in percent of one ordinary sibling's
  uint64_t host_reserve = 0;   // host-reserve: memory that zones leave to the host; 0: a sixteenth,
                               // at least 256M
  // audit-keep: files of the audit log that are kept beside the last one; 0: all.
  uint64_t audit_keep = 0;
  // downgrade-approval = "own" | "two-person": what goes down by zone copy waits for another user, of
  // the role security.
  bool two_person = false;
  // prepared, 0..64: namespaces that are kept ready for boots, with a link and without (prepared.h).
  uint32_t prepared = 4;
  bool operator==(const Settings&) const = default;
};

// Unknown keys are errors that name the nearest known one.
base::Result<Settings> settings_from_document(const core::ConfigDocument& document);

// Bytes that all zones together may use.
uint64_t memory_for_zones(const Settings& settings, uint64_t machine);

}  // namespace zoned
