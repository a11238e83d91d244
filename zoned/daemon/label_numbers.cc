#include "zoned/daemon/label_numbers.h"

#include <algorithm>
#include <limits>

#include "base/files.h"
#include "base/strings.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using labels::Label;

namespace {

constexpr const char* kFile = "label-numbers";
constexpr size_t kMaxFile = 16 << 20;

Result<netns::LabelTable> parse(const std::string& text) {
  netns::LabelTable table;
  std::vector<std::string> lines = base::split(text, '\n');
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].empty() && i + 1 == lines.size()) break;
    auto read = [&]() -> base::Status {
      auto words = base::split(lines[i], ' ');
      if (words.size() != 2) return make_error(Code::kInvalid, "not a number and a label");
      TRY_AS(uint64_t number, base::parse_uint(words[0], 1, std::numeric_limits<uint32_t>::max()));
      TRY_AS(Label label, Label::decode(words[1]));
      for (const auto& [other, known] : table)
        if (other == number || known == label) return make_error(Code::kInvalid, "given twice");
      table[static_cast<uint32_t>(number)] = label;
      return {};
    };
    if (base::Status status = read(); !status)
      return std::move(status).error().context("line " + std::to_string(i + 1));
  }
  return table;
}

}  // namespace

Result<LabelNumbers> LabelNumbers::open(base::UniqueFd folder, const Label& first) {
  LabelNumbers numbers(std::move(folder));
  auto text = base::read_file(numbers.folder_.get(), kFile, kMaxFile);
  if (!text && text.error().code == Code::kNotFound) {
    TRY(numbers.number_of(first));
    return numbers;
  }
  auto read = [&]() -> base::Status {
    if (!text) return std::move(text).error();
    TRY_AS(numbers.labels_, parse(*text));
    return {};
  };
  if (base::Status status = read(); !status)
    return std::move(status)
        .error()
        .context("file '" + std::string(kFile) + "'")
        .with_hint("remove it when no zone runs: numbers are given anew then");
  return numbers;
}

uint32_t LabelNumbers::find(const Label& label) const {
  for (const auto& [number, known] : labels_)
    if (known == label) return number;
  return 0;
}

Result<uint32_t> LabelNumbers::number_of(const Label& label) {
  if (uint32_t known = find(label); known != 0) return known;
  uint32_t number = labels_.empty() ? 1 : labels_.rbegin()->first + 1;
  if (number == 0) return make_error(Code::kNoSpace, "no number is left for another label");
  std::string text;
  for (const auto& [other, known] : labels_)
    text += std::to_string(other) + " " + known.encode() + "\n";
  text += std::to_string(number) + " " + label.encode() + "\n";
  base::Status written = base::replace_file(folder_.get(), kFile, text, base::Durability::kDisk);
  if (!written) return std::move(written).error().context("number of a label");
  labels_[number] = label;
  return number;
}

}  // namespace zoned
