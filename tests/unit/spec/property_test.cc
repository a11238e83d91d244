#include <catch2/catch.hpp>

#include <set>
#include <string>
#include <vector>

#include "base/strings.h"
#include "tests/unit/spec/random_spec.h"
#include "zoned/core/spec_toml.h"

namespace {

// Lines that are comments and nothing else, as RandomText writes them.
std::multiset<std::string> notes_of(const std::string& text) {
  std::multiset<std::string> notes;
  for (const std::string& line : base::split(text, '\n')) {
    std::string_view trimmed = base::trim(line);
    if (trimmed.starts_with("# note ")) notes.emplace(trimmed);
  }
  return notes;
}

struct Change {
  std::string assignment;
  core::ZoneSpec expected;
};

// A plain key or variable set to a random value or removed.
Change change_key(RandomSpec& random, core::ZoneSpec spec) {
  auto keys = core::keys_of<core::ZoneSpec>();
  for (;;) {
    const auto& key = keys[random.below(keys.size())];
    if (key.info.name.find(".N") != std::string_view::npos || key.info.name == "brand") continue;
    if (!RandomSpec::takes(spec, key)) continue;
    core::KeyRef ref{0, "V" + std::to_string(random.below(12))};
    std::string name = core::path_text(core::path_of(key.info, ref));
    if (random.chance(30)) {
      core::ZoneSpec defaults;
      if (key.info.name == "env.NAME") {
        spec.env.erase(ref.name);
      } else if (auto value = key.get(defaults, ref);
                 !std::holds_alternative<std::monostate>(value)) {
        REQUIRE(key.set(spec, ref, value).ok());
      } else {
        if (name == "export") spec.exports.reset();
        if (name == "capped-cpu.ncpus") spec.capped_cpus.reset();
        if (name == "dedicated-cpu.ncpus") spec.dedicated_cpus.reset();
        if (name == "capped-memory.physical") spec.memory_physical.reset();
        if (name == "capped-memory.swap") spec.memory_swap.reset();
        if (name == "capped-memory.locked") spec.memory_locked.reset();
        if (name == "limits.processes") spec.processes.reset();
        if (name == "limits.open-files") spec.open_files.reset();
        if (name == "limits.io-weight") spec.io_weight.reset();
        if (name == "limits.io-read") spec.io_read_bps.reset();
        if (name == "limits.io-write") spec.io_write_bps.reset();
        if (name == "vm.acpi") spec.vm.acpi.reset();
        if (name == "vm.apic") spec.vm.apic.reset();
        if (name == "vm.hpet") spec.vm.hpet.reset();
        if (name == "vm.profile") spec.vm.profile.reset();
        if (name == "vm.bus") spec.vm.bus.reset();
        if (name == "vm.video") spec.vm.video.reset();
        if (name == "vm.tablet") spec.vm.tablet.reset();
      }
      return {name + "=", spec};
    }
    core::ConfigValue value = random.value(key.info, random.below(50));
    REQUIRE(key.set(spec, ref, value).ok());
    return {name + "=" + core::format_value(key.info, value), spec};
  }
}

// One of a list's elements changed, appended or removed.
Change change_fs(RandomSpec& random, core::ZoneSpec spec) {
  size_t count = spec.fs.size();
  if (count > 0 && random.chance(40)) {
    size_t index = random.below(count);
    spec.fs.erase(spec.fs.begin() + static_cast<std::ptrdiff_t>(index));
    return {"fs." + std::to_string(index) + "=", spec};
  }
  std::string dir = "/new/" + std::to_string(random.below(1000000));
  if (count > 0 && random.chance(50)) {
    size_t index = random.below(count);
    spec.fs[index].dir = dir;
    return {"fs." + std::to_string(index) + ".dir=" + dir, spec};
  }
  spec.fs.push_back({dir, "/srv", true, true, true, false});
  return {"fs." + std::to_string(count) + "={options=[\"ro\"],dir=\"" + dir + "\",special='/srv'}",
          spec};
}

}  // namespace

TEST_CASE("a spec formatted and parsed is the same spec") {
  RandomSpec random(20240501);
  for (int round = 0; round < 2000; ++round) {
    core::ZoneSpec spec = random.zone();
    std::string text = core::format_zone(spec);
    INFO("round " << round << "\n" << text);
    auto parsed = core::parse_zone("web", text, "web.toml");
    REQUIRE(parsed.ok());
    REQUIRE(*parsed == spec);
    REQUIRE(core::format_zone(*parsed) == text);
  }
}

TEST_CASE("a pool formatted and parsed is the same pool") {
  RandomSpec random(7);
  for (int round = 0; round < 300; ++round) {
    core::PoolSpec spec;
    spec.name = "web";
    for (const auto& key : core::keys_of<core::PoolSpec>()) {
      core::ConfigValue value = random.value(key.info, 3);
      if (key.info.name == "cpus") value = std::string("0-3,8");
      if (random.chance(50)) REQUIRE(key.set(spec, {}, value).ok());
    }
    auto parsed = core::parse_pool("web", core::format_pool(spec), "web.toml");
    REQUIRE(parsed.ok());
    REQUIRE(*parsed == spec);
  }
}

TEST_CASE("a spec written in any style parses to the same spec") {
  RandomSpec random(20240502);
  for (int round = 0; round < 2000; ++round) {
    core::ZoneSpec spec = random.zone();
    std::string text = RandomText(random, spec).write();
    INFO("round " << round << "\n" << text);
    auto parsed = core::parse_zone("web", text, "web.toml");
    if (!parsed) FAIL(parsed.error().message);
    REQUIRE(*parsed == spec);
  }
}

TEST_CASE("edits of commented texts keep every comment line and say what was asked") {
  RandomSpec random(20240503);
  for (int round = 0; round < 3000; ++round) {
    core::ZoneSpec spec = random.zone();
    std::string text = RandomText(random, spec).write();
    std::vector<std::string> assignments;
    for (size_t i = 0, count = 1 + random.below(4); i < count; ++i) {
      Change change = random.chance(70) || spec.brand == core::Brand::kVm ? change_key(random, spec)
                                                                          : change_fs(random, spec);
      spec = change.expected;
      assignments.push_back(change.assignment);
    }
    INFO("round " << round << "\n" << text << "\n---\n" << base::join(assignments, "\n"));
    auto edited = core::edit_zone("web", text, assignments);
    if (!edited) FAIL(edited.error().message);
    INFO("edited:\n" << edited->text);
    auto parsed = core::parse_zone("web", edited->text, "web.toml");
    REQUIRE(parsed.ok());
    REQUIRE(*parsed == spec);
    REQUIRE(notes_of(edited->text) == notes_of(text));
  }
}

TEST_CASE("changed keys of two specs are what turns one into the other") {
  RandomSpec random(20240504);
  for (int round = 0; round < 300; ++round) {
    core::ZoneSpec a = random.zone();
    Change change = change_key(random, a);
    std::string name = change.assignment.substr(0, change.assignment.find('='));
    std::vector<std::string> expected;
    if (!(change.expected == a)) expected.push_back(name);
    REQUIRE(core::changed_keys(a, change.expected) == expected);
  }
}
