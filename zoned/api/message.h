// Varlink messages as values (https://varlink.org/Wire-Protocol). Parsing is strict: a cap on
// nesting that is checked before parsing, valid UTF-8, no key twice, no unknown member.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/result.h"

namespace api {

inline constexpr int kMaxDepth = 32;
inline constexpr std::string_view kInterface = "io.zoned";
inline constexpr std::string_view kFailed = "io.zoned.Failed";
inline constexpr std::string_view kMethodNotFound = "org.varlink.service.MethodNotFound";
inline constexpr std::string_view kInvalidParameter = "org.varlink.service.InvalidParameter";
inline constexpr std::string_view kInterfaceNotFound = "org.varlink.service.InterfaceNotFound";
inline constexpr std::string_view kMethodNotImplemented =
    "org.varlink.service.MethodNotImplemented";

struct CallMessage {
  std::string method;  // "io.zoned.List"
  nlohmann::json parameters = nlohmann::json::object();
  bool more = false;
  bool oneway = false;
  bool upgrade = false;
};

struct ReplyMessage {
  nlohmann::json parameters = nlohmann::json::object();
  bool continues = false;
  std::string error;  // empty: success
};

// Any JSON text under the rules above.
base::Result<nlohmann::json> parse_json(std::string_view text);
base::Result<CallMessage> parse_call(std::string_view text);
base::Result<CallMessage> call_from_value(const nlohmann::json& value);
base::Result<ReplyMessage> parse_reply(std::string_view text);
// One line of JSON, never failing: bytes that are not UTF-8 become U+FFFD.
std::string to_text(const nlohmann::json& value);
std::string to_text(const CallMessage& call);
std::string to_text(const ReplyMessage& reply);

// The error as io.zoned.Failed, and back. error_of knows the org.varlink.service errors as well.
ReplyMessage failed(const base::Error& error);
base::Error error_of(const ReplyMessage& reply);
// {"code", "message", "hint"}: the form of errors in JSON everywhere.
nlohmann::json error_members(const base::Error& error);
// An org.varlink.service error; `member` is its only parameter, such as "parameter".
ReplyMessage service_error(std::string_view error, const std::string& member,
                           const std::string& value);

}  // namespace api
