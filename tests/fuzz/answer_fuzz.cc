// Answers of a zone-parse that was taken over: what is taken has one form, and a configuration among it
// is one that a text could have said, and label encodings are as sound as those of a file.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/strings.h"
#include "zoned/api/message.h"
#include "zoned/api/tagged.h"
#include "zoned/core/encodings_value.h"
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

// Whatever encodings it makes up, they hold together.
void check_encodings(const nlohmann::json& value) {
  auto encodings = core::take_encodings(value);
  if (!encodings) return check_error(encodings.error());
  require(core::encodings_value(encodings->data()) == value);
  require(encodings->check_label(encodings->default_label()).ok());
  require(encodings->check_clearance(encodings->default_clearance()).ok());
  require(encodings->default_clearance().dominates(encodings->default_label()));
  for (const labels::Classification& it : encodings->data().classifications) {
    labels::Label label(it.value, it.initial_compartments);
    auto back = encodings->parse_label(encodings->name_of(label));
    require(back.ok() && *back == label);
    require(encodings->colour_of(label).size() == 7);
    for (const labels::Word& word : encodings->data().sensitivity.words) {
      auto named = encodings->parse_label(it.name + " " + word.name);
      if (!named) continue;
      auto again = encodings->parse_label(encodings->name_of(*named));
      require(again.ok() && *again == *named);
    }
  }
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
  check_encodings(*value);
  return 0;
}
