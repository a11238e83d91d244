#include "zoned/daemon/settings.h"

#include <algorithm>

#include "base/strings.h"

namespace zoned {

using base::Code;
using base::make_error;

namespace {

constexpr int64_t kMaxShares = 10000;
constexpr int64_t kMaxAuditFiles = 1000000;
constexpr int64_t kMaxPrepared = 64;

base::Error wrong(const core::ConfigDocument& document, const core::ConfigEntry& entry,
                  const char* what) {
  return make_error(Code::kInvalid, core::place_text(document, entry.value_place) + what);
}

}  // namespace

base::Result<Settings> settings_from_document(const core::ConfigDocument& document) {
  Settings settings;
  for (const core::ConfigEntry& entry : document.entries) {
    std::string name = core::path_text(entry.path);
    if (name == "host-shares") {
      const auto* value = std::get_if<int64_t>(&entry.value);
      if (value == nullptr || *value < 1 || *value > kMaxShares)
        return wrong(document, entry, "host-shares is a number from 1 to 10000");
      settings.host_shares = static_cast<uint32_t>(*value);
    } else if (name == "host-reserve") {
      const auto* value = std::get_if<std::string>(&entry.value);
      auto bytes = base::parse_size(value == nullptr ? "" : *value);
      if (!bytes) return wrong(document, entry, "host-reserve is a size, such as \"1G\"");
      settings.host_reserve = *bytes;
    } else if (name == "audit-keep") {
      const auto* value = std::get_if<int64_t>(&entry.value);
      if (value == nullptr || *value < 0 || *value > kMaxAuditFiles)
        return wrong(document, entry, "audit-keep is a number from 0 to 1000000");
      settings.audit_keep = static_cast<uint64_t>(*value);
    } else if (name == "downgrade-approval") {
      const auto* value = std::get_if<std::string>(&entry.value);
      if (value == nullptr || (*value != "own" && *value != "two-person"))
        return wrong(document, entry, "downgrade-approval is \"own\" or \"two-person\"");
      settings.two_person = *value == "two-person";
    } else if (name == "prepared") {
      const auto* value = std::get_if<int64_t>(&entry.value);
      if (value == nullptr || *value < 0 || *value > kMaxPrepared)
        return wrong(document, entry, "prepared is a number from 0 to 64");
      settings.prepared = static_cast<uint32_t>(*value);
    } else {
      std::string near = base::nearest(
          name, {"host-shares", "host-reserve", "audit-keep", "downgrade-approval", "prepared"});
      return make_error(
          Code::kInvalid,
          core::place_text(document, entry.key_place) + "unknown key " + base::quoted(name),
          near.empty() ? "" : "did you mean '" + near + "'?");
    }
  }
  return settings;
}

uint64_t memory_for_zones(const Settings& settings, uint64_t machine) {
  constexpr uint64_t kPart = 16;
  constexpr uint64_t kLeast = 256ULL << 20;
  uint64_t reserve =
      settings.host_reserve != 0 ? settings.host_reserve : std::max(machine / kPart, kLeast);
  // A machine smaller than its reserve still gets zones: half of it.
  return machine > 2 * reserve ? machine - reserve : machine / 2;
}

}  // namespace zoned
