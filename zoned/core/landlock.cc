#include "zoned/core/landlock.h"

#include <linux/landlock.h>

#include <vector>

#include "base/strings.h"

namespace core {
namespace {

using Access = LandlockRule::Access;

// Newer than Debian 12's header.
constexpr uint64_t kTruncate = 1U << 14;
constexpr uint64_t kIoctlDevice = 1U << 15;

constexpr uint64_t kLook =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kWrite = LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;
constexpr uint64_t kMake = LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                           LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                           LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                           LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER;

bool may_be_written(const MountOp& op) {
  using Kind = MountOp::Kind;
  bool kept = op.kind == Kind::kTree || op.kind == Kind::kTmpfs || op.kind == Kind::kMqueue;
  return kept && !op.read_only;
}

}  // namespace

uint64_t landlock_handled(uint32_t abi) {
  constexpr uint64_t kFirst = (1U << 13) - 1;  // all of the first version
  uint64_t handled = kFirst;
  if (abi >= 2) handled |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) handled |= kTruncate;
  if (abi >= 5) handled |= kIoctlDevice;
  return handled;
}

uint64_t landlock_rights(Access access, uint32_t abi) {
  uint64_t rights = kLook;
  if (access == Access::kUse) rights |= kWrite | kIoctlDevice;
  if (access == Access::kOwn) rights |= kWrite | kMake;
  return rights & landlock_handled(abi);
}

LandlockPlan landlock_of(const ZonePlan& plan) {
  bool own_root = true;
  for (const MountOp& op : plan.mounts)
    if (op.target == "/") own_root = !op.read_only;
  LandlockPlan landlock;
  landlock.tcp = !plan.ports.empty();
  landlock.rules.push_back({"/", own_root ? Access::kOwn : Access::kLook});
  landlock.rules.push_back({"/dev", Access::kUse});
  if (own_root) return landlock;
  for (const MountOp& op : plan.mounts) {
    if (op.kind == MountOp::Kind::kProc) landlock.rules.push_back({op.target, Access::kUse});
    if (may_be_written(op)) landlock.rules.push_back({op.target, Access::kOwn});
  }
  return landlock;
}

std::string landlock_gaps(uint32_t abi) {
  std::vector<std::string> gaps;
  if (abi < 2) gaps.emplace_back("moves between folders, which always fail");
  if (abi < 3) gaps.emplace_back("truncation");
  if (abi < 4) gaps.emplace_back("TCP ports");
  if (abi < 5) gaps.emplace_back("ioctls of devices");
  if (abi < kWholeLandlock) gaps.emplace_back("abstract sockets and signals");
  return base::join(gaps, ", ");
}

}  // namespace core
