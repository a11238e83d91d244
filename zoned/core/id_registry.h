// The machine-wide registry of id ranges: every zone of every instance on the host has 65536 host ids
// of its own (user_namespaces(7)), and none is used again before it has rested and been swept.
//
// DIR (default /run/zoned-ids, 0700) holds one file a block of 64 ranges. An instance owns blocks; it
// takes and gives back whole blocks under a lock on DIR/lock, and leases single ranges from its own
// blocks without any lock: a slot of the block's file, mapped into memory, says what became of each
// range. A slot is one aligned word: a kill at any instant leaves the old or the new value.
//
//   slot 0               never used since the block was taken
//   slot 1               leased
//   slot 2               belongs to somebody else (subuid(5), subgid(5)): never leased
//   slot N (> 2)         released at N milliseconds of CLOCK_BOOTTIME
//
// A released range is leased again after the quarantine, when no process of the host has one of its
// ids. A block of an instance that is gone, with no process in its ids, is removed when all its ranges
// have rested; when no other block is left, another instance takes it over as it is.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/core/plan.h"

namespace core {

struct IdRegistryOptions {
  std::string dir = "/run/zoned-ids";
  std::chrono::milliseconds quarantine = std::chrono::seconds(60);
  uint32_t first = 524288;     // multiple of 65536
  uint32_t last = 1879048191;  // inclusive
  std::string subuid = "/etc/subuid";
  std::string subgid = "/etc/subgid";
  std::string proc = "/proc";
};

class IdRegistry {
 public:
  static constexpr unsigned kRangesPerBlock = 64;

  // owner_lock: absolute path of a file that the instance holds an OFD write lock on as long as it
  // lives (fcntl(2), F_OFD_SETLK); it names the owner. Finds the blocks that this owner had before.
  // kInvalid: DIR is not a folder of ours with mode 0700.
  static base::Result<std::unique_ptr<IdRegistry>> open(const std::string& owner_lock,
                                                        IdRegistryOptions options = {});
  ~IdRegistry();

  // A range for one zone. kNoSpace when the whole span is taken or resting.
  base::Result<IdRange> lease();
  // The zone is gone: the range begins its rest. A range that we don't hold is ignored.
  void release(IdRange range);
  // After a restart: exactly these are in use; other leased slots begin their rest. Returns how many
  // did. A live range outside our blocks is an error (kInternal): somebody removed DIR.
  base::Result<unsigned> reconcile(const std::vector<IdRange>& live);
  // Gives back all blocks: the instance ends for good. Ranges rest where they lie: a block goes only
  // when all its ranges have rested; the others are left to whoever needs them.
  base::Status release_all();

  unsigned leased() const;

 private:
  struct Block;
  IdRegistry(base::UniqueFd dir, std::string owner, IdRegistryOptions options);

  base::Result<base::UniqueFd> lock_dir() const;
  base::Status load_own();
  base::Status take_block();
  // Blocks whose owner is gone and whose ids no process has. Under the lock.
  base::Result<std::vector<std::unique_ptr<Block>>> abandoned() const;
  bool resting(const Block& block) const;
  base::Status remove(const Block& block) const;
  base::Result<std::unique_ptr<Block>> map_block(unsigned index) const;
  base::Status create_block(unsigned index) const;
  std::vector<std::pair<uint32_t, uint32_t>> foreign_ranges() const;
  // Range numbers ((uid - first) / 65536) in which some process has an id.
  base::Result<std::set<uint32_t>> ranges_in_use() const;
  bool rested(uint64_t slot) const;
  bool sweep();

  base::UniqueFd dir_;
  std::string owner_;
  IdRegistryOptions options_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<uint32_t> swept_;  // range numbers of ours that may be leased again now
};

}  // namespace core
