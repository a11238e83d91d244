#include "zoned/api/tagged.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "zoned/api/message.h"

namespace {

using nlohmann::json;

std::string encoded(const json& value) {
  auto bytes = api::encode_tagged(value);
  REQUIRE(bytes.ok());
  return *bytes;
}

std::string refusal(const std::string& bytes) {
  auto value = api::decode_tagged(bytes);
  return value ? "taken: " + value->dump() : value.error().message;
}

std::string bytes_of(std::initializer_list<int> bytes) {
  std::string text;
  for (int byte : bytes) text.push_back(static_cast<char>(byte));
  return text;
}

// NOLINTNEXTLINE(misc-no-recursion): to the depth given
json random_value(std::mt19937& random, int depth) {
  switch (random() % (depth > 0 ? 9 : 7)) {
    case 0:
      return nullptr;
    case 1:
      return random() % 2 == 0;
    case 2:
      return static_cast<int64_t>(random()) - (int64_t{1} << 31);
    case 3:
      return std::numeric_limits<uint64_t>::max() - random();
    case 4:
      return static_cast<double>(random()) / 7;
    case 5:
    case 6: {
      std::string text = "\xc3\xa9";
      for (size_t i = random() % 5; i > 0; --i) text.push_back(static_cast<char>(random() % 128));
      return text;
    }
    case 7: {
      json array = json::array();
      for (size_t i = random() % 5; i > 0; --i) array.push_back(random_value(random, depth - 1));
      return array;
    }
    default: {
      json object = json::object();
      for (size_t i = random() % 5; i > 0; --i)
        object[std::to_string(random() % 100)] = random_value(random, depth - 1);
      return object;
    }
  }
}

}  // namespace

TEST_CASE("what is encoded comes back, and has one form") {
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    json value = random_value(random, 6);
    std::string bytes = encoded(value);
    auto back = api::decode_tagged(bytes);
    REQUIRE(back.ok());
    CHECK(*back == value);
    CHECK(encoded(*back) == bytes);
  }
}

TEST_CASE("numbers come back as a text's parser makes them") {
  auto text = api::parse_json(R"([0, 7, -7, 9223372036854775807, 18446744073709551615, 1.5])");
  auto back = api::decode_tagged(encoded(*text));
  REQUIRE(back.ok());
  for (size_t i = 0; i < text->size(); ++i) CHECK((*back)[i].type() == (*text)[i].type());
}

TEST_CASE("every cut and every changed byte is refused or has a meaning of its own") {
  json value = {{"a", {1, -2, "text", nullptr, true}}, {"b", {{"c", 2.5}}}};
  std::string bytes = encoded(value);
  for (size_t i = 0; i < bytes.size(); ++i) CHECK_FALSE(api::decode_tagged(bytes.substr(0, i)));
  CHECK(refusal(bytes + '\0') == "tagged value: bytes behind its end");
  for (size_t i = 0; i < bytes.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string other = bytes;
      other[i] = static_cast<char>(other[i] ^ (1 << bit));
      auto back = api::decode_tagged(other);
      if (!back) continue;
      CHECK(*back != value);
      CHECK(encoded(*back) == other);
    }
}

TEST_CASE("what no encoder makes is refused") {
  CHECK(refusal("") == "tagged value: cut short");
  CHECK(refusal(bytes_of({9})) == "tagged value: unknown tag");
  // A length and a count beyond what is there.
  CHECK(refusal(bytes_of({6, 255, 255, 255, 255, 'x'})) == "tagged value: cut short");
  CHECK(refusal(bytes_of({7, 255, 255, 255, 127, 0})) == "tagged value: cut short");
  CHECK(refusal(bytes_of({6, 1, 0, 0, 0, 0xff})) == "tagged value: a string is not UTF-8");
  // Keys twice, and out of order.
  CHECK(refusal(bytes_of({8, 2, 0, 0, 0, 1, 0, 0, 0, 'a', 0, 1, 0, 0, 0, 'a', 0})) ==
        "tagged value: keys out of order");
  CHECK(refusal(bytes_of({8, 2, 0, 0, 0, 1, 0, 0, 0, 'b', 0, 1, 0, 0, 0, 'a', 0})) ==
        "tagged value: keys out of order");
  // A small number in the large form; infinity.
  CHECK(refusal(bytes_of({4, 7, 0, 0, 0, 0, 0, 0, 0})) ==
        "tagged value: a number in the wrong form");
  CHECK(refusal(bytes_of({5, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f})) ==
        "tagged value: a number is not finite");
  CHECK(refusal(std::string(api::kMaxTaggedBytes + 1, '\0')) == "tagged value: too long");
}

TEST_CASE("depth and count are capped on both sides") {
  std::string deep;
  json value = 1;
  for (size_t i = 0; i < api::kMaxTaggedDepth; ++i) value = json::array({value});
  CHECK(api::decode_tagged(encoded(value)).ok());
  CHECK_FALSE(api::encode_tagged(json::array({value})).ok());
  for (size_t i = 0; i <= api::kMaxTaggedDepth; ++i) deep += bytes_of({7, 1, 0, 0, 0});
  CHECK(refusal(deep + '\0') == "tagged value: nested too deep");

  json many = json::array_t(api::kMaxTaggedValues - 1);
  std::string bytes = encoded(many);
  CHECK(api::decode_tagged(bytes).ok());
  many.push_back(nullptr);
  CHECK_FALSE(api::encode_tagged(many).ok());
  uint32_t count = api::kMaxTaggedValues;
  for (int i = 0; i < 4; ++i) bytes[static_cast<size_t>(i) + 1] = static_cast<char>(count >> 8 * i);
  CHECK(refusal(bytes + '\0') == "tagged value: too many values");
}

TEST_CASE("what can't be told is refused by the encoder") {
  CHECK_FALSE(api::encode_tagged("\xff").ok());
  CHECK_FALSE(api::encode_tagged(std::nan("")).ok());
  CHECK_FALSE(api::encode_tagged(json::binary({1, 2})).ok());
  CHECK(api::decode_tagged(encoded(std::string("a\0b", 3)))->get<std::string>().size() == 3);
}
