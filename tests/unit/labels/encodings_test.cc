#include "labels/encodings.h"

#include <catch2/catch.hpp>

#include "labels/encodings_data.h"

namespace {

using labels::Encodings;
using labels::Label;

Label of(uint8_t classification, std::initializer_list<size_t> compartments = {}) {
  labels::Compartments set;
  for (size_t number : compartments) set.set(number);
  return {classification, set};
}

}  // namespace

TEST_CASE("the built-in encodings have no fault, and PUBLIC as zones have it stored") {
  for (const labels::Fault& fault : Encodings::check(Encodings::built_in_text()))
    FAIL(fault.line << ": " << fault.rule << ": " << fault.message);
  const Encodings& encodings = Encodings::built_in();
  CHECK(encodings.default_label() == of(1));
  CHECK(encodings.default_clearance() == of(1));
  CHECK(encodings.name_of(of(1)) == "PUBLIC");
  CHECK(encodings.check_label(of(1)).ok());
}

TEST_CASE("built-in names are read in any case, long or short, and written in one way") {
  const Encodings& encodings = Encodings::built_in();
  for (const char* name : {"SECRET FINANCE ENG", "secret eng finance", "[Sec Fin,Eng]",
                           " SECRET/ENG/FIN ", "sec eng eng fin"}) {
    auto label = encodings.parse_label(name);
    INFO(name);
    REQUIRE(label.ok());
    CHECK(*label == of(6, {0, 2}));
    CHECK(encodings.name_of(*label) == "SECRET ENG FINANCE");
    CHECK(encodings.short_name_of(*label) == "SEC ENG FIN");
    CHECK(encodings.clearance_name_of(*label) == "SECRET ENG FINANCE");
  }
  CHECK(*encodings.parse_label("public eng") == of(2, {0}));
  CHECK(*encodings.parse_label("admin_low") == Label::admin_low());
  CHECK(*encodings.parse_clearance("Admin_High") == Label::admin_high());
  CHECK(encodings.name_of(Label::admin_high()) == "ADMIN_HIGH");
  CHECK(encodings.name_of(Label::admin_low()) == "ADMIN_LOW");
}

TEST_CASE("an unknown name is refused with the nearest one as hint") {
  const Encodings& encodings = Encodings::built_in();
  auto label = encodings.parse_label("PUBLIK");
  REQUIRE_FALSE(label.ok());
  CHECK(label.error().message == "label 'PUBLIK': unknown classification 'publik'");
  CHECK(label.error().hint == "did you mean PUBLIC?");
  label = encodings.parse_label("SECRET FINANC");
  REQUIRE_FALSE(label.ok());
  CHECK(label.error().hint == "did you mean FINANCE?");
  CHECK_FALSE(encodings.parse_label("").ok());
  CHECK_FALSE(encodings.parse_label("[]").ok());
  CHECK_FALSE(encodings.parse_label(of(9).encode()).ok());
}

TEST_CASE("a label without a name gives its stored form and is no zone's") {
  const Encodings& encodings = Encodings::built_in();
  for (const Label& label : {of(9), of(6, {200}), of(1, {0})}) {
    CHECK(encodings.name_of(label) == label.encode());
    CHECK_FALSE(encodings.check_label(label).ok());
    CHECK_FALSE(encodings.check_clearance(label).ok());
  }
  CHECK_FALSE(encodings.check_label(Label::admin_low()).ok());
  CHECK_FALSE(encodings.check_label(Label::admin_high()).ok());
  CHECK(encodings.check_clearance(Label::admin_high()).ok());
  CHECK_FALSE(encodings.check_clearance(Label::admin_low()).ok());
}

TEST_CASE("colours: of the exact label, else of the classification, else black") {
  const Encodings& encodings = Encodings::built_in();
  CHECK(encodings.colour_of(of(6)) == "#ff0000");
  CHECK(encodings.colour_of(of(6, {0})) == "#ff0000");
  CHECK(encodings.colour_of(of(9)) == "#000000");
  CHECK(encodings.colour_of(Label::admin_high()) == "#636363");
}
