#include "zoned/daemon/recovery.h"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "base/process.h"
#include "tests/unit/daemon/temporary.h"

namespace zoned {
namespace {

using Kind = RecoveryAction::Kind;

const std::string kBoot(32, 'a');
const std::string kOther(32, 'b');

RuntimeRecord ours(const std::string& zone, int32_t pid) {
  RuntimeRecord record;
  record.zone = zone;
  record.boot_id = kBoot;
  record.pid = pid;
  record.start_time = pid == 0 ? 0 : 77;
  return record;
}

core::ZoneRecord theirs(const std::string& zone, const std::string& boot, bool exited) {
  core::ZoneRecord record;
  record.zone = zone;
  record.boot_id = boot;
  record.pid = 500;
  record.start_time = 88;
  record.exited = exited;
  record.status = {core::ExitStatus::Kind::kExit, 3};
  return record;
}

bool nobody(int32_t, uint64_t) { return false; }
bool everybody(int32_t, uint64_t) { return true; }

RecoveryAction only(const std::vector<RecoveryAction>& actions) {
  REQUIRE(actions.size() == 1);
  return actions[0];
}

TEST_CASE("a zone that its keeper still runs is kept, with the keeper's pid") {
  auto action = only(decide_recovery({ours("a", 0)}, {theirs("a", kBoot, false)}, nobody));
  CHECK(action.kind == Kind::kKeep);
  CHECK(action.pid == 500);
  CHECK(action.start_time == 88);
}

TEST_CASE("a zone that ended meanwhile is finished with the status that the keeper remembered") {
  auto action = only(decide_recovery({ours("a", 500)}, {theirs("a", kBoot, true)}, everybody));
  CHECK(action.kind == Kind::kFinish);
  CHECK(action.status == core::ExitStatus{core::ExitStatus::Kind::kExit, 3});
}

TEST_CASE("a boot that the keeper never heard of is undone") {
  CHECK(only(decide_recovery({ours("a", 0)}, {}, everybody)).kind == Kind::kUndo);
}

TEST_CASE("a new keeper adopts what lives and finishes what does not") {
  CHECK(only(decide_recovery({ours("a", 9)}, {}, everybody)).kind == Kind::kAdopt);
  auto gone = only(decide_recovery({ours("a", 9)}, {}, nobody));
  CHECK(gone.kind == Kind::kFinish);
  CHECK(gone.status.kind == core::ExitStatus::Kind::kUnknown);
}

TEST_CASE("liveness is asked for with the recorded identity") {
  int32_t asked_pid = 0;
  uint64_t asked_start = 0;
  decide_recovery({ours("a", 9)}, {}, [&](int32_t pid, uint64_t start) {
    asked_pid = pid;
    asked_start = start;
    return true;
  });
  CHECK(asked_pid == 9);
  CHECK(asked_start == 77);
}

TEST_CASE("the keeper's memory of another boot of the same zone does not count") {
  auto actions = decide_recovery({ours("a", 0)}, {theirs("a", kOther, true)}, nobody);
  REQUIRE(actions.size() == 2);
  CHECK(actions[0].kind == Kind::kUndo);
  CHECK(actions[1].kind == Kind::kForget);
}

TEST_CASE("what nobody has a record of is killed or forgotten") {
  auto actions = decide_recovery({}, {theirs("a", kBoot, false), theirs("b", kBoot, true)}, nobody);
  REQUIRE(actions.size() == 2);
  CHECK(actions[0].kind == Kind::kKill);
  CHECK(actions[1].kind == Kind::kForget);
}

TEST_CASE("a second recovery only keeps") {
  std::vector<RuntimeRecord> records;
  std::vector<core::ZoneRecord> known;
  for (int i = 0; i < 100; ++i) {
    std::string name = "z" + std::to_string(i);
    if (i % 3 != 0) records.push_back(ours(name, i % 2));
    if (i % 5 != 0) known.push_back(theirs(name, kBoot, i % 7 == 0));
  }
  auto first = decide_recovery(records, known, nobody);
  // The world after the first: finished and undone ones have no record, forgotten ones are unknown.
  for (const RecoveryAction& action : first) {
    if (action.kind == Kind::kKeep) continue;
    std::erase_if(records, [&](const auto& record) { return record.zone == action.zone; });
    std::erase_if(known, [&](const auto& record) { return record.zone == action.zone; });
  }
  auto second = decide_recovery(records, known, nobody);
  CHECK_FALSE(second.empty());
  CHECK(std::all_of(second.begin(), second.end(),
                    [](const RecoveryAction& action) { return action.kind == Kind::kKeep; }));
}

TEST_CASE("a process is alive under its own start time only") {
  uint64_t start = testing::must(base::start_time_of(getpid()));
  CHECK(process_alive(getpid(), start));
  CHECK_FALSE(process_alive(getpid(), start + 1));
  CHECK_FALSE(process_alive(0x7ffffff0, start));
}

}  // namespace
}  // namespace zoned
