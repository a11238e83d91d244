// Where an instance keeps its things. All three folders move together with --root.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace api {

struct Paths {
  std::string etc;  // configuration, 0700
  std::string lib;  // images, disks
  std::string run;  // the socket and runtime state

  // The name of the API's socket inside `run`.
  static constexpr const char* kSocketName = "zoned.sock";
  std::string socket() const { return run + "/" + kSocketName; }
};

// root empty: /etc/zoned, /var/lib/zoned, /run/zoned; else ROOT/etc, ROOT/lib, ROOT/run.
inline Paths paths_for(const std::string& root) {
  if (root.empty()) return {"/etc/zoned", "/var/lib/zoned", "/run/zoned"};
  return {root + "/etc", root + "/lib", root + "/run"};
}

// "zoned", or "zoned-<16 hex digits>" for another root: the name of the instance's cgroup subtree.
inline std::string subtree_name(const std::string& root) {
  if (root.empty()) return "zoned";
  // FNV-1a, 64 bits: names must differ, nobody gains from a collision.
  uint64_t hash = 14695981039346656037U;
  constexpr uint64_t kPrime = 1099511628211U;
  for (unsigned char byte : root) hash = (hash ^ byte) * kPrime;
  char digits[17];
  snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return std::string("zoned-") + digits;
}

}  // namespace api
