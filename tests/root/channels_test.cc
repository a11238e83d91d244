// The channel matrix: zones of five labels, two of them incomparable, send random tokens by every channel
// that they know. What arrives must be what the policy says, and the table of it is docs/channels.md.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/root/channels/table.h"
#include "tests/root/channels/yard.h"

namespace channels {
namespace {

using harness::Sandbox;

constexpr const char* kDocument = "docs/channels.md";
constexpr const char* kBegin = "<!-- made by tests/root/channels_test.cc -->\n";

bool should_arrive(const Expected& channel, const Site& from, const Site& to) {
  const TestLabel& sender = test_labels()[from.label];
  const TestLabel& receiver = test_labels()[to.label];
  switch (from.guest ? channel.guest : channel.native) {
    case Reach::kNowhere:
      return false;
    case Reach::kSameZone:
      return &from == &to;
    case Reach::kReadDown:
      return &from == &to || (!to.guest && from.label != to.label && dominates(receiver, sender));
    case Reach::kEqual:
      return from.label == to.label;
  }
  return false;
}

std::string way(const Site& from, const Site& to) {
  if (&from == &to) return from.guest ? "within a guest" : "within a native zone";
  return std::string(from.guest ? "guest" : "native") + " to " + (to.guest ? "guest" : "native");
}

// One channel, every pair of zones.
void check_channel(const Expected& channel, const std::vector<Site>& sites,
                   std::vector<Row>* rows) {
  std::map<std::string, Cells> ways;
  for (const Site& from : sites)
    for (const Site& to : sites) {
      const std::string& token = from.tokens.at(channel.channel);
      auto heard = to.heard.find(channel.channel);
      bool arrived = heard != to.heard.end() && heard->second.contains(token);
      Cell& cell = ways[way(from, to)][{from.label, to.label}];
      ++cell.tried;
      cell.arrived += arrived ? 1 : 0;
      auto stuck = from.stuck.find(channel.channel);
      INFO(channel.channel << " from " << from.zone << " to " << to.zone
                           << (stuck == from.stuck.end() ? "" : ", stuck: " + stuck->second));
      CHECK(arrived == should_arrive(channel, from, to));
    }
  for (auto& [name, cells] : ways) rows->push_back({channel.channel, name, std::move(cells)});
}

// What a user with a clearance sees of a zone; each way must show the token to the zone's own label.
struct Look {
  const char* name;
  bool guests;
  bool natives;
  std::function<std::string(Yard&, size_t, const std::string&)> see;
};

void check_look(const Look& look, Yard& yard, std::vector<Row>* rows) {
  for (bool guests : {false, true}) {
    if (!(guests ? look.guests : look.natives)) continue;
    Cells cells;
    for (const Site& from : yard.sites()) {
      if (from.guest != guests) continue;
      for (size_t to = 0; to < test_labels().size(); ++to) {
        std::string seen = look.see(yard, to, from.zone);
        bool arrived = seen.find(from.log_token) != std::string::npos;
        Cell& cell = cells[{from.label, to}];
        ++cell.tried;
        cell.arrived += arrived ? 1 : 0;
        INFO(look.name << ": " << from.zone << " seen by clearance " << test_labels()[to].name
                       << "\n"
                       << seen);
        CHECK(arrived == dominates(test_labels()[to], test_labels()[from.label]));
      }
    }
    rows->push_back({look.name, guests ? "guest to user" : "native to user", std::move(cells)});
  }
}

void check_document(const std::string& table) {
  std::ifstream in(kDocument);
  std::stringstream text;
  text << in.rdbuf();
  std::string whole = text.str();
  size_t at = whole.find(kBegin);
  REQUIRE(at != std::string::npos);
  std::string now = whole.substr(0, at + std::string(kBegin).size()) + table;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(kDocument) << now;
  INFO("UPDATE_GOLDEN=1 writes " << kDocument << " anew");
  CHECK((std::getenv("UPDATE_GOLDEN") != nullptr || whole == now));
}

TEST_CASE("what zones of five labels send each other arrives where the policy says, nowhere else") {
  Yard yard;
  yard.run_couriers();
  std::vector<Row> rows;
  for (const Expected& channel : expected()) check_channel(channel, yard.sites(), &rows);
  const std::vector<Look> looks = {
      {"log", true, true,
       [](Yard& y, size_t to, const std::string& zone) {
         return y.as_user(to, {"logs", zone});
       }},
      {"screen", true, false,
       [](Yard& y, size_t to, const std::string& zone) { return y.screen_as(to, zone); }}};
  for (const Look& look : looks) check_look(look, yard, &rows);
  check_document(render(rows));
}

}  // namespace
}  // namespace channels
