#include "zoned/core/child_setup.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <set>
#include <sstream>
#include <string>

#include "base/process.h"

TEST_CASE("the code between clone and exec calls nothing of libc that could lock or allocate") {
  char path[4096] = {};
  REQUIRE(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
  std::string program = path;
  std::string build = program.substr(0, program.rfind("/unit/"));
  auto listed = base::run_program({"nm", "-u", build + "/obj/zoned/core/child_setup.o"});
  REQUIRE(listed.ok());
  REQUIRE(listed->status == 0);
  // Pure functions on memory that the compiler may put in, and the stack protector's exit.
  const std::set<std::string> allowed = {"memcpy", "memset", "strlen", "__stack_chk_fail"};
  std::istringstream words(listed->out);
  std::string word;
  size_t symbols = 0;
  while (words >> word) {
    if (word == "U") continue;
    ++symbols;
    bool sanitizer = word.starts_with("__asan") || word.starts_with("__ubsan");
    INFO(word);
    CHECK((allowed.contains(word) || sanitizer));
  }
  CHECK(symbols > 0);
}

TEST_CASE("steps have names") {
  CHECK(std::string(core::boot_step_name(0)) == "gate");
  CHECK(std::string(core::boot_step_name(1000)) == "?");
  CHECK(std::string(core::enter_step_name(0)) == "session");
}
