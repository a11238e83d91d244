// DHCPv6 of guests: the first byte is the message's type, what follows is theirs too.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "netns/dhcp6.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kMost = 1400;
  netns::Guidance guidance;
  guidance.dns = *netns::Address::parse("fd00::53");
  netns::Address client = *netns::Address::parse("fd00::7");
  guidance.clients[client] = client;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto answer = netns::dhcp6_answer(guidance, client, text);
  if (answer && answer->size() > kMost) abort();
  static_cast<void>(netns::parse_guidance(text));
  return 0;
}
