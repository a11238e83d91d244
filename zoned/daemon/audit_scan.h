// What lies in LIB/audit when zoned starts: the numbered files, and `head`, the last record that was on
// disk, written after every sync. A line that a crash cut off is honest; records that the head knows and
// the files do not hold are not.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/api/audit_record.h"

namespace zoned {

inline constexpr const char* kAuditHeadName = "head";

struct AuditScan {
  std::vector<uint64_t> files;          // numbers, ascending
  std::optional<api::AuditHead> noted;  // what `head` says; nothing: there is none
  api::AuditHead end;                   // after the last record
  std::string torn;                     // the incomplete last line
  std::string fault;                    // "audit.000001.log:12: record 12 was changed"; empty: none
};

// Looks at the last two files: `zone audit verify` looks at all. Errors are those of the disk.
base::Result<AuditScan> scan_audit(int dir);
// Numbers of the files, ascending, whatever they are.
base::Result<std::vector<uint64_t>> list_audit_files(int dir);
// The name in the folder `at` leads to what is open; no link is followed.
bool leads_to(int at, const std::string& name, int open);
// For reading; never waits. kState for what is no regular file.
base::Result<base::UniqueFd> open_audit_file(int dir, const std::string& name);

// Of one width, so that it is overwritten in place, within one sector.
std::string audit_head_text(const api::AuditHead& head);

// The place in the chain that a whole file ends with.
base::Result<api::AuditHead> end_of_audit_file(int dir, uint64_t number);

}  // namespace zoned
