#include "zoned/daemon/registry.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "tests/unit/daemon/configs.h"

namespace zoned {
namespace {

using testing::must;
using testing::pool_config;
using testing::TemporaryFolder;
using testing::write_text;
using testing::zone_config;

struct World {
  std::unique_ptr<Registry> open() { return must(Registry::open(api::paths_for(folder.path()))); }
  std::unique_ptr<Registry> load(std::vector<std::string>* problems = nullptr) {
    auto registry = open();
    std::vector<std::string> ignored;
    must(registry->load(&labels::Encodings::built_in(), &reader,
                        problems != nullptr ? problems : &ignored));
    return registry;
  }
  TemporaryFolder folder;
  testing::PlainReader reader;
};

mode_t mode_of(const std::string& path) {
  struct stat st = {};
  return stat(path.c_str(), &st) == 0 ? st.st_mode & 07777 : 0;
}

RuntimeRecord record_of(const std::string& zone) {
  RuntimeRecord record;
  record.zone = zone;
  record.boot_id = random_id();
  record.pool = "default";
  record.range_base = 524288;
  record.pid = 7;
  return record;
}

TEST_CASE("the folders are private, but for RUN that everybody passes") {
  World world;
  world.open();
  for (const char* name : {"etc", "etc/zones", "etc/pools", "lib", "lib/zones", "lib/trash",
                           "lib/images", "run/zones"})
    CHECK(mode_of(world.folder / name) == 0700);
  CHECK(mode_of(world.folder / "run") == 0711);
}

TEST_CASE("a created zone is there after a restart, with the same identity") {
  World world;
  std::string id;
  {
    auto registry = world.load();
    Zone* zone =
        must(registry->create_zone("web", zone_config("web", "cpu-shares = 7\n# why\n"), false));
    CHECK(zone->state == State::kConfigured);
    id = zone->file.id;
    CHECK_FALSE(registry->create_zone("web", zone_config("web", ""), false).ok());
    CHECK_FALSE(registry->create_zone("../web", zone_config("web", ""), false).ok());
  }
  auto registry = world.load();
  Zone* zone = must(registry->get("web"));
  CHECK(zone->file.id == id);
  CHECK(zone->spec.cpu_shares == 7);
  CHECK(zone->config == "cpu-shares = 7\n# why\n");
}

TEST_CASE("a configuration that a person put there is a configured zone") {
  World world;
  world.open();
  write_text(world.folder / "etc/zones/hand.toml", "autoboot = true\n");
  std::string id = must(world.load()->get("hand"))->file.id;
  CHECK(id.size() == 32);
  CHECK(must(world.load()->get("hand"))->file.id == id);
}

TEST_CASE("a broken file is reported and keeps nobody else down") {
  World world;
  must(world.load()->create_zone("good", zone_config("good", ""), false));
  write_text(world.folder / "etc/zones/bad.toml", "cpu-shares = \"many\"\n");
  write_text(world.folder / "etc/zones/.bad.toml.1.0.tmp", "half");
  write_text(world.folder / "run/zones/good.json", "{");
  std::vector<std::string> problems;
  auto registry = world.load(&problems);
  CHECK(problems.size() == 2);
  CHECK(registry->find("good") != nullptr);
  CHECK(registry->find("bad") == nullptr);
  CHECK_FALSE(base::exists_at(AT_FDCWD, world.folder / "etc/zones/.bad.toml.1.0.tmp"));
  // The unreadable record is gone: the second start has one problem less.
  problems.clear();
  world.load(&problems);
  CHECK(problems.size() == 1);
}

TEST_CASE("states last, and a record makes a zone running") {
  World world;
  {
    auto registry = world.load();
    Zone* zone = must(registry->create_zone("web", zone_config("web", ""), false));
    ZoneFile file = zone->file;
    file.state = State::kInstalled;
    file.source = "dir:/srv";
    must(registry->set_file(zone, file));
    zone->record = record_of("web");
    must(registry->write_record(*zone));
  }
  auto registry = world.load();
  Zone* zone = must(registry->get("web"));
  CHECK(zone->file.state == State::kInstalled);
  CHECK(zone->state == State::kRunning);
  CHECK(zone->record->pid == 7);
  registry->remove_record("web");
  CHECK(must(world.load()->get("web"))->state == State::kInstalled);
}

TEST_CASE("a record without configuration is an ephemeral zone that can be ended") {
  World world;
  {
    auto registry = world.load();
    Zone* zone = must(registry->create_zone("run-1", zone_config("run-1", "cpu-shares = 5"), true));
    zone->record = record_of("run-1");
    zone->record->ephemeral = true;
    zone->record->config = zone->config;
    zone->record->id = zone->file.id;
    must(registry->write_record(*zone));
  }
  auto registry = world.load();
  Zone* zone = must(registry->get("run-1"));
  CHECK(zone->ephemeral);
  CHECK(zone->spec.cpu_shares == 5);
  CHECK_FALSE(base::exists_at(AT_FDCWD, world.folder / "etc/zones/run-1.toml"));
}

TEST_CASE("a removed zone leaves nothing but what lies in the trash") {
  World world;
  auto registry = world.load();
  must(registry->create_zone("web", zone_config("web", ""), false));
  write_text(world.folder / "lib/zones/web/file", "x");
  std::string aside = must(registry->remove_zone("web"));
  CHECK(base::exists_at(AT_FDCWD, world.folder / ("lib/trash/" + aside + "/file")));
  CHECK(registry->find("web") == nullptr);
  CHECK(must(base::list_dir(AT_FDCWD, world.folder / "etc/zones")).empty());
  CHECK(must(base::list_dir(AT_FDCWD, world.folder / "lib/zones")).empty());
}

TEST_CASE("a removal that was cut short is ended at the next start") {
  World world;
  must(world.load()->create_zone("web", zone_config("web", ""), false));
  write_text(world.folder / "lib/zones/web/removing", "");
  CHECK(world.load()->find("web") == nullptr);
  CHECK(must(base::list_dir(AT_FDCWD, world.folder / "lib/zones")).empty());
}

TEST_CASE("a configuration is taken only if it is good") {
  World world;
  auto registry = world.load();
  Zone* zone = must(registry->create_zone("web", zone_config("web", "cpu-shares = 2"), false));
  const std::string stranger = "[[admin]]\nuser = \"no-such-user-here\"\nauths = [\"login\"]\n";
  CHECK_FALSE(registry->set_config(zone, zone_config("web", stranger)).ok());
  CHECK(zone->spec.cpu_shares == 2);
  must(registry->set_config(zone, zone_config("web", "cpu-shares = 3")));
  CHECK(must(world.load()->get("web"))->spec.cpu_shares == 3);
}

TEST_CASE("admin users are resolved to ids") {
  core::ZoneSpec spec;
  spec.admin = {{"root", {"login", "manage"}}};
  auto grants = must(resolve_grants(spec));
  REQUIRE(grants.size() == 1);
  CHECK(grants[0].uid == 0);
  CHECK(grants[0].login);
  CHECK(grants[0].manage);
}

TEST_CASE("the default pool is always there, others last") {
  World world;
  {
    auto registry = world.load();
    CHECK(registry->find_pool("default") != nullptr);
    must(registry->create_pool("p1", pool_config("p1", "shares = 3")));
    CHECK_FALSE(registry->create_pool("p1", pool_config("p1", "")).ok());
  }
  auto registry = world.load();
  REQUIRE(registry->find_pool("p1") != nullptr);
  CHECK(registry->find_pool("p1")->spec.shares == 3);
  must(registry->remove_pool("p1"));
  CHECK(world.load()->find_pool("p1") == nullptr);
}

TEST_CASE("the folder of a vm zone is there once it is installed") {
  World world;
  auto registry = world.load();
  must(registry->create_zone("guest", zone_config("guest", ""), false));
  auto absent = registry->vm_dir("guest");
  REQUIRE_FALSE(absent);
  CHECK(absent.error().code == base::Code::kNotFound);
  auto dir = must(registry->zone_dir("guest", true));
  REQUIRE(mkdirat(dir.get(), "vm", 0700) == 0);
  CHECK(registry->vm_dir("guest").ok());
}

}  // namespace
}  // namespace zoned
