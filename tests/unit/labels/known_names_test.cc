#include "labels/known_names.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "labels/encodings_data.h"
#include "tests/unit/labels/encodings_samples.h"

namespace {

using labels::Encodings;
using labels::Label;
using nlohmann::json;
using Names = std::set<std::string>;

Names names_in(const json& known, const char* list) {
  Names names;
  for (const json& row : known[list]) names.insert(row["name"].get<std::string>());
  return names;
}
Label label(const Encodings& encodings, const char* name) {
  auto parsed = encodings.parse_label(name);
  REQUIRE(parsed.ok());
  return *parsed;
}
Encodings rich() {
  auto encodings = Encodings::parse(samples::kRich, "rich");
  REQUIRE(encodings.ok());
  return *encodings;
}

}  // namespace

TEST_CASE("who is cleared for all knows all names") {
  for (const Encodings& encodings : {Encodings::built_in(), rich()}) {
    json known = labels::known_names(encodings, Label::admin_high());
    CHECK(known["classifications"].size() == encodings.data().classifications.size());
    CHECK(known["version"] == encodings.data().version);
    CHECK(known["default_label"] == encodings.name_of(encodings.default_label()));
    size_t words = 0;
    for (const labels::Word& word : encodings.data().sensitivity.words) words += !word.is_affix();
    CHECK(known["words"].size() == words);
  }
}

TEST_CASE("others know what is in labels that their clearance dominates, and nothing else") {
  const Encodings& encodings = Encodings::built_in();
  struct Row {
    const char* clearance;
    Names classifications;
    Names words;
  };
  const std::vector<Row> rows = {
      {"PUBLIC", {"PUBLIC"}, {}},
      {"INTERNAL", {"PUBLIC", "INTERNAL"}, {}},
      {"CONFIDENTIAL HR", {"PUBLIC", "INTERNAL", "CONFIDENTIAL"}, {"HR"}},
      {"SECRET ENG OPS", {"PUBLIC", "INTERNAL", "CONFIDENTIAL", "SECRET"}, {"ENG", "OPS"}},
  };
  for (const Row& row : rows) {
    INFO(row.clearance);
    json known = labels::known_names(encodings, label(encodings, row.clearance));
    CHECK(names_in(known, "classifications") == row.classifications);
    CHECK(names_in(known, "words") == row.words);
    CHECK(known["default_label"] == "PUBLIC");
    CHECK_FALSE(known.contains("version"));
  }
  json nothing = labels::known_names(encodings, Label::admin_low());
  CHECK(nothing == json{{"classifications", json::array()}, {"words", json::array()}});
}

TEST_CASE("inverse words, upper classes and ranges tell nothing of labels above") {
  Encodings encodings = rich();
  json known = labels::known_names(encodings, label(encodings, "GUARDED"));
  CHECK(names_in(known, "classifications") == Names{"OPEN", "GUARDED"});
  CHECK(names_in(known, "words") == Names{"REL LAND ONE", "REL LAND TWO", "ALWAYS"});
  // Two labels of this classification are out of range; the clearance dominates neither.
  CHECK(known["classifications"][1]["range"] == "all");
  json all = labels::known_names(encodings, Label::admin_high());
  CHECK(all["classifications"][1]["range"] == "all but 2");

  Label cleared = label(encodings, "GUARDED ALPHA REL LAND TWO");
  CHECK(names_in(labels::known_names(encodings, cleared), "words").contains("ALPHA"));

  json above = labels::known_names(encodings, label(encodings, "VERY GUARDED P2 EYES ONLY"));
  for (const json& word : above["words"])
    if (word["name"] == "P2 EYES ONLY") CHECK(word["minclass"] == "GUARDED");
}

TEST_CASE("a label above the clearance and one that is none are the same") {
  const Encodings& encodings = Encodings::built_in();
  Label clearance = label(encodings, "INTERNAL ENG");
  CHECK(labels::parse_known_label(encodings, "int eng", clearance).ok());
  CHECK(labels::parse_known_label(encodings, "ADMIN_LOW", clearance).ok());
  auto error = [&](const char* name) {
    auto parsed = labels::parse_known_label(encodings, name, clearance);
    REQUIRE_FALSE(parsed.ok());
    std::string message = parsed.error().message;
    return message.replace(message.find(name), std::string(name).size(), "NAME") + "|" +
           parsed.error().hint;
  };
  const std::string none = error("NOTHING");
  for (const char* name : {"SECRET", "INTERNAL HR", "INTERNAL NONE", "ADMIN_HIGH", "SECRIT"})
    CHECK(error(name) == none);
  auto told = labels::parse_known_label(encodings, "SECRIT", Label::admin_high());
  CHECK(told.error().message != "label 'SECRIT': no such label");
}
