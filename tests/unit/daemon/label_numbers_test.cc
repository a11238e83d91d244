#include "zoned/daemon/label_numbers.h"

#include <fcntl.h>

#include <catch2/catch.hpp>

#include "base/files.h"
#include "tests/unit/daemon/temporary.h"

namespace {

using labels::Label;
using zoned::LabelNumbers;

Label level(uint8_t classification) { return {classification, {}}; }

class Lib {
 public:
  base::UniqueFd folder() const {
    return *base::open_at(AT_FDCWD, temporary_.path(), O_RDONLY | O_DIRECTORY);
  }
  base::Result<LabelNumbers> open() const { return LabelNumbers::open(folder(), level(1)); }
  std::string text() const { return *base::read_file(folder().get(), "label-numbers"); }
  void write(const std::string& text) const {
    REQUIRE(base::replace_file(folder().get(), "label-numbers", text, base::Durability::kRuntime));
  }

 private:
  zoned::testing::TemporaryFolder temporary_;
};

}  // namespace

TEST_CASE("a label keeps its number over restarts, and no other label ever has it") {
  Lib lib;
  auto numbers = lib.open();
  REQUIRE(numbers.ok());
  CHECK(numbers->find(level(1)) == 1);
  CHECK(numbers->find(level(9)) == 0);
  CHECK(*numbers->number_of(level(9)) == 2);
  CHECK(*numbers->number_of(Label::admin_high()) == 3);
  CHECK(*numbers->number_of(level(9)) == 2);
  // Another default changes nothing.
  auto again = LabelNumbers::open(lib.folder(), level(7));
  REQUIRE(again.ok());
  CHECK(again->all() == numbers->all());
  CHECK(*again->number_of(level(7)) == 4);
}

TEST_CASE("numbers that can't be read are told, with the line, and given to nobody") {
  Lib lib;
  std::string good = "1 " + level(1).encode() + "\n";
  lib.write(good);
  CHECK(lib.open().ok());
  for (const std::string& bad :
       {std::string("x"), "0 " + level(2).encode(), "1 " + level(2).encode(),
        "2 " + level(1).encode(), "4294967296 " + level(2).encode(), std::string("2 high low"),
        std::string("2 top"), std::string("\n")}) {
    INFO(bad);
    lib.write(good + bad + "\n");
    auto opened = lib.open();
    REQUIRE_FALSE(opened.ok());
    CHECK(opened.error().message.starts_with("file 'label-numbers': line 2: "));
  }
}

TEST_CASE("the last number is the last") {
  Lib lib;
  lib.write("4294967295 " + level(1).encode() + "\n");
  auto numbers = lib.open();
  REQUIRE(numbers.ok());
  CHECK(*numbers->number_of(level(1)) == 4294967295U);
  CHECK(numbers->number_of(level(2)).error().code == base::Code::kNoSpace);
}
