#include "zoned/daemon/recovery.h"

#include <fcntl.h>

#include <unordered_map>
#include <unordered_set>

#include "base/files.h"
#include "base/process.h"

namespace zoned {

using Kind = RecoveryAction::Kind;

std::vector<RecoveryAction> decide_recovery(
    const std::vector<RuntimeRecord>& records, const std::vector<core::ZoneRecord>& known,
    const std::function<bool(int32_t pid, uint64_t start_time)>& alive) {
  std::unordered_map<std::string, const core::ZoneRecord*> by_zone;
  for (const core::ZoneRecord& record : known) by_zone[record.zone] = &record;
  std::vector<RecoveryAction> actions;
  std::unordered_set<std::string> ours;
  for (const RuntimeRecord& record : records) {
    RecoveryAction action;
    action.zone = record.zone;
    auto it = by_zone.find(record.zone);
    if (it != by_zone.end() && it->second->boot_id == record.boot_id) {
      ours.insert(record.zone);
      action.kind = it->second->exited ? Kind::kFinish : Kind::kKeep;
      if (it->second->exited) action.status = it->second->status;
      action.pid = it->second->exited ? 0 : it->second->pid;
      action.start_time = it->second->exited ? 0 : it->second->start_time;
    } else if (record.pid == 0) {
      action.kind = Kind::kUndo;
    } else {
      action.kind = alive(record.pid, record.start_time) ? Kind::kAdopt : Kind::kFinish;
    }
    actions.push_back(std::move(action));
  }
  for (const core::ZoneRecord& record : known) {
    if (ours.contains(record.zone)) continue;
    RecoveryAction action;
    action.kind = record.exited ? Kind::kForget : Kind::kKill;
    action.zone = record.zone;
    actions.push_back(std::move(action));
  }
  return actions;
}

bool process_alive(int32_t pid, uint64_t start_time) {
  auto start = base::start_time_of(pid);
  if (!start || *start != start_time) return false;
  auto stat = base::read_file(AT_FDCWD, "/proc/" + std::to_string(pid) + "/stat", 4096);
  if (!stat) return false;
  size_t close = stat->rfind(") ");
  return close != std::string::npos && (*stat)[close + 2] != 'Z' && (*stat)[close + 2] != 'X';
}

}  // namespace zoned
