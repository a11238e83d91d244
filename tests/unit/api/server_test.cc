#include "zoned/api/server.h"

#include <fcntl.h>

#include <atomic>
#include <thread>

#include "base/files.h"
#include "tests/unit/api/support.h"
#include "zoned/api/client.h"

namespace {

using api_test::Fixture;
using api_test::take;
using nlohmann::json;
using namespace std::string_literals;

const char* const kHost = R"({"method":"io.zoned.Host"})";

TEST_CASE_METHOD(Fixture, "a call that arrives byte by byte reaches the handler once") {
  start();
  auto client = connect();
  std::string text = R"({"method":"io.zoned.List","parameters":{"names":["web"]}})" + "\0"s;
  for (size_t i = 0; i < text.size(); ++i) {
    CHECK(calls.empty());
    send(client, text.substr(i, 1));
    turn(1);
  }
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].method == "List");
  CHECK(calls[0].parameters["names"][0] == "web");
  CHECK(calls[0].peer.uid == getuid());
  CHECK(calls[0].peer.pid == getpid());
  calls[0].answer.reply({{"zones", json::array()}});
  CHECK(drain(client) == "{\"parameters\":{\"zones\":[]}}\0"s);
}

TEST_CASE_METHOD(Fixture, "a call that does not fit the interface never reaches the handler") {
  start();
  auto client = connect();
  send_message(client, R"({"method":"io.zoned.List","parameters":{"names":"web"}})");
  send_message(client, R"({"method":"io.zoned.Nothing"})");
  send_message(client, R"({"method":"io.other.List"})");
  send_message(client, R"({"method":"List"})");
  send_message(client, R"({"method":"io.zoned.Host","upgrade":true})");
  turn();
  CHECK(calls.empty());
  std::string out = drain(client);
  CHECK(out.find("org.varlink.service.InvalidParameter") != std::string::npos);
  CHECK(out.find("names: not an array") != std::string::npos);
  CHECK(out.find("MethodNotFound\",\"parameters\":{\"method\":\"io.zoned.Nothing\"") !=
        std::string::npos);
  CHECK(out.find("InterfaceNotFound\",\"parameters\":{\"interface\":\"io.other\"") !=
        std::string::npos);
  CHECK(out.find("MethodNotImplemented") != std::string::npos);
  CHECK(std::count(out.begin(), out.end(), '\0') == 5);
}

TEST_CASE_METHOD(Fixture, "the server describes itself") {
  start();
  auto client = connect();
  send_message(client, R"({"method":"org.varlink.service.GetInfo"})");
  send_message(client, R"({"method":"org.varlink.service.GetInterfaceDescription",)"
                       R"("parameters":{"interface":"io.zoned"}})");
  turn();
  std::string out = drain(client);
  CHECK(out.find("\"interfaces\":[\"io.zoned\"") != std::string::npos);
  CHECK(out.find("method PoolCreate") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "pipelined calls are answered in order, one at a time") {
  start();
  auto client = connect();
  for (int i = 0; i < 3; ++i) send_message(client, kHost);
  turn();
  REQUIRE(calls.size() == 1);
  calls[0].answer.reply({{"n", 0}});
  CHECK(calls.size() == 1);  // the next is not started from inside reply()
  turn();
  REQUIRE(calls.size() == 2);
  calls[1].answer.reply({{"n", 1}});
  turn();
  REQUIRE(calls.size() == 3);
  calls[2].answer.reply({{"n", 2}});
  CHECK(drain(client) ==
        "{\"parameters\":{\"n\":0}}\0{\"parameters\":{\"n\":1}}\0"
        "{\"parameters\":{\"n\":2}}\0"s);
}

TEST_CASE_METHOD(Fixture, "thousands of pipelined calls answered at once use no stack") {
  int count = 0;
  handler = [&count](const api::Call& call) {
    ++count;
    call.answer.reply(json::object());
  };
  start();
  auto client = connect();
  std::string many;
  for (int i = 0; i < 4000; ++i) many += kHost + "\0"s;
  for (size_t at = 0; at < many.size(); at += 32768) {
    send(client, many.substr(at, 32768));
    turn(8);
    drain(client);
  }
  turn(8);
  CHECK(count == 4000);
  CHECK(server->connections() == 1);
}

TEST_CASE_METHOD(Fixture, "a handler that forgets to answer gives an internal error") {
  handler = [](const api::Call&) {};
  start();
  auto client = connect();
  send_message(client, kHost);
  turn();
  CHECK(drain(client).find("\"code\":\"internal\"") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "a stream gives replies that continue, only if asked for") {
  start();
  auto client = connect();
  send_message(client, R"({"method":"io.zoned.Events","more":true})");
  turn();
  calls.at(0).answer.next({{"n", 1}});
  calls.at(0).answer.reply({{"n", 2}});
  calls.at(0).answer.reply({{"n", 3}});
  CHECK(drain(client) ==
        "{\"continues\":true,\"parameters\":{\"n\":1}}\0{\"parameters\":{\"n\":2}}\0"s);
  send_message(client, R"({"method":"io.zoned.Events"})");
  turn();
  calls.at(1).answer.next({{"n", 1}});
  CHECK(drain(client).empty());
  CHECK(calls.at(1).answer.open());
}

TEST_CASE_METHOD(Fixture, "a oneway call gets no reply and does not block the next") {
  start();
  auto client = connect();
  send_message(client, R"({"method":"io.zoned.Host","oneway":true})");
  send_message(client, kHost);
  turn();
  REQUIRE(calls.size() == 1);
  calls[0].answer.reply({{"n", 0}});
  turn();
  REQUIRE(calls.size() == 2);
  calls[1].answer.reply({{"n", 1}});
  CHECK(drain(client) == "{\"parameters\":{\"n\":1}}\0"s);
}

TEST_CASE_METHOD(Fixture, "answering a client that has gone is harmless and on_close runs once") {
  start();
  auto client = connect();
  send_message(client, R"({"method":"io.zoned.Events","more":true})");
  turn();
  int closed_count = 0;
  calls.at(0).answer.on_close([&] { ++closed_count; });
  client.reset();
  turn();
  CHECK(closed_count == 1);
  CHECK(server->connections() == 0);
  CHECK_FALSE(calls[0].answer.open());
  calls[0].answer.next({{"n", 1}});
  calls[0].answer.reply({{"n", 2}});
  CHECK(closed_count == 1);
  int late = 0;
  calls[0].answer.on_close([&] { ++late; });
  CHECK(late == 0);  // it has been answered
}

TEST_CASE_METHOD(Fixture, "on_close set after the client has gone runs at once") {
  start();
  auto client = connect();
  send_message(client, kHost);
  turn();
  client.reset();
  turn();
  int late = 0;
  calls.at(0).answer.on_close([&] { ++late; });
  CHECK(late == 1);
}

TEST_CASE_METHOD(Fixture, "answering after the server has gone is harmless") {
  start();
  auto client = connect();
  send_message(client, kHost);
  turn();
  server.reset();
  CHECK(closed(client));
  calls.at(0).answer.reply({{"n", 1}});
  calls.clear();
  turn();
}

TEST_CASE_METHOD(Fixture, "a client that has shut its sending side still gets its answer") {
  start();
  auto client = connect();
  send_message(client, kHost);
  shutdown(client.get(), SHUT_WR);
  turn();
  REQUIRE(calls.size() == 1);
  calls[0].answer.reply({{"n", 1}});
  turn();
  CHECK(drain(client) == "{\"parameters\":{\"n\":1}}\0"s);
  CHECK(server->connections() == 0);
}

TEST_CASE_METHOD(Fixture,
                 "a peer that never reads is dropped at the cap, and the daemon's own "
                 "callbacks run from the loop") {
  start();
  auto client = connect();
  send_message(client, R"({"method":"io.zoned.Events","more":true})");
  turn();
  bool gone = false;
  calls.at(0).answer.on_close([&] { gone = true; });
  std::string chunk(1 << 20, 'x');
  for (int i = 0; i < 6; ++i) {
    calls[0].answer.next({{"chunk", chunk}});
    CHECK_FALSE(gone);
  }
  turn();
  CHECK(gone);
  CHECK(server->connections() == 0);
}

TEST_CASE_METHOD(Fixture, "a reply larger than the socket's buffer arrives whole") {
  start();
  auto client = connect();
  send_message(client, kHost);
  turn();
  std::string big(3 << 20, 'y');
  calls.at(0).answer.reply({{"big", big}});
  std::string out;
  for (int i = 0; i < 200 && (out.empty() || out.back() != '\0'); ++i) {
    out += drain(client);
    turn(1);
  }
  CHECK(out.size() > big.size());
  CHECK(out.back() == '\0');
  send_message(client, kHost);
  turn();
  CHECK(calls.size() == 2);
}

TEST_CASE_METHOD(Fixture, "malformed bytes end the connection after an error") {
  auto text = GENERATE("not json\0"s, "\0"s, "{}\0"s, "[1]\0"s, std::string(40, '[') + "\0"s,
                       std::string(api::kMaxCallBytes + 1, 'x'));
  start();
  auto client = connect();
  auto neighbour = connect();
  std::thread sender([&] {
    size_t at = 0;
    while (at < text.size()) {
      ssize_t n = ::send(client.get(), text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (n <= 0) return;
      at += static_cast<size_t>(n);
    }
  });
  for (int i = 0; i < 2000 && server->connections() == 2; ++i)
    REQUIRE(loop->run_once(std::chrono::milliseconds(10)).ok());
  sender.join();
  CHECK(calls.empty());
  CHECK(server->connections() == 1);
  CHECK(drain(client).find("\"code\":\"invalid\"") != std::string::npos);
  send_message(neighbour, kHost);
  turn();
  CHECK(calls.size() == 1);
}

TEST_CASE_METHOD(Fixture, "descriptors reach the handler; more than three end the connection") {
  start();
  auto client = connect();
  std::string text = kHost + "\0"s;
  REQUIRE(base::send_message(client.get(), text, {0, 1, 2}).ok());
  turn();
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].fds.size() == 3);
  calls[0].answer.reply({{"fd", 0}}, std::move(calls[0].fds));
  auto message = take(base::receive_message(client.get(), 4096));
  CHECK(message.fds.size() == 3);
  turn();
  REQUIRE(base::send_message(client.get(), text, {0, 0, 0, 0}).ok());
  turn();
  CHECK(calls.size() == 1);
  CHECK(server->connections() == 0);
}

TEST_CASE_METHOD(Fixture, "an incomplete message times out; idle and busy connections do not") {
  api::Server::Options options;
  options.incomplete_timeout = std::chrono::milliseconds(30);
  start(options);
  auto idle = connect();
  auto slow = connect();
  auto busy = connect();
  send_message(busy, kHost);
  send(busy, "{\"meth");
  send(slow, "{\"meth");
  turn();
  for (int i = 0; i < 10; ++i) REQUIRE(loop->run_once(std::chrono::milliseconds(10)).ok());
  CHECK(closed(slow));
  CHECK_FALSE(closed(idle));
  CHECK_FALSE(closed(busy));
  CHECK(server->connections() == 2);
}

TEST_CASE_METHOD(Fixture, "connections over the cap are told so and closed") {
  api::Server::Options options;
  options.max_connections = 2;
  start(options);
  auto first = connect();
  auto second = connect();
  auto pair = take(base::socket_pair(SOCK_STREAM));
  CHECK_FALSE(server->adopt(std::move(pair.first)).ok());
  CHECK(drain(pair.second).find("\"code\":\"busy\"") != std::string::npos);
  first.reset();
  turn();
  auto third = connect();
  CHECK(server->connections() == 2);
}

TEST_CASE_METHOD(Fixture, "the client library talks to the server") {
  handler = [](api::Call call) {
    if (call.method == "Install") {
      call.answer.next({{"stage", "copy"}, {"done", 1}, {"total", 2}});
      call.answer.reply({{"stage", "done"}, {"done", 2}, {"total", 2}});
    } else if (call.method == "Exec") {
      call.answer.reply({{"pid", 1}}, std::move(call.fds));
    } else {
      call.answer.fail(base::make_error(base::Code::kNotFound, "zone 'x' not found", "see list"));
    }
  };
  start();
  api::Client client(connect());
  std::vector<std::string> stages;
  bool streamed = false;
  std::atomic<bool> done = false;
  base::Error failed, invalid;
  size_t fds = 0;
  std::thread other([&] {  // Catch2's checks belong to the main thread
    auto status =
        client.call_more("Install", {{"name", "a"}, {"source", "dir:/"}}, [&](api::Reply reply) {
          stages.push_back(reply.parameters["stage"]);
          return true;
        });
    streamed = status.ok();
    auto first = client.call("Boot", {{"name", "x"}});
    if (!first) failed = first.error();
    auto second = client.call("Boot", {{"nam", "x"}});
    if (!second) invalid = second.error();
    json exec = {{"name", "a"}, {"argv", json::array()}, {"env", json::array()},
                 {"user", ""},  {"workdir", ""},         {"tty", false},
                 {"rows", 0},   {"columns", 0}};
    auto reply = client.call("Exec", exec, {0, 1, 2});
    if (reply) fds = reply->fds.size();
    done = true;
  });
  for (int i = 0; i < 500 && !done; ++i)
    static_cast<void>(loop->run_once(std::chrono::milliseconds(10)));
  other.join();
  CHECK(streamed);
  CHECK(stages == std::vector<std::string>{"copy", "done"});
  CHECK(failed.code == base::Code::kNotFound);
  CHECK(failed.hint == "see list");
  CHECK(invalid.message == "invalid parameter 'name: missing'");
  CHECK(fds == 3);
}

TEST_CASE("connections are accepted at a listening socket") {
  char folder[] = "/tmp/api-test-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  auto loop = take(base::EventLoop::create());
  auto dir = take(base::open_at(AT_FDCWD, folder, O_PATH | O_DIRECTORY));
  auto listener = take(base::listen_unix(dir.get(), "zoned.sock", SOCK_STREAM));
  auto server = take(
      api::Server::create(loop.get(), std::move(listener), harness::parse_here,
                          [](const api::Call& call) { call.answer.reply(json::object()); }, {}));
  std::vector<base::UniqueFd> clients;
  for (int i = 0; i < 300; ++i)
    clients.push_back(take(base::connect_unix(dir.get(), "zoned.sock", SOCK_STREAM)));
  for (int i = 0; i < 8; ++i) REQUIRE(loop->run_once(std::chrono::milliseconds(0)).ok());
  size_t most = getuid() == 0 ? 300 : 64;
  CHECK(server->connections() == most);
  server.reset();
  unlinkat(dir.get(), "zoned.sock", 0);
  rmdir(folder);
}

TEST_CASE("without a daemon the client says how to start it") {
  auto client = api::Client::connect("/nonexistent-root");
  REQUIRE_FALSE(client.ok());
  CHECK(client.error().code == base::Code::kNotFound);
  CHECK(client.error().message == "no zoned is running for this root");
  CHECK(client.error().hint == "start it: zoned --background --root /nonexistent-root");
}

}  // namespace
