#include "zoned/core/keeper_protocol.h"

#include <nlohmann/json.hpp>

#include "base/strings.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using nlohmann::json;

const char* kind_name(ExitStatus::Kind kind) {
  switch (kind) {
    case ExitStatus::Kind::kExit:
      return "exit";
    case ExitStatus::Kind::kSignal:
      return "signal";
    case ExitStatus::Kind::kUnknown:
      break;
  }
  return "unknown";
}

}  // namespace

std::string to_text(const json& message) {
  return message.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string to_line(const ExitStatus& status) {
  if (status.kind == ExitStatus::Kind::kUnknown) return "unknown";
  return std::string(kind_name(status.kind)) + " " + std::to_string(status.value);
}

base::Result<ExitStatus> exit_status_from_line(const std::string& line) {
  if (line == "unknown") return ExitStatus{};
  ExitStatus status;
  std::string_view rest = line;
  if (rest.starts_with("exit ")) {
    status.kind = ExitStatus::Kind::kExit;
    rest.remove_prefix(5);
  } else if (rest.starts_with("signal ")) {
    status.kind = ExitStatus::Kind::kSignal;
    rest.remove_prefix(7);
  } else {
    return make_error(Code::kInvalid, base::quoted(line) + " is not an exit status");
  }
  TRY_AS(uint64_t value, base::parse_uint(rest, 0, 255));
  status.value = static_cast<int>(value);
  return status;
}

json to_json(const ZoneRecord& record) {
  return {{"zone", record.zone},
          {"boot_id", record.boot_id},
          {"pid", record.pid},
          {"start_time", record.start_time},
          {"console", record.console},
          {"logged", record.logged},
          {"log_size", record.log_size},
          {"exited", record.exited},
          {"status", to_line(record.status)}};
}

base::Result<ZoneRecord> zone_record_from_json(const json& value) {
  try {
    ZoneRecord record;
    record.zone = value.at("zone").get<std::string>();
    record.boot_id = value.at("boot_id").get<std::string>();
    record.pid = value.at("pid").get<int32_t>();
    record.start_time = value.at("start_time").get<uint64_t>();
    record.console = value.at("console").get<bool>();
    record.logged = value.at("logged").get<bool>();
    record.log_size = value.at("log_size").get<uint64_t>();
    record.exited = value.at("exited").get<bool>();
    TRY_AS(record.status, exit_status_from_line(value.at("status").get<std::string>()));
    return record;
  } catch (const json::exception& e) {
    return make_error(Code::kInvalid, std::string("keeper's record: ") + e.what());
  }
}

json error_to_json(const base::Error& error) {
  return {{"code", base::code_name(error.code)},
          {"message", error.message},
          {"hint", error.hint},
          {"errno", error.sys_errno}};
}

base::Error error_from_json(const json& value) {
  base::Error error;
  if (!value.is_object()) return error;
  error.code = base::code_from_name(value.value("code", "internal"));
  error.message = value.value("message", "");
  error.hint = value.value("hint", "");
  error.sys_errno = value.value("errno", 0);
  return error;
}

}  // namespace core
