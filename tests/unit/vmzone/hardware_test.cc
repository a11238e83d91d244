#include "vmzone/hardware.h"

#include <catch2/catch.hpp>
#include <set>

#include "tests/unit/vmzone/machines.h"

namespace vmzone {
namespace {

using testing::formats_of;
using testing::spec_of;

Hardware pinned(const Hardware& known, const core::ZoneSpec& spec) {
  auto hardware = pin_hardware(known, spec, formats_of(spec));
  REQUIRE(hardware.ok());
  return *hardware;
}

Hardware fresh(Origin origin) { return new_hardware(origin, "7.2", testing::kUuid); }

template <typename List, typename Member>
auto find(const List& list, Member member, const std::string& value) {
  for (const auto& one : list)
    if (one.*member == value) return one;
  FAIL("no " << value);
  return list[0];
}

constexpr const char* kHelp =
    "Supported machines are:\n"
    "microvm              microvm (i386)\n"
    "pc                   Standard PC (i440FX + PIIX, 1996) (alias of pc-i440fx-7.2)\n"
    "pc-i440fx-7.2        Standard PC (i440FX + PIIX, 1996) (default)\n"
    "pc-i440fx-7.1        Standard PC (i440FX + PIIX, 1996)\n"
    "q35                  Standard PC (Q35 + ICH9, 2009) (alias of pc-q35-7.2)\n"
    "pc-q35-7.2           Standard PC (Q35 + ICH9, 2009)\n"
    "pc-q35-4.0.1         Standard PC (Q35 + ICH9, 2009)\n";

}  // namespace

TEST_CASE("a UUID is random of version 4") {
  CHECK(fresh(Origin::kDisk).uuid == "00112233-4455-4677-8899-aabbccddeeff");
  CHECK(new_hardware(Origin::kDisk, "7.2", "ffffffffffffffffffffffffffffffff").uuid ==
        "ffffffff-ffff-4fff-afff-ffffffffffff");
}

TEST_CASE("what has a place keeps it while others come and go") {
  Hardware first = pinned(fresh(Origin::kDisk), spec_of(R"(
disk = [{path = "a"}, {path = "b.qcow2"}, {media = "cd"}]
net = [{network = "x", name = "lan"}, {network = "x", name = "back"}]
)"));
  CHECK(pinned(first, spec_of(R"(
disk = [{path = "a"}, {path = "b.qcow2"}, {media = "cd"}]
net = [{network = "x", name = "lan"}, {network = "x", name = "back"}]
)")) == first);
  Hardware second = pinned(first, spec_of(R"(
disk = [{path = "c"}, {media = "cd", path = "other.iso"}, {path = "b.qcow2"}]
net = [{network = "x", name = "new"}, {network = "y", name = "back"}]
)"));
  for (const char* id : {"image", "disk:b.qcow2", "cd:0"})
    CHECK(find(second.disks, &PinnedDisk::id, id) == find(first.disks, &PinnedDisk::id, id));
  CHECK(find(second.nics, &PinnedNic::name, "back") == find(first.nics, &PinnedNic::name, "back"));
  // The places that became free are taken again.
  CHECK(find(second.disks, &PinnedDisk::id, "disk:c").unit ==
        find(first.disks, &PinnedDisk::id, "disk:a").unit);
  CHECK(find(second.nics, &PinnedNic::name, "new").unit ==
        find(first.nics, &PinnedNic::name, "lan").unit);
  CHECK(second.disks.size() == 4);
  CHECK(second.nics.size() == 2);
}

TEST_CASE("a format is written down once") {
  core::ZoneSpec spec = spec_of("disk = [{path = \"a\"}]\n");
  auto first = pin_hardware(fresh(Origin::kKernel), spec, {{"disk:a", DiskFormat::kQcow2}});
  REQUIRE(first.ok());
  auto second = pin_hardware(*first, spec, {{"disk:a", DiskFormat::kRaw}});
  REQUIRE(second.ok());
  CHECK(second->disks[0].format == DiskFormat::kQcow2);
  CHECK(pin_hardware(*first, spec, {}).ok());
  auto unknown = pin_hardware(fresh(Origin::kKernel), spec, {});
  REQUIRE_FALSE(unknown.ok());
  CHECK(unknown.error().message == "the format of 'disk:a' is not known");
}

TEST_CASE("disks go before CDs, the installed one first") {
  core::ZoneSpec spec = spec_of("disk = [{media = \"cd\"}, {path = \"a\"}]\n");
  Hardware iso = pinned(fresh(Origin::kIso), spec);
  CHECK(find(iso.disks, &PinnedDisk::id, "disk:a").unit == 0);
  CHECK(find(iso.disks, &PinnedDisk::id, kInstalledDisk).unit == 1);
  CHECK(find(iso.disks, &PinnedDisk::id, "cd:0").unit == 2);
  CHECK(find(pinned(fresh(Origin::kDisk), spec).disks, &PinnedDisk::id, kInstalledDisk).unit == 0);
}

TEST_CASE("serials and MACs follow the UUID, or the configuration") {
  core::ZoneSpec spec = spec_of(R"(
disk = [{path = "a"}, {path = "b"}, {path = "c", serial = "MINE"}]
net = [{network = "x"}, {network = "x"}, {network = "x", mac = "02:00:00:00:00:07"}]
)");
  Hardware one = pinned(fresh(Origin::kKernel), spec);
  Hardware other =
      pinned(new_hardware(Origin::kKernel, "7.2", "f0112233445566778899aabbccddeeff"), spec);
  std::set<std::string> seen;
  for (const Hardware* hardware : {&one, &other}) {
    for (size_t i = 0; i < 2; ++i) {
      CHECK(seen.insert(hardware->disks[i].serial).second);
      CHECK(hardware->disks[i].serial.size() <= 20);
      CHECK(seen.insert(hardware->nics[i].mac).second);
    }
    CHECK(hardware->disks[2].serial == "MINE");
    CHECK(hardware->nics[2].mac == "02:00:00:00:00:07");
  }
}

TEST_CASE("more disks or ports than places are refused") {
  auto refused = [](const std::string& text) {
    core::ZoneSpec spec = spec_of(text);
    auto hardware = pin_hardware(fresh(Origin::kDisk), spec, formats_of(spec));
    REQUIRE_FALSE(hardware.ok());
    return hardware.error();
  };
  std::string disks;
  std::string nets;
  for (int i = 0; i < 14; ++i) disks += "{path = \"d" + std::to_string(i) + "\"},";
  for (int i = 0; i < 9; ++i) nets += "{network = \"lan\"},";
  CHECK(refused("disk = [" + disks + "]\n").message == "the zone has 15 disks; a machine takes 14");
  CHECK(refused("net = [" + nets + "]\n").message == "the zone has 9 ports; a machine takes 8");
  CHECK(refused("disk = [{path = \"image\"}]\n").message ==
        "disk 'image' is what the zone was installed from");
}

TEST_CASE("hardware is the same after it was written and read") {
  Hardware hardware = pinned(fresh(Origin::kDisk), spec_of(R"(
disk = [{path = "/srv/\" ä.qcow2"}, {media = "cd"}]
net = [{network = "x"}]
)"));
  hardware.format = DiskFormat::kQcow2;
  std::string text = format_hardware(hardware);
  auto parsed = parse_hardware(text);
  REQUIRE(parsed.ok());
  CHECK(*parsed == hardware);
  for (const std::string& bad :
       {std::string(), std::string("{}\n"), std::string("[]"), text + " ", text.substr(1),
        std::string(text).replace(text.find("\"unit\":1"), 8, "\"unit\":-1"),
        std::string(text).replace(text.find("\"unit\":1"), 8, "\"unit\":5000000000"),
        std::string(text).replace(text.find("qcow2"), 5, "vmdk"),
        std::string(text).replace(text.find("\"disk\""), 6, "\"tape\"")}) {
    INFO(bad);
    CHECK_FALSE(parse_hardware(bad).ok());
  }
}

TEST_CASE("the newest machine types are found") {
  auto version = newest_machine_version(kHelp);
  REQUIRE(version.ok());
  CHECK(*version == "7.2");
  CHECK(check_machine_offered(kHelp, "pc-i440fx-7.1").ok());
  CHECK_FALSE(check_machine_offered(kHelp, "pc-q35-7").ok());
  CHECK_FALSE(check_machine_offered(kHelp, "pc-q35-6.2").ok());
  CHECK_FALSE(newest_machine_version("").ok());
  CHECK_FALSE(newest_machine_version("q35 x (alias of pc-q35-9.0)\n").ok());
  CHECK_FALSE(newest_machine_version("q35 x (alias of pc-q35-9.0").ok());
}

}  // namespace vmzone
