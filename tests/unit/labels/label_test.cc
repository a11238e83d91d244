#include "labels/label.h"

#include <catch2/catch.hpp>

#include <random>
#include <vector>

namespace {

using labels::Compartments;
using labels::Label;

// A second, slow statement of dominance, by the definition: bit for bit.
bool oracle_dominates(const Label& a, const Label& b) {
  if (b.is_admin_low() || a.is_admin_high()) return true;
  if (a.is_admin_low() || b.is_admin_high()) return false;
  if (a.classification() < b.classification()) return false;
  for (unsigned i = 0; i < labels::kCompartments; ++i)
    if (b.compartments().test(i) && !a.compartments().test(i)) return false;
  return true;
}

// Join (`upper`) or meet, likewise: by class and bit for bit.
Label oracle_bound(const Label& a, const Label& b, bool upper) {
  if (oracle_dominates(a, b)) return upper ? a : b;
  if (oracle_dominates(b, a)) return upper ? b : a;
  // Incomparable, so neither is administrative.
  bool a_higher = a.classification() > b.classification();
  Compartments compartments;
  for (unsigned i = 0; i < labels::kCompartments; ++i) {
    bool in_a = a.compartments().test(i), in_b = b.compartments().test(i);
    compartments[i] = upper ? in_a || in_b : in_a && in_b;
  }
  return {a_higher == upper ? a.classification() : b.classification(), compartments};
}

class Generator {
 public:
  // Mostly from a small universe, so that comparable and equal pairs are common.
  Label next() {
    unsigned dice = pick(20);
    if (dice == 0) return Label::admin_low();
    if (dice == 1) return Label::admin_high();
    if (dice < 14) return {static_cast<uint8_t>(pick(4)), bits(4, 60)};
    return {static_cast<uint8_t>(pick(256)), bits(labels::kCompartments, 1)};
  }
  unsigned pick(unsigned n) { return static_cast<unsigned>(engine_() % n); }

 private:
  Compartments bits(unsigned count, unsigned stride) {
    Compartments result;
    for (unsigned i = 0; i < count; ++i)
      if (pick(2) == 1) result.set(i * stride % labels::kCompartments);
    return result;
  }
  std::mt19937_64 engine_{20240611};
};

// Every label over 3 classes and 3 compartments, with both administrative ones: 26 in all.
std::vector<Label> small_universe() {
  std::vector<Label> all{Label::admin_low(), Label::admin_high()};
  for (unsigned classification = 0; classification < 3; ++classification)
    for (unsigned mask = 0; mask < 8; ++mask) {
      Compartments compartments;
      if ((mask & 1) != 0) compartments.set(0);
      if ((mask & 2) != 0) compartments.set(63);
      if ((mask & 4) != 0) compartments.set(239);
      all.emplace_back(static_cast<uint8_t>(classification), compartments);
    }
  return all;
}

}  // namespace

TEST_CASE("dominance agrees with the bit-by-bit definition on 1,000,000 pairs") {
  Generator random;
  size_t comparable = 0;
  size_t wrong = 0;
  for (int i = 0; i < 1000000; ++i) {
    Label a = random.next();
    Label b = random.next();
    bool expected = oracle_dominates(a, b);
    comparable += expected;
    wrong += a.dominates(b) != expected;
    wrong += a.strictly_dominates(b) != (expected && !oracle_dominates(b, a));
  }
  CHECK(wrong == 0);
  CHECK(comparable > 150000);
  CHECK(comparable < 850000);
}

TEST_CASE("join and meet agree with the bit-by-bit definition on 1,000,000 pairs") {
  Generator random;
  size_t wrong = 0;
  size_t strict = 0;
  for (int i = 0; i < 1000000; ++i) {
    Label a = random.next();
    Label b = random.next();
    Label up = Label::join(a, b);
    Label down = Label::meet(a, b);
    wrong += !(up == oracle_bound(a, b, true)) || !(down == oracle_bound(a, b, false));
    strict += !(up == a) && !(up == b);
  }
  CHECK(wrong == 0);
  CHECK(strict > 100000);
}

TEST_CASE("dominance is a partial order on 200,000 random triples") {
  Generator random;
  size_t wrong = 0;
  size_t chains = 0;
  for (int i = 0; i < 200000; ++i) {
    Label a = random.next();
    Label b = random.next();
    Label c = random.next();
    wrong += !a.dominates(a);
    wrong += a.dominates(b) && b.dominates(a) && !(a == b);
    if (a.dominates(b) && b.dominates(c)) {
      ++chains;
      wrong += !a.dominates(c);
    }
  }
  CHECK(wrong == 0);
  CHECK(chains > 5000);
}

TEST_CASE("join and meet are bounds, and commute, absorb and agree with dominance") {
  Generator random;
  size_t wrong = 0;
  for (int i = 0; i < 200000; ++i) {
    Label a = random.next();
    Label b = random.next();
    Label up = Label::join(a, b);
    Label down = Label::meet(a, b);
    wrong += !oracle_dominates(up, a) || !oracle_dominates(up, b);
    wrong += !oracle_dominates(a, down) || !oracle_dominates(b, down);
    wrong += !(up == Label::join(b, a)) || !(down == Label::meet(b, a));
    wrong += !(Label::join(a, down) == a) || !(Label::meet(a, up) == a);
    wrong += (up == a) != oracle_dominates(a, b);
    Label other = random.next();
    if (oracle_dominates(other, a) && oracle_dominates(other, b))
      wrong += !oracle_dominates(other, up);
    if (oracle_dominates(a, other) && oracle_dominates(b, other))
      wrong += !oracle_dominates(down, other);
  }
  CHECK(wrong == 0);
}

TEST_CASE("join is the least upper bound and meet the greatest lower bound, by full search") {
  const std::vector<Label> all = small_universe();
  size_t wrong = 0;
  for (const Label& a : all)
    for (const Label& b : all) {
      Label up = Label::join(a, b);
      Label down = Label::meet(a, b);
      wrong += !oracle_dominates(up, a) || !oracle_dominates(up, b);
      wrong += !oracle_dominates(a, down) || !oracle_dominates(b, down);
      for (const Label& c : all) {
        if (oracle_dominates(c, a) && oracle_dominates(c, b)) wrong += !oracle_dominates(c, up);
        if (oracle_dominates(a, c) && oracle_dominates(b, c)) wrong += !oracle_dominates(down, c);
      }
    }
  CHECK(wrong == 0);
}

TEST_CASE("a label survives encoding and distinct labels have distinct forms") {
  Generator random;
  size_t wrong = 0;
  for (int i = 0; i < 100000; ++i) {
    Label a = random.next();
    Label b = random.next();
    auto back = Label::decode(a.encode());
    wrong += !back.ok() || !(*back == a);
    wrong += (a.encode() == b.encode()) != (a == b);
  }
  CHECK(wrong == 0);
}

TEST_CASE("the first hex digit's high bit is compartment 0") {
  Compartments compartments;
  compartments.set(0);
  compartments.set(6);
  compartments.set(239);
  CHECK(Label(7, compartments).encode() == "7:82" + std::string(57, '0') + "1");
  CHECK(Label::admin_low().encode() == "low");
  CHECK(Label::admin_high().encode() == "high");
}

TEST_CASE("decoding refuses every form but the one that encoding gives") {
  const std::string zeros(60, '0');
  REQUIRE(Label::decode("255:" + zeros).ok());
  for (const std::string& text :
       {std::string(), std::string("LOW"), std::string("low "), std::string("5"), std::string(":"),
        ":" + zeros, "256:" + zeros, "-1:" + zeros, "+1:" + zeros, "01:" + zeros, " 1:" + zeros,
        "1:" + zeros + "0", "1:" + zeros.substr(1), "1:" + zeros + "\n",
        "1:" + zeros.substr(1) + "A", "1:" + zeros.substr(1) + "g", "1::" + zeros.substr(1),
        "1:" + zeros.substr(1) + std::string(1, '\0')}) {
    auto label = Label::decode(text);
    INFO(text);
    REQUIRE_FALSE(label.ok());
    CHECK(label.error().code == base::Code::kInvalid);
  }
}

TEST_CASE("strings mutated at random decode to a label that encodes back or are refused") {
  Generator random;
  size_t wrong = 0;
  size_t refused = 0;
  for (int i = 0; i < 100000; ++i) {
    std::string text = random.next().encode();
    for (unsigned n = random.pick(3) + 1; n > 0; --n)
      text[random.pick(static_cast<unsigned>(text.size()))] = static_cast<char>(random.pick(256));
    auto label = Label::decode(text);
    refused += !label.ok();
    wrong += label.ok() && label->encode() != text;
  }
  CHECK(wrong == 0);
  CHECK(refused > 10000);
}

TEST_CASE("a default-constructed label is ADMIN_LOW, below the lowest normal label") {
  CHECK(Label() == Label::admin_low());
  CHECK(Label(0, {}).strictly_dominates(Label()));
  CHECK_FALSE(Label(0, {}) == Label());
  CHECK(Label::admin_high().strictly_dominates(Label(255, Compartments().set())));
}
