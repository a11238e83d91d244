// Values of keys: checking, formatting, describing.
#include <algorithm>
#include <cmath>

#include "base/bits.h"
#include "base/strings.h"
#include "zoned/core/spec_keys.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using Texts = std::vector<std::string>;

base::Error invalid(const std::string& message, const std::string& hint = {}) {
  return make_error(Code::kInvalid, message, hint);
}

base::Error wrong_type(std::string_view expected, const ConfigValue& value) {
  return invalid("must be " + std::string(expected) + ", not " + kind_text(value));
}

// The largest unit that keeps the value exact.
std::string exact_size(int64_t bytes) {
  constexpr std::string_view kUnits = "KMGT";
  std::string unit;
  for (char next : kUnits) {
    if (bytes == 0 || bytes % 1024 != 0) break;
    bytes /= 1024;
    unit = next;
  }
  return std::to_string(bytes) + unit;
}

std::string exact_duration(int64_t ms) {
  struct Unit {
    int64_t ms;
    std::string_view suffix;
  };
  constexpr Unit kUnits[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}};
  for (const Unit& unit : kUnits)
    if (ms % unit.ms == 0 && (ms != 0 || unit.ms == 1000))
      return std::to_string(ms / unit.ms) + std::string(unit.suffix);
  return std::to_string(ms) + "ms";
}

// A bound in the unit that people read.
std::string bound_text(const KeyInfo& info, double bound) {
  switch (info.type) {
    case KeyType::kSize:
    case KeyType::kRate:
      return exact_size(static_cast<int64_t>(bound));
    case KeyType::kBits:
      return base::format_bits(static_cast<uint64_t>(bound));
    case KeyType::kDuration:
      return exact_duration(static_cast<int64_t>(bound));
    default:
      return value_text(bound == std::floor(bound) ? ConfigValue(static_cast<int64_t>(bound))
                                                   : ConfigValue(bound));
  }
}

std::string range_text(const KeyInfo& info) {
  return bound_text(info, info.min) + ".." + bound_text(info, info.max);
}

base::Status check_range(const KeyInfo& info, double number, const std::string& text) {
  if (number >= info.min && number <= info.max) return {};
  return invalid(text + " is out of range " + range_text(info));
}

base::Result<ConfigValue> check_number(const KeyInfo& info, const ConfigValue& value) {
  const auto* integer = std::get_if<int64_t>(&value);
  if (info.type == KeyType::kInteger) {
    if (integer == nullptr) return wrong_type("a whole number", value);
    TRY(check_range(info, static_cast<double>(*integer), std::to_string(*integer)));
    return value;
  }
  const auto* number = std::get_if<double>(&value);
  if (integer == nullptr && number == nullptr) return wrong_type("a number", value);
  double plain = integer != nullptr ? static_cast<double>(*integer) : *number;
  TRY(check_range(info, plain, value_text(value)));
  return ConfigValue(plain);
}

// Sizes, rates and durations: a whole number or a text with a unit.
base::Result<ConfigValue> check_quantity(const KeyInfo& info, const ConfigValue& value) {
  bool duration = info.type == KeyType::kDuration;
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    double scaled = static_cast<double>(*integer) * (duration ? 1000 : 1);
    TRY(check_range(info, scaled, std::to_string(*integer)));
    return ConfigValue(static_cast<int64_t>(scaled));
  }
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) {
    return wrong_type(duration                      ? "a duration such as \"10s\""
                      : info.type == KeyType::kBits ? "a number of bits such as \"100M\""
                      : info.type == KeyType::kRate ? "a rate such as \"50M/s\""
                                                    : "a size such as \"512M\"",
                      value);
  }
  std::string_view number = *text;
  if (info.type == KeyType::kRate && number.ends_with("/s")) number.remove_suffix(2);
  auto parsed = duration                      ? base::parse_duration_ms(number)
                : info.type == KeyType::kBits ? base::parse_bits(number)
                                              : base::parse_size(number);
  if (!parsed) {
    if (number.size() <= 32) return std::move(parsed).error();
    return invalid(quote(number) + (duration ? " is not a duration" : " is not a size"));
  }
  TRY(check_range(info, static_cast<double>(*parsed), quote(*text)));
  return ConfigValue(static_cast<int64_t>(*parsed));
}

base::Status check_choice(const KeyInfo& info, const std::string& text) {
  Texts choices(info.choices.begin(), info.choices.end());
  if (std::find(choices.begin(), choices.end(), text) != choices.end()) return {};
  std::string near = text.size() <= 64 ? base::nearest(text, choices) : "";
  return invalid(quote(text) + " is not one of " + base::join(choices, ", "),
                 near.empty() ? "" : "did you mean " + quote(near) + "?");
}

base::Status check_text(const KeyInfo& info, const std::string& text) {
  if (text.find('\0') != std::string::npos) return invalid("the text holds a NUL byte");
  if (static_cast<double>(text.size()) < info.min) return invalid("the text is empty");
  if (static_cast<double>(text.size()) > info.max)
    return invalid("the text has " + std::to_string(text.size()) + " bytes, more than " +
                   bound_text(info, info.max));
  return info.check != nullptr ? info.check(text) : base::Status();
}

base::Result<ConfigValue> check_texts(const KeyInfo& info, const ConfigValue& value) {
  const auto* texts = std::get_if<Texts>(&value);
  if (texts == nullptr)
    return std::move(wrong_type("an array of strings", value))
        .with_hint("write it as in [\"one\", \"two\"]");
  if (static_cast<double>(texts->size()) < info.min) return invalid("the array is empty");
  if (static_cast<double>(texts->size()) > info.max)
    return invalid("the array has " + std::to_string(texts->size()) + " elements, more than " +
                   bound_text(info, info.max));
  size_t bytes = 0;
  Texts seen;
  for (const std::string& text : *texts) {
    bytes += text.size() + 1;
    if (text.find('\0') != std::string::npos) return invalid("an element holds a NUL byte");
    if (info.check != nullptr) TRY(info.check(text));
    if (info.type != KeyType::kChoices) continue;
    TRY(check_choice(info, text));
    if (std::find(seen.begin(), seen.end(), text) != seen.end())
      return invalid(quote(text) + " is given twice");
    seen.push_back(text);
  }
  if (bytes > kMaxArgumentBytes)
    return invalid("the elements have " + std::to_string(bytes) + " bytes, more than " +
                   std::to_string(kMaxArgumentBytes));
  return value;
}

base::Result<ConfigValue> check_plain_text(const KeyInfo& info, const ConfigValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return wrong_type("a string", value);
  TRY(info.type == KeyType::kChoice ? check_choice(info, *text) : check_text(info, *text));
  return value;
}

std::string plain_text(const KeyInfo& info, const ConfigValue& value) {
  const auto* integer = std::get_if<int64_t>(&value);
  if (integer == nullptr) return value_text(value);
  switch (info.type) {
    case KeyType::kSize:
      return exact_size(*integer);
    case KeyType::kRate:
      return exact_size(*integer) + "/s";
    case KeyType::kBits:
      return base::format_bits(static_cast<uint64_t>(*integer));
    case KeyType::kDuration:
      return exact_duration(*integer);
    default:
      return value_text(value);
  }
}

std::string default_text(const KeyInfo& info, const ConfigValue& value) {
  if (info.required) return "required";
  const auto* text = std::get_if<std::string>(&value);
  const auto* texts = std::get_if<Texts>(&value);
  bool none = std::holds_alternative<std::monostate>(value) || (text != nullptr && text->empty()) ||
              (texts != nullptr && texts->empty());
  if (none) return "default none";
  return "default " + (text != nullptr ? *text : plain_text(info, value));
}

}  // namespace

base::Result<ConfigValue> check_value(const KeyInfo& info, const ConfigValue& value) {
  switch (info.type) {
    case KeyType::kBoolean:
      if (!std::holds_alternative<bool>(value)) return wrong_type("true or false", value);
      return value;
    case KeyType::kInteger:
    case KeyType::kNumber:
      return check_number(info, value);
    case KeyType::kSize:
    case KeyType::kRate:
    case KeyType::kBits:
    case KeyType::kDuration:
      return check_quantity(info, value);
    case KeyType::kChoice:
    case KeyType::kText:
      return check_plain_text(info, value);
    case KeyType::kChoices:
    case KeyType::kTexts:
      return check_texts(info, value);
  }
  return make_error(Code::kInternal, "unknown type of key");
}

std::string format_value(const KeyInfo& info, const ConfigValue& value) {
  bool quantity = info.type == KeyType::kSize || info.type == KeyType::kRate ||
                  info.type == KeyType::kBits || info.type == KeyType::kDuration;
  return quantity ? string_text(plain_text(info, value)) : value_text(value);
}

std::string type_text(const KeyInfo& info) {
  Texts choices(info.choices.begin(), info.choices.end());
  switch (info.type) {
    case KeyType::kBoolean:
      return "boolean";
    case KeyType::kInteger:
      return "integer " + range_text(info);
    case KeyType::kNumber:
      return "number " + range_text(info);
    case KeyType::kSize:
      return "size " + range_text(info);
    case KeyType::kRate:
      return "rate " + range_text(info) + " a second";
    case KeyType::kBits:
      return "bits " + range_text(info) + " a second";
    case KeyType::kDuration:
      return "duration " + range_text(info);
    case KeyType::kChoice:
      return "one of " + base::join(choices, ", ");
    case KeyType::kChoices:
      return "array of " + base::join(choices, ", ");
    case KeyType::kText:
      return "string of up to " + bound_text(info, info.max) + " bytes";
    case KeyType::kTexts:
      return "array of up to " + bound_text(info, info.max) + " strings";
  }
  return {};
}

template <typename Spec>
std::string summary_of(const Key<Spec>& key) {
  return type_text(key.info) + "; " + default_text(key.info, default_of(key)) + "; " +
         (key.info.live ? "live" : "at boot") +
         (!key.info.brand                     ? ""
          : *key.info.brand == Brand::kNative ? "; native zones"
                                              : "; vm zones");
}

template std::string summary_of(const Key<ZoneSpec>& key);
template std::string summary_of(const Key<PoolSpec>& key);

}  // namespace core
