// The parser of encodings files: sections in their order, each into plain data, every fault told.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "labels/encodings_data.h"
#include "labels/encodings_faults.h"
#include "labels/encodings_names.h"
#include "labels/encodings_scanner.h"

namespace labels {

class EncodingsParser {
 public:
  EncodingsParser(std::string_view text, Faults* faults)
      : items_(scan(text, faults)), faults_(faults) {}

  // Meaningful only when no fault was found.
  EncodingsData run();

 private:
  // encodings_parser.cc: the cursor.
  const Item& item() const { return items_[at_]; }
  const Item& take();
  // A section, a part of one, or the end.
  bool at_boundary() const;
  // Goes behind `keyword`, which must be here; the fault is told and false given when it is not.
  // `line`: where it was.
  bool enter(Keyword keyword, const std::string& rule, unsigned* line = nullptr);
  void fault(const Item& at, std::string_view rule, std::string message);
  void unexpected(const Item& at, const std::string& rule);
  // Whether `keyword` comes for the first time since `seen` was emptied; else tells.
  bool once(const Item& at, const std::string& rule, std::set<Keyword>* seen);

  // Values; each tells its fault.
  bool check_new_name(const Item& at, const std::string& rule, bool referred_to);
  Bits parse_bits(const Item& at, const std::string& rule);
  std::optional<uint8_t> parse_class(const Item& at, const std::string& rule);
  // A label in canonical form.
  std::optional<Point> parse_canonical(const Item& at, const std::string& rule,
                                       const WordList& list, bool constrained);

  void version();
  void classifications();
  void classification();
  Compartments initial_bits(const Item& at, const std::string& rule);
  void add_classification(const Item& at, Classification added);

  // encodings_words.cc
  void word_list(Keyword section, WordList* list);
  void words(WordList* list);
  void word(WordList* list, const std::string& rule);
  void word_key(const Item& at, const std::string& rule, const WordList& list, Word* word);
  std::bitset<15> parse_flags(const Item& at, const std::string& rule);
  void needs_affix(const Item& at, const std::string& rule, const WordList& list, Word* word);
  void check_word(const std::string& rule, const WordList& list, const Word& word);
  void check_word_names(const std::string& rule, const WordList& list, const Word& word);
  void required_combinations(WordList* list);
  void combination_constraints(WordList* list);
  std::optional<Constraint> parse_constraint(const Item& at, const std::string& rule,
                                             const WordList& list);

  // encodings_range.cc
  void accreditation_range();
  void classification_range();
  void listed_label(const Item& at, const std::string& rule, const Classification* classification);
  void minimum(const Item& at, const std::string& rule);
  void check_minimums(const Item& clearance, const Item& label, const Item& protect_as);
  void name_information_labels();
  bool is_known_name(const std::string& name) const;

  // encodings_local.cc
  void local_definitions();
  void local_key(const Item& at, const std::string& rule);
  void admin_name(const Item& at, const std::string& rule, std::string* name);
  void default_user(const Item& at, const std::string& rule);
  void colour_names();
  void colour(const Item& subject, const std::string& colour);

  std::vector<Item> items_;
  size_t at_ = 0;
  bool lost_ = false;  // a section is missing: what follows it has been told
  Faults* faults_;
  EncodingsData data_;
  size_t listed_labels_ = 0;
  // Names of words in use: {prefix, name}.
  std::set<std::pair<size_t, std::string>> word_names_;
};

// "SENSITIVITY LABELS: WORDS: minclass".
std::string rule_of(std::string_view section, std::string_view part);
std::string rule_of(std::string_view section, const Item& item);

}  // namespace labels
