#include "zoned/core/spec_checks.h"

#include <algorithm>
#include <string>

#include "base/strings.h"
#include "netns/firewall.h"
#include "netns/instance.h"
#include "zoned/core/config_document.h"
#include "zoned/core/spec.h"

namespace core {
namespace {

constexpr size_t kMaxPath = 4095;
constexpr size_t kMaxComponent = 255;
constexpr size_t kMaxUser = 32;
constexpr size_t kMaxEnvName = 255;

base::Error invalid(std::string_view text, std::string_view what, std::string_view hint = {}) {
  return base::make_error(base::Code::kInvalid, quote(text) + " " + std::string(what),
                          std::string(hint));
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The text consists of letters, digits and `others`.
bool consists_of(std::string_view text, std::string_view others) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_letter(c) || is_digit(c) || others.find(c) != std::string_view::npos;
  });
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace

base::Status check_path(std::string_view text) {
  constexpr std::string_view kHint = "write an absolute path without '.', '..' and '//'";
  if (has_control(text)) return invalid(text, "holds a control character");
  if (!text.starts_with('/')) return invalid(text, "is not an absolute path", kHint);
  if (text.size() > kMaxPath) return invalid(text, "is too long for a path");
  if (text == "/") return {};
  for (const std::string& part : base::split(text.substr(1), '/')) {
    if (part.empty()) return invalid(text, "has an empty component", kHint);
    if (part == "." || part == "..") return invalid(text, "has the component " + part, kHint);
    if (part.size() > kMaxComponent) return invalid(text, "has a component over 255 bytes");
  }
  return {};
}

base::Status check_inner_path(std::string_view text) {
  if (text == "/") return invalid(text, "is the root itself", "name a folder below it");
  return check_path(text);
}

base::Status check_display(std::string_view text) {
  return text.empty() ? base::Status() : check_inner_path(text);
}

base::Status check_line(std::string_view text) {
  if (has_control(text)) return invalid(text, "holds a control character");
  return {};
}

base::Status check_hostname(std::string_view text) {
  if (text.empty()) return {};
  bool good = consists_of(text, "-.");
  for (const std::string& part : base::split(text, '.'))
    good = good && !part.empty() && part.size() <= 63 && part.front() != '-' && part.back() != '-';
  if (good) return {};
  return invalid(text, "is not a host name", "use letters, digits and '-', with '.' between parts");
}

base::Status check_user(std::string_view text) {
  bool good = !text.empty() && text.size() <= kMaxUser && consists_of(text, "._-") &&
              text.front() != '-' && text.front() != '.' &&
              !std::all_of(text.begin(), text.end(), is_digit);
  if (good) return {};
  return invalid(text, "is not a user name");
}

base::Status check_zone_user(std::string_view text) {
  if (text.empty()) return {};
  if (!std::all_of(text.begin(), text.end(), is_digit)) return check_user(text);
  if (base::parse_uint(text, 0, 65535).ok()) return {};
  return invalid(text, "is out of range 0..65535");
}

base::Status check_cpu_list(std::string_view text) {
  TRY(base::parse_cpu_list(text));
  return {};
}

base::Status check_pool_name(std::string_view text) { return base::check_name("pool", text); }

base::Status check_network_name(std::string_view text) { return base::check_name("network", text); }

base::Status check_interface(std::string_view text) {
  return text.empty() ? base::Status() : netns::check_interface_name(text);
}

base::Status check_mac(std::string_view text) {
  if (!text.empty()) TRY(netns::parse_mac(text));
  return {};
}

base::Status check_addresses(std::string_view text) {
  if (text.empty()) return {};
  for (const std::string& address : base::split(text, ',')) TRY(netns::Prefix::parse(address));
  return {};
}

base::Status check_prefix(std::string_view text) {
  TRY(netns::Prefix::parse(text));
  return {};
}

base::Status check_multilevel(std::string_view text) {
  TRY(netns::parse_multilevel(text));
  return {};
}

base::Status check_publish(std::string_view text) {
  TRY(netns::parse_publish(text));
  return {};
}

base::Status check_ports(std::string_view text) {
  if (!text.empty()) TRY(netns::parse_ports(text));
  return {};
}

base::Status check_machine(std::string_view text) {
  if (text.empty() || text == "pc" || text == "q35") return {};
  for (std::string_view family : {"pc-i440fx-", "pc-q35-"}) {
    if (!text.starts_with(family)) continue;
    std::vector<std::string> version = base::split(text.substr(family.size()), '.');
    bool good = version.size() == 2 || version.size() == 3;
    for (const std::string& part : version) good = good && base::parse_uint(part, 0, 99).ok();
    if (good) return {};
  }
  return invalid(text, "is not a machine type",
                 "use pc, q35, or one with its version, such as pc-q35-7.2");
}

base::Status check_cpu_model(std::string_view text) {
  if (text.empty()) return {};
  bool good = consists_of(text, "._+=,-") && consists_of(text.substr(0, 1), "") && text != "help";
  if (good) return {};
  return invalid(text, "is not a processor model",
                 "such as Nehalem, or with features: Nehalem,-aes,+vmx");
}

base::Status check_disk_path(std::string_view text) {
  if (text.empty()) return {};
  if (text.starts_with('/')) return check_inner_path(text);
  bool good = text.find('/') == std::string_view::npos && text != "." && text != ".." &&
              text.size() <= kMaxComponent && !has_control(text);
  if (good) return {};
  return invalid(text, "is neither an absolute path nor the name of a file",
                 "write an absolute path, or the name of a file in the zone's disk folder");
}

base::Status check_serial(std::string_view text) {
  if (consists_of(text, "-_.")) return {};
  return invalid(text, "is not a serial number", "use letters, digits, '-', '_' and '.'");
}

base::Status check_env_name(std::string_view text) {
  bool good = !text.empty() && text.size() <= kMaxEnvName && consists_of(text, "_") &&
              !is_digit(text.front());
  if (good) return {};
  return invalid(text, "is not a variable's name",
                 "use letters, digits and '_', not starting with a digit");
}

std::string port_name(const ZoneSpec& spec, size_t index) {
  const std::string& name = spec.net[index].name;
  return name.empty() ? "net" + std::to_string(index) : name;
}

}  // namespace core
