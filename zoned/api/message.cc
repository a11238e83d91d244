#include "zoned/api/message.h"

#include <set>
#include <utility>
#include <vector>

#include "base/strings.h"

namespace api {
namespace {

using base::Code;
using base::make_error;
using nlohmann::json;

// Deepest nesting of brackets outside strings. Counted before parsing, so that a hostile text
// never reaches the parser's stack.
bool too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

base::Error bad_message(const std::string& why) {
  return make_error(Code::kInvalid, "malformed message: " + why);
}

base::Status take_bool(const json& object, const char* name, bool* value) {
  auto it = object.find(name);
  if (it == object.end()) return {};
  if (!it->is_boolean()) return bad_message(std::string(name) + " is not a bool");
  *value = it->get<bool>();
  return {};
}

base::Status take_parameters(const json& object, json* value) {
  auto it = object.find("parameters");
  if (it == object.end() || it->is_null()) return {};
  if (!it->is_object()) return bad_message("parameters is not an object");
  *value = *it;
  return {};
}

base::Status only_members(const json& object, const std::set<std::string>& known) {
  for (const auto& item : object.items()) {
    if (!known.contains(item.key()))
      return bad_message("unknown member " + base::quoted(item.key()));
  }
  return {};
}

std::string member_text(const json& parameters, const char* name) {
  auto it = parameters.find(name);
  return it != parameters.end() && it->is_string() ? it->get<std::string>() : std::string();
}

}  // namespace

base::Result<json> parse_json(std::string_view text) {
  if (too_deep(text))
    return bad_message("nested deeper than " + std::to_string(kMaxDepth) + " levels");
  std::vector<std::set<std::string>> keys;
  bool duplicate = false;
  auto callback = [&](int, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) {
      keys.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      keys.pop_back();
    } else if (event == json::parse_event_t::key) {
      if (!keys.back().insert(parsed.get_ref<const std::string&>()).second) duplicate = true;
    }
    return true;
  };
  json value = json::parse(text.begin(), text.end(), callback, /*allow_exceptions=*/false);
  if (value.is_discarded()) return bad_message("not JSON");
  if (duplicate) return bad_message("a key appears twice");
  return value;
}

base::Result<CallMessage> parse_call(std::string_view text) {
  TRY_AS(json value, parse_json(text));
  return call_from_value(value);
}

base::Result<CallMessage> call_from_value(const json& value) {
  if (!value.is_object()) return bad_message("not an object");
  TRY(only_members(value, {"method", "parameters", "more", "oneway", "upgrade"}));
  CallMessage call;
  call.method = member_text(value, "method");
  if (call.method.empty()) return bad_message("no method");
  TRY(take_parameters(value, &call.parameters));
  TRY(take_bool(value, "more", &call.more));
  TRY(take_bool(value, "oneway", &call.oneway));
  TRY(take_bool(value, "upgrade", &call.upgrade));
  return call;
}

base::Result<ReplyMessage> parse_reply(std::string_view text) {
  TRY_AS(json value, parse_json(text));
  if (!value.is_object()) return bad_message("not an object");
  TRY(only_members(value, {"parameters", "continues", "error"}));
  ReplyMessage reply;
  TRY(take_parameters(value, &reply.parameters));
  TRY(take_bool(value, "continues", &reply.continues));
  if (value.contains("error")) {
    reply.error = member_text(value, "error");
    if (reply.error.empty()) return bad_message("error is not a name");
  }
  return reply;
}

std::string to_text(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string to_text(const CallMessage& call) {
  json value = {{"method", call.method}, {"parameters", call.parameters}};
  if (call.more) value["more"] = true;
  if (call.oneway) value["oneway"] = true;
  if (call.upgrade) value["upgrade"] = true;
  return to_text(value);
}

std::string to_text(const ReplyMessage& reply) {
  json value = {{"parameters", reply.parameters}};
  if (reply.continues) value["continues"] = true;
  if (!reply.error.empty()) value["error"] = reply.error;
  return to_text(value);
}

json error_members(const base::Error& error) {
  return {{"code", std::string(base::code_name(error.code))},
          {"message", error.message},
          {"hint", error.hint}};
}

ReplyMessage failed(const base::Error& error) {
  return {error_members(error), false, std::string(kFailed)};
}

base::Error error_of(const ReplyMessage& reply) {
  const json& p = reply.parameters;
  if (reply.error == kFailed) {
    std::string message = member_text(p, "message");
    return make_error(base::code_from_name(member_text(p, "code")),
                      message.empty() ? "zoned failed and does not say why" : message,
                      member_text(p, "hint"));
  }
  const char* kNewer = "the daemon may be of another version: see zone host";
  if (reply.error == kMethodNotFound || reply.error == kMethodNotImplemented)
    return make_error(Code::kUnsupported,
                      "zoned has no method " + base::quoted(member_text(p, "method")), kNewer);
  if (reply.error == kInterfaceNotFound)
    return make_error(Code::kUnsupported,
                      "zoned has no interface " + base::quoted(member_text(p, "interface")),
                      kNewer);
  if (reply.error == kInvalidParameter)
    return make_error(Code::kInvalid,
                      "invalid parameter " + base::quoted(member_text(p, "parameter")));
  return make_error(Code::kInternal, "zoned answered " + base::quoted(reply.error));
}

ReplyMessage service_error(std::string_view error, const std::string& member,
                           const std::string& value) {
  return {json{{member, value}}, false, std::string(error)};
}

}  // namespace api
