#include "labels/encodings.h"

#include "base/strings.h"
#include "labels/encodings_names.h"

namespace labels {
namespace {

using base::Code;
using base::make_error;

constexpr Reading kUnconstrained{false, true};
constexpr char kBlack[] = "#000000";

Point point_of(const Label& label) { return {label.classification(), label.compartments(), {}}; }

Label label_of(const Point& point) { return {point.classification, point.compartments}; }

// "[SECRET ENG]" -> "SECRET ENG".
std::string_view without_brackets(std::string_view name) {
  size_t first = name.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  std::string_view text = name.substr(first, name.find_last_not_of(" \t") + 1 - first);
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']')
    return text.substr(1, text.size() - 2);
  return text;
}

base::Error invalid(std::string_view kind, std::string_view subject, base::Error why) {
  why.code = Code::kInvalid;
  return std::move(why).context(std::string(kind) + " " + base::quoted(subject));
}

// One of the two labels that every file has.
std::optional<Label> administrative(const EncodingsData& data, std::string_view name) {
  std::string key = name_key(name);
  if (key == "admin_low" || key == name_key(data.admin_low_name)) return Label::admin_low();
  if (key == "admin_high" || key == name_key(data.admin_high_name)) return Label::admin_high();
  return {};
}

std::optional<std::string> administrative_name(const EncodingsData& data, const Label& label) {
  if (label.is_admin_low()) return data.admin_low_name;
  if (label.is_admin_high()) return data.admin_high_name;
  return {};
}

// The format exempts the minimum clearance from combination constraints.
Reading clearance_reading(const EncodingsData& data, const Label& label) {
  return {!(label == data.minimum_clearance), false};
}

std::string canonical(const EncodingsData& data, const WordList& list, const Label& label,
                      Reading reading, NameStyle style) {
  if (auto name = administrative_name(data, label); name) return *name;
  Point point = point_of(label);
  if (!check_named(data, list, point, reading)) return label.encode();
  std::string name = point_name(data, list, point, style);
  // Short names may be ambiguous where long ones are not.
  auto back = parse_point(data, list, name, {reading.constrained, false});
  return back && *back == point ? name : point_name(data, list, point, {});
}

// Why the range does not hold a label of this classification.
std::string range_rule(const EncodingsData& data, uint8_t classification) {
  const Range& range = data.ranges[classification];
  std::string name = base::quoted(data.classification(classification)->name);
  if (range.kind == Range::Kind::kNone) return "no combination with " + name + " is valid";
  if (range.kind == Range::Kind::kAllExcept)
    return "this combination with " + name + " is excepted";
  return "only other combinations with " + name + " are valid, " +
         std::to_string(range.listed.size()) + " of them";
}

}  // namespace

const Label& Encodings::default_label() const {
  return data_->default_user_label ? *data_->default_user_label : data_->minimum_label;
}

const Label& Encodings::default_clearance() const {
  return data_->default_user_clearance ? *data_->default_user_clearance : data_->minimum_clearance;
}

base::Result<Label> Encodings::parse_label(std::string_view name) const {
  std::string_view text = without_brackets(name);
  if (auto label = administrative(*data_, text); label) return *label;
  auto point = parse_point(*data_, data_->sensitivity, text, {});
  if (!point) return invalid("label", name, std::move(point).error());
  if (auto named = check_named(*data_, data_->sensitivity, *point, {}); !named)
    return invalid("label", name, std::move(named).error());
  return label_of(*point);
}

base::Result<Label> Encodings::parse_clearance(std::string_view name) const {
  std::string_view text = without_brackets(name);
  if (auto label = administrative(*data_, text); label) return *label;
  auto point = parse_point(*data_, data_->clearance, text, kUnconstrained);
  if (!point) return invalid("clearance", name, std::move(point).error());
  Label label = label_of(*point);
  auto named = check_named(*data_, data_->clearance, *point, clearance_reading(*data_, label));
  if (!named) return invalid("clearance", name, std::move(named).error());
  return label;
}

std::string Encodings::name_of(const Label& label) const {
  return canonical(*data_, data_->sensitivity, label, {}, {});
}

std::string Encodings::short_name_of(const Label& label) const {
  return canonical(*data_, data_->sensitivity, label, {}, {true, true});
}

std::string Encodings::clearance_name_of(const Label& label) const {
  return canonical(*data_, data_->clearance, label, clearance_reading(*data_, label), {});
}

base::Status Encodings::check_label(const Label& label) const {
  std::string name = name_of(label);
  if (label.is_admin_low() || label.is_admin_high())
    return make_error(Code::kInvalid, "label " + base::quoted(name) + " is administrative",
                      "it is the host's, no zone has it");
  auto named = check_named(*data_, data_->sensitivity, point_of(label), {});
  if (!named) return invalid("label", name, std::move(named).error());
  if (data_->in_range(label)) return {};
  return make_error(Code::kInvalid,
                    "label " + base::quoted(name) + " is outside of the accreditation range: " +
                        range_rule(*data_, label.classification()),
                    "'zone label list' shows the range");
}

base::Status Encodings::check_clearance(const Label& label) const {
  if (label.is_admin_high()) return {};
  std::string name = clearance_name_of(label);
  if (label.is_admin_low())
    return make_error(Code::kInvalid, "clearance " + base::quoted(name) + " is below every label",
                      "the least is " + base::quoted(clearance_name_of(data_->minimum_clearance)));
  auto named =
      check_named(*data_, data_->clearance, point_of(label), clearance_reading(*data_, label));
  if (!named) return invalid("clearance", name, std::move(named).error());
  return {};
}

std::string Encodings::colour_of(const Label& label) const {
  bool administrative = label.is_admin_low() || label.is_admin_high();
  if (!administrative) {
    WordSet shown = visible_words(data_->sensitivity, point_of(label));
    for (const WordColour& colour : data_->word_colours)
      if (shown.test(colour.word)) return colour.colour;
  }
  for (const LabelColour& colour : data_->label_colours)
    if (colour.label == label) return colour.colour;
  for (const LabelColour& colour : data_->label_colours)
    if (!administrative && colour.classification_alone &&
        colour.label.classification() == label.classification())
      return colour.colour;
  return kBlack;
}

}  // namespace labels
