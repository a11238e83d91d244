// Requests to zone-parse and its answers, both sides in this process.
#include "zoned/core/parse_text.h"

#include <catch2/catch.hpp>

#include "zoned/api/message.h"
#include "zoned/api/tagged.h"
#include "zoned/core/spec_toml.h"

namespace {

using core::take_config;
using core::ZoneSpec;
using nlohmann::json;

json told(const std::string& request) {
  auto answer = core::take_answer(core::answer_request(request));
  INFO((answer ? "" : answer.error().message));
  REQUIRE(answer.ok());
  return *answer;
}

std::string message(const std::string& method, const json& parameters) {
  return json{{"method", method}, {"parameters", parameters}}.dump();
}

json call_config(const std::string& method, const json& parameters) {
  return told(core::call_request(message(method, parameters)))["config"];
}

json entry(const json& path, int kind, const json& value) {
  return json::array({path, kind, value, 1, 1, 1, 1});
}

// A configuration of these entries, as a lying process would tell it.
base::Result<core::Configured<ZoneSpec>> lie(const json& entries, const json& text = "") {
  json config = json::array({"ok", json::array({text, json::array({"web.toml", entries})})});
  return take_config<ZoneSpec>("web", config);
}

bool malformed(const base::Result<core::Configured<ZoneSpec>>& config) {
  return !config && config.error().code == base::Code::kInternal;
}

constexpr int kInteger = 2, kString = 4, kStrings = 5, kTable = 6, kList = 7;

}  // namespace

TEST_CASE("a message comes back as its value, whatever it asks") {
  std::string text = message("io.zoned.List", {{"names", {"a", "b"}}});
  json answer = told(core::call_request(text));
  CHECK(answer["call"] == json::parse(text));
  CHECK(answer["config"].is_null());
  CHECK(api::call_from_value(answer["call"])->method == "io.zoned.List");
}

TEST_CASE("a message that is none is an error of its own") {
  for (const char* text : {"", "{", "\xff", "{\"a\":1,\"a\":2}"}) {
    auto answer = core::take_answer(core::answer_request(core::call_request(text)));
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.error().code == base::Code::kInvalid);
    CHECK(answer.error().message.starts_with("malformed message"));
  }
  std::string many = "{\"method\":\"x\",\"parameters\":{\"a\":[0";
  for (size_t i = 0; i < api::kMaxTaggedValues; ++i) many += ",0";
  auto answer = core::take_answer(core::answer_request(core::call_request(many + "]}}")));
  CHECK(answer.error().message == "malformed message: tagged value: too many values");
}

TEST_CASE("configuration that comes with a call is read with it") {
  auto created = take_config<ZoneSpec>(
      "web", call_config("io.zoned.Create", {{"name", "web"},
                                             {"config", "# mine\ncpu-shares = 3\n"},
                                             {"assignments", {"cpu-shares=5"}}}));
  REQUIRE(created.ok());
  CHECK(created->spec.cpu_shares == 5);
  CHECK(created->text == "# mine\ncpu-shares = 5\n");
  auto same = core::parse_zone("web", created->text, "web.toml");
  CHECK(created->spec == *same);

  auto run = take_config<ZoneSpec>(
      "run-1", call_config("io.zoned.Run", {{"config", ""},
                                            {"assignments", json::array()},
                                            {"argv", {"/bin/echo", "a \"b\"\n"}},
                                            {"env", {"A=x=y"}}}));
  REQUIRE(run.ok());
  CHECK(run->spec.name == "run-1");
  CHECK(run->spec.command == std::vector<std::string>{"/bin/echo", "a \"b\"\n"});
  CHECK(run->spec.env.at("A") == "x=y");

  auto pool = take_config<core::PoolSpec>(
      "p", call_config("io.zoned.PoolCreate", {{"name", "p"}, {"assignments", {"shares=3"}}}));
  REQUIRE(pool.ok());
  CHECK(pool->spec.shares == 3);
}

TEST_CASE("bad configuration is an error with its place, and the call goes on") {
  json answer = told(core::call_request(
      message("io.zoned.Create",
              {{"name", "web"}, {"config", "\ncpu-share = 3"}, {"assignments", json::array()}})));
  auto config = take_config<ZoneSpec>("web", answer["config"]);
  REQUIRE_FALSE(config.ok());
  CHECK(config.error().message == "web.toml:2:1: unknown key 'cpu-share'");
  CHECK(config.error().hint == "did you mean 'cpu-shares'?");
  CHECK(api::call_from_value(answer["call"]).ok());
}

TEST_CASE("parameters of the wrong type bring no configuration and no crash") {
  for (const json& wrong : {json(1), json(nullptr), json::array(), json::object(), json("x")})
    for (const char* method : {"Create", "Configure", "Verify", "Run", "PoolCreate"})
      CHECK_NOTHROW(told(core::call_request(
          message(std::string("io.zoned.") + method,
                  {{"name", wrong}, {"config", wrong}, {"assignments", wrong}, {"argv", wrong}}))));
}

TEST_CASE("documents are read in order, good beside bad") {
  json answers = told(core::documents_request(
      {{"a.toml", "cpu-shares = 3\n[[fs]]\ndir = \"/d\"\nspecial = \"/s\"\n"}, {"b.toml", "= 3"}}));
  REQUIRE(answers.size() == 2);
  auto good = core::take_document(answers[0]);
  REQUIRE(good.ok());
  CHECK(good->file == "a.toml");
  CHECK(good->entries.size() ==
        core::parse_document("a=1\nb=2\nc=3\nd=4\ne=5", "")->entries.size());
  auto bad = core::take_document(answers[1]);
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.error().message.starts_with("b.toml:1:1: "));
}

TEST_CASE("a stored text is edited") {
  json answer = told(core::edit_request(false, "web", "# why\ncpu-shares = 3\n", {"env.A=b"}));
  auto config = take_config<ZoneSpec>("web", answer);
  REQUIRE(config.ok());
  CHECK(config->text.starts_with("# why\ncpu-shares = 3\n"));
  CHECK(config->spec.env.at("A") == "b");
  json refused = told(core::edit_request(true, "p", "", {"cpu-shares=3"}));
  CHECK_FALSE(take_config<core::PoolSpec>("p", refused).ok());
}

TEST_CASE("requests that zoned does not make are answered with an error") {
  for (const std::string& request : {std::string(), std::string("c"), std::string("x\0\0\0\0", 5),
                                     std::string("c\xff\xff\xff\xffyz"), std::string("z\1\0", 3)}) {
    auto answer = core::take_answer(core::answer_request(request));
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.error().code == base::Code::kInternal);
  }
}

TEST_CASE("an answer that is none is told from an error that it carries") {
  for (const json& value :
       {json(nullptr), json("ok"), json::array({"ok"}), json::array({"yes", 1}),
        json::array({"error", "why"}), json::array({"error", json::array({"invalid", "a\nb", ""})}),
        json::array({"error", json::array({"invalid", std::string(5000, 'x'), ""})}),
        json::array({"error", json::array({"invalid", 1, ""})})}) {
    auto answer = core::take_answer(*api::encode_tagged(value));
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.error().code == base::Code::kInternal);
  }
  json error = json::array({"error", json::array({"invalid", "why", "do that"})});
  auto answer = core::take_answer(*api::encode_tagged(error));
  CHECK(answer.error().code == base::Code::kInvalid);
  CHECK(answer.error().hint == "do that");
}

TEST_CASE("a lying process makes no configuration that a text could not make") {
  CHECK(lie(json::array({entry({"cpu-shares"}, kInteger, 3)}))->spec.cpu_shares == 3);
  CHECK_FALSE(lie(json::array({entry({"cpu-shares"}, kInteger, 0)})).ok());
  CHECK(malformed(lie(json::array({entry({"cpu-shares"}, kInteger, "3")}))));
  CHECK(malformed(lie(json::array({entry({"cpu-shares"}, 99, 3)}))));
  CHECK(malformed(lie(json::array({entry(json::array(), kInteger, 3)}))));
  CHECK(malformed(lie(json::array({entry({"command"}, kStrings, {1})}))));
  // Twice; without its table; into what is no table; elements out of order or not tables.
  CHECK(malformed(lie({entry({"cpu-shares"}, kInteger, 3), entry({"cpu-shares"}, kInteger, 4)})));
  CHECK(malformed(lie(json::array({entry({"env", "A"}, kString, "b")}))));
  CHECK(malformed(lie({entry({"env"}, kString, "x"), entry({"env", "A"}, kString, "b")})));
  CHECK(malformed(lie({entry({"fs"}, kList, nullptr), entry({"fs", "5"}, kTable, nullptr)})));
  CHECK(malformed(lie({entry({"fs"}, kList, nullptr), entry({"fs", "0"}, kString, "x")})));
  CHECK(malformed(lie({entry({"fs", "0"}, kTable, nullptr), entry({"fs"}, kList, nullptr)})));
  // A mount without its folders.
  CHECK_FALSE(lie({entry({"fs"}, kList, nullptr), entry({"fs", "0"}, kTable, nullptr)}).ok());
  // Texts that no file may hold.
  CHECK(malformed(lie(json::array(), std::string("a\0b", 3))));
  CHECK(malformed(lie(json::array(), std::string(core::kMaxConfigBytes + 1, 'a'))));
  CHECK(malformed(lie(json::array(), 7)));
  // Places are numbers.
  json entries = json::array({entry({"cpu-shares"}, kInteger, 3)});
  entries[0][3] = -1;
  CHECK(malformed(lie(entries)));
  // Too many.
  json many = json::array();
  for (int i = 0; i < 9000; ++i) many.push_back(entry({"k" + std::to_string(i)}, kInteger, 1));
  CHECK(malformed(lie(many)));
}
