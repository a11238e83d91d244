// Labels of zones on networks, by zoned: its numbers, its rules, what it refuses.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/strings.h"
#include "tests/root/networks/udp_socket.h"
#include "tests/root/networks/world.h"

namespace {

using networks::UdpSocket;
using networks::World;

constexpr uint16_t kLog = 514;

std::vector<std::string> on_lan(const std::string& label, std::vector<std::string> more = {}) {
  more.insert(more.end(), {"net.0.network=lan", "label=" + label});
  return more;
}

// One zone of each of five labels, two of them incomparable, and a second one of each.
struct Labelled {
  Labelled() {
    world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
    for (const char* label :
         {"PUBLIC", "INTERNAL ENG", "INTERNAL HR", "CONFIDENTIAL ENG HR", "SECRET"}) {
      std::string number = std::to_string(addresses.size());
      world.boot("a" + number, on_lan(label));
      world.boot("b" + number, on_lan(label));
      addresses.push_back(world.address_of("b" + number));
    }
  }
  // Each reaches its own, and in both directions no other.
  void check() {
    for (size_t i = 0; i < addresses.size(); ++i)
      for (size_t j = 0; j < addresses.size(); ++j) {
        INFO("from label " << i << " to label " << j);
        CHECK(world.reaches("a" + std::to_string(i), addresses[j]) == (i == j));
      }
  }
  std::string numbers() { return harness::read_text(world.box().root() + "/lib/label-numbers"); }
  World world;
  std::vector<std::string> addresses;
};

}  // namespace

TEST_CASE(
    "of five labels each reaches its own zones, over a restart, a kill and a flush of rules") {
  Labelled five;
  five.check();
  std::string numbers = five.numbers();
  CHECK(base::split(numbers, '\n').size() == 5);
  five.world.box().kill_daemon();
  five.world.box().start();
  five.check();
  std::string tables = five.world.tables();
  harness::shell_ok(five.world.box(), "nft flush ruleset");
  REQUIRE(harness::eventually([&] { return five.world.tables() == tables; }));
  REQUIRE(harness::eventually([&] { return five.world.reaches("a4", five.addresses[4]); }));
  five.check();
  CHECK(five.numbers() == numbers);
}

TEST_CASE("a zone's name and address under another label belong there, and old numbers stay") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.boot("low", on_lan("PUBLIC"));
  world.boot("high", on_lan("SECRET"));
  world.boot("moved", on_lan("PUBLIC", {"net.0.address=10.1.2.99"}));
  CHECK(world.reaches("low", "10.1.2.99"));
  CHECK_FALSE(world.reaches("high", "10.1.2.99"));
  std::string numbers = harness::read_text(world.box().root() + "/lib/label-numbers");
  world.ok({"delete", "--force", "moved"});
  world.boot("moved", on_lan("SECRET", {"net.0.address=10.1.2.99"}));
  CHECK_FALSE(world.reaches("low", "10.1.2.99"));
  CHECK(world.reaches("high", "10.1.2.99"));
  CHECK(harness::read_text(world.box().root() + "/lib/label-numbers") == numbers);
}

TEST_CASE("datagrams go up to a multilevel port, and the same zones exchange nothing else") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.boot("low", on_lan("PUBLIC"));
  world.boot("log", on_lan("SECRET"));
  std::string low_address = world.address_of("low");
  std::string log_address = world.address_of("log");
  UdpSocket low(world.pid_of("low"), kLog);
  UdpSocket log(world.pid_of("log"), kLog);
  low.send(log_address, kLog, "undeclared");
  CHECK(log.receive().empty());
  world.ok({"set", "log", R"(net.0.multilevel-port=["udp:514"])"});  // live
  low.send(log_address, kLog, "up");
  CHECK(log.receive() == "up");
  log.send(low_address, kLog, "down");
  CHECK(low.receive().empty());
  CHECK_FALSE(world.reaches("low", log_address));
  world.box().restart();
  low.send(log_address, kLog, "still");
  CHECK(log.receive() == "still");
  log.send(low_address, kLog, "down");
  CHECK(low.receive().empty());
  auto refused = [&](const std::string& setting) {
    base::Output done = world.zone({"set", "log", setting});
    CHECK(done.status != 0);
    return done.err;
  };
  CHECK(refused(R"(net.0.multilevel-port=["tcp:514"])").find("acknowledgements") !=
        std::string::npos);
  CHECK(refused(R"(net.0.multilevel-port=["514"])").find("udp:PORT") != std::string::npos);
}

TEST_CASE("only zones of the outside's label publish ports, and root decides which that is") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  const std::string publish = R"(net.0.publish=["8080:80"])";
  const std::string tree = "dir:" + world.box().root() + "/tree";
  base::Output refused = world.zone({"create", "web", "--set", "net.0.network=lan", "--set",
                                     "label=SECRET", "--set", publish, "--from", tree});
  CHECK(refused.status != 0);
  CHECK(refused.err.find("publish") != std::string::npos);
  CHECK(world.zone({"net", "set", "lan", "outside-label=NONSENSE"}).status != 0);
  world.ok({"net", "set", "lan", "outside-label=secret"});
  CHECK(world.ok({"net", "info", "lan"}).find("outside-label=SECRET") != std::string::npos);
  world.boot("web", on_lan("SECRET", {publish}));
  world.ok({"exec", "web", "--", "/bin/sh", "-c",
            "mkdir -p /www; echo page >/www/index.html; httpd -h /www -p 80"});
  CHECK(harness::shell_ok(world.box(), "busybox wget -qO- http://127.0.0.1:8080/") == "page\n");
  CHECK(world.zone({"net", "set", "lan", "outside-label="}).status != 0);  // it runs
}

namespace {

// Records of what zones tried.
std::vector<nlohmann::json> attempts(World& world, const std::string& method) {
  std::vector<nlohmann::json> found;
  for (const std::string& line : base::split(world.ok({"audit", "--json"}), '\n')) {
    if (line.empty()) continue;
    auto record = nlohmann::json::parse(line);
    if (record.value("method", "") == method) found.push_back(std::move(record));
  }
  return found;
}

}  // namespace

TEST_CASE("a packet to another label has a record, one to the same label none") {
  std::string kind = GENERATE("routed", "bridge");
  INFO(kind);
  World world;
  world.ok({"net", "create", "lan", "kind=" + kind, "subnet=10.1.2.0/24"});
  world.boot("low", on_lan("PUBLIC"));
  world.boot("high", on_lan("SECRET"));
  world.boot("equal", on_lan("SECRET"));
  const std::string low = world.address_of("low");
  CHECK(world.reaches("high", world.address_of("equal")));
  sleep(2);  // longer than the kernel waits
  CHECK(attempts(world, "Packet").empty());
  CHECK_FALSE(world.reaches("high", low));
  REQUIRE(harness::eventually([&] { return !attempts(world, "Packet").empty(); }));
  nlohmann::json down = attempts(world, "Packet").front();
  CHECK(down["zone"] == "high");
  CHECK(down["label_name"] == "SECRET");
  CHECK(down["allowed"] == false);
  CHECK(down["verb"] == "send");
  CHECK(down["uid"] == 0);
  CHECK(down["reason"] == "packet to " + low + " of label PUBLIC (zone 'low')");
  CHECK_FALSE(world.reaches("low", world.address_of("high")));
  REQUIRE(harness::eventually([&] { return attempts(world, "Packet").back()["zone"] == "low"; }));
  CHECK(attempts(world, "Packet").back()["reason"] ==
        "packet to " + world.address_of("high") + " of label SECRET (zone 'high')");
}

TEST_CASE("packets to the outside have a record where that has another label") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.ok({"net", "create", "alone", "kind=isolated", "subnet=10.1.3.0/24"});
  world.boot("high", on_lan("SECRET"));
  world.boot("closed", {"net.0.network=alone", "label=SECRET"});
  harness::shell_ok(world.box(),
                    "ip link add out type veth peer name far && ip addr add 192.0.2.1/24 dev out "
                    "&& ip link set out up && ip link set far up && "
                    "sysctl -qw net.ipv4.ip_forward=1");
  CHECK_FALSE(world.reaches("closed", "192.0.2.9"));  // for everybody, whatever the label
  CHECK_FALSE(world.reaches("high", "192.0.2.9"));
  REQUIRE(harness::eventually([&] { return !attempts(world, "Packet").empty(); }));
  CHECK(attempts(world, "Packet").size() == 1);
  CHECK(attempts(world, "Packet").front()["reason"] ==
        "packet to 192.0.2.9 of label PUBLIC (outside of network 'lan')");
}

TEST_CASE("a flood of packets to another label gets a bounded number of records") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.boot("low", on_lan("PUBLIC"));
  world.boot("high", on_lan("SECRET"));
  UdpSocket socket(world.pid_of("high"), kLog);
  const std::string low = world.address_of("low");
  auto start = std::chrono::steady_clock::now();
  auto passed = [&] { return std::chrono::steady_clock::now() - start; };
  uint64_t sent = 0;
  while (passed() < std::chrono::seconds(4)) {
    for (int i = 0; i < 100; ++i, ++sent) socket.send(low, kLog, "flood");
    usleep(1000);
  }
  REQUIRE(harness::eventually([&] { return attempts(world, "Packet").size() >= 10; }));
  sleep(2);
  auto intervals = static_cast<size_t>(passed() / std::chrono::seconds(10));
  CHECK(sent > 1000);
  CHECK(world.refused("high", "denied") > 1000);
  CHECK(attempts(world, "Packet").size() <= 10 + 2 * (intervals + 1));
}
