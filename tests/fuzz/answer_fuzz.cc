// Answers of a zone-parse that was taken over: what is taken has one form, and a configuration among it
// is one that a text could have said.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/strings.h"
#include "zoned/api/message.h"
#include "zoned/api/tagged.h"
#include "zoned/core/parse_text.h"
#include "zoned/core/spec_toml.h"

namespace {

void require(bool good) {
  if (!good) abort();
}

void check_error(const base::Error& error) {
  for (const std::string* text : {&error.message, &error.hint}) {
    require(base::is_clean_utf8(*text));
    require(text->find_first_of("\n\r\t\x1b") == std::string::npos);
  }
}

void check_zone(const nlohmann::json& value) {
  auto zone = core::take_config<core::ZoneSpec>("web", value);
  if (!zone) return check_error(zone.error());
  auto again = core::parse_zone("web", core::format_zone(zone->spec), "web.toml");
  require(again.ok() && *again == zone->spec);
}

void check_pool(const nlohmann::json& value) {
  auto pool = core::take_config<core::PoolSpec>("web", value);
  if (!pool) return check_error(pool.error());
  auto again = core::parse_pool("web", core::format_pool(pool->spec), "web.toml");
  require(again.ok() && *again == pool->spec);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto value = api::decode_tagged(bytes);
  if (!value) return 0;
  auto encoded = api::encode_tagged(*value);
  require(encoded && *encoded == bytes);
  if (auto answer = core::take_answer(bytes); !answer) check_error(answer.error());
  if (auto call = api::call_from_value(*value); !call) check_error(call.error());
  check_zone(*value);
  check_pool(*value);
  return 0;
}
