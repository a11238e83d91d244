// What zoned writes down about zones, and the states of a zone.
//
//   LIB/zones/NAME/zone.json   ZoneFile: what lasts; written durably
//   RUN/zones/NAME.json        RuntimeRecord: one boot, from the cgroup to the clean-up; never synced
//   RUN/zones/NAME.plan        the boot's ZonePlan (plan_json.h): what exec takes its walls from
//
// Parsers are strict: a missing, unknown or wrongly typed member is an error.
#pragma once

#include <csignal>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace zoned {

enum class State {
  kConfigured,  // has a configuration
  kIncomplete,  // installing, or an installation that was cut short
  kInstalled,   // has a tree
  kReady,       // booting: cgroup and ids are there, the first process is not
  kRunning,
  kShuttingDown,  // asked to end, or being killed
  kDown,          // all processes are gone; being cleaned up
};
std::string_view state_name(State state);
base::Result<State> state_from_name(std::string_view name);

struct ZoneFile {
  std::string id;                    // 32 hex digits, for the life of the zone
  State state = State::kConfigured;  // kConfigured, kIncomplete or kInstalled
  std::string label;                 // labels::Label::encode()
  std::string source;                // what it was installed from; empty: not installed
  bool operator==(const ZoneFile&) const = default;
};

struct RuntimeRecord {
  std::string zone;
  std::string boot_id;  // 32 hex digits
  std::string pool;
  uint32_t range_base = 0;  // first host id
  unsigned keeper = 0;      // index of the zone-keeper
  int32_t pid = 0;          // 0: the launch has not been answered
  uint64_t start_time = 0;
  bool console = false;
  uint64_t log_size = 1 << 20;
  int stop_signal = SIGTERM;  // asks the first process to end
  bool os = false;            // runs an init of its own: SIGHUP means reboot(2)
  uint32_t boots = 1;
  bool ephemeral = false;  // zone run
  std::string config;      // ephemeral: the only copy; empty otherwise
  std::string id;          // likewise
  std::string label;       // labels::Label::encode(); empty: written by a daemon that had none
  std::string link;        // host name of the first port's link if that was made ahead (prepared.h)
  bool operator==(const RuntimeRecord&) const = default;
};

std::string to_text(const ZoneFile& file);
base::Result<ZoneFile> zone_file_from_text(std::string_view text);
std::string to_text(const RuntimeRecord& record);
base::Result<RuntimeRecord> runtime_record_from_text(std::string_view text);

// 32 hex digits from getrandom(2).
std::string random_id();

}  // namespace zoned
