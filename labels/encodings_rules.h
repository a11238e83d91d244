// What holds for the parts of encodings wherever they come from: a file, or a process that read one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "labels/encodings_data.h"

namespace labels {

// Why a classification, word or administrative label can't have this name ("is empty"); empty: it can.
// referred_to: labels and combinations name it.
std::string name_problem(std::string_view name, bool referred_to);

struct WordProblem {
  std::string part;  // the key that is wrong; empty: none alone
  std::string why;   // "has ...", "is ..."
};
// What is wrong with a word by itself, its names apart. Its prefix and suffix exist.
std::vector<WordProblem> word_problems(const Word& word);

}  // namespace labels
