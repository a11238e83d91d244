// Encodings from plain data that a stranger made. Whatever the other sources here rely upon is looked at
// before it is used; what is derived is derived anew.
#include <algorithm>
#include <set>

#include "labels/encodings.h"
#include "labels/encodings_check.h"
#include "labels/encodings_names.h"
#include "labels/encodings_rules.h"

namespace labels {
namespace {

using base::Status;

struct Section {
  WordList EncodingsData::*list;
  const char* title;
  bool output_only;
  bool has_markings;
};

constexpr Section kSections[] = {
    {&EncodingsData::information, "INFORMATION LABELS", false, true},
    {&EncodingsData::sensitivity, "SENSITIVITY LABELS", false, false},
    {&EncodingsData::clearance, "CLEARANCES", false, false},
    {&EncodingsData::channels, "CHANNELS", true, false},
    {&EncodingsData::banners, "PRINTER BANNERS", true, true},
};

base::Error bad(const std::string& what) {
  return base::make_error(base::Code::kInvalid, "encodings: " + what);
}

// As the values of a file are: printable, single blanks inside, none at the ends.
bool is_tidy(const std::string& text) {
  constexpr size_t kMaxLine = 1024;
  bool plain = std::all_of(text.begin(), text.end(),
                           [](char c) { return c >= ' ' && c <= '~' && c != ';'; });
  return plain && text.size() <= kMaxLine && text.find("  ") == std::string::npos &&
         !text.starts_with(' ') && !text.ends_with(' ');
}

bool is_name(const std::string& name, bool referred_to) {
  return is_tidy(name) && name_problem(name, referred_to).empty();
}

bool is_colour(const std::string& text) {
  return text.size() == 7 && text.front() == '#' &&
         text.find_first_not_of("0123456789abcdef", 1) == std::string::npos;
}

class Acceptor {
 public:
  explicit Acceptor(EncodingsData* data) : data_(*data) {}

  Status run() {
    if (data_.version.empty() || !is_tidy(data_.version)) return bad("version");
    TRY(classifications());
    for (const Section& section : kSections) TRY(word_list(section));
    Faults faults;
    check_words(data_, &faults);
    if (!faults.empty()) return bad(faults.take().front().message);
    TRY(ranges());
    TRY(minimums());
    TRY(administrative_names());
    TRY(defaults());
    return colours();
  }

 private:
  Status classifications() {
    data_.classification_names.clear();
    data_.classification_values = {};
    size_t count = data_.classifications.size();
    if (count == 0 || count > data_.classification_values.size()) return bad("classifications");
    for (size_t i = 0; i < count; ++i) {
      auto& index = data_.classification_values[data_.classifications[i].value];
      if (index) return bad("a classification's value is taken");
      index = i;
      TRY(classification_names(i));
    }
    return {};
  }

  Status classification_names(size_t index) {
    const Classification& it = data_.classifications[index];
    for (const std::string* name : {&it.name, &it.short_name, &it.alternate_name}) {
      if (name->empty() && name != &it.name) continue;
      if (!is_name(*name, true) || name->find('/') != std::string::npos)
        return bad("a classification's name");
      std::string key = name_key(*name);
      bool stored_form = name->find(':') != std::string::npos && Label::decode(*name).ok();
      if (key == "admin_low" || key == "admin_high" || stored_form)
        return bad("a classification's name is reserved");
      auto [known, added] = data_.classification_names.emplace(std::move(key), index);
      if (!added && known->second != index) return bad("a classification's name is taken");
    }
    return {};
  }

  Status word_list(const Section& section) {
    WordList& list = data_.*section.list;
    list.title = section.title;
    list.output_only = section.output_only;
    list.has_markings = section.has_markings;
    if (list.words.size() > kMaxWords) return bad(list.title + ": too many words");
    std::set<std::pair<size_t, std::string>> names;
    bool only_affixes = !list.words.empty();
    for (size_t i = 0; i < list.words.size(); ++i) {
      TRY(word(list, i));
      TRY(word_names(list, list.words[i], &names));
      only_affixes = only_affixes && list.words[i].is_affix();
    }
    if (only_affixes) return bad(list.title + ": prefixes and suffixes alone");
    TRY(combinations(list));
    TRY(constraints(list));
    index_words(&list);
    return {};
  }

  Status word(const WordList& list, size_t index) {
    const Word& it = list.words[index];
    auto wrong = [&](const char* part) { return bad(list.title + ": a word's " + part); };
    bool prefixed =
        it.prefix == Word::kNone || (it.prefix < index && list.words[it.prefix].is_prefix);
    bool suffixed =
        it.suffix == Word::kNone || (it.suffix < index && list.words[it.suffix].is_suffix);
    if (!prefixed || !suffixed) return wrong("prefix or suffix");
    for (const auto& value : {it.minclass, it.ominclass, it.maxclass, it.omaxclass})
      if (value && data_.classification(*value) == nullptr) return wrong("class");
    if ((it.compartments.on & it.compartments.off).any() ||
        (it.markings.on & it.markings.off).any() ||
        (!list.has_markings && it.markings.mask().any()))
      return wrong("bits");
    if (it.access_related && &list != &data_.information) return wrong("access");
    if (!word_problems(it).empty()) return wrong("keys");
    return {};
  }

  static Status word_names(const WordList& list, const Word& word,
                           std::set<std::pair<size_t, std::string>>* taken) {
    std::vector<std::string> names{word.name};
    if (!word.short_name.empty()) names.push_back(word.short_name);
    names.insert(names.end(), word.input_names.begin(), word.input_names.end());
    if (list.output_only && !word.input_names.empty()) return bad(list.title + ": a word's input");
    std::set<std::string> keys;
    for (const std::string& name : names) {
      if (!is_name(name, !list.output_only)) return bad(list.title + ": a word's name");
      keys.insert(name_key(name));
    }
    if (list.output_only) return {};
    for (const std::string& key : keys)
      if (!taken->insert({word.prefix, key}).second)
        return bad(list.title + ": a word's name is taken");
    if (taken->size() > 2 * kMaxWords + kMaxInputNames) return bad(list.title + ": too many names");
    return {};
  }

  // What combinations speak of.
  static bool is_word(const WordList& list, size_t index) {
    return index < list.words.size() && !list.words[index].is_affix();
  }
  static bool are_words(const WordList& list, const WordSet& set) {
    for (size_t i = set._Find_first(); i < set.size(); i = set._Find_next(i))
      if (!is_word(list, i)) return false;
    return true;
  }

  static Status combinations(const WordList& list) {
    size_t most = list.output_only ? 0 : kMaxCombinations;
    if (list.required.size() > most) return bad(list.title + ": too many combinations");
    for (const Combination& pair : list.required)
      if (!is_word(list, pair.first) || !is_word(list, pair.second) || pair.first == pair.second)
        return bad(list.title + ": a combination");
    return {};
  }

  static Status constraints(const WordList& list) {
    size_t most = list.output_only ? 0 : kMaxConstraints;
    if (list.constraints.size() > most) return bad(list.title + ": too many constraints");
    for (const Constraint& it : list.constraints)
      if (it.first.none() || (it.not_with && it.second.none()) || !are_words(list, it.first) ||
          !are_words(list, it.second))
        return bad(list.title + ": a constraint");
    return {};
  }

  Status named(const Label& label, const WordList& list, bool constrained) const {
    if (label.is_admin_low() || label.is_admin_high()) return bad("an administrative label");
    Point point{label.classification(), label.compartments(), {}};
    return check_named(data_, list, point, {constrained, false});
  }

  Status ranges() {
    size_t listed = 0;
    for (size_t value = 0; value < data_.ranges.size(); ++value) {
      const Range& range = data_.ranges[value];
      uint8_t class_value = static_cast<uint8_t>(value);
      bool lists = range.kind == Range::Kind::kAllExcept || range.kind == Range::Kind::kOnly;
      bool known = data_.classification(class_value) != nullptr;
      listed += range.listed.size();
      if (lists == range.listed.empty() || (range.kind != Range::Kind::kNone && !known) ||
          listed > kMaxRangeLabels)
        return bad("accreditation range");
      for (const Compartments& compartments : range.listed)
        TRY(named({class_value, compartments}, data_.sensitivity, true));
    }
    return {};
  }

  Status minimums() {
    TRY(named(data_.minimum_clearance, data_.clearance, false));
    TRY(named(data_.minimum_label, data_.sensitivity, true));
    bool good = data_.minimum_clearance.dominates(data_.minimum_label) &&
                data_.in_range(data_.minimum_label) &&
                data_.classification(data_.minimum_protect_as) != nullptr &&
                data_.minimum_protect_as <= data_.minimum_clearance.classification();
    return good ? Status() : Status(bad("minimums"));
  }

  Status administrative_names() {
    const std::string low = name_key(data_.admin_low_name);
    const std::string high = name_key(data_.admin_high_name);
    if (low == high || low == "admin_high" || high == "admin_low")
      return bad("administrative names");
    for (const std::string* name : {&data_.admin_low_name, &data_.admin_high_name}) {
      constexpr Reading kAny{false, false};
      if (!is_name(*name, true) || parse_point(data_, data_.sensitivity, *name, kAny).ok() ||
          parse_point(data_, data_.clearance, *name, kAny).ok())
        return bad("an administrative name");
    }
    return {};
  }

  Status defaults() {
    const auto& label = data_.default_user_label;
    const auto& clearance = data_.default_user_clearance;
    if (label) TRY(named(*label, data_.sensitivity, true));
    if (clearance) TRY(named(*clearance, data_.clearance, true));
    const Label& least = label ? *label : data_.minimum_label;
    const Label& most = clearance ? *clearance : data_.minimum_clearance;
    bool good = least.dominates(data_.minimum_label) && data_.in_range(least) &&
                most.dominates(data_.minimum_clearance) && most.dominates(least);
    return good ? Status() : Status(bad("defaults of users"));
  }

  Status colours() {
    if (data_.word_colours.size() + data_.label_colours.size() > kMaxColours)
      return bad("too many colours");
    for (const WordColour& it : data_.word_colours)
      if (!is_word(data_.sensitivity, it.word) || !is_colour(it.colour)) return bad("a colour");
    for (const LabelColour& it : data_.label_colours) {
      bool administrative = it.label.is_admin_low() || it.label.is_admin_high();
      bool known = data_.classification(it.label.classification()) != nullptr;
      if ((administrative ? it.classification_alone : !known) || !is_colour(it.colour))
        return bad("a colour");
    }
    return {};
  }

  EncodingsData& data_;
};

}  // namespace

base::Result<Encodings> Encodings::accept(EncodingsData data) {
  TRY(Acceptor(&data).run());
  return Encodings(std::make_shared<const EncodingsData>(std::move(data)));
}

}  // namespace labels
