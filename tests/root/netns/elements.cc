// A change of ports by netlink beside the same change as nft(8) text: the kernel must not see a
// difference.
#include <algorithm>
#include <catch2/catch.hpp>
#include <sstream>

#include "base/strings.h"
#include "tests/root/netns/labels.h"
#include "tests/root/netns/world.h"

namespace {

using netns::Address;
using netns::PortPlan;
using netns::PortRequest;

// The instance's tables as nft lists them, without counters; elements sorted, since the kernel tells
// them in the order of their hashes.
std::string listed(const World& world) {
  std::string text;
  for (const char* family : {"inet", "arp", "bridge"}) {
    std::string command =
        std::string("nft -s list table ") + family + " " + world.instance().table() + " 2>&1";
    FILE* pipe = popen(command.c_str(), "re");
    REQUIRE(pipe != nullptr);
    char part[4096];
    while (size_t size = fread(part, 1, sizeof part, pipe)) text.append(part, size);
    pclose(pipe);
  }
  std::replace(text.begin(), text.end(), '\n', ' ');
  for (const char* border : {"\tset ", "\tmap ", "\tchain "})
    for (size_t i = text.find(border); i != std::string::npos; i = text.find(border, i + 2))
      text[i] = '\n';
  std::string result;
  for (const std::string& block : base::split(text, '\n')) {
    std::istringstream words(block);
    std::vector<std::string> elements;
    std::string element;
    for (std::string word; words >> word;) {
      bool last = word.back() == ',';
      if (last) word.pop_back();
      element += word + " ";
      if (last) elements.push_back(std::exchange(element, {}));
      if (word == "{" || word == "}") elements.push_back(std::exchange(element, {}));
    }
    elements.push_back(element);
    std::sort(elements.begin(), elements.end());
    result += base::join(elements, "|") + "\n";
  }
  return result;
}

PortPlan plan_of(World& world, const std::string& network, const std::string& what) {
  return world.plan("zone", network, [&](PortRequest& request) {
    auto prefix = [](const char* text) { return *netns::Prefix::parse(text); };
    if (what == "allowed")
      request.allowed = {prefix("10.9.0.1"), prefix("10.9.1.0/24"), prefix("fd09::1"),
                         prefix("fd09:1::/64")};
    if (what == "packets") request.packets = 12345;
    if (what == "relaxed") request.relax = {"mac-nospoof", "ip-nospoof", "dhcp-nospoof"};
    if (what == "publish")
      for (const char* text : {"8080:80", "192.0.2.1:8081:81", "5353:53/udp", "[fd99::1]:8082:82"})
        request.publish.push_back(*netns::parse_publish(text));
    if (what == "dhcp") {
      request.dhcp = true;
      request.dhcp_server = *Address::parse("10.1.0.9");
      request.dhcp6_server = *Address::parse("fd00:1::9");
    }
    if (what == "labelled") {
      request.label = 4;  // above the others
      request.multilevel = {"udp:514", "udp:515"};
    }
    if (what == "outward") request.outward = true;
    if (what == "server") request.serves_dhcp = true;
  });
}

}  // namespace

TEST_CASE("ports change by netlink exactly as they do by nft's text") {
  for (const char* kind : {"routed", "nat", "isolated", "bridge"}) {
    World world;
    world.labels(five_labels());
    world.network("net", {{"kind", kind}, {"subnet", "10.1.0.0/16,fd00:1::/64"}});
    world.zone("other", "net");
    std::string without = listed(world);
    CHECK(without.find("ip_nospoof") != std::string::npos);
    for (const char* what : {"plain", "allowed", "packets", "relaxed", "publish", "dhcp", "server",
                             "labelled", "outward"}) {
      std::string_view own[] = {"publish", "dhcp", "labelled"};
      bool links = std::string_view(kind) == "routed" || std::string_view(kind) == "nat";
      if (!links && std::count(std::begin(own), std::end(own), what) != 0) continue;
      INFO(kind << ", " << what);
      PortPlan port = plan_of(world, "net", what);
      PortPlan looser = port;
      looser.protections.ra_guard = false;
      looser.packets = 77;
      require(world.nft().apply(netns::add_port(world.instance(), port, five_labels())));
      std::string with = listed(world);
      CHECK(with != without);
      require(world.nft().change_ports(world.instance(), {port}, {looser}, five_labels()));
      std::string changed = listed(world);
      CHECK(changed != with);
      require(world.nft().apply(
          netns::change_ports(world.instance(), {looser}, {port}, five_labels())));
      CHECK(listed(world) == with);
      require(world.nft().apply(
          netns::change_ports(world.instance(), {port}, {looser}, five_labels())));
      CHECK(listed(world) == changed);
      require(world.nft().change_ports(world.instance(), {looser}, {}, five_labels()));
      CHECK(listed(world) == without);
      require(world.nft().change_ports(world.instance(), {}, {port}, five_labels()));
      CHECK(listed(world) == with);
      require(world.nft().apply(netns::remove_port(world.instance(), port, five_labels())));
      CHECK(listed(world) == without);
    }
  }
}

TEST_CASE("a change by netlink of which a part is refused changes nothing") {
  World world;
  world.network("net", {{"kind", "routed"}, {"subnet", "10.1.0.0/16"}});
  PortPlan gone = world.plan("gone", "net");
  PortPlan port = world.plan("zone", "net");
  std::string before = listed(world);
  base::Status refused = world.nft().change_ports(world.instance(), {gone}, {port}, five_labels());
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == base::Code::kNotFound);
  CHECK(refused.error().message.starts_with("packet filter: set '"));
  PortPlan elsewhere = port;
  elsewhere.label = 7;  // no chain of that network and label
  CHECK_FALSE(world.nft().change_ports(world.instance(), {}, {elsewhere}, five_labels()).ok());
  CHECK(listed(world) == before);
  require(world.nft().change_ports(world.instance(), {}, {port}, five_labels()));
  CHECK(listed(world) != before);
}
