// The walls of zone-readdown's cell, one by one, with the attacker in its place: the attack with the cell
// whole but for what else would refuse the same, and with the wall itself away too. Descriptor 3 is a tree
// as zoned hands it over.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <functional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/process.h"
#include "tests/root/cells/must.h"
#include "tests/root/walls/small_cell.h"
#include "tests/root/walls/walls.h"
#include "zoned/core/exports.h"
#include "zoned/core/reader_cell.h"

namespace {

using base::UniqueFd;
using cells::must;

struct ReaderCell {
  core::ZonePlan plan;
  uint64_t attributes = core::export_attributes();  // of the tree
};

struct ReaderWall {
  std::string name;
  std::vector<std::string> attack;
  std::function<void(ReaderCell&)> shadow;  // what else would refuse it: away in both runs
  std::function<void(ReaderCell&)> remove;
  std::function<void(walls::Yard&)> prepare = {};
  // Instead of the attacker's own verdict: looked at from outside.
  std::function<bool(walls::Yard&)> reached_outside = {};
};

void no_filter(ReaderCell& cell) { cell.plan.filter.clear(); }
void writable(ReaderCell& cell) { cell.attributes &= ~uint64_t{MOUNT_ATTR_RDONLY}; }

// A user namespace with the cell's ids, as the mounts of its trees are made for.
UniqueFd ids_of(const core::ZonePlan& plan) {
  auto gate = must(base::make_pipe());
  pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    if (unshare(CLONE_NEWUSER) != 0 || write(gate.write.get(), "x", 1) != 1) _exit(1);
    while (true) pause();
  }
  char byte = 0;
  REQUIRE(read(gate.read.get(), &byte, 1) == 1);
  const std::string process = "/proc/" + std::to_string(pid);
  UniqueFd folder = must(base::open_at(AT_FDCWD, process, O_PATH | O_DIRECTORY));
  const std::string map = "0 " + std::to_string(plan.ids.base) + " 65536\n";
  must(base::write_value(folder.get(), "uid_map", map));
  must(base::write_value(folder.get(), "gid_map", map));
  UniqueFd ns = must(base::open_at(folder.get(), "ns/user", O_RDONLY));
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  return ns;
}

std::string export_of(walls::Yard& yard) { return yard.path() + "/export"; }

// A file that was read long ago, a device that a lower zone has somehow got, a program.
void make_export(walls::Yard& yard) {
  const std::string folder = export_of(yard);
  must(base::make_dirs(AT_FDCWD, folder + "/tmp", 0755));
  auto put = [&](const std::string& name, std::string_view text, mode_t mode) {
    UniqueFd fd = must(base::open_at(AT_FDCWD, folder + "/" + name, O_CREAT | O_WRONLY, mode));
    must(base::write_all(fd.get(), text));
  };
  put("file", "text", 0644);
  put("script", "#!/bin/attacker say-reached\n", 0755);
  REQUIRE(mkfifo((folder + "/fifo").c_str(), 0666) == 0);
  REQUIRE(chmod((folder + "/fifo").c_str(), 0666) == 0);
  REQUIRE(mknod((folder + "/zero").c_str(), S_IFCHR | 0666, makedev(1, 5)) == 0);
}

constexpr time_t kLongAgo = 1000000000;
void set_old(walls::Yard& yard) {
  const timespec times[2] = {{kLongAgo, 0}, {kLongAgo, 0}};
  REQUIRE(utimensat(AT_FDCWD, (export_of(yard) + "/file").c_str(), times, 0) == 0);
}
bool was_read(walls::Yard& yard) {
  struct stat st = {};
  return stat((export_of(yard) + "/file").c_str(), &st) == 0 && st.st_atim.tv_sec != kLongAgo;
}

// Those of every zone, but for what this cell does not have.
void add_common(pid_t neighbour, std::vector<ReaderWall>* all) {
  for (const walls::Wall& wall : walls::all_walls(neighbour)) {
    bool shared = false;
    for (const char* kind :
         {"namespace: ", "ids: ", "capabilities", "no_new_privs", "descriptors: ", "rlimit: "})
      shared = shared || wall.name.starts_with(kind);
    if (!shared) continue;
    auto remove = [wall](ReaderCell& cell) { wall.remove(cell.plan); };
    auto shadow = [user = wall.user](ReaderCell& cell) {
      no_filter(cell);
      cell.plan.exec.uid = cell.plan.exec.gid = user;
      cell.plan.kept_fds.clear();
    };
    all->push_back({wall.name, wall.attack, shadow, remove, wall.prepare, wall.reached_outside});
  }
}

void add_cell(std::vector<ReaderWall>* all) {
  auto root = [](ReaderCell& cell) { cell.plan.mounts.front().read_only = false; };
  all->push_back({"root: read-only", {"create", "/made"}, no_filter, root, [](walls::Yard& yard) {
                    unlink((yard.path() + "/tree/made").c_str());
                  }});
  auto proc_at = [](ReaderCell& cell) {
    return std::find_if(cell.plan.mounts.begin(), cell.plan.mounts.end(),
                        [](const core::MountOp& op) { return op.target == "/proc"; });
  };
  all->push_back({"/proc: processes alone",
                  {"read", "/proc/version"},
                  [](ReaderCell&) {},
                  [proc_at](ReaderCell& cell) { proc_at(cell)->options.clear(); }});
  all->push_back({"/proc: read-only",
                  {"open-write", "/proc/self/comm"},
                  no_filter,
                  [proc_at](ReaderCell& cell) { proc_at(cell)->read_only = false; }});
  all->push_back(
      {"network: none, not even loopback", {"loopback"}, no_filter, [](ReaderCell& cell) {
         cell.plan.loopback_up = true;
       }});
  const std::vector<std::vector<std::string>> calls = {
      {"fork"}, {"make-at", "3"}, {"write-at", "3", "fifo"}, {"keyring"}, {"io-uring"}};
  for (const auto& call : calls) all->push_back({"filter: " + call[0], call, writable, no_filter});
}

void add_tree(std::vector<ReaderWall>* all) {
  auto without = [](uint64_t attribute) {
    return [attribute](ReaderCell& cell) { cell.attributes &= ~attribute; };
  };
  all->push_back({"tree: read-only", {"make-at", "3"}, no_filter, without(MOUNT_ATTR_RDONLY)});
  all->push_back({"tree: noexec",
                  {"run", "/proc/self/fd/3/script"},
                  [](ReaderCell&) {},
                  without(MOUNT_ATTR_NOEXEC)});
  all->push_back(
      {"tree: nodev", {"read-at", "3", "zero"}, [](ReaderCell&) {}, without(MOUNT_ATTR_NODEV)});
  all->push_back({"tree: no access times",
                  {"read-at", "3", "file"},
                  writable,
                  without(MOUNT_ATTR_NOATIME),
                  set_old,
                  was_read});
}

std::string in_cell(walls::Yard& yard, const ReaderWall& wall, bool with_wall) {
  if (wall.prepare) wall.prepare(yard);
  ReaderCell cell = {yard.plan(wall.attack)};
  const std::vector<core::MountOp> mounts = cell.plan.mounts;
  core::confine_reader("/bin/attacker", &cell.plan);
  cell.plan.exec.argv.insert(cell.plan.exec.argv.end(), wall.attack.begin(), wall.attack.end());
  // What some attacks are after.
  for (const core::MountOp& op : mounts)
    if (op.target == "/shared") cell.plan.mounts.push_back(op);
  wall.shadow(cell);
  if (!with_wall) wall.remove(cell);
  UniqueFd above = must(base::open_at(AT_FDCWD, yard.path(), O_RDONLY | O_DIRECTORY));
  UniqueFd tree =
      must(core::export_tree(above.get(), "/export", ids_of(cell.plan).get(), cell.attributes));
  walls::Outcome outcome = walls::run(yard, cell.plan, {{"control", tree.get()}});
  if (!outcome.launched) return "not launched: " + outcome.output;
  if (wall.reached_outside)
    return !outcome.reached             ? "no answer: " + outcome.output
           : wall.reached_outside(yard) ? "reached"
                                        : "refused: nothing is seen";
  if (outcome.reached) return "reached";
  if (outcome.killed) return "killed";
  return outcome.output.empty() ? "no answer" : outcome.output;
}

}  // namespace

TEST_CASE("each wall of zone-readdown's cell holds, and without it the same attack succeeds") {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  walls::Yard yard;
  make_export(yard);
  std::vector<ReaderWall> all;
  add_common(getpid(), &all);
  add_cell(&all);
  add_tree(&all);
  for (const ReaderWall& wall : all) {
    const std::string with = in_cell(yard, wall, true);
    INFO(wall.name << ": " << with);
    CHECK((with == "killed" || with.starts_with("refused: ")));
    walls::check_row(wall.name, "17", with, in_cell(yard, wall, false));
  }
}
