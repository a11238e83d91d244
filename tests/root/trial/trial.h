// What the long trials share: programs with the times of their output, counting what
// an instance holds on the host, its state files, and figures of latency. Everything but the
// functions marked (fails) may be used from several threads: Catch2 2 is not thread-safe.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/result.h"
#include "tests/harness/sandbox.h"

namespace trial {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// A busybox tree with the few commands that trials use: installed in milliseconds. With init, a tree
// whose /sbin/init is busybox's, with a shell on the console. Returns the path. (fails)
std::string small_tree(const harness::Sandbox& box, const std::string& name = "small",
                       bool init = false);

// `zone --root ROOT ARGS...`, with when its first byte of output came.
struct Ran {
  int status = -1;  // 0..255, 128 + signal; -1: timed out and killed
  std::string out;  // whole
  std::string err;
  Clock::time_point started;
  Clock::time_point first_output;  // `ended` when there was none
  Clock::time_point ended;
};
Ran run(const std::vector<std::string>& argv, milliseconds timeout = std::chrono::seconds(60));

// One call over a connection of its own.
base::Result<nlohmann::json> call(const harness::Sandbox& box, const std::string& method,
                                  nlohmann::json parameters = nlohmann::json::object());

// As `zone list --json` has it: {name, state, pid, ...}; null when there is no such zone. (fails)
nlohmann::json zone_of(const harness::Sandbox& box, const std::string& name);
std::string state_of(const harness::Sandbox& box, const std::string& name);
pid_t pid_of(const harness::Sandbox& box, const std::string& name);
// Makes an installed zone; boots it when asked to. (fails)
void make_zone(const harness::Sandbox& box, const std::string& name, const std::string& tree,
               const std::vector<std::string>& settings, bool boot = true);
// --set arguments for a command that runs a script in the tree's shell.
std::string shell_command(const std::string& script);
// Prints 1, 2, 3, ... a line each, about 100 a second.
std::string numbering_command();
// Why `text` is not the numbers 1, 2, 3, ... a line each, at least `least` of them; empty: it is.
std::string gap_in(const std::string& text, size_t least);

// Whether the process is the one that started at that time and is not a zombie.
bool same_process(pid_t pid, uint64_t start_time);
uint64_t start_time(pid_t pid);  // 0: no such process
size_t fds_of(pid_t pid);
size_t pipes_of(pid_t pid);  // of its descriptors, those that are pipes: outputs of app zones
uint64_t rss_bytes(pid_t pid);
uint64_t status_field(pid_t pid, const std::string& field);  // "voluntary_ctxt_switches"

// What the instance holds: cgroups, mounts, leased id ranges, runtime state, processes by name,
// descriptors of keepers. Lines; equal sets are equal vectors.
std::vector<std::string> census(const harness::Sandbox& box);
// census() when it has stayed the same for half a second: what the last command set off is over.
std::vector<std::string> settled_census(const harness::Sandbox& box);
// Waits until census() is `want`; the difference as text, empty when it came to be.
std::string settle_to(const harness::Sandbox& box, const std::vector<std::string>& want,
                      milliseconds timeout = std::chrono::seconds(5));

// Path -> content of all files below etc/, run/zones/ and the zone.json files below lib/.
std::map<std::string, std::string> state_files(const harness::Sandbox& box);
// Kinds of the events that the daemon has seen since it started. (fails)
std::vector<std::string> events(const harness::Sandbox& box);
// Kills and restarts the daemon: no state file and no event may come of it. (fails)
void check_recovery_is_quiet(harness::Sandbox& box);

// The zone's (or, without one, the pool's) folder in that controller's tree; on v2 in the one tree.
// (fails)
std::string cgroup_of(const harness::Sandbox& box, const std::string& controller,
                      const std::string& pool, const std::string& zone = {});
// CPU time that the kernel has counted there. (fails)
uint64_t cpu_ns(const harness::Sandbox& box, const std::string& pool, const std::string& zone = {});

// The value below which 99 of 100 lie. Empty: zero.
milliseconds p99(std::vector<milliseconds> values);

}  // namespace trial
