// What is to be done about each zone of a keeper after one of us two came back: a pure decision, and
// its execution. A second recovery finds nothing to do.
//
//   our record   keeper knows the boot   process lives   action
//   yes          running                 -               keep
//   yes          ended                   -               finish with the status that it remembered
//   yes, pid     no                      yes             adopt: the keeper is a new one
//   yes, pid     no                      no              finish, status unknown
//   yes, no pid  no                      -               undo: killed in the middle of a boot
//   no           ended                   -               forget
//   no           running                 -               kill (its cgroup has no record: swept)
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "zoned/core/keeper_protocol.h"
#include "zoned/daemon/state.h"

namespace zoned {

struct RecoveryAction {
  enum class Kind { kKeep, kFinish, kAdopt, kUndo, kForget, kKill };
  Kind kind = Kind::kKeep;
  std::string zone;
  core::ExitStatus status;  // kFinish
  int32_t pid = 0;          // kKeep
  uint64_t start_time = 0;  // kKeep
  bool operator==(const RecoveryAction&) const = default;
};

// records: ours that name this keeper. known: what the keeper says. alive: whether the process with
// this pid and start time exists.
std::vector<RecoveryAction> decide_recovery(
    const std::vector<RuntimeRecord>& records, const std::vector<core::ZoneRecord>& known,
    const std::function<bool(int32_t pid, uint64_t start_time)>& alive);

// True when the process exists and is not a zombie.
bool process_alive(int32_t pid, uint64_t start_time);

}  // namespace zoned
