#include "zoned/core/unpack.h"

#include <algorithm>

#include "base/strings.h"

namespace core {

using base::Code;
using base::make_error;

void UnpackReport::progress(const std::string& stage, uint64_t done, uint64_t total) {
  constexpr std::chrono::milliseconds kInterval{100};
  auto now = std::chrono::steady_clock::now();
  bool due = stage != stage_ || (done == total && done != done_) || now - last_ >= kInterval;
  if (!due || !progress_) return;
  stage_ = stage;
  done_ = done;
  last_ = now;
  progress_(stage, done, total);
}

void UnpackReport::warn(const std::string& text) {
  constexpr size_t kMaxWarnings = 16;
  bool known = std::find(warned_.begin(), warned_.end(), text) != warned_.end();
  if (known || warned_.size() == kMaxWarnings) return;
  warned_.push_back(text);
  if (warning_) warning_(text);
}

bool is_standard_device(std::string_view path, mode_t mode, unsigned major, unsigned minor) {
  constexpr unsigned kMemory = 1;     // null, zero, full, random, urandom
  constexpr unsigned kTerminals = 4;  // tty0...
  constexpr unsigned kTty = 5;        // tty, console, ptmx
  if (!path.starts_with("dev/") || !S_ISCHR(mode)) return false;
  if (major == kMemory) return minor == 3 || minor == 5 || minor == 7 || minor == 8 || minor == 9;
  return major == kTerminals || (major == kTty && minor <= 2);
}

base::Error device_error(std::string_view kind, std::string_view path) {
  return make_error(Code::kInvalid,
                    std::string(kind) + " " + base::quoted(path, 200) + " is a device node",
                    "leave device nodes out of the source; a zone's /dev is made at boot");
}

bool keeps_attribute(std::string_view name) {
  return name.starts_with("user.") || name == "security.capability" ||
         name == "system.posix_acl_access" || name == "system.posix_acl_default";
}

base::Error write_error(std::string_view what, int err) {
  if (err == ENOSPC || err == EDQUOT)
    return make_error(Code::kNoSpace, "no space left on the disk that holds zones",
                      "free some space, or keep zones on a larger disk");
  return base::sys_error(what, err);
}

}  // namespace core
