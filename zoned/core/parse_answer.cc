// The side of zoned: answers taken as if from a stranger.
#include <algorithm>
#include <limits>
#include <map>

#include "base/strings.h"
#include "zoned/api/tagged.h"
#include "zoned/core/encodings_value.h"
#include "zoned/core/parse_text.h"
#include "zoned/core/parse_value.h"
#include "zoned/core/spec_document.h"
#include "zoned/core/spec_toml.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using nlohmann::json;

constexpr size_t kMaxMessage = 4096;

base::Error malformed() { return make_error(Code::kInternal, "malformed answer of zone-parse"); }

// One line that may be logged and shown.
bool is_line(const json& value) {
  if (!value.is_string()) return false;
  const auto& text = value.get_ref<const std::string&>();
  return text.size() <= kMaxMessage && std::none_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
         });
}

base::Error error_of(const json& value) {
  bool good = value.is_array() && value.size() == 3 && is_line(value[0]) && is_line(value[1]) &&
              is_line(value[2]);
  if (!good) return malformed();
  return make_error(base::code_from_name(value[0].get_ref<const std::string&>()),
                    value[1].get<std::string>(), value[2].get<std::string>());
}

// ["ok", value] or ["error", error].
Result<const json*> open_answer(const json& answer) {
  if (!answer.is_array() || answer.size() != 2) return malformed();
  if (answer[0] == "ok") return &answer[1];
  if (answer[0] == "error") return error_of(answer[1]);
  return malformed();
}

Result<std::vector<std::string>> texts_of(const json& value) {
  if (!value.is_array()) return malformed();
  std::vector<std::string> texts;
  for (const json& item : value) {
    if (!item.is_string()) return malformed();
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

bool is_int(const json& value) {
  return value.is_number_integer() &&
         (!value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX);
}

Result<ConfigValue> value_of(const json& kind, const json& value) {
  if (!is_int(kind)) return malformed();
  switch (kind.get<int64_t>()) {
    case kBoolean:
      if (value.is_boolean()) return ConfigValue(value.get<bool>());
      break;
    case kInteger:
      if (is_int(value)) return ConfigValue(value.get<int64_t>());
      break;
    case kNumber:
      if (value.is_number_float()) return ConfigValue(value.get<double>());
      break;
    case kString:
      if (value.is_string()) return ConfigValue(value.get<std::string>());
      break;
    case kStrings: {
      TRY_AS(auto texts, texts_of(value));
      return ConfigValue(std::move(texts));
    }
    case kTable:
      return ConfigValue(ConfigTable{});
    case kList:
      return ConfigValue(ConfigList{});
    case kOther:
      if (is_line(value)) return ConfigValue(ConfigOther{value.get<std::string>()});
      break;
    default:
      break;
  }
  return malformed();
}

Result<ConfigPlace> place_of(const json& line, const json& column) {
  constexpr int64_t kMax = std::numeric_limits<uint32_t>::max();
  for (const json* number : {&line, &column})
    if (!is_int(*number) || number->get<int64_t>() < 0 || number->get<int64_t>() > kMax)
      return malformed();
  return ConfigPlace{line.get<uint32_t>(), column.get<uint32_t>()};
}

Result<ConfigEntry> entry_of(const json& value) {
  if (!value.is_array() || value.size() != kEntryMembers) return malformed();
  ConfigEntry entry;
  TRY_AS(entry.path, texts_of(value[0]));
  if (entry.path.empty() || entry.path.size() > kMaxParsedPath) return malformed();
  TRY_AS(entry.value, value_of(value[1], value[2]));
  TRY_AS(entry.key_place, place_of(value[3], value[4]));
  TRY_AS(entry.value_place, place_of(value[5], value[6]));
  return entry;
}

// What makes specs relies on it: nothing twice, holders first, elements of a list in their order.
Status check_structure(const ConfigDocument& document) {
  struct Holder {
    bool table = false;
    bool list = false;
    size_t members = 0;
  };
  std::map<ConfigPath, Holder> seen;
  for (const ConfigEntry& entry : document.entries) {
    Holder now{std::holds_alternative<ConfigTable>(entry.value),
               std::holds_alternative<ConfigList>(entry.value)};
    if (!seen.emplace(entry.path, now).second) return malformed();
    if (entry.path.size() == 1) continue;
    auto holder = seen.find({entry.path.begin(), entry.path.end() - 1});
    if (holder == seen.end() || (!holder->second.table && !holder->second.list)) return malformed();
    size_t index = holder->second.members++;
    if (holder->second.list && (!now.table || entry.path.back() != std::to_string(index)))
      return malformed();
  }
  return {};
}

Result<ConfigDocument> document_of(const json& value) {
  if (!value.is_array() || value.size() != 2 || !is_line(value[0]) || !value[1].is_array() ||
      value[1].size() > kMaxParsedEntries)
    return malformed();
  ConfigDocument document;
  document.file = value[0].get<std::string>();
  for (const json& item : value[1]) {
    TRY_AS(ConfigEntry entry, entry_of(item));
    document.entries.push_back(std::move(entry));
  }
  TRY(check_structure(document));
  return document;
}

}  // namespace

Result<json> take_answer(std::string_view bytes) {
  auto answer = api::decode_tagged(bytes);
  if (!answer) return malformed();
  TRY_AS(const json* value, open_answer(*answer));
  return *value;
}

Result<ConfigDocument> take_document(const json& answer) {
  TRY_AS(const json* value, open_answer(answer));
  return document_of(*value);
}

Result<labels::Encodings> take_encodings(const json& answer) {
  auto data = encodings_from_value(answer);
  if (!data) return malformed();
  auto encodings = labels::Encodings::accept(*std::move(data));
  if (encodings) return encodings;
  base::Error error = malformed();
  error.message += ": " + encodings.error().message;
  return error;
}

template <typename Spec>
Result<Configured<Spec>> take_config(std::string_view name, const json& answer) {
  if (answer.is_null()) return make_error(Code::kInvalid, "no configuration was given");
  TRY_AS(const json* value, open_answer(answer));
  if (!value->is_array() || value->size() != 2 || !(*value)[0].is_string()) return malformed();
  Configured<Spec> config;
  config.text = (*value)[0].template get<std::string>();
  if (config.text.size() > kMaxConfigBytes || !base::is_clean_utf8(config.text)) return malformed();
  TRY_AS(ConfigDocument document, document_of((*value)[1]));
  TRY_AS(config.spec, spec_from_document<Spec>(name, document));
  return config;
}

template Result<Configured<ZoneSpec>> take_config(std::string_view name, const json& answer);
template Result<Configured<PoolSpec>> take_config(std::string_view name, const json& answer);

}  // namespace core
