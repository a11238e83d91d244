#include <catch2/catch.hpp>

#include "base/files.h"
#include "tests/unit/daemon/configs.h"
#include "zoned/daemon/registry.h"

namespace zoned {
namespace {

using base::Code;
using labels::Encodings;
using labels::Label;
using testing::must;
using testing::TemporaryFolder;
using testing::write_text;
using testing::zone_config;

Label label(const char* name) { return must(Encodings::built_in().parse_label(name)); }

struct World {
  std::unique_ptr<Registry> load(const Encodings& encodings = Encodings::built_in()) {
    auto registry = must(Registry::open(api::paths_for(folder.path())));
    problems.clear();
    must(registry->load(&encodings, &reader, &problems));
    return registry;
  }
  TemporaryFolder folder;
  testing::PlainReader reader;
  std::vector<std::string> problems;
};

// The built-in names with a replacement.
Encodings changed(const std::string& from, const std::string& to) {
  std::string text(Encodings::built_in_text());
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return must(Encodings::parse(text, "changed"));
}

TEST_CASE("a zone without a label gets the default, one with a label that, for good") {
  World world;
  {
    auto registry = world.load();
    must(registry->create_zone("plain", zone_config("plain", ""), false));
    must(registry->create_zone("high", zone_config("high", "label = \"secret eng\"\n"), false));
  }
  auto registry = world.load();
  CHECK(must(registry->get("plain"))->label == Encodings::built_in().default_label());
  CHECK(must(registry->get("high"))->label == label("SECRET ENG"));
  CHECK(must(registry->get("high"))->file.label == label("SECRET ENG").encode());
  CHECK(registry->check_labels("file").ok());
}

TEST_CASE("a label that is none, or outside of the accreditation range, makes no zone") {
  World world;
  auto registry = world.load();
  for (const char* wrong : {"SECRIT", "ADMIN_HIGH", "ADMIN_LOW", "6:00"}) {
    INFO(wrong);
    auto made = registry->create_zone(
        "web", zone_config("web", "label = \"" + std::string(wrong) + "\"\n"), false);
    REQUIRE_FALSE(made.ok());
    CHECK(made.error().code == Code::kInvalid);
    CHECK_THAT(made.error().message, Catch::Contains(wrong));
  }
  CHECK(registry->find("web") == nullptr);
  must(registry->create_zone("web", zone_config("web", "label = \"SECRET\"\n"), false));
}

TEST_CASE("a configuration that a person put there is labelled as it says") {
  World world;
  world.load();
  write_text(world.folder / "etc/zones/hand.toml", "label = \"CONFIDENTIAL\"\n");
  CHECK(must(world.load()->get("hand"))->label == label("CONFIDENTIAL"));
  write_text(world.folder / "etc/zones/wrong.toml", "label = \"CONFIDENT\"\n");
  auto registry = world.load();
  CHECK(registry->find("wrong") == nullptr);
  REQUIRE(world.problems.size() == 1);
  CHECK_THAT(world.problems[0], Catch::Contains("CONFIDENT"));
}

TEST_CASE("an empty zone can be labelled anew: as another zone, without its old output") {
  World world;
  auto registry = world.load();
  Zone* zone = must(registry->create_zone("web", zone_config("web", ""), false));
  const std::string id = zone->file.id;
  base::UniqueFd dir = must(registry->zone_dir("web", false));
  must(base::make_dirs(dir.get(), "log", 0700));
  must(registry->set_config(zone, zone_config(zone->name, "label = \"SECRET\"\n")));
  CHECK(zone->label == label("SECRET"));
  CHECK(zone->file.id != id);
  CHECK_FALSE(base::exists_at(dir.get(), "log"));
  CHECK(must(world.load()->get("web"))->label == label("SECRET"));
}

TEST_CASE("a zone that holds something keeps its label") {
  World world;
  auto registry = world.load();
  Zone* zone =
      must(registry->create_zone("web", zone_config("web", "label = \"SECRET\"\n"), false));
  ZoneFile file = zone->file;
  file.state = State::kInstalled;
  must(registry->set_file(zone, file));
  base::Status refused =
      registry->set_config(zone, zone_config(zone->name, "label = \"PUBLIC\"\n"));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == Code::kState);
  CHECK_THAT(refused.error().hint, Catch::Contains("zone copy"));
  CHECK(zone->label == label("SECRET"));
  CHECK(zone->config == "label = \"SECRET\"\n");
  // The same label by another spelling, or none, changes nothing.
  must(registry->set_config(zone, zone_config(zone->name, "label = \"[sec]\"\n")));
  must(registry->set_config(zone, zone_config(zone->name, "cpu-shares = 3\n")));
  CHECK(zone->label == label("SECRET"));
  CHECK(registry->check_label_text(*zone).ok());
}

TEST_CASE("a label edited by hand does not count until it is set") {
  World world;
  {
    auto registry = world.load();
    must(registry->create_zone("empty", zone_config("empty", ""), false));
    Zone* full = must(registry->create_zone("full", zone_config("full", ""), false));
    ZoneFile file = full->file;
    file.state = State::kInstalled;
    must(registry->set_file(full, file));
  }
  for (const char* name : {"empty", "full"})
    write_text(world.folder / ("etc/zones/" + std::string(name) + ".toml"),
               "# now secret\nlabel = \"SECRET\"\n");
  auto registry = world.load();
  CHECK(world.problems.size() == 2);
  for (const char* name : {"empty", "full"}) {
    Zone* zone = must(registry->get(name));
    CHECK(zone->label == label("PUBLIC"));
    CHECK(zone->wrong_label);
    base::Status refused = registry->check_label_text(*zone);
    REQUIRE_FALSE(refused.ok());
    CHECK_THAT(refused.error().message, Catch::Contains(std::string(name) + ".toml: "));
  }
  Zone* empty = must(registry->get("empty"));
  must(registry->set_config(empty, zone_config(empty->name, empty->config)));
  CHECK(empty->label == label("SECRET"));
  Zone* full = must(registry->get("full"));
  must(registry->set_config(full, zone_config(full->name, "label = \"PUBLIC\"\n")));
  CHECK(registry->check_label_text(*full).ok());
  CHECK_FALSE((empty->wrong_label || full->wrong_label));
}

TEST_CASE("a change of the label that is cut short is done or undone at the next start") {
  World world;
  for (const char* name : {"early", "late"})
    must(world.load()->create_zone(name, zone_config(name, ""), false));
  for (const char* name : {"early", "late"})
    write_text(world.folder / ("lib/zones/" + std::string(name) + "/relabel"),
               label("SECRET").encode());
  write_text(world.folder / "etc/zones/late.toml", "label = \"SECRET\"\n");
  for (int round = 0; round < 2; ++round) {
    auto registry = world.load();
    CHECK(world.problems.empty());
    CHECK(must(registry->get("early"))->label == label("PUBLIC"));
    CHECK(must(registry->get("late"))->label == label("SECRET"));
    CHECK_FALSE(base::exists_at(AT_FDCWD, world.folder / "lib/zones/late/relabel"));
  }
}

TEST_CASE("encodings under which a stored label is invalid are refused with zone, label and line") {
  World world;
  must(world.load()->create_zone("web", zone_config("web", "\nlabel = \"SECRET ENG\"\n"), false));
  auto registry = world.load(changed("value= 6", "value= 7"));
  base::Status refused = registry->check_labels("/etc/zoned/label_encodings");
  REQUIRE_FALSE(refused.ok());
  INFO(refused.error().message);
  CHECK(refused.error().code == Code::kInvalid);
  for (const std::string& piece :
       {std::string("/etc/zoned/label_encodings"), std::string("'web'"), std::string("web.toml: "),
        std::string("'SECRET ENG'"), label("SECRET ENG").encode()})
    CHECK_THAT(refused.error().message, Catch::Contains(piece));
  // Names may change, as long as the stored label has one.
  CHECK(world.load(changed("SECRET", "GEHEIM"))->check_labels("file").ok());
}

TEST_CASE(
    "a running ephemeral zone keeps its label in its record; without one it is root's alone") {
  World world;
  auto registry = world.load();
  Zone* zone = must(registry->create_zone("job", zone_config("job", "label = \"SECRET\"\n"), true));
  RuntimeRecord record;
  record.zone = "job";
  record.boot_id = random_id();
  record.pool = "default";
  record.range_base = 524288;
  record.pid = 7;
  record.ephemeral = true;
  record.config = zone->config;
  record.id = zone->file.id;
  record.label = zone->label.encode();
  zone->record = record;
  must(registry->write_record(*zone));
  auto again = world.load();
  for (const std::string& problem : world.problems) FAIL(problem);
  CHECK(must(again->get("job"))->label == label("SECRET"));
  zone->record->label.clear();
  must(registry->write_record(*zone));
  CHECK(must(world.load()->get("job"))->label == Label::admin_high());
  CHECK(world.load()->check_labels("file").ok());
}

}  // namespace
}  // namespace zoned
