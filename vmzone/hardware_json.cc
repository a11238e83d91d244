// Hardware as JSON.
#include <nlohmann/json.hpp>

#include "base/strings.h"
#include "vmzone/hardware.h"

namespace vmzone {
namespace {

using Json = nlohmann::ordered_json;
using base::Code;
using base::make_error;

constexpr std::string_view kOrigins[] = {"kernel", "disk", "iso"};

std::string text_of(const Json& object, const char* key) {
  auto it = object.is_object() ? object.find(key) : object.end();
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

uint32_t unit_of(const Json& object) {
  auto it = object.is_object() ? object.find("unit") : object.end();
  return it != object.end() && it->is_number_unsigned() ? it->get<uint32_t>() : 0;
}

Json list_of(const Json& object, const char* key) {
  auto it = object.is_object() ? object.find(key) : object.end();
  return it != object.end() && it->is_array() ? *it : Json::array();
}

}  // namespace

std::string format_hardware(const Hardware& hardware) {
  Json disks = Json::array();
  for (const PinnedDisk& disk : hardware.disks)
    disks.push_back({{"id", disk.id},
                     {"format", format_name(disk.format)},
                     {"serial", disk.serial},
                     {"unit", disk.unit}});
  Json nics = Json::array();
  for (const PinnedNic& nic : hardware.nics)
    nics.push_back({{"name", nic.name}, {"mac", nic.mac}, {"unit", nic.unit}});
  Json root = {{"origin", kOrigins[static_cast<size_t>(hardware.origin)]},
               {"initrd", hardware.initrd},
               {"format", format_name(hardware.format)},
               {"machine_version", hardware.machine_version},
               {"uuid", hardware.uuid},
               {"disks", disks},
               {"nics", nics}};
  return root.dump() + "\n";
}

base::Result<Hardware> parse_hardware(std::string_view text) {
  Json root = Json::parse(text, nullptr, false);
  Hardware hardware;
  std::string origin = text_of(root, "origin");
  for (size_t i = 0; i < std::size(kOrigins); ++i)
    if (kOrigins[i] == origin) hardware.origin = static_cast<Origin>(i);
  auto initrd = root.is_object() ? root.find("initrd") : root.end();
  hardware.initrd = initrd != root.end() && initrd->is_boolean() && initrd->get<bool>();
  hardware.machine_version = text_of(root, "machine_version");
  hardware.uuid = text_of(root, "uuid");
  TRY_AS(hardware.format, parse_format(text_of(root, "format")));
  for (const Json& one : list_of(root, "disks")) {
    TRY_AS(DiskFormat format, parse_format(text_of(one, "format")));
    hardware.disks.push_back({text_of(one, "id"), format, text_of(one, "serial"), unit_of(one)});
  }
  for (const Json& one : list_of(root, "nics"))
    hardware.nics.push_back({text_of(one, "name"), text_of(one, "mac"), unit_of(one)});
  // What was left out, misspelt or of another type has become a default above, and shows here.
  if (format_hardware(hardware) == text) return hardware;
  return make_error(Code::kInvalid, "the hardware of the machine is not as it was written",
                    "restore the file from a backup");
}

}  // namespace vmzone
