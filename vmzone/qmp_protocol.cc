#include "vmzone/qmp_protocol.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace vmzone {
namespace {

using base::Code;
using base::make_error;
using nlohmann::json;

constexpr std::string_view kPeer = "QEMU's control socket";

base::Error malformed(std::string_view what) {
  return make_error(Code::kInvalid, std::string(what)).context(kPeer);
}

// The parser has no limits of its own: a megabyte of "{}," would become fifty.
bool within_limits(std::string_view line) {
  size_t depth = 0;
  size_t values = 0;
  bool in_string = false;
  for (size_t i = 0; i < line.size(); ++i) {
    char c = line[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++values;
      if (++depth > kMaxQmpDepth) return false;
    } else if (c == '}' || c == ']') {
      if (depth > 0) --depth;
    } else if (c == ',') {
      ++values;
    }
    if (values > kMaxQmpValues) return false;
  }
  return true;
}

const json* member(const json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  auto it = object.find(name);
  return it == object.end() ? nullptr : &*it;
}

const std::string* text_member(const json& object, const char* name) {
  const json* value = member(object, name);
  return value != nullptr ? value->get_ptr<const std::string*>() : nullptr;
}

base::Result<unsigned> version_part(const json& version, const char* name) {
  const json* value = member(version, name);
  if (value == nullptr || !value->is_number_unsigned() || value->get<uint64_t>() > 9999)
    return malformed("the greeting names no version");
  return value->get<unsigned>();
}

base::Result<QmpMessage> greeting_from(const json& qmp) {
  const json* version = member(qmp, "version");
  const json* numbers = version != nullptr ? member(*version, "qemu") : nullptr;
  if (numbers == nullptr) return malformed("the greeting names no version");
  QmpGreeting greeting;
  TRY_AS(greeting.major, version_part(*numbers, "major"));
  TRY_AS(greeting.minor, version_part(*numbers, "minor"));
  TRY_AS(greeting.micro, version_part(*numbers, "micro"));
  return QmpMessage(greeting);
}

base::Result<QmpMessage> event_from(json* body) {
  const std::string* name = text_member(*body, "event");
  auto allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  if (name == nullptr || name->empty() || name->size() > 64 ||
      !std::all_of(name->begin(), name->end(), allowed))
    return malformed("an event has no proper name");
  QmpEvent event{*name, json::object()};
  if (auto data = body->find("data"); data != body->end()) {
    if (!data->is_object()) return malformed("an event's data is no object");
    event.data = std::move(*data);
  }
  return QmpMessage(std::move(event));
}

Code code_of(std::string_view qmp_class) {
  if (qmp_class == "CommandNotFound") return Code::kUnsupported;
  if (qmp_class == "DeviceNotFound") return Code::kNotFound;
  if (qmp_class == "DeviceNotActive" || qmp_class == "KVMMissingCap") return Code::kState;
  return Code::kIo;
}

base::Result<QmpMessage> failure_from(uint64_t id, const json& error) {
  const std::string* qmp_class = text_member(error, "class");
  const std::string* text = text_member(error, "desc");
  if (qmp_class == nullptr || text == nullptr) return malformed("an error has no class or text");
  return QmpMessage(QmpFailure{
      id, make_error(code_of(*qmp_class), "QEMU says " + base::quoted(*text, kMaxQmpText))});
}

}  // namespace

base::Result<QmpMessage> qmp_message_from(std::string_view line) {
  if (line.size() > kMaxQmpMessage) return malformed("a message is longer than 1M");
  if (!within_limits(line)) return malformed("a message is nested too deeply or holds too much");
  json body = json::parse(line, nullptr, false);
  if (!body.is_object()) return malformed("a message is no JSON object");
  if (body.contains("event")) return event_from(&body);
  if (const json* qmp = member(body, "QMP")) return greeting_from(*qmp);

  // An error without an id means that QEMU could not read what we sent.
  const json* id = member(body, "id");
  if (id == nullptr || !id->is_number_unsigned()) return malformed("an answer has no number");
  uint64_t number = id->get<uint64_t>();
  if (const json* error = member(body, "error")) return failure_from(number, *error);
  auto value = body.find("return");
  if (value == body.end()) return malformed("a message is neither answer nor event");
  return QmpMessage(QmpReturn{number, std::move(*value)});
}

void QmpReader::feed(std::string_view bytes) {
  buffer_.erase(0, begin_);
  scanned_ -= begin_;
  begin_ = 0;
  buffer_.append(bytes);
}

base::Result<std::optional<QmpMessage>> QmpReader::next() {
  while (true) {
    size_t end = buffer_.find('\n', scanned_);
    if (end == std::string::npos) {
      scanned_ = buffer_.size();
      if (scanned_ - begin_ > kMaxQmpMessage) return malformed("a message is longer than 1M");
      return std::optional<QmpMessage>();
    }
    std::string_view line(buffer_.data() + begin_, end - begin_);
    begin_ = scanned_ = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    TRY_AS(QmpMessage message, qmp_message_from(line));
    return std::optional<QmpMessage>(std::move(message));
  }
}

base::Result<std::string> qmp_request(uint64_t id, std::string_view command,
                                      const json& arguments) {
  json request = {{"execute", command}, {"id", id}};
  if (!arguments.is_null()) request["arguments"] = arguments;
  std::string text = request.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() >= kMaxQmpRequest)
    return make_error(Code::kInvalid, "a request to QEMU is longer than 64K");
  return text + '\n';
}

}  // namespace vmzone
