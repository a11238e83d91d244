#include "netns/dhcp6.h"

#include <catch2/catch.hpp>

namespace {

using netns::Address;
using netns::Guidance;
using netns::Prefix;
using Bytes = std::string;

Address at(const char* text) { return *Address::parse(text); }

Bytes bytes(const Address& address) {
  return {reinterpret_cast<const char*>(address.data()), address.size()};
}

Bytes u16(size_t value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)}; }

Bytes option(uint16_t code, const Bytes& value) { return u16(code) + u16(value.size()) + value; }

Guidance guidance() {
  Guidance result;
  result.dns = at("fd00:1::53");
  result.mtu = 1400;
  result.router = true;
  result.clients = {{at("fd00:1::7"), at("fd00:1::7")}, {at("fe80::9"), at("fd00:1::9")}};
  return result;
}

const Address kClient = at("fd00:1::7");
const Bytes kTransaction = "abc";
const Bytes kClientId = option(1, Bytes("\0\3client", 8));
const Bytes kServerId = option(2, Bytes("\0\4", 2) + bytes(at("fd00:1::53")));
const Bytes kTimes(8, '\0');

Bytes message(char type, const Bytes& options) { return type + kTransaction + options; }
// IA_NA with the addresses that the client has.
Bytes association(const std::vector<Address>& addresses = {}, const Bytes& id = "iaid") {
  Bytes inner;
  for (const Address& address : addresses) inner += option(5, bytes(address) + kTimes);
  return option(3, id + kTimes + inner);
}

// A lease of an hour, asked for again after half of it.
Bytes leased(const Address& address, const Bytes& more = {}) {
  const Bytes hour("\0\0\x0e\x10", 4);
  return option(3, Bytes("iaid") + Bytes("\0\0\x07\x08\0\0\x0b\x40", 8) +
                       option(5, bytes(address) + hour + hour) + more);
}

Bytes answer_with(char type, const Bytes& body) {
  return message(type, kServerId + kClientId + body + option(23, bytes(at("fd00:1::53"))));
}

std::optional<Bytes> answer(const Bytes& asked, const Address& source = kClient) {
  return netns::dhcp6_answer(guidance(), source, asked);
}

constexpr char kSolicit = 1;
constexpr char kAdvertise = 2;
constexpr char kRequest = 3;
constexpr char kConfirm = 4;
constexpr char kRenew = 5;
constexpr char kRebind = 6;
constexpr char kReply = 7;
constexpr char kRelease = 8;
constexpr char kDecline = 9;
constexpr char kInformation = 11;

}  // namespace

TEST_CASE("what guests are told of IPv6 has one text, and others are refused with the line") {
  Guidance all = guidance();
  all.on_link = {*Prefix::parse("fd00:1::/64"), *Prefix::parse("fd00:2::/56")};
  CHECK(*netns::parse_guidance(netns::guidance_text(all)) == all);
  CHECK(*netns::parse_guidance(netns::guidance_text({})) == Guidance{});
  for (const char* text : {"dns", "dns 10.0.0.1", "mtu x", "mtu 65536", "router 1",
                           "client fd00::1", "client fd00::1 10.0.0.1", "on-link fd00::1/64",
                           "on-link 10.0.0.0/8", "other 1", "dns fd00::1 fd00::2"}) {
    INFO(text);
    auto refused = netns::parse_guidance("mtu 1500\n" + Bytes(text) + "\n");
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().message.starts_with("line 2: '" + Bytes(text) + "': "));
  }
}

TEST_CASE("a router advertisement sends clients to DHCPv6, with MTU, name server and segments") {
  Guidance told = guidance();
  const Bytes lifetime("\0\0\x23\x28", 4);  // 9000 s
  const Bytes dns = Bytes("\x19\x03\0\0", 4) + lifetime + bytes(told.dns);
  const Bytes mtu("\x05\x01\0\0\0\0\x05\x78", 8);
  CHECK(netns::router_advertisement(told) ==
        Bytes("\x86\0\0\0\x40\xc0\x23\x28\0\0\0\0\0\0\0\0", 16) + mtu + dns);
  told.router = false;
  told.on_link = {*Prefix::parse("fd00:1::/64")};
  CHECK(netns::router_advertisement(told) ==
        Bytes("\x86\0\0\0\x40\xc0\0\0\0\0\0\0\0\0\0\0", 16) + mtu + Bytes("\x03\x04\x40\x80", 4) +
            lifetime + lifetime + Bytes(4, '\0') + bytes(at("fd00:1::")) + dns);
}

TEST_CASE("a client is offered and given what it leased, whatever it says to be") {
  CHECK(answer(message(kSolicit, kClientId + association())) ==
        answer_with(kAdvertise, leased(kClient)));
  CHECK(answer(message(kRequest, kClientId + kServerId + association())) ==
        answer_with(kReply, leased(kClient)));
  CHECK(answer(message(kSolicit, kClientId + association()), at("fe80::9")) ==
        answer_with(kAdvertise, leased(at("fd00:1::9"))));
  CHECK(answer(message(kSolicit, kClientId + association({at("fd00:1::9")}))) ==
        answer_with(kAdvertise, leased(kClient)));
  const Bytes rapid = option(14, "");
  CHECK(answer(message(kSolicit, kClientId + rapid + association())) ==
        message(kReply, kServerId + kClientId + rapid + leased(kClient) +
                            option(23, bytes(at("fd00:1::53")))));
}

TEST_CASE("what a client has and never leased ends with its renewal") {
  const Address other = at("fd00:9::9");
  const Bytes ended = option(5, bytes(other) + kTimes);
  CHECK(answer(message(kRenew, kClientId + kServerId + association({kClient, other}))) ==
        answer_with(kReply, leased(kClient, ended)));
  CHECK(answer(message(kRebind, kClientId + association({kClient}))) ==
        answer_with(kReply, leased(kClient)));
  const Bytes success = option(13, u16(0));
  const Bytes not_on_link = option(13, u16(4));
  CHECK(answer(message(kConfirm, kClientId + association({kClient}))) ==
        answer_with(kReply, success));
  CHECK(answer(message(kConfirm, kClientId + association({kClient, other}))) ==
        answer_with(kReply, not_on_link));
  CHECK_FALSE(answer(message(kConfirm, kClientId + association())));
  for (char type : {kRelease, kDecline})
    CHECK(answer(message(type, kClientId + kServerId + association({kClient}))) ==
          answer_with(kReply, success));
  CHECK(answer(message(kInformation, kClientId)) == answer_with(kReply, ""));
  CHECK(answer(message(kInformation, "")) ==
        message(kReply, kServerId + option(23, bytes(at("fd00:1::53")))));
}

TEST_CASE("further associations, temporary addresses and prefixes get none") {
  const Bytes none = option(13, u16(2));
  const Bytes temporary = option(4, "temp");
  const Bytes prefix = option(25, "pref" + kTimes);
  Bytes second = association({}, "more");
  CHECK(answer(message(kSolicit, kClientId + association() + second + temporary + prefix)) ==
        answer_with(kAdvertise, leased(kClient) + option(3, "more" + kTimes + none) +
                                    option(4, "temp" + none) +
                                    option(25, "pref" + kTimes + option(13, u16(6)))));
  Bytes many = kClientId;
  for (int i = 0; i < 60; ++i) many += association();
  CHECK(answer(message(kSolicit, many))->size() < 400);
}

TEST_CASE("messages that are broken, nobody's or another server's are not answered") {
  const Bytes good = message(kSolicit, kClientId + association());
  REQUIRE(answer(good));
  CHECK_FALSE(answer(good, at("fd00:1::8")));
  Guidance off = guidance();
  off.dns = {};
  CHECK_FALSE(netns::dhcp6_answer(off, kClient, good));
  for (size_t size = 0; size < good.size(); ++size) {
    auto cut = answer(good.substr(0, size));
    // A whole option may be missing at the end.
    CHECK((!cut || size == kTransaction.size() + 1 + kClientId.size()));
  }
  const Bytes stranger = option(2, Bytes("\0\4", 2) + bytes(at("fd00:1::54")));
  for (const Bytes& bad :
       {message(kSolicit, association()), message(kSolicit, kClientId + kServerId + association()),
        message(kRequest, kClientId + association()), message(kRequest, kServerId + association()),
        message(kRequest, kClientId + stranger + association()),
        message(kRebind, kClientId + kServerId + association()),
        message(kInformation, kClientId + stranger), message(kReply, kClientId + kServerId),
        message(12, kClientId), message(0, kClientId), message(kSolicit, option(1, "")),
        message(kSolicit, option(1, Bytes(131, 'x'))), good + Bytes(1500, '\0')})
    CHECK_FALSE(answer(bad));
  // An association too short to be one is left out.
  CHECK(answer(message(kSolicit, kClientId + option(3, "iaid"))) == answer_with(kAdvertise, ""));
  CHECK_FALSE(answer(message(kConfirm, kClientId + option(3, "iaid" + kTimes + Bytes(1, '\0')))));
}
