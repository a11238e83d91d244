#include "tests/root/channels/table.h"

#include "tests/root/channels/policy.h"

namespace channels {
namespace {

// "PIABC", "-" for nowhere; a letter in brackets: some of the tokens only.
std::string reached(const Cells& cells, size_t from) {
  std::string letters;
  for (size_t to = 0; to < test_labels().size(); ++to) {
    auto cell = cells.find({from, to});
    if (cell == cells.end() || cell->second.arrived == 0) continue;
    std::string letter = test_labels()[to].letter;
    letters += cell->second.arrived == cell->second.tried ? letter : "(" + letter + ")";
  }
  return letters.empty() ? "-" : letters;
}

}  // namespace

std::string render(const std::vector<Row>& rows) {
  std::string text = "| channel | way | tried | arrived |";
  for (const TestLabel& label : test_labels()) text += " from " + std::string(label.name) + " |";
  text += "\n|---|---|---|---|---|---|---|---|---|\n";
  for (const Row& row : rows) {
    unsigned tried = 0;
    unsigned arrived = 0;
    for (const auto& [pair, cell] : row.cells) {
      tried += cell.tried;
      arrived += cell.arrived;
    }
    text += "| " + row.channel + " | " + row.way + " | " + std::to_string(tried) + " | " +
            std::to_string(arrived) + " |";
    for (size_t from = 0; from < test_labels().size(); ++from)
      text += " " + reached(row.cells, from) + " |";
    text += "\n";
  }
  return text;
}

}  // namespace channels
