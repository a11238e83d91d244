// ACCREDITATION RANGE and NAME INFORMATION LABELS.
#include "base/strings.h"
#include "labels/encodings_parser.h"

namespace labels {
namespace {

constexpr char kRange[] = "ACCREDITATION RANGE";
constexpr char kNames[] = "NAME INFORMATION LABELS";

Range::Kind kind_of(Keyword keyword) {
  if (keyword == Keyword::kAllValid) return Range::Kind::kAll;
  if (keyword == Keyword::kAllValidExcept) return Range::Kind::kAllExcept;
  if (keyword == Keyword::kOnlyValid) return Range::Kind::kOnly;
  return Range::Kind::kNone;
}

bool is_minimum(Keyword keyword) {
  return keyword == Keyword::kMinimumClearance || keyword == Keyword::kMinimumSensitivityLabel ||
         keyword == Keyword::kMinimumProtectAs;
}

Label label_of(const Point& point) { return {point.classification, point.compartments}; }

}  // namespace

void EncodingsParser::accreditation_range() {
  unsigned line = 0;
  if (!enter(Keyword::kAccreditationRange, kRange, &line)) return;
  if (item().keyword != Keyword::kClassification)
    faults_->add(line, rule_of(kRange, "classification"), "no classification is given");
  while (!at_boundary() && !is_minimum(item().keyword)) {
    if (item().keyword == Keyword::kClassification)
      classification_range();
    else
      unexpected(take(), kRange);
  }
  const Item* minimums[3] = {};
  constexpr Keyword kOrder[] = {Keyword::kMinimumClearance, Keyword::kMinimumSensitivityLabel,
                                Keyword::kMinimumProtectAs};
  for (size_t i = 0; i < 3; ++i) {
    if (item().keyword == kOrder[i]) {
      minimums[i] = &take();
      minimum(*minimums[i], rule_of(kRange, *minimums[i]));
    } else {
      fault(item(), kRange, base::quoted(keyword_text(kOrder[i])) + " is missing here");
    }
  }
  while (!at_boundary()) unexpected(take(), kRange);
  if (minimums[0] != nullptr && minimums[1] != nullptr && minimums[2] != nullptr &&
      faults_->empty())
    check_minimums(*minimums[0], *minimums[1], *minimums[2]);
}

void EncodingsParser::classification_range() {
  const Item& name = take();
  std::string rule = rule_of(kRange, name);
  const Classification* classification = find_classification(data_, name.text);
  if (classification == nullptr)
    fault(name, rule, "unknown classification " + base::quoted(name.text));
  Range unused;
  Range* range = classification != nullptr ? &data_.ranges[classification->value] : &unused;
  if (range->kind != Range::Kind::kNone)
    fault(name, rule, base::quoted(name.text) + " comes twice");
  const Item& kind = item();
  if (kind_of(kind.keyword) == Range::Kind::kNone) {
    fault(kind, rule, "what combinations are valid is missing for " + base::quoted(name.text));
    return;
  }
  take();
  *range = {kind_of(kind.keyword), {}};
  std::string list_rule = rule_of(kRange, kind);
  size_t before = listed_labels_;
  for (; item().keyword == Keyword::kLine && !faults_->full(); take()) {
    if (range->kind == Range::Kind::kAll)
      fault(item(), list_rule, "no label may follow " + base::quoted(keyword_text(kind.keyword)));
    else
      listed_label(item(), list_rule, classification);
    if (++listed_labels_ > kMaxRangeLabels) {
      fault(item(), "limits", "more than " + std::to_string(kMaxRangeLabels) + " labels listed");
      break;
    }
  }
  if (range->kind != Range::Kind::kAll && listed_labels_ == before)
    fault(kind, list_rule, "no label is listed");
}

void EncodingsParser::listed_label(const Item& at, const std::string& rule,
                                   const Classification* classification) {
  auto point = parse_canonical(at, rule, data_.sensitivity, true);
  if (!point || classification == nullptr) return;
  if (point->classification != classification->value)
    fault(at, rule,
          "label " + base::quoted(at.text) + " is not of the classification " +
              base::quoted(classification->name));
  else if (!data_.ranges[classification->value].listed.insert(point->compartments).second)
    fault(at, rule, "label " + base::quoted(at.text) + " comes twice");
}

void EncodingsParser::minimum(const Item& at, const std::string& rule) {
  if (at.keyword == Keyword::kMinimumProtectAs) {
    if (auto value = parse_class(at, rule); value) data_.minimum_protect_as = *value;
  } else if (at.keyword == Keyword::kMinimumClearance) {
    // The format exempts the minimum clearance from combination constraints.
    if (auto point = parse_canonical(at, rule, data_.clearance, false); point)
      data_.minimum_clearance = label_of(*point);
  } else if (auto point = parse_canonical(at, rule, data_.sensitivity, true); point) {
    data_.minimum_label = label_of(*point);
  }
}

void EncodingsParser::check_minimums(const Item& clearance, const Item& label,
                                     const Item& protect_as) {
  if (!data_.minimum_clearance.dominates(data_.minimum_label))
    fault(clearance, rule_of(kRange, clearance),
          base::quoted(clearance.text) + " does not dominate the minimum sensitivity label " +
              base::quoted(label.text));
  if (!data_.in_range(data_.minimum_label))
    fault(label, rule_of(kRange, label),
          base::quoted(label.text) + " is outside of the accreditation range");
  if (data_.minimum_protect_as > data_.minimum_clearance.classification())
    fault(protect_as, rule_of(kRange, protect_as),
          base::quoted(protect_as.text) + " is above the minimum clearance " +
              base::quoted(clearance.text));
}

void EncodingsParser::name_information_labels() {
  if (!enter(Keyword::kNameInformationLabels, kNames)) return;
  const Item* waiting = nullptr;  // a name without a label yet
  while (!at_boundary()) {
    const Item& it = take();
    std::string rule = rule_of(kNames, it);
    if (it.keyword == Keyword::kName) {
      if (!is_known_name(it.text)) fault(it, rule, "unknown name " + base::quoted(it.text));
      waiting = &it;
    } else if (it.keyword == Keyword::kIl) {
      if (waiting == nullptr) fault(it, rule, "no NAME= precedes it");
      waiting = nullptr;
      parse_canonical(it, rule, data_.information, true);
    } else {
      unexpected(it, rule);
    }
  }
  if (waiting != nullptr)
    fault(*waiting, rule_of(kNames, "name"), base::quoted(waiting->text) + " has no IL=");
}

bool EncodingsParser::is_known_name(const std::string& name) const {
  std::string key = name_key(name);
  if (data_.classification_names.contains(key)) return true;
  for (const WordList* list :
       {&data_.information, &data_.sensitivity, &data_.clearance, &data_.channels, &data_.banners})
    if (list->names.contains(key)) return true;
  return false;
}

}  // namespace labels
