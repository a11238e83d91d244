#include "zoned/daemon/state.h"

#include <sys/random.h>

#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/strings.h"
#include "labels/label.h"
#include "zoned/core/plan.h"

namespace zoned {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using nlohmann::json;

constexpr int kVersion = 1;
constexpr size_t kIdDigits = 32;
constexpr std::array<std::pair<State, std::string_view>, 7> kStates = {{
    {State::kConfigured, "configured"},
    {State::kIncomplete, "incomplete"},
    {State::kInstalled, "installed"},
    {State::kReady, "ready"},
    {State::kRunning, "running"},
    {State::kShuttingDown, "shutting_down"},
    {State::kDown, "down"},
}};

base::Error bad(std::string_view what) {
  return make_error(Code::kInvalid, "state file: " + std::string(what));
}

bool is_id(std::string_view text) {
  return text.size() == kIdDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Takes members out one by one; what is left at the end is unknown.
class Members {
 public:
  explicit Members(json value) : value_(std::move(value)) {}

  std::string text(const char* name) {
    const json* member = find(name, json::value_t::string);
    return member == nullptr ? std::string() : member->get<std::string>();
  }
  // Absent, as older daemons left it: empty.
  std::string optional_text(const char* name) {
    return value_.contains(name) ? text(name) : std::string();
  }
  bool boolean(const char* name) {
    const json* member = find(name, json::value_t::boolean);
    return member != nullptr && member->get<bool>();
  }
  uint64_t number(const char* name, uint64_t max) {
    const json* member = find(name, json::value_t::number_unsigned);
    if (member == nullptr) return 0;
    uint64_t value = member->get<uint64_t>();
    if (value > max) fail(name, "is out of range");
    return value > max ? 0 : value;
  }
  base::Status finish() {
    if (error_.empty() && seen_ != value_.size()) error_ = "unknown member";
    if (!error_.empty()) return bad(error_);
    return {};
  }

 private:
  const json* find(const char* name, json::value_t type) {
    auto it = value_.find(name);
    if (it == value_.end()) {
      fail(name, "is missing");
      return nullptr;
    }
    ++seen_;
    if (it->type() == type) return &*it;
    fail(name, "has the wrong type");
    return nullptr;
  }
  void fail(std::string_view name, std::string_view what) {
    if (error_.empty()) error_ = std::string(name) + " " + std::string(what);
  }

  json value_;
  size_t seen_ = 0;
  std::string error_;
};

Result<Members> open_members(std::string_view text) {
  // A flat object of ours: nothing nests, so depth can't hurt.
  if (text.size() > size_t{1024} * 1024) return bad("too large");
  int depth = 0;
  json value = json::parse(
      text,
      [&depth](int level, json::parse_event_t, json&) {
        depth = std::max(depth, level);
        return level <= 2;
      },
      false);
  if (value.is_discarded() || !value.is_object()) return bad("not a JSON object");
  if (depth > 1) return bad("nested");
  Members members(std::move(value));
  if (members.number("version", UINT32_MAX) != kVersion) return bad("unknown version");
  return members;
}

}  // namespace

std::string_view state_name(State state) {
  for (const auto& [value, name] : kStates)
    if (value == state) return name;
  return "configured";
}

Result<State> state_from_name(std::string_view name) {
  for (const auto& [value, known] : kStates)
    if (known == name) return value;
  return bad("unknown state " + base::quoted(name));
}

std::string to_text(const ZoneFile& file) {
  json value = {{"version", kVersion},
                {"id", file.id},
                {"state", state_name(file.state)},
                {"label", file.label},
                {"source", file.source}};
  return value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<ZoneFile> zone_file_from_text(std::string_view text) {
  TRY_AS(Members members, open_members(text));
  ZoneFile file;
  file.id = members.text("id");
  std::string state = members.text("state");
  file.label = members.text("label");
  file.source = members.text("source");
  TRY(members.finish());
  TRY_AS(file.state, state_from_name(state));
  if (file.state != State::kConfigured && file.state != State::kIncomplete &&
      file.state != State::kInstalled)
    return bad("a state that does not last");
  if (!is_id(file.id)) return bad("id is not 32 hex digits");
  TRY(labels::Label::decode(file.label));
  return file;
}

std::string to_text(const RuntimeRecord& record) {
  json value = {{"version", kVersion},
                {"zone", record.zone},
                {"boot_id", record.boot_id},
                {"pool", record.pool},
                {"range_base", record.range_base},
                {"keeper", record.keeper},
                {"pid", static_cast<uint32_t>(record.pid)},
                {"start_time", record.start_time},
                {"console", record.console},
                {"log_size", record.log_size},
                {"stop_signal", static_cast<uint32_t>(record.stop_signal)},
                {"os", record.os},
                {"boots", record.boots},
                {"ephemeral", record.ephemeral},
                {"config", record.config},
                {"id", record.id},
                {"label", record.label},
                {"link", record.link}};
  return value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<RuntimeRecord> runtime_record_from_text(std::string_view text) {
  TRY_AS(Members members, open_members(text));
  RuntimeRecord record;
  record.zone = members.text("zone");
  record.boot_id = members.text("boot_id");
  record.pool = members.text("pool");
  record.range_base = static_cast<uint32_t>(members.number("range_base", UINT32_MAX));
  record.keeper = static_cast<unsigned>(members.number("keeper", 255));
  record.pid = static_cast<int32_t>(members.number("pid", INT32_MAX));
  record.start_time = members.number("start_time", UINT64_MAX);
  record.console = members.boolean("console");
  record.log_size = members.number("log_size", uint64_t{1} << 40);
  record.stop_signal = static_cast<int>(members.number("stop_signal", 64));
  record.os = members.boolean("os");
  record.boots = static_cast<uint32_t>(members.number("boots", UINT32_MAX));
  record.ephemeral = members.boolean("ephemeral");
  record.config = members.text("config");
  record.id = members.text("id");
  record.label = members.optional_text("label");
  record.link = members.optional_text("link");
  TRY(members.finish());
  TRY(base::check_name("zone", record.zone));
  TRY(base::check_name("pool", record.pool));
  if (!is_id(record.boot_id)) return bad("boot_id is not 32 hex digits");
  if (record.range_base % core::kIdsPerZone != 0 || record.range_base == 0)
    return bad("range_base is not the start of a range");
  if (record.ephemeral != is_id(record.id)) return bad("id does not fit");
  return record;
}

std::string random_id() {
  std::array<unsigned char, kIdDigits / 2> bytes = {};
  size_t filled = 0;
  while (filled < bytes.size()) {
    ssize_t n = getrandom(bytes.data() + filled, bytes.size() - filled, 0);
    if (n > 0) filled += static_cast<size_t>(n);
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (unsigned char byte : bytes) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

}  // namespace zoned
