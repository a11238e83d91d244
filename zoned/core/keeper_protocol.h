// What zoned and zone-keeper say to each other: JSON objects over a SOCK_SEQPACKET unix socket, one
// per message, descriptors attached. Requests carry "id"; the reply carries the same "id". Events
// carry "event" and no id. At most kMaxKeeperMessage bytes each.
//
//   request                                  reply (or {"id", "error": {code, message, hint, errno}})
//   {op: "hello", after}                     {pid, version, zones: [ZoneRecord], more}: in the order of
//                                               names, those behind `after` (absent: all); more: ask
//                                               again with the last name; version: kKeeperProtocol
//   {op: "launch", plan, logged,            {pid, start_time} when the first process has exec'd;
//     fds: [names]}  + those descriptors       + descriptors: if logged a duplicate of the log pipe
//                                               (kLog), of the pty's master (kConsole) or of
//                                               the serial line (kSerial); without
//                                               logged a status pipe (kClient), or a status pipe and
//                                               the pty's master, which is the caller's (kConsole)
//       needed names: the sources of kRoot, kOverlay and kTree mounts, each a detached mount made by
//       clone_tree() (mounts.h) in zoned's own mount namespace; "cgroup" (v2 payload folder, if any),
//       "procs0".. (v1 tasks), "filter" (seccomp_filter.h), ExecPlan::descriptor unless it is "init" (the keeper has that one),
//       "stdin"/"stdout"/"stderr" for kClient, those of kept_fds but taps ("tap0"..) and "console"; made
//       ahead by "prepare": "user" and "net", whose link is not among the plan's ports, since zoned sees to
//       it; "go": with ports, a pipe that says "g" when all have their rules
//   {op: "enter", plan, fds: [names]}        {pid} + status pipe read end; with tty also the pty
//       names: "cgroup" (v2 exec leaf, if any), "procs0".., "filter", "stdin", "stdout", "stderr"
//   {op: "mount", zone, boot_id}             {}   + a descriptor of /dev/fuse, whose file system is mounted
//                                               at kReadDownFolder of the zone (launcher.h)
//   {op: "prepare", range_base, link}       {}   + a user namespace that has the range, and a network
//                                               namespace of it; with a link, unless "" (preparer.h)
//   {op: "signal", zone, signal}             {}   to the zone's first process, by what we parent
//   {op: "console", zone}                    {}   + one end of a stream socket: the zone's console
//   {op: "hang-up", zone}                    {}   clients of its console are cut off: the next zone of
//                                               that name is another
//   {op: "output", zone}                     {}   + a duplicate of what launch gave, for a zoned that
//                                               has lost it
//   {op: "narrow", zone}                     {}   start-only calls of its filter fail from now on
//   {op: "adopt", record, fds: [names]}      {}   a zone of a dead keeper: "pidfd", "output"
//   {op: "forget", zone}                     {}   the end has been recorded: drop the record
//   {op: "reexec", binary}                   {}   replace the program in place; zones stay children
//   {op: "quit"}                             {}   refused (busy) while zones run
//
//   event
//   {event: "exited", zone, boot_id, status: {kind: "exit"|"signal"|"unknown", value}}
//
// A status pipe delivers one line, then EOF: "exit N", "signal N" or "unknown". EOF without a line:
// the keeper died first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"

namespace core {

inline constexpr size_t kMaxKeeperMessage = 256 * 1024;
// Of requests and what is meant by them. zoned has keepers with a lower one replace their program before
// it asks for anything else. 2: "go", "prepare".
inline constexpr int kKeeperProtocol = 2;

struct ExitStatus {
  enum class Kind { kExit, kSignal, kUnknown };
  Kind kind = Kind::kUnknown;
  int value = 0;  // exit code 0..255 or signal number
  bool operator==(const ExitStatus&) const = default;
};

// A zone as the keeper knows it.
struct ZoneRecord {
  std::string zone;
  std::string boot_id;
  int32_t pid = 0;          // host pid of the first process
  uint64_t start_time = 0;  // clock ticks since boot: with pid, an identity
  bool console = false;     // output is a pty
  bool logged = false;      // false: its output is somebody's, who waits for the status
  uint64_t log_size = 1 << 20;
  bool exited = false;
  ExitStatus status;
};

// The text of a message. Bytes that are not UTF-8 (names in a hostile tree) are replaced.
std::string to_text(const nlohmann::json& message);

std::string to_line(const ExitStatus& status);  // "exit 0"
base::Result<ExitStatus> exit_status_from_line(const std::string& line);
nlohmann::json to_json(const ZoneRecord& record);
base::Result<ZoneRecord> zone_record_from_json(const nlohmann::json& value);
nlohmann::json error_to_json(const base::Error& error);
base::Error error_from_json(const nlohmann::json& value);

}  // namespace core
