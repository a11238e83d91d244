// What the test expects, written down apart from the daemon's own code: labels as numbers, and for each
// channel how far it reaches.
#pragma once

#include <string>
#include <vector>

namespace channels {

struct TestLabel {
  const char* name;    // as the encodings of the test say
  const char* letter;  // in the table
  unsigned level;
  unsigned words;  // bits
};
const std::vector<TestLabel>& test_labels();
bool dominates(const TestLabel& a, const TestLabel& b);
// The label_encodings file with these labels.
std::string encodings_text();

enum class Reach {
  kNowhere,   // the zone's walls stop it at its source
  kSameZone,  // an object of the zone's own
  kReadDown,  // to zones of strictly higher labels as well
  kEqual,     // to zones of the same label
};
struct Expected {
  const char* channel;
  Reach
      native;   // from a native zone, to native zones; to guests: kEqual reaches them, others don't
  Reach guest;  // from a guest
};
// Every channel of the courier.
const std::vector<Expected>& expected();

}  // namespace channels
