#include "labels/encodings_parser.h"

#include "base/strings.h"
#include "labels/encodings_check.h"
#include "labels/encodings_rules.h"

namespace labels {
namespace {

constexpr char kClassifications[] = "CLASSIFICATIONS";

std::string item_text(const Item& item) {
  if (item.keyword == Keyword::kEnd) return "the end of the file";
  if (item.keyword == Keyword::kLine) return base::quoted(item.text);
  return base::quoted(keyword_text(item.keyword));
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

EncodingsData read(std::string_view text, Faults* faults) {
  if (text.size() > Encodings::kMaxSize) {
    faults->add(1, "limits", "the file is larger than 1 MiB");
    return {};
  }
  return EncodingsParser(text, faults).run();
}

}  // namespace

std::string rule_of(std::string_view section, std::string_view part) {
  return std::string(section) + ": " + std::string(part);
}

std::string rule_of(std::string_view section, const Item& item) {
  if (item.keyword == Keyword::kLine) return std::string(section);
  std::string key = lower(keyword_text(item.keyword));
  if (!key.empty() && (key.back() == '=' || key.back() == ':')) key.pop_back();
  return rule_of(section, key);
}

const Item& EncodingsParser::take() {
  const Item& taken = items_[at_];
  if (at_ + 1 < items_.size()) ++at_;
  return taken;
}

bool EncodingsParser::at_boundary() const {
  Keyword keyword = item().keyword;
  return keyword == Keyword::kEnd || is_section(keyword) || is_subsection(keyword) ||
         faults_->full();
}

void EncodingsParser::fault(const Item& at, std::string_view rule, std::string message) {
  faults_->add(at.line, rule, std::move(message));
}

void EncodingsParser::unexpected(const Item& at, const std::string& rule) {
  if (at.keyword != Keyword::kLine) return fault(at, rule, item_text(at) + " has no place here");
  std::string near = nearest_keyword(at.text);
  fault(at, rule,
        "unknown keyword in " + item_text(at) +
            (near.empty() ? "" : ", perhaps " + base::quoted(near)));
}

bool EncodingsParser::enter(Keyword keyword, const std::string& rule, unsigned* line) {
  size_t found = at_;
  bool crossed = false;
  while (items_[found].keyword != keyword && items_[found].keyword != Keyword::kEnd) {
    crossed = crossed || is_section(items_[found].keyword);
    ++found;
  }
  bool here = items_[found].keyword == keyword && !crossed;
  if (!here) {
    bool told = lost_ && item().keyword == Keyword::kEnd;
    if (!told)
      fault(item(), rule,
            base::quoted(keyword_text(keyword)) + " is missing: " + item_text(item()) +
                " stands in its place");
    lost_ = true;
    return false;
  }
  if (found != at_ && !lost_) unexpected(item(), rule);
  lost_ = false;
  at_ = found;
  if (line != nullptr) *line = item().line;
  take();
  return true;
}

bool EncodingsParser::once(const Item& at, const std::string& rule, std::set<Keyword>* seen) {
  if (seen->insert(at.keyword).second) return true;
  fault(at, rule, item_text(at) + " comes twice");
  return false;
}

bool EncodingsParser::check_new_name(const Item& at, const std::string& rule, bool referred_to) {
  std::string problem = name_problem(at.text, referred_to);
  if (problem.empty() && referred_to && reads_as_keyword(at.text)) problem = "reads as a keyword";
  if (problem.empty()) return true;
  fault(at, rule, "name " + base::quoted(at.text) + " " + problem);
  return false;
}

Bits EncodingsParser::parse_bits(const Item& at, const std::string& rule) {
  Bits bits;
  for (std::string_view part : base::split(at.text, ' ')) {
    if (part.empty()) continue;
    bool off = part.front() == '~';
    std::string_view numbers = part.substr(off ? 1 : 0);
    size_t dash = numbers.find('-');
    auto first = base::parse_uint(numbers.substr(0, dash), 0, kCompartments - 1);
    auto last = dash == std::string_view::npos
                    ? first
                    : base::parse_uint(numbers.substr(dash + 1), 0, kCompartments - 1);
    if (!first || !last || (dash != std::string_view::npos && *last <= *first)) {
      fault(at, rule,
            base::quoted(part) + " is neither N nor N-M, of 0 to " +
                std::to_string(kCompartments - 1));
      return bits;
    }
    for (uint64_t bit = *first; bit <= *last; ++bit) (off ? bits.off : bits.on).set(bit);
  }
  if ((bits.on & bits.off).any())
    fault(at, rule, "bit " + std::to_string((bits.on & bits.off)._Find_first()) + " on and off");
  return bits;
}

std::optional<uint8_t> EncodingsParser::parse_class(const Item& at, const std::string& rule) {
  const Classification* found = find_classification(data_, at.text);
  if (found != nullptr) return found->value;
  fault(at, rule, "unknown classification " + base::quoted(at.text));
  return {};
}

std::optional<Point> EncodingsParser::parse_canonical(const Item& at, const std::string& rule,
                                                      const WordList& list, bool constrained) {
  Reading reading{constrained, false};
  auto point = parse_point(data_, list, at.text, reading);
  if (!point) {
    fault(at, rule, "label " + base::quoted(at.text) + ": " + point.error().message);
    return {};
  }
  std::string key = name_key(at.text);
  std::string shown = point_name(data_, list, *point, {true, false});
  if (key != name_key(shown) && key != name_key(point_name(data_, list, *point, {}))) {
    fault(at, rule,
          "label " + base::quoted(at.text) + " is not in canonical form, which is " +
              base::quoted(shown));
    return {};
  }
  if (auto named = check_named(data_, list, *point, reading); !named) {
    fault(at, rule, "label " + base::quoted(at.text) + ": " + named.error().message);
    return {};
  }
  return *point;
}

void EncodingsParser::version() {
  Item first = item();
  if (!enter(Keyword::kVersion, "VERSION")) return;
  if (first.keyword == Keyword::kVersion) data_.version = first.text;
  if (data_.version.empty()) fault(first, "VERSION", "the version is empty");
}

void EncodingsParser::classifications() {
  unsigned line = 0;
  if (!enter(Keyword::kClassifications, kClassifications, &line)) return;
  while (!at_boundary()) {
    if (item().keyword == Keyword::kName)
      classification();
    else
      unexpected(take(), kClassifications);
  }
  if (data_.classifications.empty())
    faults_->add(line, kClassifications, "no classification is given");
}

void EncodingsParser::classification() {
  const Item& name = take();
  Classification current;
  current.line = name.line;
  current.name = name.text;
  std::set<Keyword> seen;
  while (!at_boundary() && item().keyword != Keyword::kName) {
    const Item& it = take();
    std::string rule = rule_of(kClassifications, it);
    if (it.keyword != Keyword::kLine && !once(it, rule, &seen)) continue;
    switch (it.keyword) {
      case Keyword::kSname:
        current.short_name = it.text;
        break;
      case Keyword::kAname:
        current.alternate_name = it.text;
        break;
      case Keyword::kValue:
        if (auto value = base::parse_uint(it.text, 0, 255); value)
          current.value = static_cast<uint8_t>(*value);
        else
          fault(it, rule, base::quoted(it.text) + " is not a number from 0 to 255");
        break;
      case Keyword::kInitialCompartments:
        current.initial_compartments = initial_bits(it, rule);
        break;
      case Keyword::kInitialMarkings:
        current.initial_markings = initial_bits(it, rule);
        break;
      default:
        unexpected(it, rule);
    }
  }
  if (!seen.contains(Keyword::kSname))
    fault(name, kClassifications, base::quoted(name.text) + " has no SNAME=");
  if (!seen.contains(Keyword::kValue))
    fault(name, kClassifications, base::quoted(name.text) + " has no VALUE=");
  add_classification(name, std::move(current));
}

Compartments EncodingsParser::initial_bits(const Item& at, const std::string& rule) {
  Bits bits = parse_bits(at, rule);
  if (bits.off.any()) fault(at, rule, "initial bits can't be off");
  return bits.on;
}

void EncodingsParser::add_classification(const Item& at, Classification added) {
  auto& index = data_.classification_values[added.value];
  if (index)
    fault(at, rule_of(kClassifications, "value"),
          base::quoted(added.name) + " has the value of " +
              base::quoted(data_.classifications[*index].name));
  size_t next = data_.classifications.size();
  std::set<std::string> keys;
  for (const std::string* name : {&added.name, &added.short_name, &added.alternate_name}) {
    if (name->empty() && name != &added.name) continue;
    Item named{at.line, Keyword::kName, *name};
    std::string rule = rule_of(kClassifications, "name");
    if (!check_new_name(named, rule, true)) continue;
    if (name->find('/') != std::string::npos) {
      fault(at, rule, "name " + base::quoted(*name) + " holds '/'");
      continue;
    }
    std::string key = name_key(*name);
    if (!keys.insert(key).second) continue;
    bool stored_form = name->find(':') != std::string::npos && Label::decode(*name).ok();
    if (key == "admin_low" || key == "admin_high" || stored_form)
      fault(at, rule, "name " + base::quoted(*name) + " is reserved");
    else if (!data_.classification_names.emplace(key, next).second)
      fault(at, rule, "name " + base::quoted(*name) + " is taken");
  }
  if (!index) index = next;
  data_.classifications.push_back(std::move(added));
}

EncodingsData EncodingsParser::run() {
  version();
  classifications();
  word_list(Keyword::kInformationLabels, &data_.information);
  word_list(Keyword::kSensitivityLabels, &data_.sensitivity);
  word_list(Keyword::kClearances, &data_.clearance);
  word_list(Keyword::kChannels, &data_.channels);
  word_list(Keyword::kPrinterBanners, &data_.banners);
  if (faults_->empty()) check_words(data_, faults_);
  accreditation_range();
  if (item().keyword == Keyword::kNameInformationLabels) name_information_labels();
  if (item().keyword == Keyword::kLocalDefinitions) local_definitions();
  if (item().keyword != Keyword::kEnd && !lost_) unexpected(item(), "sections");
  return std::move(data_);
}

base::Result<Encodings> Encodings::parse(std::string_view text, std::string_view file) {
  Faults faults;
  auto data = std::make_shared<const EncodingsData>(read(text, &faults));
  if (faults.empty()) return Encodings(std::move(data));
  Fault first = faults.take().front();
  return base::make_error(base::Code::kInvalid, std::string(file) + ":" +
                                                    std::to_string(first.line) + ": " + first.rule +
                                                    ": " + first.message);
}

std::vector<Fault> Encodings::check(std::string_view text) {
  Faults faults;
  read(text, &faults);
  return faults.take();
}

// The text is ours, and a test parses it.
const Encodings& Encodings::built_in() {
  static const Encodings encodings = *parse(built_in_text(), "built-in encodings");
  return encodings;
}

}  // namespace labels
