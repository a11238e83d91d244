// The side of zone-parse: bytes to values.
#include <cmath>
#include <cstdint>

#include "base/strings.h"
#include "zoned/api/message.h"
#include "zoned/api/tagged.h"
#include "zoned/core/encodings_value.h"
#include "zoned/core/parse_text.h"
#include "zoned/core/parse_value.h"
#include "zoned/core/spec_toml.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using nlohmann::json;
using Fields = std::vector<std::string>;

Result<Fields> fields_of(std::string_view bytes) {
  Fields fields;
  while (!bytes.empty()) {
    size_t length = 0;
    constexpr size_t kHead = sizeof(uint32_t);
    if (bytes.size() < kHead) return make_error(Code::kInternal, "cut request");
    for (size_t i = 0; i < kHead; ++i)
      length |= static_cast<size_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    bytes.remove_prefix(kHead);
    if (length > bytes.size()) return make_error(Code::kInternal, "cut request");
    fields.emplace_back(bytes.substr(0, length));
    bytes.remove_prefix(length);
  }
  return fields;
}

// base::quoted() leaves what is no UTF-8 or control behind only in texts that it did not make.
std::string line_of(const std::string& text) {
  constexpr size_t kMax = 4000;
  std::string line = json(text).dump(-1, ' ', false, json::error_handler_t::replace);
  line = json::parse(line).get<std::string>();
  if (line.size() > kMax) {
    size_t end = kMax;
    while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80) --end;
    line.resize(end);
  }
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return line;
}

json answer_of(const base::Error& error) {
  return json::array({"error", json::array({std::string(base::code_name(error.code)),
                                            line_of(error.message), line_of(error.hint)})});
}
json answer_of(json value) { return json::array({"ok", std::move(value)}); }

json value_json(const ConfigValue& value, int* kind) {
  *kind = static_cast<int>(value.index());
  if (const auto* boolean = std::get_if<bool>(&value)) return *boolean;
  if (const auto* integer = std::get_if<int64_t>(&value)) return *integer;
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) return *texts;
  if (const auto* other = std::get_if<ConfigOther>(&value)) return other->what;
  if (const auto* number = std::get_if<double>(&value)) {
    if (std::isfinite(*number)) return *number;
    *kind = kOther;
    return "a number without end";
  }
  return nullptr;
}

Result<json> document_json(const ConfigDocument& document) {
  auto too_much = [&](const ConfigEntry& entry, const std::string& what) {
    return make_error(Code::kInvalid, place_text(document, entry.key_place) + what);
  };
  json entries = json::array();
  for (const ConfigEntry& entry : document.entries) {
    if (entries.size() == kMaxParsedEntries)
      return too_much(entry, "more than " + std::to_string(kMaxParsedEntries) + " keys");
    if (entry.path.size() > kMaxParsedPath) return too_much(entry, "the key has too many dots");
    int kind = 0;
    json value = value_json(entry.value, &kind);
    entries.push_back(
        json::array({entry.path, kind, std::move(value), entry.key_place.line,
                     entry.key_place.column, entry.value_place.line, entry.value_place.column}));
  }
  return json::array({line_of(document.file), std::move(entries)});
}

json config_answer(const Result<EditedConfig>& edited) {
  if (!edited) return answer_of(edited.error());
  auto document = document_json(edited->document);
  if (!document) return answer_of(document.error());
  return answer_of(json::array({edited->text, *std::move(document)}));
}

// --- configuration that comes with a call --------------------------------------------------------

std::string text_member(const json& parameters, const char* name) {
  auto it = parameters.find(name);
  return it != parameters.end() && it->is_string() ? it->get<std::string>() : std::string();
}

Fields texts_member(const json& parameters, const char* name) {
  Fields texts;
  auto it = parameters.find(name);
  if (it == parameters.end() || !it->is_array()) return texts;
  for (const json& item : *it)
    if (item.is_string()) texts.push_back(item.get<std::string>());
  return texts;
}

// TOML's basic string: what is not plain ASCII text is escaped.
std::string toml_quoted(const std::string& text) {
  return json(text).dump(-1, ' ', true, json::error_handler_t::replace);
}

// Run's argv and env as assignments behind those that it was given.
Fields run_assignments(const json& parameters) {
  Fields assignments = texts_member(parameters, "assignments");
  Fields quoted;
  for (const std::string& arg : texts_member(parameters, "argv"))
    quoted.push_back(toml_quoted(arg));
  assignments.push_back("command=[" + base::join(quoted, ",") + "]");
  for (const std::string& item : texts_member(parameters, "env")) {
    size_t equals = item.find('=');
    if (equals == std::string::npos) continue;  // zoned refuses the call
    assignments.push_back("env." + item.substr(0, equals) + "=" +
                          toml_quoted(item.substr(equals + 1)));
  }
  return assignments;
}

// What its keys may say is for zoned to check.
Result<EditedConfig> as_given(const std::string& name, const std::string& text) {
  TRY_AS(ConfigDocument document, parse_document(text, name + ".toml"));
  return EditedConfig{text, std::move(document)};
}

// A text on its own has to be right, whatever is assigned on top of it.
Result<EditedConfig> checked_edit(const std::string& name, const std::string& text,
                                  const Fields& assignments) {
  if (assignments.empty()) return as_given(name, text);
  TRY(parse_zone(name, text, name + ".toml"));
  return edit_zone(name, text, assignments);
}

// Null: the call brings none. Parameters of the wrong type are refused by zoned.
json config_of(const json& call) {
  if (!call.is_object()) return nullptr;
  auto parameters = call.find("parameters");
  if (parameters == call.end() || !parameters->is_object()) return nullptr;
  std::string method = text_member(call, "method");
  std::string name = text_member(*parameters, "name");
  std::string text = text_member(*parameters, "config");
  Fields assignments = texts_member(*parameters, "assignments");
  if (method == "io.zoned.Create") return config_answer(checked_edit(name, text, assignments));
  if (method == "io.zoned.Configure") return config_answer(as_given(name, text));
  if (method == "io.zoned.Verify" && parameters->contains("config"))
    return config_answer(as_given(name, text));
  if (method == "io.zoned.Run")
    return config_answer(
        edit_zone(name.empty() ? "run" : name, text, run_assignments(*parameters)));
  if (method == "io.zoned.PoolCreate") return config_answer(edit_pool(name, "", assignments));
  return nullptr;
}

// --- answers -------------------------------------------------------------------------------------

json answer_call(const std::string& message) {
  auto call = api::parse_json(message);
  if (!call) return answer_of(call.error());
  json config = config_of(*call);
  return answer_of(json{{"call", *std::move(call)}, {"config", std::move(config)}});
}

json answer_documents(const Fields& fields) {
  json answers = json::array();
  for (size_t i = 0; i + 1 < fields.size(); i += 2) {
    auto document = parse_document(fields[i + 1], fields[i]);
    auto value = document ? document_json(*document) : Result<json>(document.error());
    answers.push_back(value ? answer_of(*std::move(value)) : answer_of(value.error()));
  }
  return answer_of(std::move(answers));
}

json answer_encodings(const Fields& fields) {
  auto encodings = labels::Encodings::parse(fields[1], fields[0]);
  if (!encodings) return answer_of(encodings.error());
  return answer_of(encodings_value(encodings->data()));
}

json answer_json(const std::string& text) {
  auto value = api::parse_json(text);
  if (value) return answer_of(*std::move(value));
  return answer_of(make_error(Code::kInvalid, "not the JSON of one value"));
}

json answer(std::string_view request) {
  if (request.empty()) return answer_of(make_error(Code::kInternal, "empty request"));
  auto fields = fields_of(request.substr(1));
  if (!fields) return answer_of(fields.error());
  if (request[0] == kDocuments) return answer_documents(*fields);
  if (request[0] == kCall && fields->size() == 1) return answer_call(fields->front());
  if (request[0] == kJson && fields->size() == 1) return answer_json(fields->front());
  if (request[0] == kEncodings && fields->size() == 2) return answer_encodings(*fields);
  if ((request[0] != kEditZone && request[0] != kEditPool) || fields->size() < 2)
    return answer_of(make_error(Code::kInternal, "unknown request"));
  Fields assignments(fields->begin() + 2, fields->end());
  auto edit = request[0] == kEditPool ? edit_pool : edit_zone;
  return answer_of(config_answer(edit((*fields)[0], (*fields)[1], assignments)));
}

}  // namespace

std::string answer_request(std::string_view request) {
  auto bytes = api::encode_tagged(answer(request));
  if (bytes) return *std::move(bytes);
  base::Error error = make_error(Code::kInvalid, "malformed message: " + bytes.error().message);
  return *api::encode_tagged(answer_of(error));
}

}  // namespace core
