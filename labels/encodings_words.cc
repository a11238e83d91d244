// The sections of words: WORDS, REQUIRED COMBINATIONS, COMBINATION CONSTRAINTS.
#include "base/strings.h"
#include "labels/encodings_parser.h"
#include "labels/encodings_rules.h"

namespace labels {
namespace {

constexpr Reading kPlain{true, false};

std::string title_of(Keyword section) {
  std::string title(keyword_text(section));
  title.pop_back();
  return title;
}

}  // namespace

void EncodingsParser::word_list(Keyword section, WordList* list) {
  list->title = title_of(section);
  list->output_only = section == Keyword::kChannels || section == Keyword::kPrinterBanners;
  list->has_markings =
      section == Keyword::kInformationLabels || section == Keyword::kPrinterBanners;
  if (!enter(section, list->title, &list->line)) return;
  if (enter(Keyword::kWords, list->title)) words(list);
  index_words(list);
  if (list->output_only) return;
  if (enter(Keyword::kRequiredCombinations, list->title)) required_combinations(list);
  if (enter(Keyword::kCombinationConstraints, list->title)) combination_constraints(list);
  index_words(list);
}

void EncodingsParser::words(WordList* list) {
  std::string rule = rule_of(list->title, "WORDS");
  word_names_.clear();
  while (!at_boundary()) {
    if (item().keyword == Keyword::kName)
      word(list, rule);
    else
      unexpected(take(), rule);
  }
  bool only_affixes = !list->words.empty();
  for (const Word& word : list->words) only_affixes = only_affixes && word.is_affix();
  if (only_affixes) faults_->add(list->line, rule, "there are prefixes and suffixes alone");
}

void EncodingsParser::word(WordList* list, const std::string& rule) {
  const Item& name = take();
  Word added;
  added.line = name.line;
  added.name = name.text;
  std::set<Keyword> seen;
  while (!at_boundary() && item().keyword != Keyword::kName) {
    const Item& it = take();
    std::string part = rule_of(rule, it);
    bool repeats = it.keyword == Keyword::kLine || it.keyword == Keyword::kIname;
    if (repeats || once(it, part, &seen)) word_key(it, part, *list, &added);
  }
  if (list->words.size() == kMaxWords) {
    fault(name, "limits", "more than " + std::to_string(kMaxWords) + " words in a section");
    return;
  }
  check_word(rule, *list, added);
  list->words.push_back(std::move(added));
}

void EncodingsParser::word_key(const Item& at, const std::string& rule, const WordList& list,
                               Word* word) {
  switch (at.keyword) {
    case Keyword::kSname:
      word->short_name = at.text;
      break;
    case Keyword::kIname:
      if (list.output_only) return unexpected(at, rule);
      word->input_names.push_back(at.text);
      break;
    case Keyword::kMinclass:
      word->minclass = parse_class(at, rule);
      break;
    case Keyword::kOminclass:
      word->ominclass = parse_class(at, rule);
      break;
    case Keyword::kMaxclass:
      word->maxclass = parse_class(at, rule);
      break;
    case Keyword::kOmaxclass:
      word->omaxclass = parse_class(at, rule);
      break;
    case Keyword::kCompartmentBits:
      word->compartments = parse_bits(at, rule);
      break;
    case Keyword::kMarkingBits:
      if (!list.has_markings) return unexpected(at, rule);
      word->markings = parse_bits(at, rule);
      break;
    case Keyword::kNeedsPrefix:
    case Keyword::kNeedsSuffix:
      needs_affix(at, rule, list, word);
      break;
    case Keyword::kIsPrefix:
      word->is_prefix = true;
      break;
    case Keyword::kIsSuffix:
      word->is_suffix = true;
      break;
    case Keyword::kAccessRelated:
      if (list.title != "INFORMATION LABELS") return unexpected(at, rule);
      word->access_related = true;
      break;
    case Keyword::kFlags:
      word->flags = parse_flags(at, rule);
      break;
    default:
      unexpected(at, rule);
  }
}

std::bitset<15> EncodingsParser::parse_flags(const Item& at, const std::string& rule) {
  Bits bits = parse_bits(at, rule);
  std::bitset<15> flags;
  for (size_t i = 0; i < flags.size(); ++i) flags[i] = bits.on[i];
  if (bits.off.any() || bits.on.count() != flags.count())
    fault(at, rule, "flags are on and of 0 to 14");
  return flags;
}

void EncodingsParser::needs_affix(const Item& at, const std::string& rule, const WordList& list,
                                  Word* word) {
  bool prefix = at.keyword == Keyword::kNeedsPrefix;
  std::string key = name_key(at.text);
  for (size_t i = 0; i < list.words.size(); ++i) {
    const Word& known = list.words[i];
    if (!(prefix ? known.is_prefix : known.is_suffix)) continue;
    if (key != name_key(known.name) && key != name_key(known.short_name)) continue;
    (prefix ? word->prefix : word->suffix) = i;
    return;
  }
  fault(at, rule, base::quoted(at.text) + " is no " + (prefix ? "prefix" : "suffix") + " above");
}

void EncodingsParser::check_word(const std::string& rule, const WordList& list, const Word& word) {
  check_word_names(rule, list, word);
  for (const WordProblem& problem : word_problems(word))
    faults_->add(word.line, problem.part.empty() ? rule : rule_of(rule, problem.part),
                 "word " + base::quoted(word.name) + " " + problem.why);
}

void EncodingsParser::check_word_names(const std::string& rule, const WordList& list,
                                       const Word& word) {
  std::set<std::string> keys;
  auto check = [&](const std::string& name, const char* part) {
    Item at{word.line, Keyword::kName, name};
    std::string named = rule_of(rule, part);
    if (!check_new_name(at, named, !list.output_only) || list.output_only) return;
    std::string key = name_key(name);
    if (!keys.insert(key).second) return;  // a word may have one name in several ways
    if (!word_names_.insert({word.prefix, key}).second)
      fault(at, named, "name " + base::quoted(name) + " is taken");
  };
  check(word.name, "name");
  if (!word.short_name.empty()) check(word.short_name, "sname");
  for (const std::string& name : word.input_names) check(name, "iname");
  if (word_names_.size() > 2 * kMaxWords + kMaxInputNames)
    faults_->add(word.line, "limits", "too many names in a section");
}

void EncodingsParser::required_combinations(WordList* list) {
  std::string rule = rule_of(list->title, "REQUIRED COMBINATIONS");
  while (!at_boundary()) {
    const Item& it = take();
    if (it.keyword != Keyword::kLine) {
      unexpected(it, rule);
      continue;
    }
    auto words = parse_words(*list, it.text, kPlain);
    if (!words) {
      fault(it, rule, words.error().message);
    } else if (words->size() != 2) {
      fault(it, rule, base::quoted(it.text) + " does not name two words");
    } else if (list->required.size() == kMaxCombinations) {
      fault(it, "limits", "more than " + std::to_string(kMaxCombinations) + " combinations");
      return;
    } else {
      list->required.push_back({it.line, words->at(0), words->at(1)});
    }
  }
}

void EncodingsParser::combination_constraints(WordList* list) {
  std::string rule = rule_of(list->title, "COMBINATION CONSTRAINTS");
  while (!at_boundary()) {
    const Item& it = take();
    if (it.keyword != Keyword::kLine) {
      unexpected(it, rule);
      continue;
    }
    auto constraint = parse_constraint(it, rule, *list);
    if (!constraint) continue;
    if (list->constraints.size() == kMaxConstraints) {
      fault(it, "limits", "more than " + std::to_string(kMaxConstraints) + " constraints");
      return;
    }
    list->constraints.push_back(*constraint);
  }
}

std::optional<Constraint> EncodingsParser::parse_constraint(const Item& at, const std::string& rule,
                                                            const WordList& list) {
  Constraint constraint;
  constraint.line = at.line;
  bool second = false;
  std::string name;
  auto finish_name = [&] {
    auto words = parse_words(list, name, kPlain);
    if (!words) {
      fault(at, rule, words.error().message);
      return false;
    }
    if (words->size() != 1) {
      fault(at, rule, name.empty() ? "a word is missing" : base::quoted(name) + " is not one word");
      return false;
    }
    (second ? constraint.second : constraint.first).set(words->front());
    name.clear();
    return true;
  };
  std::vector<std::string> parts = base::split(at.text, ' ');
  for (const std::string& part : parts) {
    bool operation = part == "!" || part == "&";
    if (!operation && part != "|") {
      name += " " + part;
      continue;
    }
    if (!finish_name()) return {};
    if (!operation) continue;
    if (second) {
      fault(at, rule, "more than one '!' or '&'");
      return {};
    }
    second = true;
    constraint.not_with = part == "!";
  }
  if (!second) {
    fault(at, rule, base::quoted(at.text) + " holds neither '!' nor '&'");
    return {};
  }
  bool alone = parts.back() == "&";
  if (!alone && !finish_name()) return {};
  return constraint;
}

}  // namespace labels
