#include "labels/encodings_names.h"

#include <algorithm>

#include "base/strings.h"

namespace labels {
namespace {

// Rounds in which words may call for further words.
constexpr int kMaxRounds = 16;

base::Error invalid(std::string message) {
  return base::make_error(base::Code::kInvalid, std::move(message));
}

bool matches(const Bits& bits, const Compartments& value) {
  return (value & bits.mask()) == bits.on;
}

// A word whose prefix has bits shows only where some of these are on (special inverse words).
bool matches(const WordList& list, size_t index, const Point& point) {
  const Word& word = list.words[index];
  if (!matches(word.compartments, point.compartments) || !matches(word.markings, point.markings))
    return false;
  if (word.prefix == Word::kNone) return true;
  const Word& prefix = list.words[word.prefix];
  if (prefix.compartments.on.none() && prefix.markings.on.none()) return true;
  return (point.compartments & prefix.compartments.on).any() ||
         (point.markings & prefix.markings.on).any();
}

// The bits of a classification with some words.
Point build(const WordList& list, const Classification& classification, const WordSet& words) {
  Point point{classification.value, classification.initial_compartments,
              classification.initial_markings};
  if (!list.has_markings) point.markings.reset();
  Point off;
  for (size_t i = 0; i < list.words.size(); ++i) {
    if (!words.test(i)) continue;
    const Word& word = list.words[i];
    if (word.prefix != Word::kNone) {
      point.compartments |= list.words[word.prefix].compartments.on;
      point.markings |= list.words[word.prefix].markings.on;
    }
    point.compartments |= word.compartments.on;
    point.markings |= word.markings.on;
    off.compartments |= word.compartments.off;
    off.markings |= word.markings.off;
  }
  point.compartments &= ~off.compartments;
  point.markings &= ~off.markings;
  return point;
}

// Both bits and their values include those of `low`: a hierarchy, of which only the top is shown.
bool above(const Bits& high, const Bits& low) {
  return (low.mask() & ~high.mask()).none() && (low.on & ~high.on).none();
}

bool contradict(const Bits& a, const Bits& b) {
  return (a.on & b.off).any() || (a.off & b.on).any();
}

// Drops words below others that they contradict; kInvalid for others that contradict each other.
base::Status drop_lower(const WordList& list, WordSet* words, WordSet* dropped) {
  Bits compartments;
  Bits markings;
  for (size_t i = 0; i < list.words.size(); ++i) {
    if (!words->test(i)) continue;
    compartments.on |= list.words[i].compartments.on;
    compartments.off |= list.words[i].compartments.off;
    markings.on |= list.words[i].markings.on;
    markings.off |= list.words[i].markings.off;
  }
  if (!contradict(compartments, compartments) && !contradict(markings, markings)) return {};
  for (size_t i = 0; i < list.words.size(); ++i)
    for (size_t j = i + 1; j < list.words.size() && words->test(i); ++j) {
      if (!words->test(j)) continue;
      const Word& a = list.words[i];
      const Word& b = list.words[j];
      if (!contradict(a.compartments, b.compartments) && !contradict(a.markings, b.markings))
        continue;
      bool a_above = above(a.compartments, b.compartments) && above(a.markings, b.markings);
      bool b_above = above(b.compartments, a.compartments) && above(b.markings, a.markings);
      if (a_above == b_above)
        return invalid(base::quoted(word_name(list, i)) + " contradicts " +
                       base::quoted(word_name(list, j)));
      size_t lower = a_above ? j : i;
      words->reset(lower);
      dropped->set(lower);
    }
  return {};
}

base::Status check_classes(const EncodingsData& data, const WordList& list, uint8_t value,
                           const WordSet& words) {
  for (size_t i = 0; i < list.words.size(); ++i) {
    if (!words.test(i)) continue;
    const Word& word = list.words[i];
    if (word.minclass && value < *word.minclass)
      return invalid(base::quoted(word_name(list, i)) + " needs at least " +
                     base::quoted(data.classification(*word.minclass)->name));
    if (word.maxclass && value > *word.maxclass)
      return invalid(base::quoted(word_name(list, i)) + " is allowed up to " +
                     base::quoted(data.classification(*word.maxclass)->name));
  }
  return {};
}

std::string constraint_text(const WordList& list, const Constraint& constraint) {
  auto first_of = [&](const WordSet& words) {
    return base::quoted(word_name(list, words._Find_first()));
  };
  std::string text = first_of(constraint.first);
  if (constraint.not_with) return text + " does not go with " + first_of(constraint.second);
  if (constraint.second.none()) return text + " goes with no other word";
  return text + " goes only with " + first_of(constraint.second);
}

// What classification and words stand for, with all that they call for.
base::Result<Point> complete(const EncodingsData& data, const WordList& list,
                             const Classification* classification, WordSet words, Reading reading) {
  WordSet dropped;
  for (int round = 0; round < kMaxRounds; ++round) {
    WordSet all = words;
    for (size_t i = 0; i < list.words.size(); ++i)
      if (words.test(i)) all |= list.needs[i];
    all &= ~dropped;
    TRY(drop_lower(list, &all, &dropped));
    for (size_t i = 0; i < list.words.size(); ++i) {
      const auto& minclass = list.words[i].minclass;
      if (all.test(i) && minclass && *minclass > classification->value)
        classification = data.classification(*minclass);
    }
    Point point = build(list, *classification, all);
    WordSet shown = visible_words(list, point);
    words = all | shown;
    if (words != all) continue;
    for (size_t i = 0; i < list.words.size(); ++i)
      if (all.test(i) && !matches(list, i, point))
        return invalid(base::quoted(word_name(list, i)) + " contradicts the other words");
    TRY(check_point(data, list, point, reading));
    return point;
  }
  return invalid("its words call for too many others");
}

// Reads words from parts of a name, with their prefixes and suffixes.
class WordReader {
 public:
  WordReader(const WordList& list, const std::vector<std::string>& parts, size_t at,
             Reading reading)
      : list_(list), parts_(parts), at_(at), reading_(reading) {}

  base::Result<std::vector<size_t>> run() {
    while (at_ < parts_.size()) {
      if (prefix_ != Word::kNone && step(true)) continue;
      if (prefix_ != Word::kNone && !prefix_used_) break;
      if (!step(false)) return unknown();
    }
    if (prefix_ != Word::kNone && !prefix_used_)
      return invalid("no word behind " + base::quoted(list_.words[prefix_].name));
    if (suffix_ != Word::kNone)
      return invalid("missing " + base::quoted(list_.words[suffix_].name) + " at the end");
    return std::move(words_);
  }

 private:
  // Takes the longest name that fits.
  bool step(bool behind_prefix) {
    size_t most = std::min(parts_.size() - at_, list_.longest_name);
    for (size_t count = most; count > 0; --count) {
      auto found = list_.names.find(key(count));
      if (found == list_.names.end()) continue;
      for (size_t word : found->second)
        if (fits(word, behind_prefix)) {
          at_ += count;
          take(word);
          return true;
        }
    }
    return false;
  }

  std::string key(size_t count) const {
    std::string text = parts_[at_];
    for (size_t i = 1; i < count; ++i) text += " " + parts_[at_ + i];
    return text;
  }

  bool fits(size_t index, bool behind_prefix) const {
    const Word& word = list_.words[index];
    if (word.prefix != (behind_prefix ? prefix_ : Word::kNone)) return false;
    if (suffix_ != Word::kNone) return index == suffix_ || word.suffix == suffix_;
    return !word.is_suffix;
  }

  void take(size_t index) {
    const Word& word = list_.words[index];
    if (word.is_suffix) {
      suffix_ = Word::kNone;
      prefix_ = Word::kNone;
    } else if (word.is_prefix) {
      prefix_ = index;
      prefix_used_ = false;
    } else {
      if (word.prefix == Word::kNone) prefix_ = Word::kNone;
      prefix_used_ = true;
      suffix_ = word.suffix;
      if (!seen_.test(index)) words_.push_back(index);
      seen_.set(index);
    }
  }

  // The word of the longest name here, though it does not fit; `name` becomes that name.
  const Word* known_here(std::string* name) const {
    for (size_t count = std::min(parts_.size() - at_, list_.longest_name); count > 0; --count)
      if (auto found = list_.names.find(key(count)); found != list_.names.end()) {
        *name = found->first;
        return &list_.words[found->second.front()];
      }
    return nullptr;
  }

  base::Error unknown() const {
    std::string name = parts_[at_];
    if (const Word* word = known_here(&name); word != nullptr) {
      if (suffix_ != Word::kNone)
        return invalid(base::quoted(name) + " stands before " +
                       base::quoted(list_.words[suffix_].name));
      if (word->prefix != Word::kNone)
        return invalid(base::quoted(name) + " needs " +
                       base::quoted(list_.words[word->prefix].name) + " before it");
    }
    base::Error error = invalid("unknown word " + base::quoted(parts_[at_]));
    if (!reading_.hints || parts_[at_].size() > 64) return error;
    std::vector<std::string> names;
    for (const Word& word : list_.words) names.push_back(name_key(word.name));
    std::string near = base::nearest(parts_[at_], names);
    for (const Word& word : list_.words)
      if (!near.empty() && name_key(word.name) == near)
        error.hint = "did you mean " + word.name + "?";
    return error;
  }

  const WordList& list_;
  const std::vector<std::string>& parts_;
  size_t at_;
  Reading reading_;
  size_t prefix_ = Word::kNone;  // its words may follow
  bool prefix_used_ = false;
  size_t suffix_ = Word::kNone;  // must follow
  std::vector<size_t> words_;
  WordSet seen_;
};

// The longest classification name that starts the parts; `count`: its parts.
const Classification* leading_classification(const EncodingsData& data,
                                             const std::vector<std::string>& parts, size_t* count) {
  const Classification* best = nullptr;
  std::string key;
  for (size_t i = 0; i < std::min(parts.size(), kMaxNameParts); ++i) {
    key += (i == 0 ? "" : " ") + parts[i];
    auto found = data.classification_names.find(key);
    if (found == data.classification_names.end()) continue;
    best = &data.classifications[found->second];
    *count = i + 1;
  }
  return best;
}

const std::string& spelled(const Word& word, NameStyle style) {
  return style.short_words && !word.short_name.empty() ? word.short_name : word.name;
}

}  // namespace

std::vector<std::string> name_parts(std::string_view text) {
  std::vector<std::string> parts;
  bool in_part = false;
  for (char c : text) {
    bool separates = c == ' ' || c == '\t' || c == '/' || c == ',';
    if (!separates) {
      if (!in_part) parts.emplace_back();
      parts.back() += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    in_part = !separates;
  }
  return parts;
}

std::string name_key(std::string_view text) { return base::join(name_parts(text), " "); }

const Classification* find_classification(const EncodingsData& data, std::string_view name) {
  auto found = data.classification_names.find(name_key(name));
  return found == data.classification_names.end() ? nullptr : &data.classifications[found->second];
}

void index_words(WordList* list) {
  list->names.clear();
  list->longest_name = 0;
  for (size_t i = 0; i < list->words.size(); ++i) {
    const Word& word = list->words[i];
    std::vector<std::string> keys{name_key(word.name)};
    if (!word.short_name.empty()) keys.push_back(name_key(word.short_name));
    for (const std::string& name : word.input_names) keys.push_back(name_key(name));
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    for (const std::string& key : keys) {
      list->names[key].push_back(i);
      list->longest_name = std::max(list->longest_name, name_parts(key).size());
    }
  }
  std::vector<std::vector<size_t>> next(list->words.size());
  for (const Combination& pair : list->required) next[pair.first].push_back(pair.second);
  list->needs.assign(list->words.size(), {});
  for (size_t i = 0; i < list->words.size(); ++i) {
    if (next[i].empty()) continue;
    std::vector<size_t> open{i};
    while (!open.empty()) {
      size_t word = open.back();
      open.pop_back();
      for (size_t needed : next[word]) {
        if (list->needs[i].test(needed)) continue;
        list->needs[i].set(needed);
        open.push_back(needed);
      }
    }
  }
}

base::Result<std::vector<size_t>> parse_words(const WordList& list, std::string_view text,
                                              Reading reading) {
  std::vector<std::string> parts = name_parts(text);
  return WordReader(list, parts, 0, reading).run();
}

base::Result<Point> parse_point(const EncodingsData& data, const WordList& list,
                                std::string_view text, Reading reading) {
  if (text.size() > kMaxLabelText) return invalid("the name is too long");
  for (char c : text)
    if ((c < ' ' && c != '\t') || c > '~') return invalid("the name is not printable ASCII");
  std::vector<std::string> parts = name_parts(text);
  if (parts.empty()) return invalid("the name is empty");
  size_t count = 0;
  const Classification* classification = leading_classification(data, parts, &count);
  if (classification == nullptr) {
    base::Error error = invalid("unknown classification " + base::quoted(parts[0]));
    if (!reading.hints || parts[0].size() > 64) return error;
    std::vector<std::string> names;
    for (const Classification& known : data.classifications) names.push_back(name_key(known.name));
    std::string near = base::nearest(parts[0], names);
    if (const Classification* known = find_classification(data, near); known != nullptr)
      error.hint = "did you mean " + known->name + "?";
    return error;
  }
  TRY_AS(std::vector<size_t> named, WordReader(list, parts, count, reading).run());
  WordSet words;
  for (size_t word : named) words.set(word);
  return complete(data, list, classification, words, reading);
}

WordSet visible_words(const WordList& list, const Point& point) {
  WordSet shown;
  Compartments compartments;  // accounted for
  Markings markings;
  for (size_t i = 0; i < list.words.size(); ++i) {
    const Word& word = list.words[i];
    if (word.is_affix() || !matches(list, i, point)) continue;
    if (word.ominclass && point.classification < *word.ominclass) continue;
    if (word.omaxclass && point.classification > *word.omaxclass) continue;
    if ((word.compartments.mask() & ~compartments).none() &&
        (word.markings.mask() & ~markings).none())
      continue;
    compartments |= word.compartments.mask();
    markings |= word.markings.mask();
    shown.set(i);
  }
  return shown;
}

const Constraint* broken_constraint(const WordList& list, const WordSet& words) {
  for (const Constraint& constraint : list.constraints) {
    WordSet hit = words & constraint.first;
    if (hit.none()) continue;
    if (constraint.not_with) {
      if ((words & constraint.second).any()) return &constraint;
      continue;
    }
    // A word of the first list stands only with those of the second, not with others of the first.
    WordSet others = words & ~constraint.second;
    if (others.any() && (hit.count() > 1 || others != hit)) return &constraint;
  }
  return nullptr;
}

std::string word_name(const WordList& list, size_t word) {
  const Word& it = list.words[word];
  std::string text = it.name;
  if (it.prefix != Word::kNone) text = list.words[it.prefix].name + " " + text;
  if (it.suffix != Word::kNone) text += " " + list.words[it.suffix].name;
  return text;
}

base::Status check_point(const EncodingsData& data, const WordList& list, const Point& point,
                         Reading reading) {
  const Classification* classification = data.classification(point.classification);
  if (classification == nullptr)
    return invalid("no classification has the value " + std::to_string(point.classification));
  WordSet shown = visible_words(list, point);
  TRY(check_classes(data, list, point.classification, shown));
  for (const Combination& pair : list.required)
    if (shown.test(pair.first) && !matches(list, pair.second, point))
      return invalid(base::quoted(word_name(list, pair.first)) + " requires " +
                     base::quoted(word_name(list, pair.second)));
  if (const Constraint* broken = broken_constraint(list, shown);
      reading.constrained && broken != nullptr)
    return invalid(constraint_text(list, *broken));
  if (!(build(list, *classification, shown) == point))
    return invalid("it has bits that no word stands for");
  return {};
}

std::string point_name(const EncodingsData& data, const WordList& list, const Point& point,
                       NameStyle style) {
  const Classification& classification = *data.classification(point.classification);
  std::string text = style.short_classification ? classification.short_name : classification.name;
  WordSet shown = visible_words(list, point);
  size_t prefix = Word::kNone;
  size_t suffix = Word::kNone;
  for (size_t i = 0; i < list.words.size(); ++i) {
    if (!shown.test(i)) continue;
    const Word& word = list.words[i];
    bool same = word.prefix == prefix && word.suffix == suffix;
    bool affixed = word.prefix != Word::kNone || word.suffix != Word::kNone;
    if (!same && suffix != Word::kNone) text += " " + spelled(list.words[suffix], style);
    if (!same && word.prefix != Word::kNone) text += " " + spelled(list.words[word.prefix], style);
    text += (same && affixed ? "/" : " ") + spelled(word, style);
    prefix = word.prefix;
    suffix = word.suffix;
  }
  if (suffix != Word::kNone) text += " " + spelled(list.words[suffix], style);
  return text;
}

base::Status check_named(const EncodingsData& data, const WordList& list, const Point& point,
                         Reading reading) {
  TRY(check_point(data, list, point, reading));
  std::string name = point_name(data, list, point, {});
  auto back = parse_point(data, list, name, {reading.constrained, false});
  if (!back || !(*back == point))
    return invalid("its name " + base::quoted(name) + " does not stand for it alone");
  return {};
}

}  // namespace labels
