// Where an instance keeps its things. All three folders move together with --root.
#pragma once

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

}  // namespace api
