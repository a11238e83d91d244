#include "labels/encodings_check.h"

#include "base/strings.h"
#include "labels/encodings_names.h"

namespace labels {
namespace {

class Checker {
 public:
  Checker(const EncodingsData& data, Faults* faults) : data_(data), faults_(faults) {
    for (const Classification& classification : data.classifications) {
      initial_compartments_ |= classification.initial_compartments;
      initial_markings_ |= classification.initial_markings;
    }
    for (const WordList* list : {&data.information, &data.sensitivity, &data.clearance})
      for (const Word& word : list->words) {
        inverse_compartments_ |= word.compartments.off & initial_compartments_;
        inverse_markings_ |= word.markings.off & initial_markings_;
      }
  }

  void run() {
    for (const WordList* list : {&data_.information, &data_.sensitivity, &data_.clearance}) {
      inverse_bits(*list);
      default_words(*list);
      combinations(*list);
    }
    same_bits(data_.information, data_.sensitivity);
    same_bits(data_.information, data_.clearance);
    known_bits(data_.channels);
    known_bits(data_.banners);
    inverse_words(data_.sensitivity, data_.information);
    inverse_words(data_.clearance, data_.sensitivity);
    classifications();
  }

 private:
  void fault(unsigned line, const std::string& rule, std::string message) {
    faults_->add(line, rule, std::move(message));
  }
  static std::string words_rule(const WordList& list, const char* part) {
    return list.title + ": WORDS" + (*part == 0 ? "" : std::string(": ") + part);
  }
  static std::string word_text(const Word& word) { return "word " + base::quoted(word.name); }

  // A bit that a word wants off means something only where it would be on: initially, by the word's
  // prefix, or by another word of a hierarchy.
  void inverse_bits(const WordList& list) {
    Compartments compartments;
    Markings markings;
    for (const Word& word : list.words) {
      compartments |= word.compartments.on;
      markings |= word.markings.on;
    }
    for (const Word& word : list.words) {
      const Word* prefix = word.prefix != Word::kNone ? &list.words[word.prefix] : nullptr;
      bool plain = word.compartments.on.any() || word.markings.on.any();
      auto check = [&](const Bits& bits, const Compartments& initial, const Compartments& prefixed,
                       const Compartments& others, const char* part) {
        Compartments allowed = initial | prefixed;
        if (plain) allowed |= others;
        Compartments bad = bits.off & ~allowed;
        if (bad.any())
          fault(word.line, words_rule(list, part),
                word_text(word) + ": inverse bit " + std::to_string(bad._Find_first()) +
                    " is not among the initial bits");
      };
      check(word.compartments, initial_compartments_,
            prefix != nullptr ? prefix->compartments.on : Compartments(), compartments,
            "compartments");
      check(word.markings, initial_markings_, prefix != nullptr ? prefix->markings.on : Markings(),
            markings, "markings");
    }
  }

  // A word that some classification always has.
  void default_words(const WordList& list) {
    for (const Word& word : list.words) {
      if (word.is_affix()) continue;
      for (const Classification& classification : data_.classifications)
        if (!default_word(list, word, classification)) break;
    }
  }

  bool default_word(const WordList& list, const Word& word, const Classification& classification) {
    Compartments compartments = classification.initial_compartments & ~inverse_compartments_;
    Markings markings = classification.initial_markings & ~inverse_markings_;
    bool some = (word.compartments.on & compartments).any() || (word.markings.on & markings).any();
    bool all =
        (word.compartments.on & ~compartments).none() && (word.markings.on & ~markings).none();
    if (!some) return true;
    if (!all) {
      fault(word.line, words_rule(list, ""),
            word_text(word) + " has initial bits of " + base::quoted(classification.name) +
                " and others as well");
      return false;
    }
    if (word.minclass && *word.minclass > classification.value) {
      fault(word.line, words_rule(list, "minclass"),
            word_text(word) + " is initially in " + base::quoted(classification.name) +
                ", below its minclass");
      return false;
    }
    if (word.maxclass && *word.maxclass < classification.value) {
      fault(word.line, words_rule(list, "maxclass"),
            word_text(word) + " is initially in " + base::quoted(classification.name) +
                ", above its maxclass");
      return false;
    }
    return true;
  }

  // What a word requires must be allowed with it.
  void combinations(const WordList& list) {
    std::string rule = list.title + ": REQUIRED COMBINATIONS";
    WordSet told;
    for (const Combination& pair : list.required) {
      if (faults_->full()) return;
      const Word& word = list.words[pair.first];
      WordSet all = list.needs[pair.first];
      all.set(pair.first);
      if (told.test(pair.first)) continue;
      if (const Constraint* broken = broken_constraint(list, all); broken != nullptr) {
        told.set(pair.first);
        fault(pair.line, rule,
              word_text(word) + " requires what the constraint in line " +
                  std::to_string(broken->line) + " forbids");
        continue;
      }
      for (size_t i = 0; i < list.words.size(); ++i) {
        const Word& needed = list.words[i];
        bool low = word.maxclass && needed.minclass && *word.maxclass < *needed.minclass;
        if (!all.test(i) || !low || told.test(pair.first)) continue;
        told.set(pair.first);
        fault(pair.line, rule,
              word_text(word) + " requires " + base::quoted(needed.name) +
                  ", whose minclass is above its maxclass");
      }
    }
  }

  static Compartments compartments_of(const WordList& list) {
    Compartments all;
    for (const Word& word : list.words) all |= word.compartments.mask();
    return all;
  }

  void same_bits(const WordList& a, const WordList& b) {
    Compartments in_a = compartments_of(a);
    Compartments in_b = compartments_of(b);
    missing_bit(in_a & ~in_b, a, b);
    missing_bit(in_b & ~in_a, b, a);
  }

  // Told where the bit is, which is a place to look at.
  void missing_bit(const Compartments& bits, const WordList& has, const WordList& lacks) {
    if (bits.none()) return;
    size_t bit = bits._Find_first();
    for (const Word& word : has.words)
      if (word.compartments.mask().test(bit))
        return fault(word.line, words_rule(has, "compartments"),
                     word_text(word) + ": compartment " + std::to_string(bit) +
                         " is not in the words of " + lacks.title);
  }

  void known_bits(const WordList& list) {
    Compartments compartments = compartments_of(data_.information);
    Markings markings;
    for (const Word& word : data_.information.words) markings |= word.markings.mask();
    for (const Word& word : list.words) {
      if ((word.compartments.mask() & ~compartments).any())
        fault(
            word.line, words_rule(list, "compartments"),
            word_text(word) + " has compartments that are not in the words of INFORMATION LABELS");
      if ((word.markings.mask() & ~markings).any())
        fault(word.line, words_rule(list, "markings"),
              word_text(word) + " has markings that are not in the words of INFORMATION LABELS");
    }
  }

  // An inverse word needs one in the section before that it implies.
  void inverse_words(const WordList& list, const WordList& before) {
    for (const Word& word : list.words) {
      Compartments inverse = word.compartments.off & inverse_compartments_;
      if (inverse.none()) continue;
      bool found = false;
      for (const Word& other : before.words) {
        Compartments off = other.compartments.off & inverse_compartments_;
        found = found || (off.any() && (off & ~inverse).none() &&
                          (other.compartments.on & ~word.compartments.on).none() &&
                          other.markings.on.none());
      }
      if (!found)
        fault(word.line, words_rule(list, "compartments"),
              word_text(word) + " is inverse, but no word of " + before.title + " answers to it");
    }
  }

  // Each classification by itself is a label.
  void classifications() {
    for (const Classification& classification : data_.classifications)
      for (const WordList* list : {&data_.sensitivity, &data_.clearance}) {
        auto point =
            parse_point(data_, *list, classification.name, {list == &data_.sensitivity, false});
        auto named = point ? check_named(data_, *list, *point, {list == &data_.sensitivity, false})
                           : base::Status(point.error());
        if (named) continue;
        fault(classification.line, "CLASSIFICATIONS",
              base::quoted(classification.name) + " alone is no label of " + list->title + ": " +
                  named.error().message);
        break;
      }
  }

  const EncodingsData& data_;
  Faults* faults_;
  Compartments initial_compartments_;
  Markings initial_markings_;
  Compartments inverse_compartments_;
  Markings inverse_markings_;
};

}  // namespace

void check_words(const EncodingsData& data, Faults* faults) { Checker(data, faults).run(); }

}  // namespace labels
