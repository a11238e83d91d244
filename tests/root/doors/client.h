// Calls of the API as some user of the host, byte by byte.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/harness/sandbox.h"

namespace doors {

// Users of every Debian, by name.
uid_t uid_of(const std::string& user);

struct Ask {
  nlohmann::json parameters = nlohmann::json::object();
  std::vector<std::string> files;  // opened read-only and sent along ("/dev/null": a pipe's end)
  bool more = false;
};

// method: of io.zoned, or with its interface. What a child that has become `user` gets back: every message up to the final one, each with its NUL.
// A stream ends when nothing has come for this long. Fails the test when there is no answer to a call
// that is no stream.
inline constexpr std::chrono::milliseconds kQuiet{300};
std::string answer(const harness::Sandbox& box, const std::string& user, const std::string& method,
                   const Ask& ask);

// Lets other users reach the socket.
void open_to_others(const harness::Sandbox& box);

}  // namespace doors
