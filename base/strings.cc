#include "base/strings.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace base {
namespace {

constexpr uint64_t kMaxSize = (uint64_t{1} << 63) - 1;

Result<double> parse_decimal(std::string_view text) {
  double value = 0;
  bool digits = !text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos;
  auto [end, ec] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (!digits || ec != std::errc() || end != text.data() + text.size())
    return make_error(Code::kInvalid, quoted(text) + " is not a number");
  return value;
}

}  // namespace

Result<uint64_t> parse_uint(std::string_view text, uint64_t min, uint64_t max) {
  uint64_t value = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  bool whole = !text.empty() && end == text.data() + text.size() && text[0] != '-';
  if (ec == std::errc::result_out_of_range ||
      (ec == std::errc() && whole && (value < min || value > max)))
    return make_error(Code::kInvalid, quoted(text) + " is out of range " + std::to_string(min) +
                                          ".." + std::to_string(max));
  if (ec != std::errc() || !whole)
    return make_error(Code::kInvalid, quoted(text) + " is not a whole number");
  return value;
}

Result<uint64_t> parse_size(std::string_view text) {
  std::string_view number = text;
  uint64_t unit = 1;
  if (!text.empty()) {
    switch (text.back()) {
      case 'K':
        unit = uint64_t{1} << 10;
        break;
      case 'M':
        unit = uint64_t{1} << 20;
        break;
      case 'G':
        unit = uint64_t{1} << 30;
        break;
      case 'T':
        unit = uint64_t{1} << 40;
        break;
      default:
        break;
    }
    if (unit != 1) number.remove_suffix(1);
  }
  auto value = parse_decimal(number);
  if (!value)
    return make_error(Code::kInvalid, quoted(text) + " is not a size",
                      "write a number with K, M, G or T, such as 512M");
  double bytes = *value * static_cast<double>(unit);
  if (bytes >= static_cast<double>(kMaxSize))
    return make_error(Code::kInvalid, quoted(text) + " is too large");
  return static_cast<uint64_t>(std::llround(bytes));
}

std::string format_size(uint64_t bytes) {
  constexpr std::string_view kUnits = "KMGT";
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  if (unit == 0) return std::to_string(bytes);
  char text[32];
  int decimals = value < 10 && value != std::floor(value) ? 1 : 0;
  std::snprintf(text, sizeof text, "%.*f%c", decimals, value, kUnits[unit - 1]);
  return text;
}

Result<uint64_t> parse_duration_ms(std::string_view text) {
  struct Unit {
    std::string_view suffix;
    double ms;
  };
  // "ms" must be tried before "m" and "s".
  constexpr Unit kUnits[] = {{"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}};
  std::string_view number = text;
  double scale = 1e3;
  for (const Unit& unit : kUnits) {
    if (!text.ends_with(unit.suffix)) continue;
    number.remove_suffix(unit.suffix.size());
    scale = unit.ms;
    break;
  }
  auto value = parse_decimal(number);
  if (!value || *value * scale > 1e15)
    return make_error(Code::kInvalid, quoted(text) + " is not a duration",
                      "write a number with ms, s, m or h, such as 10s");
  return static_cast<uint64_t>(std::llround(*value * scale));
}

Result<std::vector<unsigned>> parse_cpu_list(std::string_view text) {
  constexpr uint64_t kMaxCpu = 8191;
  std::vector<unsigned> cpus;
  for (const std::string& part : split(text, ',')) {
    size_t dash = part.find('-');
    auto first = parse_uint(std::string_view(part).substr(0, dash), 0, kMaxCpu);
    auto last = dash == std::string::npos
                    ? first
                    : parse_uint(std::string_view(part).substr(dash + 1), 0, kMaxCpu);
    if (!first || !last || *first > *last)
      return make_error(Code::kInvalid, quoted(text) + " is not a CPU list",
                        "write CPUs as in 0-3,8");
    for (uint64_t cpu = *first; cpu <= *last; ++cpu) cpus.push_back(static_cast<unsigned>(cpu));
  }
  std::sort(cpus.begin(), cpus.end());
  cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
  return cpus;
}

std::string format_cpu_list(const std::vector<unsigned>& cpus) {
  std::string out;
  for (size_t i = 0; i < cpus.size();) {
    size_t j = i;
    while (j + 1 < cpus.size() && cpus[j + 1] == cpus[j] + 1) ++j;
    if (!out.empty()) out += ',';
    out += std::to_string(cpus[i]);
    if (j > i) out += '-' + std::to_string(cpus[j]);
    i = j + 1;
  }
  return out;
}

Status check_name(std::string_view kind, std::string_view name) {
  auto ok_first = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  bool good =
      !name.empty() && name.size() <= 63 && ok_first(name[0]) &&
      std::all_of(name.begin(), name.end(), [&](char c) { return ok_first(c) || c == '-'; });
  if (good) return {};
  return make_error(Code::kInvalid, quoted(name) + " is not a " + std::string(kind) + " name",
                    "use 1 to 63 of a-z, 0-9 and '-', not starting with '-'");
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t limit = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    std::vector<size_t> row(candidate.size() + 1);
    for (size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= word.size(); ++i) {
      size_t diagonal = std::exchange(row[0], i);
      for (size_t j = 1; j < row.size(); ++j) {
        size_t substitute = diagonal + (word[i - 1] == candidate[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
      }
    }
    if (row.back() < limit) {
      limit = row.back();
      best = candidate;
    }
  }
  return best;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  size_t start = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] != separator) continue;
    parts.emplace_back(text.substr(start, i - start));
    start = i + 1;
  }
  return parts;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += separator;
    out += parts[i];
  }
  return out;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string quoted(std::string_view text, size_t max) {
  std::string out = "'";
  size_t end = std::min(max, text.size());
  // Not inside a character: what is cut must stay UTF-8.
  auto continues = [&](size_t i) { return (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80; };
  while (end > 0 && end < text.size() && continues(end)) --end;
  bool utf8 = is_plain_utf8(text.substr(0, end));
  for (char c : text.substr(0, end)) {
    unsigned char byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8)) {
      char hex[8];
      std::snprintf(hex, sizeof hex, "\\x%02x", byte);
      out += hex;
    } else {
      if (c == '\'' || c == '\\') out += '\\';
      out += c;
    }
  }
  if (end < text.size()) out += "...";
  return out + "'";
}

bool is_clean_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    auto byte = [&](size_t k) { return static_cast<unsigned char>(text[k]); };
    unsigned char lead = byte(i);
    size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead == 0 || (lead >= 0x80 && lead < 0xc2) || lead > 0xf4) return false;
    if (i + length > text.size()) return false;
    for (size_t k = 1; k < length; ++k)
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    if ((lead == 0xe0 && byte(i + 1) < 0xa0) || (lead == 0xed && byte(i + 1) > 0x9f) ||
        (lead == 0xf0 && byte(i + 1) < 0x90) || (lead == 0xf4 && byte(i + 1) > 0x8f))
      return false;
    i += length;
  }
  return true;
}

bool is_plain_utf8(std::string_view text) {
  if (!is_clean_utf8(text)) return false;
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    auto byte = [&](size_t k) { return static_cast<unsigned char>(text[k]); };
    if (byte(i) == 0xc2 && byte(i + 1) < 0xa0) return false;
    if (byte(i) < 0xe2) continue;
    std::string_view character = text.substr(i, 3);
    if (character == "\xef\xbb\xbf") return false;
    bool general = character.starts_with("\xe2\x80") || character.starts_with("\xe2\x81");
    if (!general) continue;
    unsigned last = byte(i + 2) + (byte(i + 1) == 0x81 ? 0x40U : 0U) - 0x80U;  // of U+2000
    if ((last >= 0x0b && last <= 0x0f) || (last >= 0x28 && last <= 0x2e) ||
        (last >= 0x60 && last <= 0x69))
      return false;
  }
  return true;
}

}  // namespace base
