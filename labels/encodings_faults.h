// Where the parts of the encodings parser put what they find wrong.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "labels/encodings.h"

namespace labels {

class Faults {
 public:
  static constexpr size_t kMax = 100;

  void add(unsigned line, std::string_view rule, std::string message) {
    if (!full()) faults_.push_back({line, std::string(rule), std::move(message)});
  }
  bool full() const { return faults_.size() >= kMax; }
  bool empty() const { return faults_.empty(); }
  size_t size() const { return faults_.size(); }
  // In the file's order.
  std::vector<Fault> take() {
    std::stable_sort(faults_.begin(), faults_.end(),
                     [](const Fault& a, const Fault& b) { return a.line < b.line; });
    return std::move(faults_);
  }

 private:
  std::vector<Fault> faults_;
};

}  // namespace labels
