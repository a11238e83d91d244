// Label encodings as zone-parse hands them back, both sides in this process.
#include "zoned/core/encodings_value.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "labels/encodings.h"
#include "zoned/api/tagged.h"
#include "zoned/core/parse_text.h"

namespace {

using labels::Encodings;
using labels::Label;
using nlohmann::json;

// The built-in encodings and the fuzzer's seeds, without the names that follow a seed's text.
std::vector<std::string> texts() {
  std::vector<std::string> all{std::string(Encodings::built_in_text())};
  for (const auto& entry : std::filesystem::directory_iterator("tests/fuzz/corpus/encodings")) {
    std::ostringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    std::string seed = text.str();
    size_t mark = seed.find("\n%%\n");
    all.push_back(seed.substr(0, mark == std::string::npos ? mark : mark + 1));
  }
  return all;
}

std::string answer_of(const std::string& text) {
  return core::answer_request(core::encodings_request({"label_encodings", text}));
}

base::Result<Encodings> take(const std::string& answer) {
  TRY_AS(json value, core::take_answer(answer));
  return core::take_encodings(value);
}

// A label by chance, more often than not of a known classification and known bits.
Label random_label(const labels::EncodingsData& data, std::mt19937& random) {
  const auto& known = data.classifications[random() % data.classifications.size()];
  labels::Compartments bits = known.initial_compartments;
  const auto& words = data.sensitivity.words;
  for (int i = 0; i < 3 && !words.empty(); ++i)
    bits ^= words[random() % words.size()].compartments.on;
  if (random() % 8 == 0) bits.flip(random() % bits.size());
  return {random() % 8 == 0 ? static_cast<uint8_t>(random()) : known.value, bits};
}

size_t differences(const Encodings& a, const Encodings& b, const Label& label) {
  std::string name = a.name_of(label);
  auto back_a = a.parse_label(name);
  auto back_b = b.parse_label(name);
  size_t wrong = 0;
  wrong += name != b.name_of(label);
  wrong += a.short_name_of(label) != b.short_name_of(label);
  wrong += a.clearance_name_of(label) != b.clearance_name_of(label);
  wrong += a.colour_of(label) != b.colour_of(label);
  wrong += a.check_label(label).ok() != b.check_label(label).ok();
  wrong += a.check_clearance(label).ok() != b.check_clearance(label).ok();
  wrong += back_a.ok() != back_b.ok() || (back_a && !(*back_a == *back_b));
  return wrong;
}

// Whatever they are, they hold together.
size_t contradictions(const Encodings& encodings, std::mt19937& random) {
  size_t wrong = 0;
  wrong += !encodings.check_label(encodings.default_label()).ok();
  wrong += !encodings.check_clearance(encodings.default_clearance()).ok();
  wrong += !encodings.default_clearance().dominates(encodings.default_label());
  for (int i = 0; i < 20; ++i) {
    Label label = random_label(encodings.data(), random);
    std::string name = encodings.name_of(label);
    auto back = encodings.parse_label(name);
    wrong += back.ok() != (name != label.encode()) || (back && !(*back == label));
    wrong += encodings.colour_of(label).size() != 7;
  }
  return wrong;
}

}  // namespace

TEST_CASE("encodings that were read elsewhere give the same names and labels") {
  std::mt19937 random(3);
  size_t files = 0;
  size_t named = 0;
  for (const std::string& text : texts()) {
    auto direct = Encodings::parse(text, "label_encodings");
    auto taken = take(answer_of(text));
    REQUIRE(direct.ok() == taken.ok());
    if (!direct) {
      CHECK(direct.error().message == taken.error().message);
      continue;
    }
    ++files;
    size_t wrong = 0;
    for (int i = 0; i < 3000; ++i) {
      Label label = random_label(direct->data(), random);
      wrong += differences(*direct, *taken, label);
      named += direct->check_label(label).ok();
    }
    for (const Label& label : {Label::admin_low(), Label::admin_high()})
      wrong += differences(*direct, *taken, label);
    CHECK(wrong == 0);
    CHECK(taken->default_label() == direct->default_label());
    CHECK(taken->default_clearance() == direct->default_clearance());
    CHECK(core::encodings_value(taken->data()) == core::encodings_value(direct->data()));
  }
  CHECK(files >= 4);
  CHECK(named > 1000);
}

TEST_CASE("a fault of the encodings comes back with file and line") {
  auto taken = take(answer_of("VERSION= x\nCLASSIFICATIONS:\nname= A;\n"));
  REQUIRE_FALSE(taken.ok());
  CHECK(taken.error().code == base::Code::kInvalid);
  CHECK(taken.error().message.starts_with("label_encodings:3: CLASSIFICATIONS: "));
}

TEST_CASE("an answer about encodings that was cut or changed is refused, or holds together") {
  std::mt19937 random(5);
  for (const std::string& text : texts()) {
    const std::string answer = answer_of(text);
    if (!take(answer)) continue;
    size_t wrong = 0;
    for (size_t size = 0; size < answer.size(); size += 97)
      wrong += take(answer.substr(0, size)).ok();
    CHECK(wrong == 0);
    size_t taken = 0;
    for (int i = 0; i < 2000; ++i) {
      std::string changed = answer;
      for (size_t count = 1 + random() % 3; count > 0; --count)
        changed[random() % changed.size()] = static_cast<char>(random());
      auto encodings = take(changed);
      if (!encodings) continue;
      ++taken;
      wrong += contradictions(*encodings, random);
    }
    CHECK(wrong == 0);
    CHECK(taken > 0);
  }
}

TEST_CASE("each part of a value of encodings has one form") {
  const json whole = core::encodings_value(Encodings::built_in().data());
  REQUIRE(core::encodings_from_value(whole).ok());
  const std::pair<const char*, json> lies[] = {
      {"", nullptr},
      {"/0", 7},
      {"/1", json::object()},
      {"/1/0", json::array()},
      {"/1/0/3", 256},
      {"/1/0/3", -1},
      {"/1/0/3", 1.0},
      {"/1/0/4", "0"},
      {"/1/0/4", std::string(60, 'F')},
      {"/2", json::array()},
      {"/2/1/0/0/2", "x"},
      {"/2/1/0/0/3", 1},
      {"/2/1/0/0/5", 512},
      {"/2/1/0/0/7", nullptr},
      {"/2/1/0/0/10", 1 << 15},
      {"/2/1/1", nullptr},
      {"/3/0/1", 0},
      {"/3/0/1", 4},
      {"/3/1/0", 0},
      {"/4/0", "nothing"},
      {"/4/2", nullptr},
      {"/5/0", 1},
      {"/6", json::array({"A"})},
      {"/8/0/1", "no"},
  };
  for (const auto& [where, lie] : lies) {
    INFO(where << " " << lie.dump());
    json changed = whole;
    changed[json::json_pointer(where)] = lie;
    CHECK_FALSE(core::encodings_from_value(changed).ok());
  }
  json longer = whole;
  longer.push_back(1);
  CHECK_FALSE(core::encodings_from_value(longer).ok());
}
