// Command lines as data: a verb says which options it takes, parse() turns words into Arguments.
#pragma once

#include <climits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cli {

struct Option {
  std::string_view name;   // "from": --from
  char letter = 0;         // 'f': -f; 0: none
  std::string_view value;  // "FILE"; empty: a flag
  std::string_view help;
};

// What a command line may hold.
struct Grammar {
  static constexpr size_t kNone = UINT_MAX;  // no limit
  std::span<const Option> options;
  size_t min_words = 0;
  size_t max_words = kNone;
  // After this many words everything is a command of the zone's, taken as it is; "--" starts it
  // earlier. kNone: "--" ends the options.
  size_t command_after = kNone;
};

class Arguments {
 public:
  std::vector<std::string> words;
  std::vector<std::string> command;

  bool has(std::string_view option) const;
  // The last one given.
  std::string value(std::string_view option, std::string_view fallback = {}) const;
  std::vector<std::string> values(std::string_view option) const;
  void set(std::string_view option, std::string value);

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> options_;
};

// kInvalid, with the nearest option as a hint. -xVALUE, -x VALUE, --name=VALUE, --name VALUE and
// bundled flags are understood; "-" is a word.
base::Result<Arguments> parse(const Grammar& grammar, std::span<const std::string> words);

}  // namespace cli
