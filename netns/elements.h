// What ports put into the packet filter's sets and maps, as the kernel has it and as nft(8) writes
// it. Pure. For ruleset.cc and nft_elements.cc only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "netns/port.h"
#include "netns/ruleset.h"

namespace netns {

// A value. bytes: network byte order, an interface name filled up with zeros to IFNAMSIZ. last: of an
// interval, its highest value; else as bytes.
struct Field {
  std::string bytes;
  std::string last;
  std::string text;
  bool operator==(const Field&) const = default;
};
using Fields = std::vector<Field>;

struct Verdict {
  bool jump = false;  // else goto
  std::string chain;
  bool operator==(const Verdict&) const = default;
};

// The element matches what is above so many packets a second.
struct Limit {
  uint64_t packets = 0;
  uint64_t burst = 0;
  bool operator==(const Limit&) const = default;
};

// none: of a set. Fields, Verdict: of a map.
using Data = std::variant<std::monostate, Fields, Verdict, Limit>;

struct Element {
  Fields key;
  Data data;
  bool operator==(const Element&) const = default;
};

struct SetName {
  std::string family;  // "inet", "arp", "bridge"
  std::string set;
  auto operator<=>(const SetName&) const = default;
};

// By set, then by the text of the key.
using Elements = std::map<SetName, std::map<std::string, Element>>;

Elements elements_of(const std::vector<PortPlan>& ports, const LabelTable& labels);
// Entries of `a` that `b` lacks or has with other data.
Elements difference(const Elements& a, const Elements& b);

// "\"zq1\" . 10.1.0.2"
std::string text_of(const Fields& fields);
// What follows the key when the element is added: " : goto from_port", " limit rate over ...".
std::string text_of(const Data& data);
// Fields of a concatenation start at multiples of four bytes.
std::string bytes_of(const Fields& fields);
std::string last_bytes_of(const Fields& fields);
bool is_interval(const Fields& fields);

}  // namespace netns
