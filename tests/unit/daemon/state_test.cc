#include "zoned/daemon/state.h"

#include <catch2/catch.hpp>

#include "labels/label.h"
#include "tests/unit/daemon/temporary.h"

namespace zoned {
namespace {

using testing::must;

RuntimeRecord sample_record() {
  RuntimeRecord record;
  record.zone = "web";
  record.boot_id = std::string(32, 'a');
  record.pool = "default";
  record.range_base = 524288;
  record.keeper = 3;
  record.pid = 1234;
  record.start_time = 987654321012345;
  record.console = true;
  record.os = true;
  record.stop_signal = 38;
  record.boots = 7;
  record.link = "zabcdefpmade1ah";
  return record;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST_CASE("a runtime record survives writing and reading") {
  RuntimeRecord record = sample_record();
  CHECK(must(runtime_record_from_text(to_text(record))) == record);
  record.ephemeral = true;
  record.config = "command = [\"/bin/\\u00e9\"]\n# \"quoted\"\n";
  record.id = std::string(32, '0');
  CHECK(must(runtime_record_from_text(to_text(record))) == record);
}

TEST_CASE("a runtime record is read strictly") {
  std::string good = to_text(sample_record());
  CHECK(runtime_record_from_text(good).ok());
  CHECK_FALSE(runtime_record_from_text("").ok());
  CHECK_FALSE(runtime_record_from_text("[]").ok());
  CHECK_FALSE(runtime_record_from_text(good.substr(0, good.size() / 2)).ok());
  CHECK_FALSE(runtime_record_from_text(replaced(good, "\"pid\"", "\"pit\"")).ok());
  CHECK_FALSE(runtime_record_from_text(replaced(good, "{", "{\"more\":1,")).ok());
  CHECK_FALSE(runtime_record_from_text(replaced(good, "1234", "\"1234\"")).ok());
  CHECK_FALSE(runtime_record_from_text(replaced(good, "1234", "-1")).ok());
  CHECK_FALSE(runtime_record_from_text(replaced(good, "1234", "99999999999")).ok());
  CHECK_FALSE(runtime_record_from_text(replaced(good, "524288", "524289")).ok());
  CHECK_FALSE(runtime_record_from_text(replaced(good, "524288", "0")).ok());
  CHECK_FALSE(runtime_record_from_text(replaced(good, "\"web\"", "\"../web\"")).ok());
  CHECK_FALSE(runtime_record_from_text(replaced(good, "\"web\"", "{\"a\":{\"b\":1}}")).ok());
  CHECK_FALSE(runtime_record_from_text(replaced(good, "\"version\":1", "\"version\":2")).ok());
  CHECK_FALSE(
      runtime_record_from_text(replaced(good, std::string(32, 'a'), std::string(31, 'a'))).ok());
}

TEST_CASE("a zone file survives writing and reading, and holds lasting states only") {
  ZoneFile file;
  file.id = random_id();
  file.label = labels::Label(1, {}).encode();
  file.source = "dir:/srv/\"tree\"";
  for (State state : {State::kConfigured, State::kIncomplete, State::kInstalled}) {
    file.state = state;
    CHECK(must(zone_file_from_text(to_text(file))) == file);
  }
  for (State state : {State::kReady, State::kRunning, State::kShuttingDown, State::kDown}) {
    file.state = state;
    CHECK_FALSE(zone_file_from_text(to_text(file)).ok());
  }
}

TEST_CASE("a zone file with an unreadable label or id is refused") {
  ZoneFile file;
  file.id = random_id();
  file.label = "nonsense";
  CHECK_FALSE(zone_file_from_text(to_text(file)).ok());
  file.label = labels::Label(1, {}).encode();
  CHECK(zone_file_from_text(to_text(file)).ok());
  file.id = "xyz";
  CHECK_FALSE(zone_file_from_text(to_text(file)).ok());
}

TEST_CASE("random ids differ and are 32 hex digits") {
  std::string a = random_id();
  CHECK(a.size() == 32);
  CHECK(a.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(a != random_id());
}

TEST_CASE("state names go both ways") {
  for (const char* name :
       {"configured", "incomplete", "installed", "ready", "running", "shutting_down", "down"})
    CHECK(state_name(must(state_from_name(name))) == name);
  CHECK_FALSE(state_from_name("sleeping").ok());
}

}  // namespace
}  // namespace zoned
