// An encodings file as plain data. Only labels/encodings*.cc make it, or accept it from elsewhere
// (Encodings::accept); see encodings.h for the source of the terms.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "labels/label.h"

namespace labels {

// Limits that keep hostile files cheap. A real file has some tens of words.
inline constexpr size_t kMaxWords = 512;        // of a section
inline constexpr size_t kMaxInputNames = 1024;  // of a section
inline constexpr size_t kMaxCombinations = 2048;
inline constexpr size_t kMaxConstraints = 1024;
inline constexpr size_t kMaxRangeLabels = 2048;  // listed in the accreditation range, in all
inline constexpr size_t kMaxColours = 1024;
inline constexpr size_t kMaxName = 255;        // bytes
inline constexpr size_t kMaxNameParts = 16;    // blank-separated
inline constexpr size_t kMaxLabelText = 4096;  // bytes

using Markings = Compartments;  // 0..239, like compartments
using WordSet = std::bitset<kMaxWords>;

// Bits that a word turns on and off; the others are no business of its.
struct Bits {
  Compartments on;
  Compartments off;
  Compartments mask() const { return on | off; }
};

struct Classification {
  unsigned line = 0;
  std::string name;
  std::string short_name;
  std::string alternate_name;  // empty: none
  uint8_t value = 0;
  Compartments initial_compartments;
  Markings initial_markings;
};

struct Word {
  static constexpr size_t kNone = SIZE_MAX;

  unsigned line = 0;
  std::string name;
  std::string short_name;  // empty: none
  std::vector<std::string> input_names;
  bool is_prefix = false;
  bool is_suffix = false;
  size_t prefix = kNone;  // the word that must stand before it, an index below its own
  size_t suffix = kNone;  // likewise behind it
  std::optional<uint8_t> minclass;
  std::optional<uint8_t> ominclass;
  std::optional<uint8_t> maxclass;
  std::optional<uint8_t> omaxclass;
  Bits compartments;
  Bits markings;  // information labels and printer banners
  bool access_related = false;
  std::bitset<15> flags;

  bool is_affix() const { return is_prefix || is_suffix; }
};

// `first` cannot be without `second`.
struct Combination {
  unsigned line = 0;
  size_t first = 0;
  size_t second = 0;
};

// not_with: no word of `first` with any of `second`. Else a word of `first` only with words of `second`.
struct Constraint {
  unsigned line = 0;
  bool not_with = false;
  WordSet first;
  WordSet second;
};

// INFORMATION LABELS, SENSITIVITY LABELS, CLEARANCES, CHANNELS or PRINTER BANNERS.
struct WordList {
  std::string title;  // "SENSITIVITY LABELS"
  unsigned line = 0;
  bool output_only = false;   // channels, printer banners
  bool has_markings = false;  // information labels, printer banners
  std::vector<Word> words;    // in canonical order
  std::vector<Combination> required;
  std::vector<Constraint> constraints;
  // Derived: all that a word requires, directly or not; and the words of each name, whose parts are
  // in lower case and separated by one blank.
  std::vector<WordSet> needs;
  std::unordered_map<std::string, std::vector<size_t>> names;
  size_t longest_name = 0;  // parts
};

// Which compartments go with one classification.
struct Range {
  enum class Kind { kNone, kAll, kAllExcept, kOnly };
  Kind kind = Kind::kNone;
  std::unordered_set<Compartments> listed;
};

struct WordColour {
  size_t word = 0;  // of the sensitivity labels
  std::string colour;
};

struct LabelColour {
  Label label;
  bool classification_alone =
      false;  // also for labels of that classification without another colour
  std::string colour;
};

struct EncodingsData {
  std::string version;
  std::vector<Classification> classifications;  // in the file's order
  // Derived: their indices by each name, as in WordList.
  std::unordered_map<std::string, size_t> classification_names;
  std::array<std::optional<size_t>, 256> classification_values;
  WordList information;
  WordList sensitivity;
  WordList clearance;
  WordList channels;
  WordList banners;
  std::array<Range, 256> ranges;
  Label minimum_clearance;
  Label minimum_label;
  uint8_t minimum_protect_as = 0;
  // Local definitions.
  std::optional<Label> default_user_label;
  std::optional<Label> default_user_clearance;
  std::string admin_low_name = "ADMIN_LOW";
  std::string admin_high_name = "ADMIN_HIGH";
  std::vector<WordColour> word_colours;    // in the file's order
  std::vector<LabelColour> label_colours;  // in the file's order

  // The accreditation range holds it.
  bool in_range(const Label& label) const {
    const Range& range = ranges[label.classification()];
    bool listed = range.listed.contains(label.compartments());
    return range.kind == Range::Kind::kAll || (range.kind == Range::Kind::kAllExcept && !listed) ||
           (range.kind == Range::Kind::kOnly && listed);
  }
  // Null: no classification has this value.
  const Classification* classification(uint8_t value) const {
    const auto& index = classification_values[value];
    return index ? &classifications[*index] : nullptr;
  }
};

}  // namespace labels
