#include "labels/policy.h"

#include <catch2/catch.hpp>

namespace {

using labels::Access;
using labels::Flow;
using labels::Label;

Label of(uint8_t classification, std::initializer_list<size_t> compartments = {}) {
  labels::Compartments set;
  for (size_t number : compartments) set.set(number);
  return {classification, set};
}

const Label kPublic = of(1);
const Label kSecret = of(4);
const Label kSecretA = of(4, {0});
const Label kSecretB = of(4, {1});

}  // namespace

TEST_CASE("policy: data goes up, or sideways within a label; all else is down") {
  CHECK(labels::flow(kSecret, kSecret) == Flow::kEqual);
  CHECK(labels::flow(kPublic, kSecretA) == Flow::kUp);
  CHECK(labels::flow(kSecretA, kPublic) == Flow::kDown);
  CHECK(labels::flow(kSecretA, kSecretB) == Flow::kDown);
}

TEST_CASE("policy: equal labels read and write, a higher one reads, others do nothing") {
  CHECK(labels::access(kSecretA, kSecretA) == Access::kReadWrite);
  CHECK(labels::access(kSecretA, kSecret) == Access::kRead);
  CHECK(labels::access(kSecret, kSecretA) == Access::kNone);
  CHECK(labels::access(kSecretA, kSecretB) == Access::kNone);
  CHECK(labels::access(kSecretA, Label::admin_high()) == Access::kNone);
}

TEST_CASE("policy: packets pass between equal labels, and up at a multilevel port") {
  for (bool multilevel : {false, true}) {
    CHECK(labels::may_send(kSecretA, kSecretA, multilevel));
    CHECK_FALSE(labels::may_send(kSecretA, kPublic, multilevel));
    CHECK_FALSE(labels::may_send(kSecretA, kSecretB, multilevel));
    CHECK(labels::may_send(kPublic, kSecretA, multilevel) == multilevel);
  }
}

TEST_CASE("policy: who moves data needs both labels in his range, and the grant of its way") {
  labels::Rights rights{kPublic, kSecretA, false, false};
  CHECK(labels::may_transfer(rights, kSecret, kSecret));
  CHECK_FALSE(labels::may_transfer(rights, kPublic, kSecret));
  CHECK_FALSE(labels::may_transfer(rights, kSecret, kPublic));
  rights.upgrade = true;
  CHECK(labels::may_transfer(rights, kPublic, kSecret));
  CHECK_FALSE(labels::may_transfer(rights, kSecret, kPublic));
  rights.downgrade = true;
  CHECK(labels::may_transfer(rights, kSecret, kPublic));
  CHECK(labels::may_transfer(rights, kSecretA, kSecret));
  CHECK_FALSE(labels::may_transfer(rights, kSecretB, kPublic));
  CHECK_FALSE(labels::may_transfer(rights, kPublic, kSecretB));
  rights.minimum = kSecret;
  CHECK_FALSE(labels::may_transfer(rights, kSecret, kPublic));
}
