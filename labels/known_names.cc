#include "labels/known_names.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/strings.h"
#include "labels/encodings_data.h"
#include "labels/encodings_names.h"
#include "labels/policy.h"

namespace labels {
namespace {

using nlohmann::json;

// Which classifications and words show, by their indices.
struct Known {
  std::vector<bool> classifications;
  WordSet words;
};

Known known_of(const Encodings& encodings, const Label& clearance) {
  const EncodingsData& data = encodings.data();
  const std::vector<Word>& words = data.sensitivity.words;
  Known known{std::vector<bool>(data.classifications.size(), clearance.is_admin_high()), {}};
  if (clearance.is_admin_high()) known.words.set();
  if (clearance.is_admin_high() || clearance.is_admin_low()) return known;
  auto dominated = [&](const std::string& name) {
    auto label = encodings.parse_label(name);
    return label.ok() && may_see(clearance, *label);
  };
  // Words that need others to make a label are seen in the clearance itself.
  known.words =
      visible_words(data.sensitivity, {clearance.classification(), clearance.compartments(), {}});
  for (size_t i = 0; i < data.classifications.size(); ++i) {
    const Classification& it = data.classifications[i];
    if (it.value > clearance.classification()) continue;
    bool shows = it.value == clearance.classification() || dominated(it.name);
    for (size_t word = 0; word < words.size(); ++word) {
      if ((shows && known.words.test(word)) || words[word].is_affix() ||
          !dominated(it.name + " " + word_name(data.sensitivity, word)))
        continue;
      known.words.set(word);
      shows = true;
    }
    known.classifications[i] = shows;
  }
  return known;
}

// How many combinations are excepted or listed: of those that are dominated.
std::string range_text(const EncodingsData& data, uint8_t value, const Label& clearance) {
  const Range& range = data.ranges[value];
  auto listed = std::count_if(
      range.listed.begin(), range.listed.end(),
      [&](const Compartments& item) { return may_see(clearance, Label(value, item)); });
  switch (range.kind) {
    case Range::Kind::kNone:
      return "none";
    case Range::Kind::kAll:
      return "all";
    case Range::Kind::kAllExcept:
      return listed == 0 ? "all" : "all but " + std::to_string(listed);
    case Range::Kind::kOnly:
      return listed == 0 ? "none" : "only " + std::to_string(listed);
  }
  return {};
}

std::string bits_text(const Bits& bits) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < kCompartments; ++i) {
    if (bits.on.test(i)) parts.push_back(std::to_string(i));
    if (bits.off.test(i)) parts.push_back("~" + std::to_string(i));
  }
  return base::join(parts, " ");
}

std::string word_colour(const EncodingsData& data, size_t word) {
  auto colour = std::find_if(data.word_colours.begin(), data.word_colours.end(),
                             [word](const WordColour& item) { return item.word == word; });
  return colour == data.word_colours.end() ? "" : colour->colour;
}

json classifications_of(const Encodings& encodings, const Known& known, const Label& clearance) {
  const EncodingsData& data = encodings.data();
  json all = json::array();
  for (size_t i = 0; i < data.classifications.size(); ++i) {
    const Classification& it = data.classifications[i];
    if (known.classifications[i])
      all.push_back({{"name", it.name},
                     {"short_name", it.short_name},
                     {"value", it.value},
                     {"range", range_text(data, it.value, clearance)},
                     {"colour", encodings.colour_of(Label(it.value, it.initial_compartments))}});
  }
  return all;
}

json words_of(const EncodingsData& data, const Known& known) {
  auto class_name = [&](const std::optional<uint8_t>& value) -> std::string {
    if (!value) return {};
    size_t index = *data.classification_values[*value];
    return known.classifications[index] ? data.classifications[index].name : "";
  };
  json all = json::array();
  for (size_t i = 0; i < data.sensitivity.words.size(); ++i) {
    const Word& it = data.sensitivity.words[i];
    if (it.is_affix() || !known.words.test(i)) continue;
    all.push_back({{"name", word_name(data.sensitivity, i)},
                   {"short_name", it.short_name},
                   {"compartments", bits_text(it.compartments)},
                   {"minclass", class_name(it.minclass)},
                   {"maxclass", class_name(it.maxclass)},
                   {"colour", word_colour(data, i)}});
  }
  return all;
}

}  // namespace

json known_names(const Encodings& encodings, const Label& clearance) {
  Known known = known_of(encodings, clearance);
  json members = {{"classifications", classifications_of(encodings, known, clearance)},
                  {"words", words_of(encodings.data(), known)}};
  if (clearance.is_admin_high()) members["version"] = encodings.data().version;
  if (may_see(clearance, encodings.default_label()))
    members["default_label"] = encodings.name_of(encodings.default_label());
  if (may_see(clearance, encodings.default_clearance()))
    members["default_clearance"] = encodings.clearance_name_of(encodings.default_clearance());
  return members;
}

base::Result<Label> parse_known_label(const Encodings& encodings, std::string_view name,
                                      const Label& clearance) {
  auto label = encodings.parse_label(name);
  if (clearance.is_admin_high() || (label && may_see(clearance, *label))) return label;
  return base::make_error(base::Code::kInvalid, "label " + base::quoted(name) + ": no such label",
                          "'zone label list' shows what labels are made of, up to your clearance");
}

std::string_view relation(const Label& a, const Label& b) {
  if (a == b) return "equal";
  if (a.dominates(b)) return "dominates";
  return b.dominates(a) ? "dominated" : "incomparable";
}

}  // namespace labels
