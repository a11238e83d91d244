// Text tables and figures for people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cli {

// Columns as wide as their widest cell, two spaces between, the last one not padded.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as columns.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  // By the first cell.
  void sort();
  std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// 0.1234 -> "12.3%".
std::string percent(double fraction);
// 12.3 -> "12.3", 3725 -> "1:02:05".
std::string seconds(double value);
// "-" for an empty text.
std::string dash(const std::string& text);

}  // namespace cli
