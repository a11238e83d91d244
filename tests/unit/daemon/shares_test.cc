#include "zoned/daemon/shares.h"

#include <catch2/catch.hpp>
#include <map>

#include "tests/unit/daemon/configs.h"
#include "tests/unit/daemon/fake_cgroups.h"

namespace zoned {
namespace {

using testing::FakeCgroups;
using testing::must;

struct World {
  World() : registry(must(Registry::open(api::paths_for(folder.path())))) {
    std::vector<std::string> problems;
    must(registry->load(&labels::Encodings::built_in(), &reader, &problems));
  }
  Zone* zone(const std::string& name, uint32_t count, const std::string& pool = "default") {
    std::string text = "cpu-shares = " + std::to_string(count) + "\npool = \"" + pool + "\"\n";
    Zone* made = must(registry->create_zone(name, testing::zone_config(name, text), true));
    return made;
  }
  void boot(Zone* zone) {
    must(shares.enter(zone));
    RuntimeRecord record;
    record.zone = zone->name;
    record.pool = zone->spec.pool;
    zone->record = record;
    must(shares.ensure_pool(record.pool));
  }

  testing::PlainReader reader;
  testing::TemporaryFolder folder;
  std::unique_ptr<Registry> registry;
  FakeCgroups cgroups;
  Shares shares{registry.get(), &cgroups};
};

TEST_CASE("weights of a pool's zones are in the proportion of their shares") {
  World world;
  Zone* a = world.zone("a", 1);
  Zone* b = world.zone("b", 3);
  world.boot(a);
  world.boot(b);
  CHECK(b->weight == 3 * a->weight);
}

TEST_CASE("what a newcomer changes for others is applied to them") {
  World world;
  Zone* small = world.zone("small", 1);
  world.boot(small);
  uint32_t before = small->weight;
  Zone* large = world.zone("large", 20000);
  world.boot(large);
  double ratio = static_cast<double>(large->weight) / small->weight;
  CHECK(ratio == Approx(20000).epsilon(0.01));
  if (small->weight != before) CHECK(world.cgroups.weight_of("default", "small") == small->weight);
}

TEST_CASE("a zone that left no longer counts") {
  World world;
  Zone* a = world.zone("a", 1);
  Zone* b = world.zone("b", 3);
  world.boot(a);
  world.boot(b);
  world.shares.leave_pool(b, "default");
  const Pool& pool = *world.registry->find_pool("default");
  CHECK(pool.active == std::map<uint32_t, unsigned>{{1, 1}});
  CHECK(b->weight == 0);
  world.shares.leave_pool(b, "default");  // twice does nothing
  CHECK(pool.active == std::map<uint32_t, unsigned>{{1, 1}});
}

TEST_CASE("pools with zones are weighted among each other") {
  World world;
  must(world.registry->create_pool("p1", testing::pool_config("p1", "shares = 1")));
  must(world.registry->create_pool("p3", testing::pool_config("p3", "shares = 3")));
  world.boot(world.zone("a", 1, "p1"));
  world.boot(world.zone("b", 1, "p3"));
  const Pool& p1 = *world.registry->find_pool("p1");
  const Pool& p3 = *world.registry->find_pool("p3");
  CHECK(p3.weight == 3 * p1.weight);
  CHECK(world.cgroups.weight_of("p3", "") == p3.weight);
  CHECK(world.cgroups.weight_of("p1", "") == p1.weight);
}

TEST_CASE("changing a pool's shares reaches the kernel") {
  World world;
  must(world.registry->create_pool("p1", testing::pool_config("p1", "shares = 1")));
  world.boot(world.zone("a", 1, "p1"));
  world.boot(world.zone("b", 1));
  Pool* pool = world.registry->find_pool("p1");
  core::PoolSpec before = pool->spec;
  must(world.registry->set_pool(pool, testing::pool_config("p1", "shares = 4")));
  must(world.shares.pool_changed(pool, before));
  const Pool& other = *world.registry->find_pool("default");
  CHECK(world.cgroups.weight_of("p1", "") == 4 * other.weight);
}

TEST_CASE("shares that the kernel can't express are refused, and nothing changes") {
  World world;
  world.cgroups.range = {1, 10, 5};
  Zone* a = world.zone("a", 1);
  world.boot(a);
  Zone* b = world.zone("b", 60000);
  CHECK_FALSE(world.shares.enter(b).ok());
  CHECK(b->counted == 0);
  CHECK(world.registry->find_pool("default")->active == std::map<uint32_t, unsigned>{{1, 1}});
}

TEST_CASE("a zone of a pool that is not there is refused") {
  World world;
  Zone* zone = world.zone("a", 1, "nowhere");
  auto status = world.shares.enter(zone);
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == base::Code::kNotFound);
}

}  // namespace
}  // namespace zoned
