#include "vmzone/profiles.h"

#include <array>
#include <span>
#include <string>
#include <utility>

#include "base/strings.h"

namespace vmzone {
namespace {

template <typename Value>
using Names = std::span<const std::pair<std::string_view, Value>>;

// Processor models end with their version: without it the machine type would choose one.
constexpr Profile kProfiles[] = {
    {"linux", Chipset::kQ35, Firmware::kBios, "Nehalem-v1", Bus::kVirtio, "virtio-scsi-pci",
     NicModel::kVirtio, Video::kNone, false, false, true},
    {"generic-bios", Chipset::kI440fx, Firmware::kBios, "Nehalem-v1", Bus::kIde, "lsi53c895a",
     NicModel::kE1000, Video::kStd, true, true, false},
    {"generic-uefi", Chipset::kQ35, Firmware::kUefi, "Nehalem-v1", Bus::kSata, "virtio-scsi-pci",
     NicModel::kE1000e, Video::kStd, false, true, false},
};

constexpr std::pair<std::string_view, Bus> kBuses[] = {
    {"ide", Bus::kIde}, {"sata", Bus::kSata}, {"scsi", Bus::kScsi}, {"virtio", Bus::kVirtio}};
constexpr std::pair<std::string_view, Video> kVideos[] = {{"none", Video::kNone},
                                                          {"std", Video::kStd},
                                                          {"cirrus", Video::kCirrus},
                                                          {"vmware", Video::kVmware},
                                                          {"virtio", Video::kVirtio}};
constexpr std::pair<std::string_view, NicModel> kNicModels[] = {
    {"virtio", NicModel::kVirtio},   {"e1000", NicModel::kE1000}, {"e1000e", NicModel::kE1000e},
    {"rtl8139", NicModel::kRtl8139}, {"pcnet", NicModel::kPcnet}, {"ne2k", NicModel::kNe2k}};

template <typename Value>
base::Result<Value> find(Names<Value> names, std::string_view text, std::string_view what) {
  for (const auto& [name, value] : names)
    if (name == text) return value;
  return base::make_error(base::Code::kInvalid,
                          base::quoted(text) + " is not a " + std::string(what));
}

}  // namespace

base::Result<Profile> find_profile(std::string_view name) {
  for (const Profile& profile : kProfiles)
    if (profile.name == name) return profile;
  return base::make_error(base::Code::kInvalid, base::quoted(name) + " is not a machine profile",
                          "one of linux, generic-bios, generic-uefi");
}

std::string_view default_profile(Origin origin) {
  return origin == Origin::kKernel ? "linux" : "generic-bios";
}

base::Result<Bus> parse_bus(std::string_view text) { return find<Bus>(kBuses, text, "bus"); }

base::Result<Video> parse_video(std::string_view text) {
  return find<Video>(kVideos, text, "display adapter");
}

base::Result<NicModel> parse_nic_model(std::string_view text) {
  return find<NicModel>(kNicModels, text, "network adapter");
}

}  // namespace vmzone
