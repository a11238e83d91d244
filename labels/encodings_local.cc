// LOCAL DEFINITIONS, as Trusted Extensions has them.
#include "base/strings.h"
#include "labels/encodings_colours.h"
#include "labels/encodings_parser.h"

namespace labels {
namespace {

constexpr char kLocal[] = "LOCAL DEFINITIONS";
constexpr char kColours[] = "LOCAL DEFINITIONS: COLOR NAMES";

bool is_hex(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
  return !text.empty() && text.size() <= 8 &&
         text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

}  // namespace

void EncodingsParser::local_definitions() {
  if (!enter(Keyword::kLocalDefinitions, kLocal)) return;
  std::set<Keyword> seen;
  const Item* user = nullptr;  // the last default of users
  while (!at_boundary()) {
    const Item& it = take();
    std::string rule = rule_of(kLocal, it);
    if (it.keyword == Keyword::kLine || once(it, rule, &seen)) local_key(it, rule);
    if (it.keyword == Keyword::kDefaultUserLabel || it.keyword == Keyword::kDefaultUserClearance)
      user = &it;
  }
  const Label label = data_.default_user_label.value_or(data_.minimum_label);
  const Label clearance = data_.default_user_clearance.value_or(data_.minimum_clearance);
  if (user != nullptr && faults_->empty() && !clearance.dominates(label))
    fault(*user, rule_of(kLocal, *user),
          "the clearance of users does not dominate their sensitivity label");
  if (item().keyword == Keyword::kColorNames) colour_names();
}

void EncodingsParser::local_key(const Item& at, const std::string& rule) {
  switch (at.keyword) {
    case Keyword::kAdminLowName:
      return admin_name(at, rule, &data_.admin_low_name);
    case Keyword::kAdminHighName:
      return admin_name(at, rule, &data_.admin_high_name);
    case Keyword::kDefaultUserLabel:
    case Keyword::kDefaultUserClearance:
      return default_user(at, rule);
    // Kept for files of Trusted Extensions: they steer its programs.
    case Keyword::kDefaultFlags:
    case Keyword::kForcedFlags:
      if (!is_hex(at.text)) fault(at, rule, base::quoted(at.text) + " is not hexadecimal");
      return;
    case Keyword::kClassificationName:
    case Keyword::kCompartmentsName:
    case Keyword::kMarkingsName:
      check_new_name(at, rule, false);
      return;
    case Keyword::kViewExternal:
    case Keyword::kViewInternal:
    case Keyword::kFloatIl:
    case Keyword::kDoNotFloatIl:
      return;
    default:
      unexpected(at, rule);
  }
}

void EncodingsParser::admin_name(const Item& at, const std::string& rule, std::string* name) {
  if (!check_new_name(at, rule, true)) return;
  std::string key = name_key(at.text);
  bool high = at.keyword == Keyword::kAdminHighName;
  const std::string& other = high ? data_.admin_low_name : data_.admin_high_name;
  constexpr Reading kAny{false, false};
  bool taken = parse_point(data_, data_.sensitivity, at.text, kAny).ok() ||
               parse_point(data_, data_.clearance, at.text, kAny).ok() || key == name_key(other) ||
               key == (high ? "admin_low" : "admin_high");
  if (taken) fault(at, rule, "name " + base::quoted(at.text) + " is taken");
  *name = at.text;
}

void EncodingsParser::default_user(const Item& at, const std::string& rule) {
  bool clearance = at.keyword == Keyword::kDefaultUserClearance;
  auto point = parse_canonical(at, rule, clearance ? data_.clearance : data_.sensitivity, true);
  if (!point || !faults_->empty()) return;
  Label label(point->classification, point->compartments);
  const Label& least = clearance ? data_.minimum_clearance : data_.minimum_label;
  if (!label.dominates(least))
    fault(at, rule,
          base::quoted(at.text) + " does not dominate the minimum " +
              (clearance ? "clearance" : "sensitivity label"));
  if (!clearance && !data_.in_range(label))
    fault(at, rule, base::quoted(at.text) + " is outside of the accreditation range");
  (clearance ? data_.default_user_clearance : data_.default_user_label) = label;
}

void EncodingsParser::colour_names() {
  if (!enter(Keyword::kColorNames, kLocal)) return;
  const Item* subject = nullptr;
  while (!at_boundary()) {
    const Item& it = take();
    if (it.keyword == Keyword::kLabel || it.keyword == Keyword::kWord) {
      if (subject != nullptr)
        fault(*subject, kColours, base::quoted(subject->text) + " has no COLOR=");
      subject = &it;
    } else if (it.keyword == Keyword::kColor) {
      auto value = parse_colour(it.text);
      if (!value) fault(it, rule_of(kColours, it), "unknown colour " + base::quoted(it.text));
      if (subject == nullptr) fault(it, rule_of(kColours, it), "no LABEL= or WORD= precedes it");
      if (subject != nullptr && value) colour(*subject, *value);
      subject = nullptr;
    } else {
      unexpected(it, kColours);
    }
  }
  if (subject != nullptr) fault(*subject, kColours, base::quoted(subject->text) + " has no COLOR=");
}

void EncodingsParser::colour(const Item& subject, const std::string& colour) {
  std::string rule = rule_of(kColours, subject);
  if (data_.word_colours.size() + data_.label_colours.size() == kMaxColours)
    return fault(subject, "limits", "more than " + std::to_string(kMaxColours) + " colours");
  if (subject.keyword == Keyword::kWord) {
    auto words = parse_words(data_.sensitivity, subject.text, {true, false});
    if (!words) return fault(subject, rule, words.error().message);
    if (words->size() != 1)
      return fault(subject, rule, base::quoted(subject.text) + " is not one word");
    data_.word_colours.push_back({words->front(), colour});
    return;
  }
  std::string key = name_key(subject.text);
  if (key == "admin_low" || key == name_key(data_.admin_low_name)) {
    data_.label_colours.push_back({Label::admin_low(), false, colour});
  } else if (key == "admin_high" || key == name_key(data_.admin_high_name)) {
    data_.label_colours.push_back({Label::admin_high(), false, colour});
  } else {
    auto point = parse_point(data_, data_.sensitivity, subject.text, {true, false});
    if (!point)
      return fault(subject, rule,
                   "label " + base::quoted(subject.text) + ": " + point.error().message);
    bool alone = find_classification(data_, subject.text) != nullptr;
    data_.label_colours.push_back({{point->classification, point->compartments}, alone, colour});
  }
}

}  // namespace labels
