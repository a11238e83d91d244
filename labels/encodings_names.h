// Between names and bits, by one section of an encodings file (information labels, sensitivity labels
// or clearances). Pure functions; their cost is bounded by the limits of encodings_data.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "labels/encodings_data.h"

namespace labels {

// A label of any section. Only information labels have markings.
struct Point {
  uint8_t classification = 0;
  Compartments compartments;
  Markings markings;
  bool operator==(const Point& other) const = default;
};

// How a label is spelled.
struct NameStyle {
  bool short_classification = false;
  bool short_words = false;
};

struct Reading {
  bool constrained = true;  // combination constraints hold
  bool hints = true;        // errors name the nearest word
};

// In lower case, split at white space, '/' and ','.
std::vector<std::string> name_parts(std::string_view text);
// The parts, joined by single blanks.
std::string name_key(std::string_view text);

// By its whole name, long, short or alternate; null: none.
const Classification* find_classification(const EncodingsData& data, std::string_view name);

// Fills names and needs from words and required combinations.
void index_words(WordList* list);

// The words that `text` names, without prefixes and suffixes, each once, in the order written.
base::Result<std::vector<size_t>> parse_words(const WordList& list, std::string_view text,
                                              Reading reading);

// Classification and words; adds what required combinations and minimum classes call for.
base::Result<Point> parse_point(const EncodingsData& data, const WordList& list,
                                std::string_view text, Reading reading);

// The words that show in a label.
WordSet visible_words(const WordList& list, const Point& point);
// Null: none is broken.
const Constraint* broken_constraint(const WordList& list, const WordSet& words);
// The whole name of a word: prefix, word, suffix.
std::string word_name(const WordList& list, size_t word);

// Well-formed: of a known classification, every bit accounted for by it and the words, those within
// their classes and as the combinations have it. kInvalid with the reason.
base::Status check_point(const EncodingsData& data, const WordList& list, const Point& point,
                         Reading reading);
// Canonical: classification, then the words in the file's order. For well-formed ones.
std::string point_name(const EncodingsData& data, const WordList& list, const Point& point,
                       NameStyle style);
// Well-formed, and its canonical name names it alone. kInvalid with the reason.
base::Status check_named(const EncodingsData& data, const WordList& list, const Point& point,
                         Reading reading);

}  // namespace labels
