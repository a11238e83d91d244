#include "zoned/core/encodings_value.h"

#include <algorithm>

namespace core {
namespace {

using labels::EncodingsData;
using labels::Label;
using labels::Word;
using labels::WordList;
using nlohmann::json;

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr WordList EncodingsData::*kSections[] = {
    &EncodingsData::information, &EncodingsData::sensitivity, &EncodingsData::clearance,
    &EncodingsData::channels, &EncodingsData::banners};

// --- to a value ----------------------------------------------------------------------------------

template <size_t kBits>
std::string hex(const std::bitset<kBits>& bits) {
  static_assert(kBits % 4 == 0);
  std::string text;
  for (size_t i = 0; i < kBits; i += 4)
    text += kDigits[static_cast<size_t>(bits[i]) | static_cast<size_t>(bits[i + 1]) << 1 |
                    static_cast<size_t>(bits[i + 2]) << 2 | static_cast<size_t>(bits[i + 3]) << 3];
  return text;
}

json class_value(const std::optional<uint8_t>& value) {
  return value ? json(*value) : json(nullptr);
}
json index_value(size_t index) { return index == Word::kNone ? json(nullptr) : json(index); }
json label_value(const std::optional<Label>& label) {
  return label ? json(label->encode()) : json(nullptr);
}

template <typename Items, typename Function>
json each(const Items& items, Function&& function) {
  json values = json::array();
  for (const auto& item : items) values.push_back(function(item));
  return values;
}

json classification_value(const labels::Classification& it) {
  return json::array({it.name, it.short_name, it.alternate_name, it.value,
                      hex(it.initial_compartments), hex(it.initial_markings)});
}

json word_value(const Word& it) {
  return json::array({it.name, it.short_name, it.input_names, it.is_prefix, it.is_suffix,
                      index_value(it.prefix), index_value(it.suffix),
                      json::array({class_value(it.minclass), class_value(it.ominclass),
                                   class_value(it.maxclass), class_value(it.omaxclass)}),
                      json::array({hex(it.compartments.on), hex(it.compartments.off),
                                   hex(it.markings.on), hex(it.markings.off)}),
                      it.access_related, it.flags.to_ulong()});
}

json section_value(const WordList& list) {
  return json::array({each(list.words, word_value),
                      each(list.required,
                           [](const labels::Combination& it) {
                             return json::array({it.first, it.second});
                           }),
                      each(list.constraints, [](const labels::Constraint& it) {
                        return json::array({it.not_with, hex(it.first), hex(it.second)});
                      })});
}

json range_values(const EncodingsData& data) {
  json values = json::array();
  for (size_t value = 0; value < data.ranges.size(); ++value) {
    const labels::Range& range = data.ranges[value];
    if (range.kind == labels::Range::Kind::kNone) continue;
    std::vector<std::string> listed;
    for (const labels::Compartments& compartments : range.listed)
      listed.push_back(hex(compartments));
    std::sort(listed.begin(), listed.end());
    values.push_back(json::array({value, static_cast<unsigned>(range.kind), listed}));
  }
  return values;
}

// --- from a value --------------------------------------------------------------------------------

// Takes values apart. What has not the form asked for gives something empty, and bad() from then on.
class Taker {
 public:
  bool bad() const { return bad_; }

  // Array of so many members.
  const json& row(const json& value, size_t members) {
    return check(value.is_array() && value.size() == members) ? value : none_;
  }
  const json& list(const json& value) { return check(value.is_array()) ? value : none_; }
  const json& at(const json& row, size_t index) {
    return check(row.is_array() && index < row.size()) ? row[index] : none_;
  }
  std::string text(const json& value) {
    return check(value.is_string()) ? value.get<std::string>() : std::string();
  }
  bool flag(const json& value) { return check(value.is_boolean()) && value.get<bool>(); }
  uint64_t number(const json& value, uint64_t most) {
    bool good = value.is_number_unsigned() && value.get<uint64_t>() <= most;
    return check(good) ? value.get<uint64_t>() : 0;
  }
  uint8_t class_number(const json& value) { return static_cast<uint8_t>(number(value, 255)); }
  std::optional<uint8_t> optional_class(const json& value) {
    if (value.is_null()) return {};
    return class_number(value);
  }
  size_t word_index(const json& value) { return number(value, labels::kMaxWords - 1); }
  size_t optional_index(const json& value) {
    return value.is_null() ? Word::kNone : word_index(value);
  }
  Label label(const json& value) {
    auto label = Label::decode(text(value));
    return check(label.ok()) ? *label : Label();
  }
  std::optional<Label> optional_label(const json& value) {
    if (value.is_null()) return {};
    return label(value);
  }
  template <size_t kBits>
  std::bitset<kBits> bits(const json& value) {
    std::bitset<kBits> bits;
    const std::string digits = text(value);
    if (!check(digits.size() == kBits / 4)) return bits;
    for (size_t i = 0; i < kBits; ++i) {
      size_t digit = kDigits.find(digits[i / 4]);
      if (!check(digit != std::string_view::npos)) return bits;
      bits[i] = (digit >> i % 4 & 1) != 0;
    }
    return bits;
  }
  bool check(bool good) {
    bad_ = bad_ || !good;
    return good;
  }

 private:
  const json none_ = json::array();
  bool bad_ = false;
};

labels::Classification take_classification(Taker* taker, const json& value) {
  const json& row = taker->row(value, 6);
  labels::Classification it;
  it.name = taker->text(taker->at(row, 0));
  it.short_name = taker->text(taker->at(row, 1));
  it.alternate_name = taker->text(taker->at(row, 2));
  it.value = taker->class_number(taker->at(row, 3));
  it.initial_compartments = taker->bits<labels::kCompartments>(taker->at(row, 4));
  it.initial_markings = taker->bits<labels::kCompartments>(taker->at(row, 5));
  return it;
}

Word take_word(Taker* taker, const json& value) {
  const json& row = taker->row(value, 11);
  Word it;
  it.name = taker->text(taker->at(row, 0));
  it.short_name = taker->text(taker->at(row, 1));
  for (const json& name : taker->list(taker->at(row, 2)))
    it.input_names.push_back(taker->text(name));
  it.is_prefix = taker->flag(taker->at(row, 3));
  it.is_suffix = taker->flag(taker->at(row, 4));
  it.prefix = taker->optional_index(taker->at(row, 5));
  it.suffix = taker->optional_index(taker->at(row, 6));
  const json& classes = taker->row(taker->at(row, 7), 4);
  it.minclass = taker->optional_class(taker->at(classes, 0));
  it.ominclass = taker->optional_class(taker->at(classes, 1));
  it.maxclass = taker->optional_class(taker->at(classes, 2));
  it.omaxclass = taker->optional_class(taker->at(classes, 3));
  const json& bits = taker->row(taker->at(row, 8), 4);
  it.compartments.on = taker->bits<labels::kCompartments>(taker->at(bits, 0));
  it.compartments.off = taker->bits<labels::kCompartments>(taker->at(bits, 1));
  it.markings.on = taker->bits<labels::kCompartments>(taker->at(bits, 2));
  it.markings.off = taker->bits<labels::kCompartments>(taker->at(bits, 3));
  it.access_related = taker->flag(taker->at(row, 9));
  it.flags = taker->number(taker->at(row, 10), (1 << 15) - 1);
  return it;
}

WordList take_section(Taker* taker, const json& value) {
  const json& row = taker->row(value, 3);
  WordList list;
  for (const json& word : taker->list(taker->at(row, 0)))
    list.words.push_back(take_word(taker, word));
  for (const json& item : taker->list(taker->at(row, 1))) {
    const json& pair = taker->row(item, 2);
    list.required.push_back(
        {0, taker->word_index(taker->at(pair, 0)), taker->word_index(taker->at(pair, 1))});
  }
  for (const json& item : taker->list(taker->at(row, 2))) {
    const json& constraint = taker->row(item, 3);
    list.constraints.push_back({0, taker->flag(taker->at(constraint, 0)),
                                taker->bits<labels::kMaxWords>(taker->at(constraint, 1)),
                                taker->bits<labels::kMaxWords>(taker->at(constraint, 2))});
  }
  return list;
}

void take_ranges(Taker* taker, const json& value, EncodingsData* data) {
  int last = -1;
  for (const json& item : taker->list(value)) {
    const json& row = taker->row(item, 3);
    uint8_t number = taker->class_number(taker->at(row, 0));
    uint64_t kind = taker->number(taker->at(row, 1), static_cast<int>(labels::Range::Kind::kOnly));
    taker->check(number > last && kind > 0);
    last = number;
    labels::Range& range = data->ranges[number];
    range.kind = static_cast<labels::Range::Kind>(kind);
    std::string before;
    for (const json& listed : taker->list(taker->at(row, 2))) {
      std::string digits = taker->text(listed);
      taker->check(digits > before);
      range.listed.insert(taker->bits<labels::kCompartments>(listed));
      before = std::move(digits);
    }
  }
}

void take_colours(Taker* taker, const json& words, const json& exact, EncodingsData* data) {
  for (const json& item : taker->list(words)) {
    const json& row = taker->row(item, 2);
    data->word_colours.push_back(
        {taker->word_index(taker->at(row, 0)), taker->text(taker->at(row, 1))});
  }
  for (const json& item : taker->list(exact)) {
    const json& row = taker->row(item, 3);
    data->label_colours.push_back({taker->label(taker->at(row, 0)), taker->flag(taker->at(row, 1)),
                                   taker->text(taker->at(row, 2))});
  }
}

}  // namespace

json encodings_value(const EncodingsData& data) {
  return json::array({data.version, each(data.classifications, classification_value),
                      each(kSections, [&](auto section) { return section_value(data.*section); }),
                      range_values(data),
                      json::array({data.minimum_clearance.encode(), data.minimum_label.encode(),
                                   data.minimum_protect_as}),
                      json::array({label_value(data.default_user_label),
                                   label_value(data.default_user_clearance)}),
                      json::array({data.admin_low_name, data.admin_high_name}),
                      each(data.word_colours,
                           [](const labels::WordColour& it) {
                             return json::array({it.word, it.colour});
                           }),
                      each(data.label_colours, [](const labels::LabelColour& it) {
                        return json::array({it.label.encode(), it.classification_alone, it.colour});
                      })});
}

base::Result<EncodingsData> encodings_from_value(const json& value) {
  Taker taker;
  const json& row = taker.row(value, 9);
  EncodingsData data;
  data.version = taker.text(taker.at(row, 0));
  for (const json& item : taker.list(taker.at(row, 1)))
    data.classifications.push_back(take_classification(&taker, item));
  const json& sections = taker.row(taker.at(row, 2), std::size(kSections));
  for (size_t i = 0; i < std::size(kSections); ++i)
    data.*kSections[i] = take_section(&taker, taker.at(sections, i));
  take_ranges(&taker, taker.at(row, 3), &data);
  const json& minimums = taker.row(taker.at(row, 4), 3);
  data.minimum_clearance = taker.label(taker.at(minimums, 0));
  data.minimum_label = taker.label(taker.at(minimums, 1));
  data.minimum_protect_as = taker.class_number(taker.at(minimums, 2));
  const json& defaults = taker.row(taker.at(row, 5), 2);
  data.default_user_label = taker.optional_label(taker.at(defaults, 0));
  data.default_user_clearance = taker.optional_label(taker.at(defaults, 1));
  const json& names = taker.row(taker.at(row, 6), 2);
  data.admin_low_name = taker.text(taker.at(names, 0));
  data.admin_high_name = taker.text(taker.at(names, 1));
  take_colours(&taker, taker.at(row, 7), taker.at(row, 8), &data);
  if (taker.bad()) return base::make_error(base::Code::kInvalid, "not a value of encodings");
  return data;
}

}  // namespace core
