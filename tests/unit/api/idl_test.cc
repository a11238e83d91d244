#include "zoned/api/idl.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

using nlohmann::json;

constexpr const char* kText = R"(# comment
interface org.test
type Point (x: int, y: ?float)
method Draw(points: []Point, names: [string]string, deep: [][]int, on: bool) -> (count: int)
method Any(what: object, tag: ?string) -> ()
error Failed(why: string)
)";

api::Interface test_interface() {
  auto parsed = api::parse_interface(kText);
  REQUIRE(parsed.ok());
  return *std::move(parsed);
}

// "path: why", or "" when the parameters pass.
std::string check(const char* method, const std::string& text) {
  api::Interface interface = test_interface();
  auto bad =
      api::check_members(interface, interface.methods.at(method).parameters, json::parse(text));
  return bad ? bad->path + ": " + bad->why : "";
}

TEST_CASE("the embedded interface parses and lists the methods of zoned") {
  auto parsed = api::parse_interface(api::interface_text());
  REQUIRE(parsed.ok());
  CHECK(parsed->name == "io.zoned");
  CHECK(parsed->methods.contains("Exec"));
  CHECK(parsed->methods.at("List").parameters.at(0).name == "names");
  CHECK(parsed->errors.contains("Failed"));
}

TEST_CASE("parameters that fit pass") {
  CHECK(check("Draw", R"({"points":[{"x":1},{"x":-2,"y":0.5},{"x":3,"y":null}],
                          "names":{"a":"b"},"deep":[[1],[]],"on":true})") == "");
  CHECK(check("Any", R"({"what":{"free":["form",1]}})") == "");
}

TEST_CASE("parameters that do not fit name the member") {
  CHECK(check("Any", R"({})") == "what: missing");
  CHECK(check("Any", R"({"what":{},"tga":1})") == "tga: unknown");
  CHECK(check("Any", R"({"what":[]})") == "what: not an object");
  CHECK(check("Any", R"({"what":{},"tag":5})") == "tag: not a string");
  CHECK(check("Any", R"({"what":{},"tag":"a\u0000b"})") == "tag: holds a NUL");
  CHECK(check("Any", R"([])") == "parameters: not an object");
  auto draw = [](const char* points, const char* names, const char* deep) {
    return check("Draw", std::string("{\"points\":") + points + ",\"names\":" + names +
                             ",\"deep\":" + deep + ",\"on\":false}");
  };
  CHECK(draw("[{\"x\":1},{}]", "{}", "[]") == "points[1].x: missing");
  CHECK(draw("[{\"x\":1,\"z\":1}]", "{}", "[]") == "points[0].z: unknown");
  CHECK(draw("[{\"x\":1.5}]", "{}", "[]") == "points[0].x: not an int");
  CHECK(draw("[{\"x\":18446744073709551615}]", "{}", "[]") == "points[0].x: out of range");
  CHECK(draw("{}", "{}", "[]") == "points: not an array");
  CHECK(draw("[]", "{\"a\":1}", "[]") == "names.a: not a string");
  CHECK(draw("[]", "{}", "[[1],[null]]") == "deep[1][0]: not an int");
  CHECK(draw("[]", "{}", "[1]") == "deep[0]: not an array");
}

TEST_CASE("faults of an interface definition name the line") {
  auto message = [](const char* text) {
    auto parsed = api::parse_interface(text);
    REQUIRE_FALSE(parsed.ok());
    return parsed.error().message;
  };
  CHECK(message("interface a.b\nmethod X(a int) -> ()") == "interface, line 2: expected ':'");
  CHECK(message("interface a.b\n\nstruct X()") ==
        "interface, line 3: expected type, method or error, not 'struct'");
  CHECK(message("interface a.b\nmethod X(a: Y) -> ()") == "interface: type 'Y' is not defined");
  CHECK(message("interface a.b\ntype X(a: int, a: int)") == "interface, line 2: member 'a' twice");
  CHECK(message("interface a.b\ntype X()\ntype X()") == "interface, line 3: type 'X' twice");
  CHECK(message("") == "interface, line 1: expected 'interface'");
}

}  // namespace
