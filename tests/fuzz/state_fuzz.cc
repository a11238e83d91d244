// State files, and what a keeper says about a zone: a damaged or planted one must be refused, never
// misread; what is taken survives writing and reading.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <nlohmann/json.hpp>

#include "base/strings.h"
#include "zoned/core/keeper_protocol.h"
#include "zoned/daemon/state.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  if (auto record = zoned::runtime_record_from_text(text)) {
    auto again = zoned::runtime_record_from_text(zoned::to_text(*record));
    if (!again || !(*again == *record)) abort();
    if (!base::check_name("zone", record->zone) || record->range_base == 0) abort();
  }
  if (auto file = zoned::zone_file_from_text(text)) {
    auto again = zoned::zone_file_from_text(zoned::to_text(*file));
    if (!again || !(*again == *file)) abort();
  }
  auto value = nlohmann::json::parse(text, nullptr, false);
  if (auto record = core::zone_record_from_json(value))
    core::to_json(*record).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (auto status = core::exit_status_from_line(text)) {
    auto again = core::exit_status_from_line(core::to_line(*status));
    if (!again || !(*again == *status)) abort();
  }
  return 0;
}
