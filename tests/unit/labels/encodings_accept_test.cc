// Encodings::accept: what a parser that lies may not make anybody believe.
#include <catch2/catch.hpp>

#include <functional>

#include "labels/encodings.h"
#include "labels/encodings_data.h"
#include "tests/unit/labels/encodings_samples.h"

namespace {

using labels::Encodings;
using labels::EncodingsData;
using labels::Label;
using labels::Range;
using labels::Word;

EncodingsData rich() {
  auto encodings = Encodings::parse(samples::kRich, "rich");
  if (!encodings) FAIL(encodings.error().message);
  return encodings->data();
}

struct Lie {
  const char* what;
  std::function<void(EncodingsData&)> tell;
};

Word* find(labels::WordList& list, const std::function<bool(const Word&)>& good) {
  for (Word& word : list.words)
    if (good(word)) return &word;
  FAIL("the sample lacks such a word");
  return nullptr;
}
bool plain(const Word& word) { return !word.is_affix() && word.prefix == Word::kNone; }
bool prefixed(const Word& word) { return word.prefix != Word::kNone; }
size_t first_affix(const labels::WordList& list) {
  size_t at = 0;
  while (!list.words.at(at).is_affix()) ++at;
  return at;
}
size_t first_word(const labels::WordList& list) {
  size_t at = 0;
  while (list.words.at(at).is_affix()) ++at;
  return at;
}

uint8_t unknown_class(const EncodingsData& data) {
  for (unsigned value = 0; value < 256; ++value)
    if (data.classification(static_cast<uint8_t>(value)) == nullptr)
      return static_cast<uint8_t>(value);
  FAIL("every class is known");
  return 0;
}

const std::vector<Lie>& lies_about_classifications() {
  static const std::vector<Lie> lies = {
      {"no version", [](EncodingsData& d) { d.version.clear(); }},
      {"a version of two lines", [](EncodingsData& d) { d.version = "a\nb"; }},
      {"no classification", [](EncodingsData& d) { d.classifications.clear(); }},
      {"a value twice",
       [](EncodingsData& d) { d.classifications[1].value = d.classifications[0].value; }},
      {"a name twice",
       [](EncodingsData& d) { d.classifications[1].name = d.classifications[0].name; }},
      {"a short name that another has",
       [](EncodingsData& d) { d.classifications[1].short_name = d.classifications[0].name; }},
      {"no name", [](EncodingsData& d) { d.classifications[0].name.clear(); }},
      {"a long name", [](EncodingsData& d) { d.classifications[0].name.assign(256, 'a'); }},
      {"a name with an escape", [](EncodingsData& d) { d.classifications[0].name = "\x1b[2J"; }},
      {"a name with blanks", [](EncodingsData& d) { d.classifications[0].name = "A  B"; }},
      {"a name with a slash", [](EncodingsData& d) { d.classifications[0].name = "A/B"; }},
      {"a name in brackets", [](EncodingsData& d) { d.classifications[0].name = "[A]"; }},
      {"a reserved name", [](EncodingsData& d) { d.classifications[0].name = "Admin_Low"; }},
      {"a stored form as a name",
       [](EncodingsData& d) { d.classifications[0].name = Label(7, {}).encode(); }},
      {"a classification that no range's label is of",
       [](EncodingsData& d) { d.classifications.pop_back(); }},
      {"initial bits that no word answers for",
       [](EncodingsData& d) { d.classifications[0].initial_compartments.set(200); }},
  };
  return lies;
}

const std::vector<Lie>& lies_about_words() {
  static const std::vector<Lie> lies = {
      {"a prefix that is no word",
       [](EncodingsData& d) { find(d.sensitivity, prefixed)->prefix = 400; }},
      {"a prefix far away",
       [](EncodingsData& d) { find(d.sensitivity, prefixed)->prefix = Word::kNone - 1; }},
      {"a prefix that is itself",
       [](EncodingsData& d) {
         Word* word = find(d.sensitivity, prefixed);
         word->prefix = static_cast<size_t>(word - d.sensitivity.words.data());
       }},
      {"a prefix that is none",
       [](EncodingsData& d) { find(d.sensitivity, prefixed)->prefix = first_word(d.sensitivity); }},
      {"a suffix behind it",
       [](EncodingsData& d) {
         find(d.sensitivity, plain)->suffix = d.sensitivity.words.size() - 1;
       }},
      {"a class that none is",
       [](EncodingsData& d) { find(d.sensitivity, plain)->minclass = unknown_class(d); }},
      {"an output class that none is",
       [](EncodingsData& d) { find(d.clearance, plain)->omaxclass = unknown_class(d); }},
      {"bits on and off",
       [](EncodingsData& d) {
         Word* word = find(d.sensitivity, plain);
         word->compartments.off = word->compartments.on;
       }},
      {"no bits", [](EncodingsData& d) { find(d.sensitivity, plain)->compartments = {}; }},
      {"bits that other sections lack",
       [](EncodingsData& d) { find(d.sensitivity, plain)->compartments.on.set(230); }},
      {"markings of a sensitivity label",
       [](EncodingsData& d) { find(d.sensitivity, plain)->markings.on.set(1); }},
      {"access related but no information label",
       [](EncodingsData& d) { find(d.sensitivity, plain)->access_related = true; }},
      {"prefix and suffix at once",
       [](EncodingsData& d) {
         Word& word = d.sensitivity.words[first_affix(d.sensitivity)];
         word.is_prefix = word.is_suffix = true;
       }},
      {"a name twice",
       [](EncodingsData& d) {
         Word* word = find(d.sensitivity, plain);
         find(d.sensitivity, [&](const Word& it) { return plain(it) && &it != word; })->name =
             word->name;
       }},
      {"no name", [](EncodingsData& d) { d.information.words[0].name.clear(); }},
      {"a name of channels with a new line",
       [](EncodingsData& d) { d.channels.words.at(0).name = "a\nb"; }},
      {"an input name of a banner",
       [](EncodingsData& d) { d.banners.words.at(0).input_names = {"x"}; }},
      {"too many words",
       [](EncodingsData& d) { d.channels.words.resize(600, d.channels.words.at(0)); }},
      {"a combination beyond the words",
       [](EncodingsData& d) {
         d.sensitivity.required.push_back({0, 0, 500});
       }},
      {"a combination of a prefix",
       [](EncodingsData& d) {
         d.sensitivity.required.push_back(
             {0, first_affix(d.sensitivity), first_word(d.sensitivity)});
       }},
      {"a combination of channels",
       [](EncodingsData& d) {
         d.channels.required.push_back({0, 0, 1});
       }},
      {"too many combinations",
       [](EncodingsData& d) { d.sensitivity.required.resize(3000, d.sensitivity.required.at(0)); }},
      {"a constraint beyond the words",
       [](EncodingsData& d) { d.sensitivity.constraints.at(0).second.set(511); }},
      {"a constraint of nothing",
       [](EncodingsData& d) { d.sensitivity.constraints.at(0).first.reset(); }},
      {"too many constraints",
       [](EncodingsData& d) {
         d.clearance.constraints.resize(2000, d.sensitivity.constraints.at(0));
       }},
      {"words that are gone", [](EncodingsData& d) { d.sensitivity.words.clear(); }},
  };
  return lies;
}

const std::vector<Lie>& lies_about_labels() {
  static const std::vector<Lie> lies = {
      {"a range of no classification",
       [](EncodingsData& d) { d.ranges[unknown_class(d)].kind = Range::Kind::kAll; }},
      {"no range", [](EncodingsData& d) { d.ranges = {}; }},
      {"a range of an unknown kind",
       [](EncodingsData& d) {
         for (Range& range : d.ranges) range.kind = Range::Kind::kNone;
       }},
      {"a list of nothing",
       [](EncodingsData& d) {
         d.ranges[d.minimum_label.classification()] = {Range::Kind::kAllExcept, {}};
       }},
      {"a listed label that has no name",
       [](EncodingsData& d) {
         labels::Compartments bits;
         bits.set(239);
         d.ranges[d.minimum_label.classification()] = {Range::Kind::kAllExcept, {bits}};
       }},
      {"a minimum label that is administrative",
       [](EncodingsData& d) { d.minimum_label = Label::admin_low(); }},
      {"a minimum label of no classification",
       [](EncodingsData& d) { d.minimum_label = Label(unknown_class(d), {}); }},
      {"a minimum clearance that is administrative",
       [](EncodingsData& d) { d.minimum_clearance = Label::admin_high(); }},
      {"a minimum clearance without a name",
       [](EncodingsData& d) {
         labels::Compartments bits;
         bits.set(239);
         d.minimum_clearance = Label(d.minimum_clearance.classification(), bits);
       }},
      {"a class to protect as that none is",
       [](EncodingsData& d) { d.minimum_protect_as = unknown_class(d); }},
      {"a default label that is administrative",
       [](EncodingsData& d) { d.default_user_label = Label::admin_high(); }},
      {"a default clearance of all",
       [](EncodingsData& d) { d.default_user_clearance = Label::admin_high(); }},
      {"a default clearance of no classification",
       [](EncodingsData& d) { d.default_user_clearance = Label(unknown_class(d), {}); }},
      {"one name for both ends",
       [](EncodingsData& d) { d.admin_low_name = d.admin_high_name = "END"; }},
      {"the other end's name", [](EncodingsData& d) { d.admin_low_name = "admin_high"; }},
      {"a label's name for an end",
       [](EncodingsData& d) { d.admin_low_name = d.classifications[0].name; }},
      {"no name for an end", [](EncodingsData& d) { d.admin_high_name.clear(); }},
      {"a colour of no word",
       [](EncodingsData& d) {
         d.word_colours.push_back({500, "#000000"});
       }},
      {"a colour that is none",
       [](EncodingsData& d) {
         d.label_colours.push_back({Label::admin_low(), false, "red"});
       }},
      {"a colour that is text",
       [](EncodingsData& d) {
         d.label_colours.push_back({Label::admin_low(), false, "#\x1b[31m0"});
       }},
      {"a colour of no classification",
       [](EncodingsData& d) {
         d.label_colours.push_back({Label(unknown_class(d), {}), true, "#000000"});
       }},
      {"too many colours",
       [](EncodingsData& d) {
         d.label_colours.resize(1100, {Label::admin_low(), false, "#000000"});
       }},
  };
  return lies;
}

}  // namespace

TEST_CASE("what was read of a file is accepted as it is") {
  for (const std::string& text :
       {std::string(Encodings::built_in_text()), std::string(samples::kRich),
        std::string(samples::kTrusted), std::string(samples::kSmall)}) {
    auto parsed = Encodings::parse(text, "sample");
    REQUIRE(parsed.ok());
    auto accepted = Encodings::accept(parsed->data());
    INFO((accepted ? "" : accepted.error().message));
    REQUIRE(accepted.ok());
    CHECK(accepted->data().sensitivity.names == parsed->data().sensitivity.names);
    CHECK(accepted->data().sensitivity.needs == parsed->data().sensitivity.needs);
    CHECK(accepted->data().classification_names == parsed->data().classification_names);
  }
}

TEST_CASE("what is derived is not taken over") {
  EncodingsData data = rich();
  auto right = Encodings::accept(data);
  for (labels::WordList* list : {&data.information, &data.sensitivity, &data.clearance}) {
    list->title = "\x1b";
    list->longest_name = 1 << 30;
    list->names = {{"x", {99999}}};
    list->needs.clear();
    list->output_only = true;
  }
  data.classification_names = {{"x", 99999}};
  data.classification_values[5] = 99999;
  auto accepted = Encodings::accept(data);
  REQUIRE(accepted.ok());
  CHECK(accepted->data().sensitivity.longest_name == right->data().sensitivity.longest_name);
  CHECK(accepted->data().sensitivity.names == right->data().sensitivity.names);
  CHECK(accepted->data().sensitivity.title == "SENSITIVITY LABELS");
  CHECK(accepted->data().classification_values == right->data().classification_values);
  CHECK_FALSE(accepted->parse_label("x").ok());
}

TEST_CASE("data that no file gives is refused") {
  for (const auto& lies : {lies_about_classifications(), lies_about_words(), lies_about_labels()})
    for (const Lie& lie : lies) {
      INFO(lie.what);
      EncodingsData data = rich();
      lie.tell(data);
      auto accepted = Encodings::accept(std::move(data));
      REQUIRE_FALSE(accepted.ok());
      CHECK(accepted.error().code == base::Code::kInvalid);
      CHECK(accepted.error().message.find('\x1b') == std::string::npos);
    }
}
