#include "labels/label.h"

#include <algorithm>

#include "base/strings.h"

namespace labels {
namespace {

constexpr size_t kHexDigits = kCompartments / 4;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

base::Error bad_encoding(std::string_view text, std::string_view why) {
  return base::make_error(base::Code::kInvalid,
                          "stored label " + base::quoted(text) + ": " + std::string(why));
}

base::Result<Compartments> decode_bitmap(std::string_view text, std::string_view digits) {
  if (digits.size() != kHexDigits) return bad_encoding(text, "the bitmap needs 60 digits");
  Compartments compartments;
  for (size_t i = 0; i < digits.size(); ++i) {
    int value = hex_value(digits[i]);
    if (value < 0) return bad_encoding(text, "the bitmap has a digit outside 0-9 and a-f");
    for (size_t bit = 0; bit < 4; ++bit)
      if ((value >> (3 - bit) & 1) != 0) compartments.set(i * 4 + bit);
  }
  return compartments;
}

}  // namespace

Label Label::admin_high() {
  Label label;
  label.kind_ = Kind::kAdminHigh;
  return label;
}

bool Label::dominates(const Label& other) const {
  if (kind_ != Kind::kNormal || other.kind_ != Kind::kNormal) return kind_ >= other.kind_;
  return classification_ >= other.classification_ &&
         (compartments_ & other.compartments_) == other.compartments_;
}

bool Label::strictly_dominates(const Label& other) const {
  return dominates(other) && *this != other;
}

Label Label::join(const Label& a, const Label& b) {
  if (a.kind_ == Kind::kNormal && b.kind_ == Kind::kNormal)
    return {std::max(a.classification_, b.classification_), a.compartments_ | b.compartments_};
  return a.kind_ >= b.kind_ ? a : b;
}

Label Label::meet(const Label& a, const Label& b) {
  if (a.kind_ == Kind::kNormal && b.kind_ == Kind::kNormal)
    return {std::min(a.classification_, b.classification_), a.compartments_ & b.compartments_};
  return a.kind_ <= b.kind_ ? a : b;
}

std::string Label::encode() const {
  if (is_admin_low()) return "low";
  if (is_admin_high()) return "high";
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text = std::to_string(classification_) + ":";
  for (size_t i = 0; i < kHexDigits; ++i) {
    size_t value = 0;
    for (size_t bit = 0; bit < 4; ++bit)
      value = value << 1 | static_cast<size_t>(compartments_.test(i * 4 + bit));
    text += kDigits[value];
  }
  return text;
}

base::Result<Label> Label::decode(std::string_view text) {
  if (text == "low") return admin_low();
  if (text == "high") return admin_high();
  size_t colon = text.find(':');
  if (colon == std::string_view::npos)
    return bad_encoding(text, "neither 'low', 'high' nor CLASS:BITMAP");
  std::string_view digits = text.substr(0, colon);
  // One value has one stored form: stored labels are compared as bytes too.
  if (digits.size() > 1 && digits.front() == '0')
    return bad_encoding(text, "the class has a leading zero");
  auto classification = base::parse_uint(digits, 0, 255);
  if (!classification) return bad_encoding(text, "the class is not a number from 0 to 255");
  TRY_AS(Compartments compartments, decode_bitmap(text, text.substr(colon + 1)));
  return Label(static_cast<uint8_t>(*classification), compartments);
}

}  // namespace labels
