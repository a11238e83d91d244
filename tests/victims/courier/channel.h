// What a courier knows: ways to send a token and ways to find one that somebody else sent.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

// Tokens are 64 characters: "tok" and 61 of a-z and 2-7.
inline constexpr size_t kTokenSize = 64;
// Every token in `bytes`.
std::set<std::string> tokens_in(const std::string& bytes);

// Where this courier is among the others.
struct Place {
  size_t lane = 0;  // its number: where bits of several would mix, each has a lane
  size_t lanes = 1;
  std::vector<std::string> addresses;  // IPv4 and IPv6 of all zones, our own included
};

class Channel {
 public:
  virtual ~Channel() = default;
  virtual const char* name() const = 0;
  // Opens what is listened on. Failing is no error: then nothing is heard.
  virtual void listen() {}
  // What has arrived since; called again and again for some seconds.
  virtual std::set<std::string> hear() = 0;
  // Puts the token on the way. "" or why not: the last error's name. Called once a round.
  virtual std::string send(const std::string& token) = 0;
};

using Channels = std::vector<std::unique_ptr<Channel>>;
void add_file_channels(Channels* channels, const Place& place);     // files.cc
void add_memory_channels(Channels* channels, const Place& place);   // memory.cc
void add_process_channels(Channels* channels, const Place& place);  // processes.cc
void add_socket_channels(Channels* channels, const Place& place);   // sockets.cc
