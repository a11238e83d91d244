#include "netns/dhcp6.h"

#include "base/strings.h"

namespace netns {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;

constexpr uint32_t kMaxMtu6 = 65535;

std::string big_endian(uint64_t value, size_t size) {
  std::string bytes;
  for (size_t i = size; i-- > 0;) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}
std::string u8(uint64_t value) { return big_endian(value, 1); }
std::string u16(uint64_t value) { return big_endian(value, 2); }
std::string u32(uint64_t value) { return big_endian(value, 4); }
std::string bytes_of(const Address& address) {
  return {reinterpret_cast<const char*>(address.data()), address.size()};
}

uint16_t read_u16(std::string_view bytes) {
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes[0]) << 8 |
                               static_cast<uint8_t>(bytes[1]));
}

// --- DHCPv6, RFC 8415 ----------------------------------------------------------------------------

enum Message : uint8_t {
  kSolicit = 1,
  kAdvertise = 2,
  kRequest = 3,
  kConfirm = 4,
  kRenew = 5,
  kRebind = 6,
  kReply = 7,
  kRelease = 8,
  kDecline = 9,
  kInformation = 11,
};

enum Option : uint16_t {
  kClientId = 1,
  kServerId = 2,
  kIaNa = 3,
  kIaTa = 4,
  kIaAddress = 5,
  kStatus = 13,
  kRapidCommit = 14,
  kNameServers = 23,
  kIaPd = 25,
};

enum StatusCode : uint16_t { kSuccess = 0, kNoAddresses = 2, kNotOnLink = 4, kNoPrefix = 6 };

constexpr size_t kMessageHead = 4;  // type, transaction
constexpr size_t kOptionHead = 4;   // code, length
constexpr size_t kMaxMessage = 1500;
constexpr size_t kMaxClientId = 130;  // RFC 8415, section 11.1: 128 bytes after its type
constexpr size_t kAddressSize = 16;
constexpr size_t kIaNaHead = 12;  // IAID, T1, T2
constexpr size_t kIaTaHead = 4;   // IAID
constexpr size_t kMaxIas = 4;     // of one message; more are not answered

std::string option(uint16_t code, const std::string& value) {
  return u16(code) + u16(value.size()) + value;
}

struct Options {
  struct One {
    uint16_t code;
    std::string_view value;
  };
  std::vector<One> all;

  // None: a length leads beyond the end.
  static std::optional<Options> parse(std::string_view bytes) {
    Options options;
    while (!bytes.empty()) {
      if (bytes.size() < kOptionHead) return std::nullopt;
      size_t size = read_u16(bytes.substr(2));
      if (bytes.size() - kOptionHead < size) return std::nullopt;
      options.all.push_back({read_u16(bytes), bytes.substr(kOptionHead, size)});
      bytes.remove_prefix(kOptionHead + size);
    }
    return options;
  }
  const One* find(uint16_t code) const {
    for (const One& one : all)
      if (one.code == code) return &one;
    return nullptr;
  }
};

class Answer {
 public:
  Answer(const Guidance& guidance, const Address& lease, std::string_view message)
      : guidance_(guidance), lease_(lease), message_(message) {}

  std::optional<std::string> make() {
    if (message_.size() < kMessageHead || message_.size() > kMaxMessage) return std::nullopt;
    auto options = Options::parse(message_.substr(kMessageHead));
    if (!options || !is_for_us(*options)) return std::nullopt;
    options_ = *std::move(options);
    std::string body;
    switch (type()) {
      case kConfirm: {
        auto same = confirms();
        if (!same) return std::nullopt;
        body = status(*same ? kSuccess : kNotOnLink);
        break;
      }
      case kRelease:
      case kDecline:
        body = status(kSuccess);  // the lease is the zone's for its life
        break;
      case kInformation:
        break;
      default:
        body = associations();
    }
    return head() + body + option(kNameServers, bytes_of(guidance_.dns));
  }

 private:
  uint8_t type() const { return static_cast<uint8_t>(message_[0]); }

  // DUID-UUID, RFC 6355: 16 bytes that no other server has.
  std::string server_id() const {
    constexpr uint16_t kUuid = 4;
    return u16(kUuid) + bytes_of(guidance_.dns);
  }

  // Section 16: which identifiers a message must have, and must not.
  bool is_for_us(const Options& options) const {
    const Options::One* client = options.find(kClientId);
    const Options::One* server = options.find(kServerId);
    bool ours = server != nullptr && server->value == server_id();
    bool named =
        client != nullptr && !client->value.empty() && client->value.size() <= kMaxClientId;
    switch (type()) {
      case kSolicit:
      case kConfirm:
      case kRebind:
        return named && server == nullptr;
      case kRequest:
      case kRenew:
      case kRelease:
      case kDecline:
        return named && ours;
      case kInformation:
        return (client == nullptr || named) && (server == nullptr || ours);
      default:
        return false;
    }
  }

  std::string head() const {
    bool rapid = options_.find(kRapidCommit) != nullptr;
    bool offer = type() == kSolicit && !rapid;
    std::string text = u8(offer ? kAdvertise : kReply);
    text += message_.substr(1, kMessageHead - 1);
    text += option(kServerId, server_id());
    if (const Options::One* client = options_.find(kClientId); client != nullptr)
      text += option(kClientId, std::string(client->value));
    if (type() == kSolicit && rapid) text += option(kRapidCommit, "");
    return text;
  }

  static std::string status(StatusCode code) { return option(kStatus, u16(code)); }

  std::string address(const std::string& bytes, std::chrono::seconds lifetime) const {
    auto seconds = static_cast<uint64_t>(lifetime.count());
    return option(kIaAddress, bytes + u32(seconds) + u32(seconds));
  }

  // The addresses that the client has, as it says in an association.
  static std::optional<std::vector<std::string_view>> addresses_in(std::string_view association) {
    auto options = Options::parse(association.substr(kIaNaHead));
    if (!options) return std::nullopt;
    std::vector<std::string_view> addresses;
    for (const Options::One& one : options->all)
      if (one.code == kIaAddress && one.value.size() >= kAddressSize)
        addresses.push_back(one.value.substr(0, kAddressSize));
    return addresses;
  }

  // None: nothing to confirm.
  std::optional<bool> confirms() const {
    std::optional<bool> same;
    for (const Options::One& one : options_.all) {
      if (one.code != kIaNa || one.value.size() < kIaNaHead) continue;
      auto addresses = addresses_in(one.value);
      if (!addresses) return std::nullopt;
      for (std::string_view has : *addresses) same = same.value_or(true) && has == bytes_of(lease_);
    }
    return same;
  }

  // The first association gets the lease; what else it says to have, it has no more.
  std::string leased(std::string_view association) const {
    auto half = static_cast<uint64_t>(kDhcp6Lifetime.count()) / 2;
    auto late = static_cast<uint64_t>(kDhcp6Lifetime.count()) * 4 / 5;
    std::string text(association.substr(0, kIaTaHead));
    text += u32(half) + u32(late) + address(bytes_of(lease_), kDhcp6Lifetime);
    if (type() == kSolicit || type() == kRequest) return option(kIaNa, text);
    size_t others = 0;
    if (auto addresses = addresses_in(association))
      for (std::string_view has : *addresses)
        if (has != bytes_of(lease_) && others++ < kMaxIas)
          text += address(std::string(has), std::chrono::seconds(0));
    return option(kIaNa, text);
  }

  std::string associations() const {
    std::string text;
    bool given = false;
    size_t count = 0;
    for (const Options::One& one : options_.all) {
      bool temporary = one.code == kIaTa;
      if (one.code != kIaNa && !temporary && one.code != kIaPd) continue;
      if (one.value.size() < (temporary ? kIaTaHead : kIaNaHead) || ++count > kMaxIas) continue;
      if (one.code == kIaNa && !std::exchange(given, true)) {
        text += leased(one.value);
        continue;
      }
      std::string none(one.value.substr(0, kIaTaHead));
      if (!temporary) none += u32(0) + u32(0);
      none += status(one.code == kIaPd ? kNoPrefix : kNoAddresses);
      text += option(one.code, none);
    }
    return text;
  }

  const Guidance& guidance_;
  const Address& lease_;
  std::string_view message_;
  Options options_;
};

// --- the file ------------------------------------------------------------------------------------

Result<Address> parse_v6(std::string_view text) {
  TRY_AS(Address address, Address::parse(text));
  if (address.is_v6()) return address;
  return make_error(Code::kInvalid, "address " + address.text() + " is not of IPv6");
}

Status read_line(std::string_view line, Guidance* guidance) {
  std::vector<std::string> words = base::split(line, ' ');
  const std::string& key = words[0];
  if (words.size() == 3 && key == "client") {
    TRY_AS(Address source, parse_v6(words[1]));
    TRY_AS(Address lease, parse_v6(words[2]));
    guidance->clients[source] = lease;
    return {};
  }
  if (words.size() == 1 && key == "router") {
    guidance->router = true;
    return {};
  }
  if (words.size() != 2) return make_error(Code::kInvalid, "no such key, or too many words");
  if (key == "dns") {
    TRY_AS(guidance->dns, parse_v6(words[1]));
  } else if (key == "mtu") {
    TRY_AS(uint64_t mtu, base::parse_uint(words[1], 0, kMaxMtu6));
    guidance->mtu = static_cast<uint32_t>(mtu);
  } else if (key == "on-link") {
    TRY_AS(Prefix prefix, Prefix::parse_network(words[1]));
    TRY(parse_v6(prefix.address.text()));
    guidance->on_link.push_back(prefix);
  } else {
    return make_error(Code::kInvalid, "no such key");
  }
  return {};
}

}  // namespace

std::string guidance_text(const Guidance& guidance) {
  std::string text;
  if (guidance.dns.valid()) text += "dns " + guidance.dns.text() + "\n";
  text += "mtu " + std::to_string(guidance.mtu) + "\n";
  if (guidance.router) text += "router\n";
  for (const Prefix& prefix : guidance.on_link) text += "on-link " + prefix.text() + "\n";
  for (const auto& [source, lease] : guidance.clients)
    text += "client " + source.text() + " " + lease.text() + "\n";
  return text;
}

Result<Guidance> parse_guidance(std::string_view text) {
  Guidance guidance;
  size_t number = 0;
  for (const std::string& line : base::split(text, '\n')) {
    ++number;
    if (line.empty()) continue;
    if (Status read = read_line(line, &guidance); !read)
      return std::move(read).error().context("line " + std::to_string(number) + ": " +
                                             base::quoted(line));
  }
  return guidance;
}

std::string router_advertisement(const Guidance& guidance) {
  constexpr uint8_t kAdvertisement = 134;
  constexpr uint8_t kHopLimit = 64;
  constexpr uint8_t kManaged = 0x80;  // addresses, and
  constexpr uint8_t kOther = 0x40;    // the rest, by DHCPv6
  auto lifetime = static_cast<uint64_t>(kRouterLifetime.count());
  std::string text = u8(kAdvertisement) + u8(0) + u16(0) + u8(kHopLimit) + u8(kManaged | kOther) +
                     u16(guidance.router ? lifetime : 0) + u32(0) + u32(0);
  // Options: type, and length in 8 bytes.
  text += u8(5) + u8(1) + u16(0) + u32(guidance.mtu);
  constexpr uint8_t kOnLink = 0x80;
  for (const Prefix& prefix : guidance.on_link)
    text += u8(3) + u8(4) + u8(prefix.length) + u8(kOnLink) + u32(lifetime) + u32(lifetime) +
            u32(0) + bytes_of(prefix.address);
  text += u8(25) + u8(3) + u16(0) + u32(lifetime) + bytes_of(guidance.dns);
  return text;
}

std::optional<std::string> dhcp6_answer(const Guidance& guidance, const Address& source,
                                        std::string_view message) {
  auto client = guidance.clients.find(source);
  if (client == guidance.clients.end() || !guidance.dns.valid()) return std::nullopt;
  return Answer(guidance, client->second, message).make();
}

}  // namespace netns
