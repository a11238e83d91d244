#include "cli/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace cli {
namespace {

// Columns that a text takes on a terminal: characters, not bytes. Wide ones count once; names here
// have none.
size_t width(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

}  // namespace

void Table::sort() {
  std::stable_sort(rows_.begin(), rows_.end(),
                   [](const auto& a, const auto& b) { return a.front() < b.front(); });
}

std::string Table::text() const {
  std::vector<std::string> titles;
  std::vector<size_t> widths;
  for (const Column& column : columns_) {
    titles.push_back(column.title);
    widths.push_back(width(column.title));
  }
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths.at(i) = std::max(widths.at(i), width(row[i]));
  }
  std::string out;
  auto line = [&](const std::vector<std::string>& cells) {
    for (size_t i = 0; i < cells.size(); ++i) {
      std::string pad(widths[i] - width(cells[i]), ' ');
      bool last = i + 1 == cells.size();
      if (columns_[i].align == Align::kRight) {
        out += pad + cells[i];
      } else {
        out += cells[i] + (last ? "" : pad);
      }
      out += last ? "\n" : "  ";
    }
  };
  line(titles);
  for (const auto& row : rows_) line(row);
  return out;
}

std::string percent(double fraction) {
  char text[32];
  snprintf(text, sizeof text, "%.1f%%", fraction * 100);
  return text;
}

std::string seconds(double value) {
  char text[48];
  if (value < 600) {
    snprintf(text, sizeof text, "%.1f", value);
  } else {
    auto whole = static_cast<uint64_t>(std::llround(value));
    snprintf(text, sizeof text, "%llu:%02u:%02u", static_cast<unsigned long long>(whole / 3600),
             static_cast<unsigned>(whole / 60 % 60), static_cast<unsigned>(whole % 60));
  }
  return text;
}

std::string dash(const std::string& text) { return text.empty() ? "-" : text; }

}  // namespace cli
