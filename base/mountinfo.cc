#include "base/mountinfo.h"

#include "base/strings.h"

namespace base {
namespace {

// seq_escape() in the kernel writes a byte as a backslash and three octal digits.
Result<std::string> unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    bool good = text.size() - i > 3;
    for (size_t k = 1; good && k <= 3; ++k) {
      good = text[i + k] >= '0' && text[i + k] <= '7';
      value = value * 8 + static_cast<unsigned>(text[i + k] - '0');
    }
    if (!good || value == 0 || value > 255)
      return make_error(Code::kInvalid, quoted(text) + " has a broken escape");
    out += static_cast<char>(value);
    i += 3;
  }
  return out;
}

Result<uint32_t> number(std::string_view text) {
  TRY_AS(uint64_t value, parse_uint(text, 0, UINT32_MAX));
  return static_cast<uint32_t>(value);
}

Status parse_device(std::string_view text, Mount* mount) {
  size_t colon = text.find(':');
  if (colon == std::string_view::npos)
    return make_error(Code::kInvalid, quoted(text) + " is not a device number");
  TRY_AS(mount->device_major, number(text.substr(0, colon)));
  TRY_AS(mount->device_minor, number(text.substr(colon + 1)));
  return {};
}

Result<Mount> parse_line(std::string_view line) {
  constexpr size_t kBefore = 6;  // fields before the optional ones
  constexpr size_t kBehind = 3;  // fields behind "-"
  std::vector<std::string> fields = split(line, ' ');
  size_t dash = kBefore;
  while (dash < fields.size() && fields[dash] != "-") ++dash;
  if (dash >= fields.size() || fields.size() != dash + 1 + kBehind)
    return make_error(Code::kInvalid, "wrong number of fields");
  Mount mount;
  TRY_AS(mount.id, number(fields[0]));
  TRY_AS(mount.parent, number(fields[1]));
  TRY(parse_device(fields[2], &mount));
  TRY_AS(mount.root, unescape(fields[3]));
  TRY_AS(mount.target, unescape(fields[4]));
  mount.options = fields[5];
  for (size_t i = kBefore; i < dash; ++i) {
    if (fields[i].empty()) return make_error(Code::kInvalid, "empty field");
    mount.optional.push_back(fields[i]);
  }
  mount.type = fields[dash + 1];
  TRY_AS(mount.source, unescape(fields[dash + 2]));
  mount.super_options = fields[dash + 3];
  // A source may be empty (mount(2) takes ""), all else has a value.
  if (mount.root.empty() || mount.target.empty() || mount.options.empty() || mount.type.empty())
    return make_error(Code::kInvalid, "empty field");
  return mount;
}

}  // namespace

Result<std::vector<Mount>> parse_mountinfo(std::string_view text) {
  std::vector<Mount> mounts;
  size_t line_number = 0;
  while (!text.empty()) {
    ++line_number;
    size_t end = text.find('\n');
    if (end == std::string_view::npos)
      return make_error(Code::kInvalid,
                        "mountinfo line " + std::to_string(line_number) + ": no end of line");
    auto mount = parse_line(text.substr(0, end));
    if (!mount)
      return std::move(mount).error().context("mountinfo line " + std::to_string(line_number));
    mounts.push_back(*std::move(mount));
    text.remove_prefix(end + 1);
  }
  return mounts;
}

bool has_option(std::string_view options, std::string_view word) {
  for (const std::string& option : split(options, ','))
    if (option == word) return true;
  return false;
}

}  // namespace base
