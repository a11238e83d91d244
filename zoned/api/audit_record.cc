#include "zoned/api/audit_record.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "base/sha256.h"
#include "base/strings.h"

namespace api {

using base::Code;
using base::make_error;

namespace {

constexpr size_t kTimeLength = 30;
constexpr std::string_view kFilePrefix = "audit.";
constexpr std::string_view kFileSuffix = ".log";

bool is_hash(std::string_view text) {
  return text.size() == kHashDigits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string time_text(int64_t time) {
  constexpr int64_t kNsPerSecond = 1000000000;
  time_t seconds = time / kNsPerSecond;
  tm parts = {};
  gmtime_r(&seconds, &parts);
  std::array<char, 80> text = {};
  size_t n = strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::array<char, 32> fraction = {};
  snprintf(fraction.data(), fraction.size(), ".%09ldZ", static_cast<long>(time % kNsPerSecond));
  return std::string(text.data(), n) + fraction.data();
}

// Takes `text` off the front of *line.
bool skip(std::string_view* line, std::string_view text) {
  if (!line->starts_with(text)) return false;
  line->remove_prefix(text.size());
  return true;
}

// What stands before the next quote.
std::string_view take_text(std::string_view* line) {
  size_t end = line->find('"');
  if (end == std::string_view::npos) return {};
  std::string_view text = line->substr(0, end);
  line->remove_prefix(end + 1);
  return text;
}

}  // namespace

base::Result<AuditHead> AuditHead::parse(std::string_view text) {
  size_t colon = text.find(':');
  if (colon != std::string_view::npos && is_hash(text.substr(colon + 1))) {
    auto seq = base::parse_uint(text.substr(0, colon), 0, INT64_MAX);
    if (seq) return AuditHead{*seq, std::string(text.substr(colon + 1))};
  }
  return make_error(Code::kInvalid, "head " + base::quoted(text, 100) + " is not NUMBER:HASH",
                    "the hash has 64 hexadecimal digits");
}

std::string audit_line(const AuditHead& before, int64_t time, std::string_view kind,
                       const nlohmann::ordered_json& members) {
  std::string line = "{\"seq\":" + std::to_string(before.seq + 1) + ",\"prev\":\"" + before.hash +
                     "\",\"time\":\"" + time_text(time) + "\",\"kind\":\"" + std::string(kind) +
                     "\"";
  std::string rest = members.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  if (members.empty()) return line + "}";
  return line + "," + rest.substr(1);
}

AuditHead head_after(const AuditHead& before, std::string_view line) {
  return {before.seq + 1, base::sha256_hex(line)};
}

std::optional<AuditPrefix> audit_prefix(std::string_view line) {
  if (!line.ends_with('}') || !skip(&line, "{\"seq\":")) return {};
  size_t comma = line.find(',');
  if (comma == std::string_view::npos) return {};
  auto seq = base::parse_uint(line.substr(0, comma), 1, INT64_MAX);
  if (!seq) return {};
  line.remove_prefix(comma);
  AuditPrefix prefix;
  prefix.seq = *seq;
  if (!skip(&line, ",\"prev\":\"")) return {};
  prefix.prev = take_text(&line);
  if (!is_hash(prefix.prev) || !skip(&line, ",\"time\":\"")) return {};
  prefix.time = take_text(&line);
  if (prefix.time.size() != kTimeLength || !skip(&line, ",\"kind\":\"")) return {};
  prefix.kind = take_text(&line);
  if (prefix.kind.empty()) return {};
  return prefix;
}

std::string audit_file_name(uint64_t number) {
  constexpr size_t kDigits = 6;
  std::string digits = std::to_string(number);
  if (digits.size() < kDigits) digits.insert(0, kDigits - digits.size(), '0');
  return std::string(kFilePrefix) + digits + std::string(kFileSuffix);
}

std::optional<uint64_t> audit_file_number(std::string_view name) {
  if (!name.starts_with(kFilePrefix) || !name.ends_with(kFileSuffix) ||
      name.size() <= kFilePrefix.size() + kFileSuffix.size())
    return {};
  name.remove_prefix(kFilePrefix.size());
  name.remove_suffix(kFileSuffix.size());
  auto number = base::parse_uint(name, 1, UINT32_MAX);
  if (!number) return {};
  return *number;
}

}  // namespace api
