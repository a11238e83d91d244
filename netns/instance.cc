#include "netns/instance.h"

#include "base/strings.h"

namespace netns {
namespace {

// FNV-1a, then the finalizer of splitmix64: names must stay the same over releases, so no
// std::hash.
uint64_t hash(std::string_view text, uint64_t seed = 0) {
  uint64_t h = 0xcbf29ce484222325ULL ^ seed;
  for (char c : text) {
    h ^= static_cast<uint8_t>(c);
    h *= 0x100000001b3ULL;
  }
  h ^= h >> 30;
  h *= 0xbf58476d1ce4e5b9ULL;
  h ^= h >> 27;
  h *= 0x94d049bb133111ebULL;
  return h ^ (h >> 31);
}

std::string digits(uint64_t value, size_t count) {
  constexpr std::string_view kDigits = "abcdefghijklmnopqrstuvwxyz234567";
  std::string text;
  for (size_t i = 0; i < count; ++i, value >>= 5) text += kDigits[value & 31];
  return text;
}

constexpr size_t kLetterPlace = 7;

std::string with_letter(std::string name, char letter) {
  if (name.size() > kLetterPlace) name[kLetterPlace] = letter;
  return name;
}

constexpr size_t kHashDigits = kMaxInterfaceName - 8;  // after "zabcdef" and the kind's letter

}  // namespace

Instance::Instance(std::string_view root) : root_(root), prefix_("z" + digits(hash(root), 6)) {}

std::string Instance::port_name(std::string_view zone, std::string_view port,
                                const std::function<bool(const std::string&)>& taken) const {
  std::string key = std::string(zone) + "/" + std::string(port);
  for (uint64_t attempt = 0;; ++attempt) {
    std::string name = port_prefix() + digits(hash(key, attempt), kHashDigits);
    if (!taken || !taken(name)) return name;
  }
}

uint16_t Instance::log_group() const {
  constexpr uint16_t kFirst = 1024;
  constexpr uint16_t kCount = 60000;
  return static_cast<uint16_t>(kFirst + hash(root_) % kCount);
}

std::string Instance::bridge_name(std::string_view network) const {
  return bridge_prefix() + digits(hash(network), kHashDigits);
}

std::string Instance::shaper_name(std::string_view network, char direction) const {
  return prefix_ + direction + digits(hash(network), kHashDigits);
}

bool Instance::is_shaper(std::string_view name) const {
  return name.starts_with(prefix_ + "r") || name.starts_with(prefix_ + "t");
}

Mac Instance::mac(std::string_view zone, std::string_view port, std::string_view end) const {
  uint64_t h = hash(root_ + "\n" + std::string(zone) + "/" + std::string(port), hash(end));
  Mac mac;
  for (size_t i = 0; i < mac.size(); ++i) mac[i] = static_cast<uint8_t>(h >> (8 * i));
  mac[0] = static_cast<uint8_t>((mac[0] & 0xfc) | 2);  // locally administered, unicast
  return mac;
}

std::string ifb_name(const std::string& host_name) { return with_letter(host_name, 'i'); }
std::string segment_name(const std::string& host_name) { return with_letter(host_name, 's'); }
std::string macvlan_name(const std::string& host_name) { return with_letter(host_name, 'm'); }

std::string port_of_helper(const std::string& name) {
  bool helper = name.size() > kLetterPlace &&
                std::string_view("ism").find(name[kLetterPlace]) != std::string_view::npos;
  return helper ? with_letter(name, 'p') : std::string();
}

uint32_t moved_index(const std::string& device) {
  constexpr uint32_t kFirst = 1U << 30;
  return kFirst | (static_cast<uint32_t>(hash(device)) & (kFirst - 1));
}

base::Status check_interface_name(std::string_view name) {
  auto refuse = [&](const std::string& why) {
    return base::make_error(base::Code::kInvalid, "interface name " + base::quoted(name) + why,
                            "1 to 15 letters, digits, '-', '_' and '.'");
  };
  if (name.empty()) return refuse(" is empty");
  if (name.size() > kMaxInterfaceName)
    return refuse(" is too long: " + std::to_string(name.size()) + " bytes, the kernel takes " +
                  std::to_string(kMaxInterfaceName));
  if (name == "." || name == "..") return refuse(" is not a name");
  for (char c : name) {
    bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                c == '-' || c == '_' || c == '.';
    if (!good) return refuse(" has a character that is not allowed");
  }
  return {};
}

}  // namespace netns
