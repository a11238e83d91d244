#include "zoned/daemon/keeper_client.h"

#include <sys/socket.h>

#include <catch2/catch.hpp>

#include "base/unix_socket.h"
#include "tests/unit/daemon/temporary.h"

namespace zoned {
namespace {

using base::UniqueFd;
using nlohmann::json;
using testing::must;

// A keeper's end of the connection, driven by hand.
struct World {
  World() : loop(must(base::EventLoop::create())) {
    auto pair = must(base::socket_pair(SOCK_SEQPACKET));
    keeper = std::move(pair.first);
    client = must(KeeperClient::create(
        loop.get(), std::move(pair.second), [this](const json& event) { events.push_back(event); },
        [this](const base::Error& error) {
          broken = error.message;
          client.reset();
        }));
  }
  json receive() { return json::parse(must(base::receive_message(keeper.get(), 1 << 20)).data); }
  void send(const json& value, const std::vector<int>& fds = {}) {
    must(base::send_message(keeper.get(), value.dump(), fds));
  }
  void spin() { must(loop->run_once(std::chrono::milliseconds(50))); }

  std::unique_ptr<base::EventLoop> loop;
  UniqueFd keeper;
  std::unique_ptr<KeeperClient> client;
  std::vector<json> events;
  std::string broken;
};

TEST_CASE("replies find their requests, in any order") {
  World world;
  std::vector<std::string> answers;
  for (const char* op : {"one", "two"})
    world.client->request({{"op", op}}, {}, [&answers, op](base::Result<KeeperReply> reply) {
      answers.push_back(std::string(op) + "=" + must(std::move(reply)).body["value"].dump());
    });
  json first = world.receive();
  json second = world.receive();
  CHECK(first["op"] == "one");
  world.send({{"id", second["id"]}, {"value", 2}});
  world.send({{"id", first["id"]}, {"value", 1}});
  while (answers.size() < 2) world.spin();
  CHECK(answers == std::vector<std::string>{"two=2", "one=1"});
}

TEST_CASE("errors, events and descriptors come through") {
  World world;
  std::string error;
  size_t fds = 0;
  world.client->request({{"op", "bad"}}, {}, [&](base::Result<KeeperReply> reply) {
    if (!reply) error = reply.error().message;
  });
  world.client->request({{"op", "good"}}, {}, [&](base::Result<KeeperReply> reply) {
    fds = must(std::move(reply)).fds.size();
  });
  json bad = world.receive();
  json good = world.receive();
  world.send({{"event", "exited"}, {"zone", "web"}});
  world.send({{"id", bad["id"]}, {"error", {{"code", "state"}, {"message", "no"}}}});
  world.send({{"id", good["id"]}}, {world.keeper.get(), world.keeper.get()});
  while (fds == 0) world.spin();
  CHECK(error == "no");
  CHECK(fds == 2);
  REQUIRE(world.events.size() == 1);
  CHECK(world.events[0]["zone"] == "web");
}

TEST_CASE("when the keeper dies every open request is answered, then the owner is told") {
  World world;
  int answered = 0;
  for (int i = 0; i < 3; ++i)
    world.client->request({{"op", "x"}}, {}, [&](base::Result<KeeperReply> reply) {
      CHECK_FALSE(reply.ok());
      CHECK(world.broken.empty());
      ++answered;
    });
  world.keeper.reset();
  while (world.broken.empty()) world.spin();
  CHECK(answered == 3);
  CHECK_FALSE(world.client);
}

TEST_CASE("what the socket does not take at once is sent later, descriptors included") {
  World world;
  constexpr int kRequests = 300;
  const std::string padding(8000, 'x');
  int answered = 0;
  for (int i = 0; i < kRequests; ++i) {
    auto pair = must(base::socket_pair(SOCK_STREAM));
    world.client->request({{"op", "x"}, {"padding", padding}}, {pair.first.get()},
                          [&](base::Result<KeeperReply>) { ++answered; });
  }
  for (int i = 0; i < kRequests; ++i) {
    auto message = base::receive_message(world.keeper.get(), 1 << 20);
    while (!message) message = base::receive_message(world.keeper.get(), 1 << 20);
    CHECK(message->fds.size() == 1);
    world.send({{"id", json::parse(message->data)["id"]}});
    world.spin();
  }
  while (answered < kRequests) world.spin();
  CHECK(answered == kRequests);
}

TEST_CASE("a request that is too large is an error of its own") {
  World world;
  std::string error;
  world.client->request({{"op", std::string(size_t{300} * 1024, 'x')}}, {},
                        [&](base::Result<KeeperReply> reply) { error = reply.error().message; });
  CHECK(error.empty());  // never from inside request()
  while (error.empty()) world.spin();
  CHECK(world.broken.empty());
}

TEST_CASE("garbage from the keeper is ignored") {
  World world;
  must(base::send_message(world.keeper.get(), "not json", {}));
  world.send(json::array({1}));
  world.send({{"id", "text"}});
  world.send({{"id", 99}});
  for (int i = 0; i < 2; ++i) world.spin();
  CHECK(world.broken.empty());
}

TEST_CASE("one that says more than it may is cut off, however much it answers") {
  World world;
  world.client->limit_unasked(base::RateLimit(3, std::chrono::minutes(1)));
  std::string answer;
  world.client->request({{"op", "one"}}, {}, [&](base::Result<KeeperReply> reply) {
    answer = must(std::move(reply)).body["value"].get<std::string>();
  });
  for (int i = 0; i < 3; ++i) world.send({{"event", "write"}});
  world.send({{"id", world.receive()["id"]}, {"value", "told"}});
  world.spin();
  CHECK(world.events.size() == 3);
  CHECK(answer == "told");
  CHECK(world.client != nullptr);
  world.send({{"id", 77}});
  world.spin();
  CHECK(world.client == nullptr);
  CHECK(world.broken == "it says more than it should");
}

}  // namespace
}  // namespace zoned
