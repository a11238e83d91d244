// Short ways to drive an instance of zoned and to ask it and the kernel what is there.
#pragma once

#include <sys/types.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/harness/sandbox.h"

namespace harness {

// Runs a script of /bin/sh in which $Z is the `zone` command with its --root, $R the root and $B the
// folder of the programs. What it leaves in the background must have its output redirected.
base::Output shell(const Sandbox& sandbox, const std::string& script,
                   std::chrono::milliseconds timeout = Sandbox::kTimeout);
// The same, failing the test unless the status is 0. Returns stdout.
std::string shell_ok(const Sandbox& sandbox, const std::string& script,
                     std::chrono::milliseconds timeout = Sandbox::kTimeout);

// What `zone list --json NAME` shows of one zone; null when there is none.
nlohmann::json listed(const Sandbox& sandbox, const std::string& name);
// "absent" when there is none.
std::string state_of(const Sandbox& sandbox, const std::string& name);
// Of its first process; 0 when it does not run.
pid_t pid_of(const Sandbox& sandbox, const std::string& name);

// create --boot of an app zone that runs `script` by /bin/sh in a busybox tree.
void boot_script(Sandbox& sandbox, const std::string& name, const std::string& script,
                 const std::vector<std::string>& settings = {});

// The command failed with this status, told `pieces` on stderr and gave a hint.
void check_refused(const base::Output& output, const std::vector<std::string>& pieces,
                   int status = 1);

// The cgroup file of a running zone, trimmed: v1_file in the tree of the controller, or v2_file where
// the controller is not on v1.
std::string cgroup_value(const Sandbox& sandbox, const std::string& zone,
                         const std::string& controller, const std::string& v1_file,
                         const std::string& v2_file);

void write_text(const std::string& path, const std::string& text);
// A text file, trimmed; fails the test when it can't be read.
std::string read_text(const std::string& path);

}  // namespace harness
