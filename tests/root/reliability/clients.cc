// Clients that are slow, silent or rude, seen from the others.
#include <sys/socket.h>

#include <catch2/catch.hpp>

#include "base/files.h"
#include "base/unix_socket.h"
#include "tests/harness/rounds.h"
#include "tests/harness/sandbox.h"
#include "tests/root/trial/trial.h"
#include "zoned/api/client.h"
#include "zoned/api/paths.h"

using harness::Sandbox;
using trial::Clock;
using trial::milliseconds;

namespace {

base::UniqueFd connect_to(const Sandbox& box) {
  auto run = base::open_at(AT_FDCWD, api::paths_for(box.root()).run, O_PATH | O_DIRECTORY);
  REQUIRE(run.ok());
  auto socket = base::connect_unix(run->get(), api::Paths::kSocketName, SOCK_STREAM);
  INFO((socket.ok() ? "" : socket.error().message));
  REQUIRE(socket.ok());
  return *std::move(socket);
}

// Whatever the socket takes at once.
void say(int socket, std::string_view text) {
  static_cast<void>(send(socket, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
}

// Four kinds in turn: an open frame; one that grows and grows; a stream of events that nobody reads;
// calls whose replies nobody reads.
base::UniqueFd rude_client(const Sandbox& box, size_t kind) {
  constexpr std::string_view kStream("{\"method\":\"io.zoned.Events\",\"more\":true}\0", 41);
  constexpr std::string_view kCall("{\"method\":\"io.zoned.List\",\"parameters\":{\"names\":[]}}\0",
                                   53);
  base::UniqueFd socket = connect_to(box);
  switch (kind % 4) {
    case 0:
      say(socket.get(), "{\"method\":\"io.zon");
      break;
    case 1:
      say(socket.get(), std::string(150000, ' '));
      break;
    case 2:
      say(socket.get(), kStream);
      break;
    default:
      for (int i = 0; i < 1000; ++i) say(socket.get(), kCall);
  }
  return socket;
}

}  // namespace

TEST_CASE("slow, silent and rude clients neither delay the others nor fill zoned's memory") {
  Sandbox box;
  std::string tree = trial::small_tree(box);
  trial::make_zone(box, "busy", tree, {R"(command=["/bin/sleep","1000"])"});
  REQUIRE(trial::call(box, "Set", {{"name", "busy"}, {"assignments", {"cpu-shares=2"}}}).ok());
  pid_t daemon = box.daemon_pid();
  harness::sleep_for(milliseconds(200));  // until the connections of so far are closed
  uint64_t rss = trial::rss_bytes(daemon);
  size_t fds = trial::fds_of(daemon);

  std::vector<base::UniqueFd> clients;
  for (size_t i = 0, n = harness::rounds(1000, 1000); i < n; ++i)
    clients.push_back(rude_client(box, i));

  std::vector<milliseconds> latencies;
  for (size_t i = 0, n = harness::rounds(300, 3000); i < n; ++i) {
    auto before = Clock::now();
    auto reply = trial::call(box, "List", {{"names", nlohmann::json::array()}});
    INFO((reply.ok() ? "" : reply.error().message));
    REQUIRE(reply.ok());
    latencies.push_back(std::chrono::duration_cast<milliseconds>(Clock::now() - before));
    // Something to tell to those who don't read.
    if (i % 3 == 0)
      REQUIRE(trial::call(
                  box, "Set",
                  {{"name", "busy"}, {"assignments", {"cpu-shares=" + std::to_string(1 + i % 9)}}})
                  .ok());
  }
  CHECK(trial::p99(latencies) < milliseconds(100));
  constexpr uint64_t kGrowth = 64 << 20;
  CHECK(trial::rss_bytes(daemon) < rss + kGrowth);
  CHECK(box.daemon_pid() == daemon);
  clients.clear();
  size_t left = 0;
  harness::eventually([&] { return (left = trial::fds_of(daemon)) <= fds; });
  CHECK(left <= fds);
}
