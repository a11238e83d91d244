// Texts that others wrote - calls, configuration, label encodings - are read by a process apart, zone-parse: this is what
// it is asked, how it answers, and how zoned takes the answer. A process that reads hostile bytes may
// be taken over by them; an answer is therefore believed in nothing but what it says about the very
// bytes that were asked about, and is checked as if a stranger had sent it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/result.h"
#include "labels/encodings.h"
#include "zoned/core/config_document.h"
#include "zoned/core/spec.h"

namespace core {

inline constexpr size_t kMaxParseRequest = 4 << 20;  // bytes, without their length

struct ConfigText {
  std::string file;  // names the text in errors
  std::string text;
};

// What zoned asks: bytes for answer_request().
//
// A message of the API. The answer is an object: "call", the message as a value, and, when that is a
// method that brings configuration, "config", for take_config(); Run's command and environment are in
// it.
std::string call_request(std::string_view message);
// TOML texts; the answer is an array with an answer for each, for take_document().
std::string documents_request(const std::vector<ConfigText>& texts);
// edit_zone() or edit_pool(); for take_config().
std::string edit_request(bool pool, std::string_view name, std::string_view text,
                         const std::vector<std::string>& assignments);
// A label_encodings file; for take_encodings().
std::string encodings_request(const ConfigText& text);
// Any JSON text; the answer is its value.
std::string json_request(std::string_view text);

// zone-parse: the answer to a request, tagged (zoned/api/tagged.h). Never fails: an error is an answer.
std::string answer_request(std::string_view request);

// zoned: an answer's value, or the error that it tells. kInternal: not an answer; whoever made it can't
// be relied on.
base::Result<nlohmann::json> take_answer(std::string_view bytes);
// An element of the answer to documents_request().
base::Result<ConfigDocument> take_document(const nlohmann::json& answer);

// A configuration as text and as what it says.
template <typename Spec>
struct Configured {
  std::string text;
  Spec spec;
};
// Spec is ZoneSpec or PoolSpec. kInvalid also for null: there was no configuration.
template <typename Spec>
base::Result<Configured<Spec>> take_config(std::string_view name, const nlohmann::json& answer);

// Those of the answer to encodings_request(), as sound as Encodings::parse() makes them.
base::Result<labels::Encodings> take_encodings(const nlohmann::json& answer);

}  // namespace core
