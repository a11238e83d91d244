#include "zoned/core/id_registry.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "tests/unit/daemon/temporary.h"

namespace core {
namespace {

using zoned::testing::must;
using zoned::testing::TemporaryFolder;
using zoned::testing::write_text;

constexpr uint32_t kFirst = 524288;

struct World {
  World() {
    options.dir = folder / "ids";
    options.quarantine = std::chrono::milliseconds(0);
    options.subuid = folder / "subuid";
    options.subgid = folder / "subgid";
    options.proc = folder / "proc";
    must(base::make_dirs(AT_FDCWD, options.proc));
  }
  // Holds the lock that says that this owner lives.
  base::UniqueFd owner(const std::string& name) {
    auto fd = must(base::open_at(AT_FDCWD, folder / name, O_RDWR | O_CREAT, 0600));
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    REQUIRE(fcntl(fd.get(), F_OFD_SETLK, &lock) == 0);
    return fd;
  }
  std::unique_ptr<IdRegistry> open(const std::string& name) {
    return must(IdRegistry::open(folder / name, options));
  }
  // A process of the host with an id in the range.
  void process(const std::string& pid, uint32_t uid) {
    must(base::make_dirs(AT_FDCWD, options.proc + "/" + pid));
    std::string ids = std::to_string(uid);
    write_text(options.proc + "/" + pid + "/status",
               "Name:\tx\nUid:\t0\t0\t" + ids + "\t0\nGid:\t0\t0\t0\t0\n");
  }
  void no_process(const std::string& pid) {
    must(base::remove_tree(AT_FDCWD, options.proc + "/" + pid));
  }

  TemporaryFolder folder;
  IdRegistryOptions options;
};

TEST_CASE("ranges are aligned, within the span, and unique among instances") {
  World world;
  auto lock_a = world.owner("a");
  auto lock_b = world.owner("b");
  auto a = world.open("a");
  auto b = world.open("b");
  std::set<uint32_t> seen;
  for (int i = 0; i < 150; ++i) {
    for (IdRegistry* registry : {a.get(), b.get()}) {
      IdRange range = must(registry->lease());
      CHECK(range.base >= kFirst);
      CHECK(range.base % kIdsPerZone == 0);
      CHECK(seen.insert(range.base).second);
    }
  }
  CHECK(a->leased() == 150);
}

TEST_CASE("a released range rests before it is leased again") {
  World world;
  world.options.quarantine = std::chrono::milliseconds(60000);
  auto lock = world.owner("a");
  auto registry = world.open("a");
  IdRange first = must(registry->lease());
  registry->release(first);
  for (int i = 0; i < 200; ++i) CHECK(must(registry->lease()).base != first.base);
}

TEST_CASE("fresh ranges come first, then those that have rested") {
  World world;
  auto lock = world.owner("a");
  auto registry = world.open("a");
  std::vector<IdRange> ranges;
  for (unsigned i = 0; i < IdRegistry::kRangesPerBlock; ++i)
    ranges.push_back(must(registry->lease()));
  registry->release(ranges[5]);
  CHECK(must(registry->lease()).base == ranges[5].base);
  // Nothing has been released: a new block.
  CHECK(must(registry->lease()).base == kFirst + IdRegistry::kRangesPerBlock * kIdsPerZone);
}

TEST_CASE("a range is not leased again while a process has one of its ids") {
  World world;
  auto lock = world.owner("a");
  auto registry = world.open("a");
  std::vector<IdRange> ranges;
  for (unsigned i = 0; i < IdRegistry::kRangesPerBlock; ++i)
    ranges.push_back(must(registry->lease()));
  world.process("4711", ranges[7].base + 33);
  registry->release(ranges[7]);
  CHECK(must(registry->lease()).base != ranges[7].base);
  world.no_process("4711");
  // The new block is fresh: use it up.
  for (unsigned i = 1; i < IdRegistry::kRangesPerBlock; ++i) must(registry->lease());
  CHECK(must(registry->lease()).base == ranges[7].base);
}

TEST_CASE("ranges of subuid and subgid are left out") {
  World world;
  write_text(world.options.subuid, "user:524288:65536\nbroken line\n:x:\n");
  write_text(world.options.subgid, "user:720896:1\n");
  auto lock = world.owner("a");
  auto registry = world.open("a");
  std::set<uint32_t> seen;
  for (unsigned i = 0; i < 62; ++i) seen.insert(must(registry->lease()).base);
  CHECK_FALSE(seen.contains(524288));
  CHECK_FALSE(seen.contains(720896));
  CHECK(seen.contains(589824));
  CHECK(*seen.rbegin() < kFirst + IdRegistry::kRangesPerBlock * kIdsPerZone);
}

TEST_CASE("leases survive the owner's death, and a restart releases what no zone uses") {
  World world;
  world.options.quarantine = std::chrono::milliseconds(60000);
  auto lock = world.owner("a");
  std::vector<IdRange> ranges;
  {
    auto registry = world.open("a");
    for (int i = 0; i < 3; ++i) ranges.push_back(must(registry->lease()));
  }
  auto registry = world.open("a");
  CHECK(registry->leased() == 3);
  CHECK(must(registry->reconcile({ranges[1]})) == 2);
  CHECK(registry->leased() == 1);
  CHECK(must(registry->reconcile({ranges[1]})) == 0);
  IdRange next = must(registry->lease());
  for (const IdRange& range : ranges) CHECK(next.base != range.base);
}

TEST_CASE("a live range that the registry does not know is an error") {
  World world;
  auto lock = world.owner("a");
  auto registry = world.open("a");
  CHECK_FALSE(registry->reconcile({IdRange{kFirst}}).ok());
}

TEST_CASE("blocks of a dead owner come back when nothing uses them, of a living one never") {
  World world;
  world.options.last = kFirst + 2 * IdRegistry::kRangesPerBlock * kIdsPerZone - 1;  // two blocks
  auto lock_b = world.owner("b");
  IdRange leased_by_a;
  {
    auto lock_a = world.owner("a");
    auto a = world.open("a");
    leased_by_a = must(a->lease());
    auto b = world.open("b");
    for (unsigned i = 0; i < IdRegistry::kRangesPerBlock; ++i) must(b->lease());
    auto refused = b->lease();
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == base::Code::kNoSpace);
  }
  world.process("1", leased_by_a.base);
  auto b = world.open("b");
  CHECK_FALSE(b->lease().ok());  // a zone of the dead owner still runs
  world.no_process("1");
  b = world.open("b");  // the range begins its rest
  b = world.open("b");  // it has rested
  CHECK(b->lease().ok());
}

TEST_CASE("when no block is left, one of a dead owner serves with the ranges that need no rest") {
  World world;
  world.options.quarantine = std::chrono::milliseconds(60000);
  world.options.last = kFirst + IdRegistry::kRangesPerBlock * kIdsPerZone - 1;  // one block
  IdRange used;
  {
    auto lock_a = world.owner("a");
    auto a = world.open("a");
    used = must(a->lease());
    must(a->release_all());
  }
  auto lock_b = world.owner("b");
  auto b = world.open("b");
  for (unsigned i = 1; i < IdRegistry::kRangesPerBlock; ++i)
    CHECK(must(b->lease()).base != used.base);
  CHECK_FALSE(b->lease().ok());
  CHECK(must(world.open("b")->reconcile({})) == IdRegistry::kRangesPerBlock - 1);  // it is b's now
}

TEST_CASE("giving everything back leaves the blocks that have rested to others") {
  World world;
  auto lock = world.owner("a");
  auto registry = world.open("a");
  IdRange range = must(registry->lease());
  registry->release(range);
  must(registry->release_all());
  auto names = must(base::list_dir(AT_FDCWD, world.options.dir));
  CHECK(names == std::vector<std::string>{"lock"});
}

TEST_CASE("a registry that others may enter is refused") {
  World world;
  must(base::make_dirs(AT_FDCWD, world.options.dir));
  REQUIRE(chmod(world.options.dir.c_str(), 0755) == 0);
  auto registry = IdRegistry::open(world.folder / "a", world.options);
  REQUIRE_FALSE(registry.ok());
  CHECK(registry.error().code == base::Code::kInvalid);
}

TEST_CASE("a damaged block is nobody's and is not touched") {
  World world;
  must(base::make_dirs(AT_FDCWD, world.options.dir));
  write_text(world.options.dir + "/block-0", "short");
  auto lock = world.owner("a");
  auto registry = world.open("a");
  CHECK(must(registry->lease()).base == kFirst + IdRegistry::kRangesPerBlock * kIdsPerZone);
}

TEST_CASE("two processes that lease at once never get the same range") {
  World world;
  constexpr int kProcesses = 2;
  constexpr int kLeases = 300;
  std::vector<pid_t> children;
  std::vector<base::UniqueFd> alive;  // also after the first process has ended
  for (int p = 0; p < kProcesses; ++p) alive.push_back(world.owner("owner" + std::to_string(p)));
  for (int p = 0; p < kProcesses; ++p) {
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      std::string name = "owner" + std::to_string(p);
      auto registry = IdRegistry::open(world.folder / name, world.options);
      std::string text;
      for (int i = 0; registry.ok() && i < kLeases; ++i) {
        auto range = (*registry)->lease();
        if (range) text += std::to_string(range->base) + "\n";
      }
      write_text(world.folder / (name + ".out"), text);
      _exit(0);
    }
    children.push_back(pid);
  }
  for (pid_t pid : children) waitpid(pid, nullptr, 0);
  std::set<std::string> seen;
  int lines = 0;
  for (int p = 0; p < kProcesses; ++p) {
    auto text =
        must(base::read_file(AT_FDCWD, world.folder / ("owner" + std::to_string(p) + ".out")));
    for (size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
      ++lines;
      seen.insert(text.substr(at, end - at));
    }
  }
  CHECK(lines == kProcesses * kLeases);
  CHECK(seen.size() == static_cast<size_t>(lines));
}

}  // namespace
}  // namespace core
