// A driver on the real hierarchies of this host, in a subtree of its own, for one test case. At the
// end of the scope everything in it is killed and removed; what stays fails the test.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "resource/cgroup.h"

// On a disk on most hosts, unlike /tmp.
inline constexpr char kDataFolder[] = "/var/tmp";

class Cage {
 public:
  enum class Tree { kDetected, kWithoutV2 };
  explicit Cage(Tree tree = Tree::kDetected);
  ~Cage();
  Cage(const Cage&) = delete;
  Cage& operator=(const Cage&) = delete;

  resource::CgroupDriver& driver() { return *driver_; }
  // Plans and makes; a failure fails the test.
  void pool(const std::string& name, const resource::Limits& limits = {});
  const resource::ZoneCgroup& zone(const std::string& pool, const std::string& name,
                                   const resource::Limits& limits = {}, uint32_t uid = 0);
  // Forks into the zone as a launcher does: clone3(CLONE_INTO_CGROUP), then into the v1 trees. The
  // child runs `work` and exits with what it returns.
  pid_t spawn(const resource::ZoneCgroup& zone, const std::function<int()>& work);
  // As the shell: 0..255, or 128 + signal. Waits 20 s at most, then fails the test.
  int wait_for(pid_t pid);
  resource::Usage usage(const std::string& pool, const std::string& zone);
  // CPU seconds that the zone uses from now on for this long.
  double cpu_seconds(const std::string& pool, const std::string& zone, double seconds);
  // Kills, waits until no process is left, reaps.
  void kill(const std::string& pool, const std::string& zone);
  const resource::CgroupRoots& roots() const { return roots_; }

 private:
  resource::CgroupRoots roots_;
  std::string subtree_;
  std::unique_ptr<resource::CgroupDriver> driver_;
  std::vector<std::unique_ptr<resource::ZoneCgroup>> zones_;
};

// The limits as writes; a failure fails the test.
std::vector<resource::CgroupWrite> planned(resource::CgroupDriver& driver,
                                           const resource::Limits& from,
                                           const resource::Limits& to);
[[noreturn]] void spin();
