// /proc/self/mountinfo: mount points and sources are named by whoever may mount.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/mountinfo.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto mounts = base::parse_mountinfo(text);
  if (!mounts) {
    if (!mounts.error().message.starts_with("mountinfo line ")) abort();
    return 0;
  }
  for (const base::Mount& mount : *mounts) {
    if (mount.target.empty() || mount.type.empty()) abort();
    base::has_option(mount.super_options, "memory");
  }
  return 0;
}
