// One zoned per root: the lock, the pid file, names derived from the root, and where our programs are.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/api/paths.h"

namespace zoned {

// Holds RUN/lock (an OFD write lock, fcntl(2)) and RUN/zoned.pid for as long as it lives.
class Instance {
 public:
  // run: absolute path and descriptor of RUN. kBusy naming the other daemon's pid.
  static base::Result<Instance> lock(const std::string& run, int run_dir);
  Instance(Instance&&) = default;
  Instance& operator=(Instance&&) = delete;
  ~Instance();

  const std::string& lock_path() const { return lock_path_; }

 private:
  Instance(base::UniqueFd lock, base::UniqueFd run, std::string lock_path)
      : lock_(std::move(lock)), run_(std::move(run)), lock_path_(std::move(lock_path)) {}
  base::UniqueFd lock_;
  base::UniqueFd run_;
  std::string lock_path_;
};

// root as given on the command line: absolute, without symbolic links; empty stays empty.
base::Result<std::string> canonical_root(const std::string& root);
using api::subtree_name;
// The folder of the program that runs: zone-keeper, zone-init, zone-unpack and zone-import lie beside it.
base::Result<std::string> program_folder();

// True once per start of the machine (and after forget_machine_start): zones with autoboot boot.
// RUN may outlive the machine's start when --root is on a disk.
base::Result<bool> first_since_machine_start(int run_dir);
void forget_machine_start(int run_dir);

// Moves fd 2's file to RUN/zoned.log.1 when it is RUN/zoned.log and over a limit, and begins another.
void cap_log(int run_dir);
inline constexpr const char* kLogFile = "zoned.log";

}  // namespace zoned
