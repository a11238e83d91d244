// Five labels, two of them incomparable: 1 is below all, 2 and 3 are incomparable, 4 is above both, 5
// has 2's compartments in a class between 2's and 4's.
#pragma once

#include "labels/label.h"
#include "tests/root/netns/world.h"

inline netns::LabelTable five_labels() {
  auto label = [](uint8_t level, std::initializer_list<size_t> bits) {
    labels::Compartments compartments;
    for (size_t bit : bits) compartments.set(bit);
    return labels::Label(level, compartments);
  };
  return {{1, label(1, {})},
          {2, label(3, {1})},
          {3, label(3, {2})},
          {4, label(6, {1, 2})},
          {5, label(4, {1})}};
}
