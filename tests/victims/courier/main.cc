// courier SECONDS LANE LANES: sends tokens by every channel it knows, and listens on all of them at the
// same time. Reads lines "address ADDRESS" and "CHANNEL TOKEN" from standard input, then "listen" and "go".
// Prints "listening", "sent CHANNEL" or "stuck CHANNEL WHY" for each, "heard CHANNEL TOKEN" for what
// arrives, and "round N" whenever all channels were tried once more. A further line, or SECONDS, ends it;
// it prints "end".
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>

#include "tests/victims/courier/channel.h"

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

Channels all_channels(const Place& place) {
  Channels channels;
  add_file_channels(&channels, place);
  add_memory_channels(&channels, place);
  add_process_channels(&channels, place);
  add_socket_channels(&channels, place);
  return channels;
}

void print(const char* what, const char* channel, const std::string& rest) {
  std::printf("%s %s%s%s\n", what, channel, rest.empty() ? "" : " ", rest.c_str());
  std::fflush(stdout);
}

void hear(const Channels& channels, std::map<std::string, std::set<std::string>>* heard) {
  for (const auto& channel : channels)
    for (const std::string& token : channel->hear())
      if ((*heard)[channel->name()].insert(token).second) print("heard", channel->name(), token);
}

// Lines up to `last`, each two words, as pairs.
std::vector<std::pair<std::string, std::string>> read_pairs(const std::string& last) {
  std::vector<std::pair<std::string, std::string>> pairs;
  std::string first, second;
  while (std::cin >> first && first != last && std::cin >> second)
    pairs.emplace_back(first, second);
  return pairs;
}

// Whether another line has come.
bool told() {
  pollfd input = {0, POLLIN, 0};
  return poll(&input, 1, 0) > 0 && (input.revents & POLLIN) != 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2) return pause();  // a process with a token for an argument
  if (argc != 4) return 2;
  Place place{static_cast<size_t>(std::atoi(argv[2])), static_cast<size_t>(std::atoi(argv[3])), {}};
  std::map<std::string, std::string> tokens;
  for (const auto& [what, value] : read_pairs("listen")) {
    if (what == "address")
      place.addresses.push_back(value);
    else
      tokens[what] = value;
  }
  Channels channels = all_channels(place);
  for (const auto& channel : channels) channel->listen();
  std::puts("listening");
  std::fflush(stdout);
  read_pairs("go");
  auto end = Clock::now() + std::chrono::seconds(std::atoi(argv[1]));
  std::map<std::string, std::set<std::string>> heard;
  for (int round = 0; Clock::now() < end && !told(); ++round) {
    for (const auto& channel : channels) {
      auto own = tokens.find(channel->name());
      if (own == tokens.end()) continue;
      std::string why = channel->send(own->second);
      if (round == 0) print(why.empty() ? "sent" : "stuck", channel->name(), why);
    }
    hear(channels, &heard);
    print("round", std::to_string(round).c_str(), "");
    usleep(200'000);
  }
  hear(channels, &heard);
  std::puts("end");
  return 0;
}
