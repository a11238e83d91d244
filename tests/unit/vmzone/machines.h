// Machines for tests: a configuration's text on hardware with a fixed UUID.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "vmzone/machine.h"
#include "zoned/core/spec_toml.h"

namespace vmzone::testing {

inline constexpr const char* kUuid = "00112233445566778899aabbccddeeff";

inline core::ZoneSpec spec_of(const std::string& text) {
  auto spec = core::parse_zone("guest", "brand = \"vm\"\n" + text, "guest.toml");
  return spec ? *spec : core::ZoneSpec();
}

// Images that end in qcow2 are of that format.
inline std::map<std::string, DiskFormat> formats_of(const core::ZoneSpec& spec) {
  std::map<std::string, DiskFormat> formats;
  for (size_t i = 0; i < spec.disk.size(); ++i)
    formats[disk_id(spec, i)] =
        spec.disk[i].path.ends_with("qcow2") ? DiskFormat::kQcow2 : DiskFormat::kRaw;
  return formats;
}

inline base::Result<Machine> machine_from(Origin origin, const std::string& text,
                                          std::string_view label = "PUBLIC",
                                          Accelerator accelerator = Accelerator::kTcg) {
  core::ZoneSpec spec = spec_of(text);
  Hardware fresh = new_hardware(origin, "7.2", kUuid);
  fresh.initrd = origin == Origin::kKernel;
  fresh.format = origin == Origin::kDisk ? DiskFormat::kQcow2 : DiskFormat::kRaw;
  TRY_AS(Hardware hardware, pin_hardware(fresh, spec, formats_of(spec)));
  return machine_of(spec, hardware, accelerator, label);
}

}  // namespace vmzone::testing
