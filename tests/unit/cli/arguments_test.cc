#include "cli/arguments.h"

#include <catch2/catch.hpp>

namespace {

constexpr cli::Option kOptions[] = {{"file", 'f', "FILE", ""},
                                    {"set", 0, "KEY=VALUE", ""},
                                    {"boot", 'b', "", ""},
                                    {"quiet", 'q', "", ""}};

base::Result<cli::Arguments> parse(std::vector<std::string> words, cli::Grammar grammar) {
  grammar.options = kOptions;
  return cli::parse(grammar, words);
}

std::string message(std::vector<std::string> words, cli::Grammar grammar = {}) {
  auto result = parse(std::move(words), grammar);
  REQUIRE_FALSE(result.ok());
  return result.error().message;
}

using Words = std::vector<std::string>;

TEST_CASE("options may stand anywhere, with their value behind or attached") {
  auto words = GENERATE(Words{"-f", "x", "web", "-b"}, Words{"web", "-bfx"},
                        Words{"--file=x", "--boot", "web"}, Words{"--boot", "web", "--file", "x"},
                        Words{"-f", "y", "-f", "x", "-qb", "web"});
  auto result = parse(words, {});
  REQUIRE(result.ok());
  CHECK(result->words == Words{"web"});
  CHECK(result->value("file") == "x");
  CHECK(result->has("boot"));
  CHECK_FALSE(result->has("set"));
}

TEST_CASE("a repeated option keeps all its values in order") {
  auto result = parse({"--set", "a=1", "--set=b=2"}, {});
  REQUIRE(result.ok());
  CHECK(result->values("set") == Words{"a=1", "b=2"});
}

TEST_CASE("after its words a command is taken as it is") {
  cli::Grammar exec;
  exec.command_after = 1;
  auto plain = parse({"web", "-q", "ls", "-q", "--", "--boot"}, exec);
  REQUIRE(plain.ok());
  CHECK(plain->words == Words{"web"});
  CHECK(plain->has("quiet"));
  CHECK_FALSE(plain->has("boot"));
  CHECK(plain->command == Words{"ls", "-q", "--", "--boot"});
  auto dashes = parse({"web", "--", "-q"}, exec);
  REQUIRE(dashes.ok());
  CHECK(dashes->command == Words{"-q"});
  CHECK_FALSE(dashes->has("quiet"));
}

TEST_CASE("without a command, -- ends the options and - is a word") {
  auto result = parse({"-", "--", "-q"}, {});
  REQUIRE(result.ok());
  CHECK(result->words == Words{"-", "-q"});
}

TEST_CASE("wrong command lines are told") {
  CHECK(message({"--fiel", "x"}) == "unknown option '--fiel'");
  CHECK(parse({"--fiel"}, {}).error().hint == "did you mean --file?");
  CHECK(message({"-x"}) == "unknown option '-x'");
  CHECK(message({"--file"}) == "--file needs a value (FILE)");
  CHECK(message({"-f"}) == "-f needs a value (FILE)");
  CHECK(message({"--boot=1"}) == "--boot takes no value");
  CHECK(message({"a", "b"}, {{}, 1, 1}) == "unexpected argument 'b'");
  CHECK(message({}, {{}, 1, 1}) == "too few arguments");
}

}  // namespace
