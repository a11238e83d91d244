// Labels as ports carry them: each label has a number, from its first port on and for ever; a number
// is never another label's, so that no rule can be read wrongly.
//
//   LIB/label-numbers   a line "NUMBER LABEL" each, the label as labels::Label::encode(); written
//                       durably before a rule carries the number
#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/unique_fd.h"
#include "labels/label.h"
#include "netns/ruleset.h"

namespace zoned {

class LabelNumbers {
 public:
  // folder: LIB. first: gets number 1 where there is no file yet. A damaged file is kInvalid: its
  // numbers may be in use.
  static base::Result<LabelNumbers> open(base::UniqueFd folder, const labels::Label& first);

  // The label's number, 1 or more; given and written down if it has none.
  base::Result<uint32_t> number_of(const labels::Label& label);
  // 0: none yet.
  uint32_t find(const labels::Label& label) const;
  const netns::LabelTable& all() const { return labels_; }

 private:
  explicit LabelNumbers(base::UniqueFd folder) : folder_(std::move(folder)) {}
  base::UniqueFd folder_;
  netns::LabelTable labels_;
};

}  // namespace zoned
