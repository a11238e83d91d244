#include "tests/victims/courier/channel.h"

std::set<std::string> tokens_in(const std::string& bytes) {
  std::set<std::string> found;
  for (size_t at = bytes.find("tok"); at != std::string::npos; at = bytes.find("tok", at + 1)) {
    std::string token = bytes.substr(at, kTokenSize);
    if (token.size() == kTokenSize &&
        token.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") == std::string::npos)
      found.insert(token);
  }
  return found;
}
