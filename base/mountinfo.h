// /proc/PID/mountinfo as typed values (proc_pid_mountinfo(5)). Strict: a line that does not have the
// documented form is an error, never skipped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace base {

struct Mount {
  uint32_t id = 0;
  uint32_t parent = 0;
  uint32_t device_major = 0;
  uint32_t device_minor = 0;
  std::string root;                   // the folder of the file system that is mounted
  std::string target;                 // where, in the reader's root
  std::string options;                // of the mount: "rw,nosuid,relatime"
  std::vector<std::string> optional;  // "shared:12", "master:3"
  std::string type;                   // "ext4"
  std::string source;                 // "/dev/vda", "none"
  std::string super_options;          // of the file system: "rw,memory"
  bool operator==(const Mount&) const = default;
};

// root, target and source come without the kernel's octal escapes (\040 for a space). kInvalid with
// the line's number otherwise.
Result<std::vector<Mount>> parse_mountinfo(std::string_view text);

// True when the comma-separated list holds exactly this word.
bool has_option(std::string_view options, std::string_view word);

}  // namespace base
