#include "zoned/api/message.h"

#include <catch2/catch.hpp>

namespace {

using nlohmann::json;

TEST_CASE("a call survives the way to text and back") {
  api::CallMessage call;
  call.method = "io.zoned.Install";
  call.parameters = {{"name", "web"}, {"source", "dir:/a\n\xc3\xa9"}};
  call.more = true;
  auto parsed = api::parse_call(api::to_text(call));
  REQUIRE(parsed.ok());
  CHECK(parsed->method == call.method);
  CHECK(parsed->parameters == call.parameters);
  CHECK(parsed->more);
  CHECK_FALSE(parsed->oneway);
  CHECK_FALSE(parsed->upgrade);
}

TEST_CASE("a call without parameters has empty ones") {
  auto parsed = api::parse_call(R"({"method":"io.zoned.Host"})");
  REQUIRE(parsed.ok());
  CHECK(parsed->parameters == json::object());
}

TEST_CASE("malformed calls are refused") {
  auto text = GENERATE(
      as<std::string>{}, "", "{", "[]", "null", "\"x\"", "{}", "{\"method\":1}", R"({"method":""})",
      R"({"method":"a","parameters":[]})", R"({"method":"a","more":1})",
      R"({"method":"a","oneway":"true"})", R"({"method":"a","extra":1})", R"({"method":"a"} {})",
      R"({"method":"a",})", R"({"method":"a","method":"b"})",
      R"({"method":"a","parameters":{"x":1,"x":2}})",
      R"({"method":"a","parameters":{"y":{"x":1,"x":2}}})", "{\"method\":\"\xff\"}",
      "{\"method\":\"\xc0\x80\"}", "{\"method\":\"\xed\xa0\x80\"}", R"({"method":"\ud800"})",
      "{\"method\":\"a\nb\"}", R"({"method":"a","parameters":{"x":01}})",
      R"({"method":"a","parameters":{"x":NaN}})", R"({"method":"a","parameters":{"x":1e999}})",
      "// x\n{\"method\":\"a\"}");
  INFO(text);
  auto parsed = api::parse_call(text);
  REQUIRE_FALSE(parsed.ok());
  CHECK(parsed.error().code == base::Code::kInvalid);
}

TEST_CASE("the same key may appear in different objects") {
  CHECK(api::parse_json(R"([{"a":{"a":1}},{"a":2}])").ok());
}

TEST_CASE("nesting is capped before parsing") {
  auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(api::parse_json(nested(api::kMaxDepth)).ok());
  auto deep = api::parse_json(nested(api::kMaxDepth + 1));
  REQUIRE_FALSE(deep.ok());
  CHECK(deep.error().message.find("nested deeper") != std::string::npos);
  CHECK_FALSE(api::parse_json(std::string(1 << 20, '[')).ok());
  CHECK_FALSE(api::parse_json(std::string(1 << 20, '{')).ok());
  // Brackets inside strings are no nesting; an escaped quote does not end the string.
  CHECK(api::parse_json("\"\\\"" + std::string(100, '[') + "\"").ok());
}

TEST_CASE("an error survives the way through a reply") {
  base::Error error = base::make_error(base::Code::kState, "zone 'web' runs", "halt it first");
  auto reply = api::parse_reply(api::to_text(api::failed(error)));
  REQUIRE(reply.ok());
  base::Error back = api::error_of(*reply);
  CHECK(back.code == error.code);
  CHECK(back.message == error.message);
  CHECK(back.hint == error.hint);
}

TEST_CASE("errors of org.varlink.service become readable errors") {
  auto back =
      api::error_of(api::service_error(api::kInvalidParameter, "parameter", "name: missing"));
  CHECK(back.code == base::Code::kInvalid);
  CHECK(back.message == "invalid parameter 'name: missing'");
  back = api::error_of(api::service_error(api::kMethodNotFound, "method", "io.zoned.X"));
  CHECK(back.code == base::Code::kUnsupported);
  CHECK(back.message.find("io.zoned.X") != std::string::npos);
}

TEST_CASE("text with broken UTF-8 is sent as valid JSON") {
  api::ReplyMessage reply;
  reply.parameters = {{"detail", "bad \xff byte"}};
  auto back = api::parse_reply(api::to_text(reply));
  REQUIRE(back.ok());
  CHECK(back->parameters["detail"] == "bad \xef\xbf\xbd byte");
}

}  // namespace
