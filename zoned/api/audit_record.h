// Records of the audit log: one line of JSON each, in files LIB/audit/audit.NNNNNN.log of mode 0600,
// numbered from 1. Every record holds the SHA-256 of the line before it ("prev"), over all files, so
// that a record can't be changed, taken out or put in unnoticed (zoned/api/audit_check.h).
//
// A line begins {"seq":N,"prev":"HASH","time":"T","kind":"K" and goes on with what the kind has:
//   decision  uid, pid, clearance, clearance_name, method, verb, zone, label, label_name, allowed,
//             reason, config (SHA-256 of the zone's configuration), given (of the call's parameters)
//             uid 0 and the pid of zoned: of its own accord, or what it was told that a zone tried
//             (zoned/daemon/attempts.h)
//   failed    uid, method, zone, reason: what was allowed was not done, or not whole
//   start, stop  of zoned
//   left-out  uid, act, count: refusals or looks above a rate, not told one by one
//   unwritten halts, refused: what could not be recorded, counted
//   torn      bytes, sha256: of the incomplete line before, which a crash or a full disk left
//   rotated   the last of its file
//   pruned    file, last, hash: a file that was removed and its last record
//   accepted  uid, fault, folder: a damaged log was moved into that folder; this is a new chain
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/result.h"

namespace api {

// Longer lines are no records; those that are written are far shorter.
inline constexpr size_t kMaxAuditLine = 16384;
inline constexpr size_t kHashDigits = 64;

// A place in the chain: the number of a record and the hash of its line.
struct AuditHead {
  uint64_t seq = 0;  // 0: before the first record
  std::string hash = std::string(kHashDigits, '0');

  // "123:9f86...", as in journals and on the command line.
  std::string text() const { return std::to_string(seq) + ":" + hash; }
  static base::Result<AuditHead> parse(std::string_view text);
  bool operator==(const AuditHead&) const = default;
};

// The line (without newline) of the record that follows `before`. members: what the kind has.
// time: CLOCK_REALTIME, nanoseconds.
std::string audit_line(const AuditHead& before, int64_t time, std::string_view kind,
                       const nlohmann::ordered_json& members);
// The head after that line.
AuditHead head_after(const AuditHead& before, std::string_view line);

// What every record begins with.
struct AuditPrefix {
  uint64_t seq = 0;
  std::string_view prev;
  std::string_view time;  // "2026-01-31T12:00:00.123456789Z"
  std::string_view kind;
};
// Views into the line. Nothing when it does not begin as records do; the rest is not looked at.
std::optional<AuditPrefix> audit_prefix(std::string_view line);

// "audit.000012.log"
std::string audit_file_name(uint64_t number);
// Its number; nothing for other names.
std::optional<uint64_t> audit_file_number(std::string_view name);

}  // namespace api
