// The channel matrix as a table for people: docs/channels.md.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace channels {

// Pairs of labels (from, to) of one channel and one kind of way: how many tokens were sent and how many
// of them came.
struct Cell {
  unsigned tried = 0;
  unsigned arrived = 0;
  bool operator==(const Cell&) const = default;
};
using Cells = std::map<std::pair<size_t, size_t>, Cell>;

struct Row {
  std::string channel;
  std::string way;  // "native to native"
  Cells cells;
};

// Markdown; one line a row, one column a sender's label, in each the letters of the labels it came to.
std::string render(const std::vector<Row>& rows);

}  // namespace channels
