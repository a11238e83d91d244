// Caps on bandwidth and packet rate, measured with one TCP flood.
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "netns/shape.h"
#include "tests/root/netns/frames.h"
#include "tests/root/netns/world.h"

namespace {

using Clock = std::chrono::steady_clock;

// TCP payload in a frame of an MTU of 1500. Where the kernel passes on several segments as one packet
// it counts fewer headers, so TCP gets between this share of a cap and all of it.
constexpr double kPayloadShare = 1448.0 / 1514.0;

// Bits per second of payload that get from one zone to the other, after TCP found its pace.
double flood(Zone& from, Zone& to, std::chrono::milliseconds time) {
  auto listener = listen_tcp(to.netns.get(), to.address4(), 5001);
  auto sender = connect_tcp(from.netns.get(), to.address4(), 5001);
  base::UniqueFd receiver;
  REQUIRE_FALSE(accept_from(listener.get(), &receiver).empty());
  std::thread sending([&] {
    std::string block(64 << 10, 'x');
    while (send(sender.get(), block.data(), block.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  std::string buffer(256 << 10, '\0');
  auto start = Clock::now() + std::chrono::milliseconds(500);
  auto counted_from = start;
  uint64_t bytes = 0;
  bool counting = false;
  while (Clock::now() < start + time) {
    ssize_t got = recv(receiver.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0) break;
    if (counting) bytes += static_cast<uint64_t>(got);
    if (!counting && Clock::now() >= start) {
      counting = true;
      counted_from = Clock::now();
    }
  }
  double seconds = std::chrono::duration<double>(Clock::now() - counted_from).count();
  shutdown(receiver.get(), SHUT_RDWR);
  shutdown(sender.get(), SHUT_RDWR);
  sending.join();
  return static_cast<double>(bytes) * 8 / seconds;
}

}  // namespace

TEST_CASE("caps hold within 3 % for TCP, in each direction, and can be changed live") {
  World world;
  world.network("net", {{"subnet", "10.1.0.0/16"}});
  Zone& capped = world.zone("capped", "net", [](netns::PortRequest& request) {
    request.receive_bits = 50'000'000;
    request.send_bits = 20'000'000;
  });
  Zone& free_one = world.zone("free", "net");
  const std::chrono::milliseconds time(2000);
  auto check = [&](double got, double cap) {
    INFO(got / 1e6 << " Mbit/s of payload at a cap of " << cap / 1e6);
    CHECK(got > cap * kPayloadShare * 0.97);
    CHECK(got < cap * 1.03);
  };
  check(flood(free_one, capped, time), 50e6);
  check(flood(capped, free_one, time), 20e6);
  auto held = netns::shape_statistics(world.host(), capped.port.host_name);
  REQUIRE(held.ok());
  CHECK(held->receive_overlimits > 0);
  CHECK(held->send_overlimits > 0);

  require(netns::set_caps(world.host(), capped.port.host_name, 10'000'000, 200'000'000));
  check(flood(free_one, capped, 2 * time), 10e6);
  check(flood(capped, free_one, time), 200e6);

  require(netns::set_caps(world.host(), capped.port.host_name, 0, 0));
  CHECK(flood(capped, free_one, std::chrono::milliseconds(500)) > 400e6);
  CHECK(flood(free_one, capped, std::chrono::milliseconds(500)) > 400e6);
  CHECK(world.host().list(world.instance().prefix())->size() == 2);
}

TEST_CASE("a capped port's protections hold behind the shaping device") {
  World world;
  world.network("net", {{"subnet", "10.1.0.0/16"}});
  Zone& a = world.zone("a", "net", [](netns::PortRequest& r) { r.send_bits = 100'000'000; });
  Zone& b = world.zone("b", "net");
  Wire from(a.netns.get(), "net0");
  Wire target(b.netns.get(), "net0");
  auto send_as = [&](const netns::Address& source, const std::string& mark) {
    from.send(frames::ethernet(frames::mac_of(a.port.host_mac), frames::mac_of(a.port.mac),
                               frames::kIpv4, frames::udp(source, b.address4(), 1000, 1000, mark)));
  };
  send_as(*netns::Address::parse("10.1.200.200"), "FORGED");
  send_as(a.address4(), "HONEST");
  CHECK_FALSE(target.await("HONEST").empty());
  CHECK_FALSE(target.seen("FORGED"));
  CHECK(world.count(a, "ip-nospoof") == 1);
}

TEST_CASE("shaping devices of ports that are gone are removed, others stay") {
  World world;
  world.network("net", {{"subnet", "10.1.0.0/16"}});
  auto capped = [](netns::PortRequest& request) { request.send_bits = 1'000'000; };
  Zone& a = world.zone("a", "net", capped);
  world.zone("b", "net", capped);
  CHECK(*netns::remove_leftovers(world.host(), world.instance()) == 0);
  require(world.host().remove(a.port.host_name));
  CHECK(*netns::remove_leftovers(world.host(), world.instance()) == 1);
  CHECK(world.host().list(world.instance().prefix())->size() == 2);
}

TEST_CASE("a limit on packets per second drops what is above it, and counts it") {
  World world;
  world.network("net", {{"subnet", "10.1.0.0/16"}});
  Zone& a = world.zone("a", "net", [](netns::PortRequest& request) { request.packets = 100; });
  Zone& b = world.zone("b", "net");
  Wire from(a.netns.get(), "net0");
  std::string frame =
      frames::ethernet(frames::mac_of(a.port.host_mac), frames::mac_of(a.port.mac), frames::kIpv4,
                       frames::udp(a.address4(), b.address4(), 1000, 1000, "MARK"));
  auto before = world.host().find(b.port.host_name)->statistics.send_packets;
  for (int i = 0; i < 1000; ++i) from.send(frame);
  auto passed = world.host().find(b.port.host_name)->statistics.send_packets - before;
  // The kernel's own first packets may have used some of the burst of 10.
  CHECK(passed >= 5);
  CHECK(passed < 100);
  CHECK(world.count(a, "rate") >= 900);
  world.change(a, [](netns::PortPlan& plan) { plan.packets = 0; });
  for (int i = 0; i < 1000; ++i) from.send(frame);
  CHECK(world.host().find(b.port.host_name)->statistics.send_packets - before >= 1000 + passed);
}
