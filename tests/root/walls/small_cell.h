// The walls of a small cell: one process behind one socket, made by a function of ours and not by a
// zone's plan. Each wall is tried with the cell whole but for what else would refuse the same attack,
// and with the wall itself away too.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace walls {

// In the cell: whether it got what it was after.
using Attack = std::function<bool()>;

// In the cell: says to the test what became of the attack. Never returns.
[[noreturn]] void attack_and_tell(int socket, const Attack& attack);
// In the test, whose child (or, for a subreaper, descendant) the cell's process is: "reached",
// "refused: REASON", "killed", or "blocked" after two seconds. Waits for one child's end, if it ends.
std::string hear(base::UniqueFd socket);

template <typename Cell>
struct CellWall {
  std::string name;
  Attack attack;
  std::function<void(Cell&)> shadow;  // what else would refuse it: away in both runs
  std::function<void(Cell&)> remove;
};

// Prints the row and fails the test unless the attack was refused with the wall, reached without.
void check_row(const std::string& name, const std::string& row, const std::string& with,
               const std::string& without);

// in_cell(cell, attack) is what hear() said.
template <typename Cell, typename InCell>
void check_walls(const std::vector<CellWall<Cell>>& walls, const std::string& row,
                 const Cell& released, const InCell& in_cell) {
  for (const CellWall<Cell>& wall : walls) {
    Cell cell = released;
    wall.shadow(cell);
    std::string with = in_cell(cell, wall.attack);
    wall.remove(cell);
    check_row(wall.name, row, with, in_cell(cell, wall.attack));
  }
}

// Every system call by number, with arguments that do no harm: those that a filter lets pass. Without
// the filter 95 % must answer, or the test fails.
std::set<long> calls_let_pass(const std::function<std::string(const Attack&)>& in_cell,
                              const std::function<std::string(const Attack&)>& without_filter);

// What attacks are after: a file that only root reads, and an open descriptor. One at a time.
inline constexpr int kLeaked = 200;
class Bait {
 public:
  Bait();
  ~Bait();
  Bait(const Bait&) = delete;
  Bait& operator=(const Bait&) = delete;
  const std::string& secret() const { return secret_; }

 private:
  std::string secret_;
};
bool opens(const std::string& path, int flags);
bool writes_leaked();

}  // namespace walls
