#include "labels/encodings_names.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <random>

#include "labels/encodings.h"
#include "tests/unit/labels/encodings_samples.h"

namespace {

using labels::Compartments;
using labels::Encodings;
using labels::EncodingsData;
using labels::Label;

Label of(uint8_t classification, std::initializer_list<size_t> compartments = {}) {
  Compartments set;
  for (size_t number : compartments) set.set(number);
  return {classification, set};
}

Encodings rich() {
  auto encodings = Encodings::parse(samples::kRich, "rich");
  if (!encodings) FAIL(encodings.error().message);
  return *encodings;
}

struct Sample {
  const char* name;
  std::string text;
  size_t least;  // labels that have names
};

std::vector<Sample> all_samples() {
  return {{"built-in", std::string(Encodings::built_in_text()), 97},
          {"rich", samples::kRich, 400},
          {"trusted", samples::kTrusted, 60}};
}

// Every label over a file's classifications and the bits of its sensitivity words: the initial bits
// with each subset of the others turned over.
std::vector<Label> universe(const EncodingsData& data) {
  Compartments used;
  for (const labels::Word& word : data.sensitivity.words) used |= word.compartments.mask();
  std::vector<size_t> bits;
  for (size_t i = 0; i < used.size(); ++i)
    if (used.test(i)) bits.push_back(i);
  std::vector<Label> all;
  for (const labels::Classification& classification : data.classifications)
    for (size_t mask = 0; mask < size_t{1} << bits.size(); ++mask) {
      Compartments compartments = classification.initial_compartments;
      for (size_t i = 0; i < bits.size(); ++i)
        if ((mask >> i & 1) != 0) compartments.flip(bits[i]);
      all.emplace_back(classification.value, compartments);
    }
  return all;
}

std::string random_case(std::string text, std::mt19937& random) {
  for (char& c : text)
    if (random() % 2 == 0) c = static_cast<char>(std::tolower(c));
  return text;
}

}  // namespace

TEST_CASE("every label of a file that has a name is read back from it, and no two share one") {
  for (const Sample& sample : all_samples()) {
    INFO(sample.name);
    auto encodings = Encodings::parse(sample.text, sample.name);
    if (!encodings) FAIL(encodings.error().message);
    std::mt19937 random(7);
    std::map<std::string, std::string> names;  // to the stored form
    size_t wrong = 0;
    size_t named = 0;
    for (const Label& label : universe(encodings->data())) {
      std::string name = encodings->name_of(label);
      wrong += !names.emplace(name, label.encode()).second;
      if (name == label.encode()) {
        wrong += encodings->parse_label(name).ok();
        wrong += encodings->check_label(label).ok();
        continue;
      }
      ++named;
      for (const std::string& text :
           {name, encodings->short_name_of(label), random_case(name, random), "[" + name + "]"}) {
        auto back = encodings->parse_label(text);
        wrong += !back || !(*back == label);
      }
    }
    CHECK(wrong == 0);
    CHECK(named >= sample.least);
  }
}

TEST_CASE("every clearance that has a name is read back from it") {
  for (const Sample& sample : all_samples()) {
    INFO(sample.name);
    auto encodings = Encodings::parse(sample.text, sample.name);
    if (!encodings) FAIL(encodings.error().message);
    size_t wrong = 0;
    size_t named = 0;
    for (const Label& label : universe(encodings->data())) {
      std::string name = encodings->clearance_name_of(label);
      bool good = encodings->check_clearance(label).ok();
      named += good;
      wrong += good == (name == label.encode());
      auto back = encodings->parse_clearance(name);
      wrong += good != back.ok() || (good && !(*back == label));
    }
    CHECK(wrong == 0);
    CHECK(named > 10);
  }
}

TEST_CASE("words in any order give one label, which its canonical name gives again") {
  for (const Sample& sample : all_samples()) {
    INFO(sample.name);
    auto encodings = Encodings::parse(sample.text, sample.name);
    if (!encodings) FAIL(encodings.error().message);
    const EncodingsData& data = encodings->data();
    std::mt19937 random(11);
    size_t wrong = 0;
    size_t good = 0;
    for (int i = 0; i < 5000; ++i) {
      std::vector<std::string> words;
      for (size_t word = 0; word < data.sensitivity.words.size(); ++word)
        if (!data.sensitivity.words[word].is_affix() && random() % 4 == 0)
          words.push_back(labels::word_name(data.sensitivity, word));
      auto spell = [&] {
        std::shuffle(words.begin(), words.end(), random);
        std::string text = data.classifications[0].name;
        for (const std::string& word : words) text += " " + word;
        return text;
      };
      auto first = encodings->parse_label(spell());
      auto second = encodings->parse_label(spell());
      wrong += first.ok() != second.ok() || (first && !(*first == *second));
      if (!first) continue;
      ++good;
      auto again = encodings->parse_label(encodings->name_of(*first));
      wrong += !again || !(*again == *first);
    }
    CHECK(wrong == 0);
    CHECK(good > 300);
  }
}

TEST_CASE("minimum classes and required combinations are added") {
  Encodings encodings = rich();
  auto label = encodings.parse_label("open project x");
  REQUIRE(label.ok());
  CHECK(encodings.name_of(*label) == "GUARDED ALPHA REL LAND TWO PROJECT X ALWAYS");
  CHECK(*label == of(10, {0, 4, 9, 11}));
  label = encodings.parse_label("o triple");
  REQUIRE(label.ok());
  CHECK(label->classification() == 200);
}

TEST_CASE("composite words and hierarchies show their top alone") {
  Encodings encodings = rich();
  CHECK(encodings.name_of(*encodings.parse_label("vg alpha beta b gamma")) ==
        "VERY GUARDED TRIPLE REL LAND TWO ALWAYS");
  CHECK(encodings.name_of(*encodings.parse_label("vg triple beta/b")) ==
        "VERY GUARDED TRIPLE ALWAYS");
  CHECK(encodings.name_of(*encodings.parse_label("g low high")) == "GUARDED HIGH ALWAYS");
  CHECK(*encodings.parse_label("g low") == of(10, {3, 4, 5, 9}));
}

TEST_CASE("inverse words turn bits off, and with more of them a label falls") {
  Encodings encodings = rich();
  Label none = *encodings.parse_label("g");
  Label one = *encodings.parse_label("g rel l1");
  Label both = *encodings.parse_label("g rel land one/land two");
  CHECK(none.strictly_dominates(one));
  CHECK(one.strictly_dominates(both));
  CHECK(encodings.name_of(both) == "GUARDED REL LAND ONE/LAND TWO ALWAYS");
  CHECK(encodings.name_of(Label::join(one, *encodings.parse_label("g rel l2"))) ==
        "GUARDED ALWAYS");
  CHECK(encodings.name_of(of(0)) == "OPEN");
}

TEST_CASE("a word that is off bits of its prefix alone shows only beside others of them") {
  std::string text = samples::kSmall;
  auto replace = [&](const std::string& from, const std::string& to) {
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
      text.replace(at, from.size(), to);
  };
  replace("name= REL; prefix;", "name= REL; prefix; compartments= 7-9;");
  replace("compartments= ~3;", "compartments= ~7;");
  auto encodings = Encodings::parse(text, "small");
  if (!encodings) FAIL(encodings.error().message);
  CHECK(encodings->name_of(*encodings->parse_label("H")) == "HIGH");
  CHECK(*encodings->parse_label("H") == of(5, {3}));
  CHECK(*encodings->parse_label("H REL D") == of(5, {3, 8, 9}));
  CHECK(encodings->name_of(of(5, {3, 8, 9})) == "HIGH REL D");
}

TEST_CASE("a word with '&' goes not even with another of its own side") {
  std::string text = samples::kSmall;
  const std::string from = "B ! C ONLY";
  text.replace(text.rfind(from), from.size(), "C ONLY | REL D & E");
  auto encodings = Encodings::parse(text, "small");
  if (!encodings) FAIL(encodings.error().message);
  for (const char* name : {"H C ONLY", "H C ONLY E", "H REL D E", "H A B E"}) {
    INFO(name);
    CHECK(encodings->parse_label(name).ok());
  }
  for (const char* name : {"H C ONLY REL D", "H C ONLY E REL D", "H B C ONLY", "H A B REL D"}) {
    INFO(name);
    CHECK_FALSE(encodings->parse_label(name).ok());
  }
}

TEST_CASE("a word hidden above its omaxclass leaves a label there without a name") {
  std::string text = samples::kSmall;
  const std::string from = "compartments= 5-6; minclass= H;";
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + 1))
    text.replace(at, from.size(), "compartments= 5-6; omaxclass= L;");
  auto encodings = Encodings::parse(text, "small");
  if (!encodings) FAIL(encodings.error().message);
  auto low = encodings->parse_label("L E");
  REQUIRE(low.ok());
  CHECK(encodings->name_of(*low) == "LOW E");
  auto high = encodings->parse_label("H E");
  REQUIRE_FALSE(high.ok());
  CHECK(high.error().message == "label 'H E': it has bits that no word stands for");
}

TEST_CASE("a prefix with bits brings them, less those of its words") {
  Encodings encodings = rich();
  CHECK(*encodings.parse_label("vg project y") == of(200, {4, 5, 9, 10}));
  CHECK_FALSE(encodings.parse_label("vg project x y").ok());
  CHECK(encodings.name_of(*encodings.parse_label("vg proj y")) == "VERY GUARDED PROJECT Y ALWAYS");
}

TEST_CASE("what a name lacks or has too much of is told") {
  Encodings encodings = rich();
  for (auto [name, message] : std::map<std::string, std::string>{
           {"g land one", "'land one' needs 'REL' before it"},
           {"g rel", "no word behind 'REL'"},
           {"g p1", "missing 'EYES ONLY' at the end"},
           {"g p1 alpha", "'alpha' stands before 'EYES ONLY'"},
           {"g beta", "unknown word 'beta'"},
           {"g p1 eyes only high", "'HIGH' does not go with 'P1 EYES ONLY'"},
           {"vg p1 eo", "'P1 EYES ONLY' is allowed up to 'GUARDED'"},
           {"g gamma alpha", "'GAMMA' goes only with 'BETA/B'"},
           {"alpha", "unknown classification 'alpha'"},
           {"", "the name is empty"}}) {
    auto label = encodings.parse_label(name);
    INFO(name);
    REQUIRE_FALSE(label.ok());
    CHECK(label.error().message == "label '" + name + "': " + message);
    CHECK(label.error().code == base::Code::kInvalid);
  }
  CHECK_FALSE(encodings.parse_label(std::string(100000, 'a')).ok());
  CHECK_FALSE(encodings.parse_label("g alpha\n").ok());
}

TEST_CASE("the accreditation range: all, all but some, only some") {
  Encodings encodings = rich();
  for (const char* name : {"OPEN", "G ALPHA REL LAND TWO BETA B", "VG HIGH"}) {
    INFO(name);
    auto label = encodings.parse_label(name);
    REQUIRE(label.ok());
    CHECK(encodings.check_label(*label).ok());
  }
  for (const char* name : {"G HIGH", "G ALPHA"}) {
    INFO(name);
    auto label = encodings.parse_label(name);
    REQUIRE(label.ok());
    auto status = encodings.check_label(*label);
    REQUIRE_FALSE(status.ok());
    CHECK(
        status.error().message ==
        "label '" + encodings.name_of(*label) +
            "' is outside of the accreditation range: this combination with 'GUARDED' is excepted");
  }
  auto trusted = Encodings::parse(samples::kTrusted, "trusted");
  REQUIRE(trusted.ok());
  CHECK(trusted->check_label(*trusted->parse_label("S A")).ok());
  auto refused = trusted->check_label(*trusted->parse_label("S"));
  REQUIRE_FALSE(refused.ok());
  CHECK_THAT(refused.error().message, Catch::Contains("only other combinations with"));
  CHECK_FALSE(trusted->check_label(*trusted->parse_label("C B A")).ok());
}

TEST_CASE("local definitions: other names, defaults of users, colours by word, label, class") {
  Encodings encodings = rich();
  CHECK(encodings.name_of(Label::admin_high()) == "top of all");
  CHECK(*encodings.parse_label("Top Of All") == Label::admin_high());
  CHECK(*encodings.parse_label("ADMIN_LOW") == Label::admin_low());
  CHECK(encodings.name_of(encodings.default_label()) == "GUARDED ALWAYS");
  CHECK(encodings.clearance_name_of(encodings.default_clearance()) ==
        "GUARDED P2 EYES ONLY ALWAYS");
  auto colour = [&](const char* name) { return encodings.colour_of(*encodings.parse_label(name)); };
  CHECK(colour("open") == "#00ff00");
  CHECK(colour("vg") == "#ff8800");
  CHECK(colour("vg high") == "#ffc0cb");
  CHECK(colour("vg high beta b") == "#00ffff");
  CHECK(colour("vg low") == "#ff8800");
  CHECK(colour("g project x") == "#ff00ff");
  CHECK(colour("admin_low") == "#bdbdbd");
}

TEST_CASE("the minimum clearance is exempt from constraints, others are not") {
  Encodings encodings = rich();
  CHECK(encodings.check_clearance(encodings.default_clearance()).ok());
  auto other = encodings.parse_clearance("G P2 EO HIGH");
  REQUIRE_FALSE(other.ok());
  CHECK(other.error().message ==
        "clearance 'G P2 EO HIGH': 'P2 EYES ONLY' goes with no other word");
}

TEST_CASE("a name that stands for two labels stands for neither") {
  auto encodings = Encodings::parse(R"(VERSION= 1
CLASSIFICATIONS:
name= TOP; sname= T; value= 1;
name= TOP SECRET; sname= TS; value= 2;
INFORMATION LABELS:
WORDS:
name= SECRET; compartments= 0;
name= X; compartments= 1;
REQUIRED COMBINATIONS:
COMBINATION CONSTRAINTS:
SENSITIVITY LABELS:
WORDS:
name= SECRET; compartments= 0;
name= X; compartments= 1;
REQUIRED COMBINATIONS:
COMBINATION CONSTRAINTS:
CLEARANCES:
WORDS:
name= SECRET; compartments= 0;
name= X; compartments= 1;
REQUIRED COMBINATIONS:
COMBINATION CONSTRAINTS:
CHANNELS:
WORDS:
PRINTER BANNERS:
WORDS:
ACCREDITATION RANGE:
classification= TOP; all compartment combinations valid;
classification= TOP SECRET; all compartment combinations valid;
minimum clearance= T;
minimum sensitivity label= T;
minimum protect as classification= T;
)",
                                    "two");
  if (!encodings) FAIL(encodings.error().message);
  CHECK(encodings->name_of(of(2)) == "TOP SECRET");
  CHECK(*encodings->parse_label("top secret") == of(2));
  // TOP with the word SECRET would be called so, too.
  CHECK(encodings->name_of(of(1, {0})) == of(1, {0}).encode());
  CHECK_FALSE(encodings->check_label(of(1, {0})).ok());
  CHECK_FALSE(encodings->parse_label("t secret").ok());
  CHECK(encodings->name_of(of(1, {1})) == "TOP X");
}
