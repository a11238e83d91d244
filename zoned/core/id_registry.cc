#include "zoned/core/id_registry.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <ctime>

#include "base/files.h"
#include "base/strings.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::sys_error;
using base::UniqueFd;

constexpr uint64_t kFresh = 0;
constexpr uint64_t kLeased = 1;
constexpr uint64_t kForeign = 2;
constexpr size_t kFileBytes = 4096;
constexpr size_t kOwnerBytes = 1024;
constexpr char kMagic[16] = "zoned-ids-1";

// The file's layout.
struct BlockFile {
  char magic[16];
  char owner[kOwnerBytes];
  uint64_t slots[IdRegistry::kRangesPerBlock];
};
static_assert(sizeof(BlockFile) <= kFileBytes);

// Counts while the machine sleeps, starts with /run itself, and no clock setting moves it.
uint64_t boottime_ms() {
  timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  constexpr uint64_t kMsPerSecond = 1000;
  constexpr uint64_t kNsPerMs = 1000000;
  uint64_t ms = static_cast<uint64_t>(now.tv_sec) * kMsPerSecond +
                static_cast<uint64_t>(now.tv_nsec) / kNsPerMs;
  return std::max<uint64_t>(ms, kForeign + 1);
}

std::string block_name(unsigned index) { return "block-" + std::to_string(index); }

Result<unsigned> block_index(const std::string& name) {
  constexpr std::string_view kPrefix = "block-";
  if (!name.starts_with(kPrefix)) return make_error(Code::kInvalid, "not a block");
  TRY_AS(uint64_t index, base::parse_uint(std::string_view(name).substr(kPrefix.size()), 0, 65535));
  return static_cast<unsigned>(index);
}

// A block's owner lives when somebody holds the lock on its file. F_OFD_GETLK asks without taking.
bool owner_alive(const std::string& lock_path) {
  UniqueFd fd(open(lock_path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return false;
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (fcntl(fd.get(), F_OFD_GETLK, &lock) != 0) return true;  // unknown: leave it alone
  return lock.l_type != F_UNLCK;
}

// "name:start:count" lines of subuid(5); what is not a range is not our business.
void add_sub_ids(const std::string& path, std::vector<std::pair<uint32_t, uint32_t>>* ranges) {
  auto text = base::read_file(AT_FDCWD, path);
  if (!text) return;
  for (const std::string& line : base::split(*text, '\n')) {
    auto fields = base::split(line, ':');
    if (fields.size() != 3) continue;
    auto start = base::parse_uint(fields[1], 0, UINT32_MAX);
    auto count = base::parse_uint(fields[2], 1, UINT32_MAX);
    if (!start || !count) continue;
    uint64_t end = std::min<uint64_t>(*start + *count - 1, UINT32_MAX);
    ranges->emplace_back(static_cast<uint32_t>(*start), static_cast<uint32_t>(end));
  }
}

}  // namespace

struct IdRegistry::Block {
  Block(unsigned number, void* address) : index(number), file(static_cast<BlockFile*>(address)) {}
  ~Block() { munmap(file, kFileBytes); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  uint64_t get(unsigned slot) const {
    return std::atomic_ref<uint64_t>(file->slots[slot]).load(std::memory_order_relaxed);
  }
  void set(unsigned slot, uint64_t value) {
    std::atomic_ref<uint64_t>(file->slots[slot]).store(value, std::memory_order_relaxed);
  }
  std::string owner() const {
    return std::string(file->owner, strnlen(file->owner, sizeof file->owner));
  }

  unsigned index;
  BlockFile* file;
  unsigned next_fresh = 0;  // slots below are not fresh
};

IdRegistry::IdRegistry(UniqueFd dir, std::string owner, IdRegistryOptions options)
    : dir_(std::move(dir)), owner_(std::move(owner)), options_(std::move(options)) {}
IdRegistry::~IdRegistry() = default;

Result<std::unique_ptr<IdRegistry>> IdRegistry::open(const std::string& owner_lock,
                                                     IdRegistryOptions options) {
  if (owner_lock.size() >= kOwnerBytes || !owner_lock.starts_with('/'))
    return make_error(Code::kInvalid, "id registry: owner " + base::quoted(owner_lock, 200) +
                                          " is not an absolute path under 1024 bytes");
  auto dir = base::make_dirs(AT_FDCWD, options.dir);
  if (!dir) return std::move(dir).error().context("id registry");
  struct stat st = {};
  if (fstat(dir->get(), &st) != 0) return sys_error("id registry: stat");
  if (st.st_uid != geteuid() || (st.st_mode & 07777) != 0700)
    return make_error(
        Code::kInvalid,
        "id registry " + base::quoted(options.dir, 200) + ": not our own folder with mode 0700",
        "remove it, or give it to root with mode 0700");
  std::unique_ptr<IdRegistry> registry(
      new IdRegistry(*std::move(dir), owner_lock, std::move(options)));
  auto status = registry->load_own();
  if (!status) return std::move(status).error().context("id registry");
  return registry;
}

Result<UniqueFd> IdRegistry::lock_dir() const {
  TRY_AS(UniqueFd fd, base::open_at(dir_.get(), "lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  while (flock(fd.get(), LOCK_EX) != 0)
    if (errno != EINTR) return sys_error("lock the id registry");
  return fd;
}

Result<std::unique_ptr<IdRegistry::Block>> IdRegistry::map_block(unsigned index) const {
  TRY_AS(UniqueFd fd, base::open_at(dir_.get(), block_name(index), O_RDWR | O_NOFOLLOW));
  struct stat st = {};
  if (fstat(fd.get(), &st) != 0) return sys_error("stat " + block_name(index));
  if (!S_ISREG(st.st_mode) || st.st_size != kFileBytes)
    return make_error(Code::kInvalid, block_name(index) + ": not a block of this registry");
  void* address = mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (address == MAP_FAILED) return sys_error("map " + block_name(index));
  auto block = std::make_unique<Block>(index, address);
  if (std::memcmp(block->file->magic, kMagic, sizeof kMagic) != 0)
    return make_error(Code::kInvalid, block_name(index) + ": not a block of this registry");
  return block;
}

std::vector<std::pair<uint32_t, uint32_t>> IdRegistry::foreign_ranges() const {
  std::vector<std::pair<uint32_t, uint32_t>> ranges;
  add_sub_ids(options_.subuid, &ranges);
  add_sub_ids(options_.subgid, &ranges);
  return ranges;
}

Status IdRegistry::create_block(unsigned index) const {
  std::string bytes(kFileBytes, '\0');
  BlockFile file = {};
  std::memcpy(file.magic, kMagic, sizeof kMagic);
  std::memcpy(file.owner, owner_.data(), owner_.size());
  auto foreign = foreign_ranges();
  for (unsigned slot = 0; slot < kRangesPerBlock; ++slot) {
    uint64_t number = uint64_t{index} * kRangesPerBlock + slot;
    uint64_t base = options_.first + number * kIdsPerZone;
    uint64_t end = base + kIdsPerZone - 1;
    bool taken =
        end > options_.last || std::any_of(foreign.begin(), foreign.end(), [&](const auto& range) {
          return range.first <= end && range.second >= base;
        });
    if (taken) file.slots[slot] = kForeign;
  }
  std::memcpy(bytes.data(), &file, sizeof file);
  return base::replace_file(dir_.get(), block_name(index), bytes, base::Durability::kRuntime);
}

Status IdRegistry::load_own() {
  TRY_AS(UniqueFd lock, lock_dir());
  TRY_AS(auto names, base::list_dir(dir_.get()));
  for (const std::string& name : names) {
    auto index = block_index(name);
    if (!index) continue;
    auto block = map_block(*index);
    if (block && (*block)->owner() == owner_) blocks_.push_back(*std::move(block));
  }
  TRY_AS(auto orphans, abandoned());
  for (const auto& block : orphans) {
    if (resting(*block)) continue;
    TRY(remove(*block));
  }
  return {};
}

Result<std::vector<std::unique_ptr<IdRegistry::Block>>> IdRegistry::abandoned() const {
  TRY_AS(auto names, base::list_dir(dir_.get()));
  std::vector<std::unique_ptr<Block>> found;
  for (const std::string& name : names) {
    auto index = block_index(name);
    if (!index) continue;
    auto block = map_block(*index);
    if (block && (*block)->owner() != owner_ && !owner_alive((*block)->owner()))
      found.push_back(*std::move(block));
  }
  if (found.empty()) return found;
  TRY_AS(auto in_use, ranges_in_use());
  std::erase_if(found, [&](const auto& block) {
    bool used = false;
    for (unsigned slot = 0; slot < kRangesPerBlock; ++slot)
      used = used || in_use.contains(block->index * kRangesPerBlock + slot);
    // Its owner died with it: nobody knows since when a leased range is free.
    for (unsigned slot = 0; !used && slot < kRangesPerBlock; ++slot)
      if (block->get(slot) == kLeased) block->set(slot, boottime_ms());
    return used;
  });
  return found;
}

bool IdRegistry::resting(const Block& block) const {
  for (unsigned slot = 0; slot < kRangesPerBlock; ++slot) {
    uint64_t value = block.get(slot);
    if (value > kForeign && !rested(value)) return true;
  }
  return false;
}

Status IdRegistry::remove(const Block& block) const {
  if (unlinkat(dir_.get(), block_name(block.index).c_str(), 0) != 0 && errno != ENOENT)
    return sys_error("remove " + block_name(block.index));
  return {};
}

Status IdRegistry::take_block() {
  TRY_AS(UniqueFd lock, lock_dir());
  uint64_t ranges = (uint64_t{options_.last} + 1 - options_.first) / kIdsPerZone;
  unsigned count = static_cast<unsigned>((ranges + kRangesPerBlock - 1) / kRangesPerBlock);
  TRY_AS(auto names, base::list_dir(dir_.get()));
  std::set<unsigned> taken;
  for (const std::string& name : names)
    if (auto index = block_index(name)) taken.insert(*index);
  for (unsigned index = 0; index < count; ++index) {
    if (taken.contains(index)) continue;
    TRY(create_block(index));
    TRY_AS(auto block, map_block(index));
    blocks_.push_back(std::move(block));
    return {};
  }
  // Each range of an abandoned block rests for itself: the others serve at once.
  TRY_AS(auto orphans, abandoned());
  for (auto& block : orphans) {
    bool useful = false;
    for (unsigned slot = 0; slot < kRangesPerBlock; ++slot)
      useful = useful || block->get(slot) == kFresh || rested(block->get(slot));
    if (!useful) continue;
    std::memset(block->file->owner, 0, kOwnerBytes);
    std::memcpy(block->file->owner, owner_.data(), owner_.size());
    blocks_.push_back(std::move(block));
    return {};
  }
  return make_error(Code::kNoSpace, "no id range is free on this machine",
                    "released ranges rest for a minute before they are used again");
}

bool IdRegistry::rested(uint64_t slot) const {
  return slot > kForeign &&
         boottime_ms() >= slot + static_cast<uint64_t>(options_.quarantine.count());
}

Result<std::set<uint32_t>> IdRegistry::ranges_in_use() const {
  TRY_AS(UniqueFd proc, base::open_at(AT_FDCWD, options_.proc, O_RDONLY | O_DIRECTORY));
  TRY_AS(auto names, base::list_dir(proc.get()));
  std::set<uint32_t> used;
  for (const std::string& name : names) {
    if (name[0] < '1' || name[0] > '9') continue;
    auto status = base::read_file(proc.get(), name + "/status", 16384);
    if (!status) continue;  // gone meanwhile
    for (const std::string& line : base::split(*status, '\n')) {
      if (!line.starts_with("Uid:\t") && !line.starts_with("Gid:\t")) continue;
      for (const std::string& field : base::split(std::string_view(line).substr(5), '\t')) {
        auto id = base::parse_uint(field, 0, UINT32_MAX);
        if (id && *id >= options_.first && *id <= options_.last)
          used.insert(static_cast<uint32_t>((*id - options_.first) / kIdsPerZone));
      }
    }
  }
  return used;
}

// One look at all processes serves every range that has rested.
bool IdRegistry::sweep() {
  std::vector<uint32_t> candidates;
  for (const auto& block : blocks_)
    for (unsigned slot = 0; slot < kRangesPerBlock; ++slot)
      if (rested(block->get(slot))) candidates.push_back(block->index * kRangesPerBlock + slot);
  if (candidates.empty()) return false;
  auto used = ranges_in_use();
  if (!used) return false;
  std::erase_if(candidates, [&](uint32_t number) { return used->contains(number); });
  swept_ = std::move(candidates);
  return !swept_.empty();
}

Result<IdRange> IdRegistry::lease() {
  auto range_of = [this](uint32_t number) {
    return IdRange{options_.first + number * kIdsPerZone};
  };
  for (int attempt = 0; attempt < 3; ++attempt) {
    for (const auto& block : blocks_) {
      for (; block->next_fresh < kRangesPerBlock; ++block->next_fresh) {
        if (block->get(block->next_fresh) != kFresh) continue;
        block->set(block->next_fresh, kLeased);
        return range_of(block->index * kRangesPerBlock + block->next_fresh++);
      }
    }
    if (swept_.empty()) sweep();
    while (!swept_.empty()) {
      uint32_t number = swept_.back();
      swept_.pop_back();
      auto block = std::find_if(blocks_.begin(), blocks_.end(), [&](const auto& candidate) {
        return candidate->index == number / kRangesPerBlock;
      });
      if (block == blocks_.end() || !rested((*block)->get(number % kRangesPerBlock))) continue;
      (*block)->set(number % kRangesPerBlock, kLeased);
      return range_of(number);
    }
    TRY(take_block());
  }
  return make_error(Code::kNoSpace, "no id range is free in new blocks",
                    "subuid(5) or subgid(5) claim the whole span");
}

void IdRegistry::release(IdRange range) {
  if (range.base < options_.first) return;
  uint32_t number = (range.base - options_.first) / kIdsPerZone;
  for (const auto& block : blocks_) {
    if (block->index != number / kRangesPerBlock) continue;
    if (block->get(number % kRangesPerBlock) == kLeased)
      block->set(number % kRangesPerBlock, boottime_ms());
  }
}

Result<unsigned> IdRegistry::reconcile(const std::vector<IdRange>& live) {
  std::set<uint32_t> numbers;
  for (IdRange range : live) {
    uint32_t number = (range.base - options_.first) / kIdsPerZone;
    bool ours = std::any_of(blocks_.begin(), blocks_.end(), [&](const auto& block) {
      return block->index == number / kRangesPerBlock;
    });
    if (!ours)
      return make_error(Code::kInternal,
                        "id range " + std::to_string(range.base) + " is in use and not registered");
    numbers.insert(number);
  }
  unsigned released = 0;
  for (const auto& block : blocks_) {
    for (unsigned slot = 0; slot < kRangesPerBlock; ++slot) {
      bool used = numbers.contains(block->index * kRangesPerBlock + slot);
      uint64_t value = block->get(slot);
      if (used && value != kLeased) block->set(slot, kLeased);
      if (!used && value == kLeased) {
        block->set(slot, boottime_ms());
        ++released;
      }
    }
  }
  return released;
}

Status IdRegistry::release_all() {
  TRY_AS(UniqueFd lock, lock_dir());
  for (const auto& block : blocks_) {
    for (unsigned slot = 0; slot < kRangesPerBlock; ++slot)
      if (block->get(slot) == kLeased) block->set(slot, boottime_ms());
    if (resting(*block)) continue;
    TRY(remove(*block));
  }
  blocks_.clear();
  swept_.clear();
  return {};
}

unsigned IdRegistry::leased() const {
  unsigned count = 0;
  for (const auto& block : blocks_)
    for (unsigned slot = 0; slot < kRangesPerBlock; ++slot)
      if (block->get(slot) == kLeased) ++count;
  return count;
}

}  // namespace core
