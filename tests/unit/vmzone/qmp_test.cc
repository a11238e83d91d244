#include "vmzone/qmp.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>

#include <catch2/catch.hpp>

#include "base/files.h"
#include "tests/unit/vmzone/fake_qemu.h"

namespace vmzone {
namespace {

using base::Code;
using nlohmann::json;
using std::chrono::milliseconds;
using testing::FakeQemu;
using testing::must;

using Answers = std::vector<std::string>;
Qmp::OnAnswer into(Answers* answers) {
  return [answers](base::Result<json> answer) {
    answers->push_back(answer ? answer->dump() : std::string(base::code_name(answer.error().code)));
  };
}

size_t open_descriptors() { return must(base::list_dir(AT_FDCWD, "/proc/self/fd")).size(); }

TEST_CASE("requests wait for the handshake") {
  FakeQemu qemu(FakeQemu::Shake::kLater);
  Answers answers;
  qemu.qmp->execute("query-status", nullptr, into(&answers));
  CHECK_FALSE(qemu.qmp->ready());
  qemu.handshake();
  CHECK(qemu.major == 7);
  CHECK(qemu.receive()["execute"] == "query-status");
  qemu.answer({{"running", true}});
  while (answers.empty()) qemu.spin();
  CHECK(answers == Answers{R"({"running":true})"});
}

TEST_CASE("answers and failures find their requests") {
  FakeQemu qemu;
  Answers answers;
  qemu.qmp->execute("one", {{"a", 1}}, into(&answers));
  qemu.qmp->execute("two", nullptr, into(&answers));
  json one = qemu.receive();
  CHECK(one["arguments"] == json{{"a", 1}});
  qemu.answer(1);
  CHECK(qemu.receive()["execute"] == "two");
  qemu.fail("DeviceNotFound", "none");
  while (answers.size() < 2) qemu.spin();
  CHECK(answers == Answers{"1", "not-found"});
}

TEST_CASE("after its deadline a request has timed out, and the late answer is ignored") {
  FakeQemu qemu;
  Answers slow;
  Answers quick;
  qemu.qmp->execute("slow", nullptr, into(&slow), -1, milliseconds(10));
  qemu.receive();
  while (slow.empty()) qemu.spin();
  CHECK(slow == Answers{"timeout"});
  qemu.answer(1);
  qemu.qmp->execute("quick", nullptr, into(&quick));
  qemu.receive();
  qemu.answer(2);
  while (quick.empty()) qemu.spin();
  CHECK(slow.size() == 1);
  CHECK(quick == Answers{"2"});
  CHECK(qemu.broken.empty());
}

TEST_CASE("a request that can't be sent is answered, never from inside") {
  FakeQemu qemu;
  Answers answers;
  qemu.qmp->execute("x", {{"text", std::string(kMaxQmpRequest, 'x')}}, into(&answers));
  CHECK(answers.empty());
  while (answers.empty()) qemu.spin();
  CHECK(answers == Answers{"invalid"});
  CHECK(qemu.broken.empty());
}

TEST_CASE("each descriptor comes with the request that it was given to") {
  constexpr int kRequests = 60;
  FakeQemu qemu;
  Answers answers;
  std::vector<base::UniqueFd> files;
  for (int i = 0; i < kRequests; ++i) {
    files.push_back(must(base::sealed_memfd("x", std::to_string(i))));
    // Large enough to fill the socket, so that some of them are sent in parts.
    qemu.qmp->execute("x", {{"n", i}, {"padding", std::string(40'000, 'x')}}, into(&answers),
                      files.back().get());
  }
  files.clear();
  for (int i = 0; i < kRequests; ++i) {
    json request = qemu.receive();
    CHECK(request["arguments"]["n"] == i);
    base::UniqueFd file = qemu.receive_fd();
    REQUIRE(file);
    CHECK(must(base::read_fd(file.get())) == std::to_string(i));
    qemu.answer(i);
  }
  while (answers.size() < kRequests) qemu.spin();
  CHECK(answers.back() == "59");
}

TEST_CASE("when QEMU dies every open request is answered, then the owner is told") {
  FakeQemu qemu;
  Answers answers;
  for (int i = 0; i < 3; ++i)
    qemu.qmp->execute("x", nullptr, [&](base::Result<json> answer) {
      CHECK(qemu.broken.empty());
      into (&answers)(std::move(answer));
      // One more, into the dead connection; the owner then drops all.
      if (answers.size() == 1) qemu.qmp->execute("y", nullptr, into(&answers));
    });
  qemu.socket.reset();
  while (qemu.broken.empty()) qemu.spin();
  CHECK(answers == Answers{"io", "io", "io"});
  CHECK_FALSE(qemu.qmp);
}

TEST_CASE("a request to a connection that is over is answered with an error") {
  auto loop = must(base::EventLoop::create());
  auto pair = must(base::socket_pair(SOCK_STREAM));
  bool broken = false;
  auto ignore = [](const auto&) {};
  auto qmp = must(Qmp::create(loop.get(), std::move(pair.second),
                              {ignore, ignore, ignore, [&](const auto&) { broken = true; }}));
  pair.first.reset();
  while (!broken) must(loop->run_once(milliseconds(20)));
  Answers answers;
  qmp->execute("x", nullptr, into(&answers));
  CHECK(answers.empty());
  while (answers.empty()) must(loop->run_once(milliseconds(20)));
  CHECK(answers == Answers{"io"});
}

TEST_CASE("a callback may destroy the connection") {
  FakeQemu qemu;
  bool second = false;
  qemu.qmp->execute("one", nullptr, [&](const auto&) { qemu.qmp.reset(); });
  qemu.qmp->execute("two", nullptr, [&](const auto&) { second = true; });
  qemu.receive();
  uint64_t first = qemu.id;
  qemu.receive();
  qemu.send({{"return", 1}, {"id", first}});
  qemu.answer(2);
  while (qemu.qmp) qemu.spin();
  qemu.spin();
  CHECK_FALSE(second);
}

TEST_CASE("whatever breaks the protocol ends the connection") {
  for (const char* line : {"garbage\n", "{}\n", "\xff\n",
                           R"({"return": {}, "id": 99})"
                           "\n",
                           R"({"return": {}, "id": 0})"
                           "\n",
                           R"({"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}}}})"
                           "\n"}) {
    INFO(line);
    FakeQemu qemu;
    Answers answers;
    qemu.qmp->execute("x", nullptr, into(&answers));
    qemu.receive();
    qemu.write(line);
    while (qemu.broken.empty()) qemu.spin();
    CHECK(qemu.broken.find("control socket") != std::string::npos);
    CHECK(answers == Answers{"invalid"});
  }
}

TEST_CASE("an answer before the handshake, or its refusal, ends the connection") {
  FakeQemu eager(FakeQemu::Shake::kLater);
  Answers answers;
  eager.qmp->execute("x", nullptr, into(&answers));
  eager.send({{"return", 1}, {"id", 1}});
  while (eager.broken.empty()) eager.spin();
  CHECK(answers == Answers{"invalid"});

  FakeQemu unwilling(FakeQemu::Shake::kLater);
  unwilling.greet();
  unwilling.receive();
  unwilling.fail("GenericError", "no");
  while (unwilling.broken.empty()) unwilling.spin();
  CHECK(unwilling.broken == "QEMU says 'no'");
}

TEST_CASE("a peer that reads nothing gets a bounded number of requests") {
  FakeQemu qemu;
  Answers answers;
  json large = {{"padding", std::string(20'000, 'x')}};
  for (size_t i = 0; i < kMaxQmpPending; ++i)
    qemu.qmp->execute("x", large, into(&answers), qemu.socket.get(), milliseconds(500));
  size_t full = open_descriptors();
  qemu.qmp->execute("x", large, into(&answers));
  qemu.spin(0);
  CHECK(answers == Answers{"busy"});
  while (answers.size() < kMaxQmpPending + 1) qemu.spin();
  CHECK(answers.back() == "timeout");
  // What had not begun to be sent has left the queue with its descriptor.
  CHECK(open_descriptors() + 200 < full);
  CHECK(qemu.broken.empty());
}

TEST_CASE("events beyond their rate are dropped, counted, and the owner is told of the loss") {
  constexpr size_t kEvents = 3000;
  FakeQemu qemu;
  for (size_t i = 0; i < kEvents; ++i) {
    qemu.send({{"event", "RTC_CHANGE"}, {"data", {{"offset", i}}}});
    if (i % 100 == 99) qemu.spin(0);
  }
  for (int i = 0; i < 100 && qemu.events.size() + qemu.qmp->dropped_events() < kEvents; ++i)
    qemu.spin();
  CHECK(qemu.events.size() + qemu.qmp->dropped_events() == kEvents);
  CHECK(qemu.events.size() >= 2 * kQmpEventsPerSecond);
  CHECK(qemu.events.size() < kEvents / 2);
  while (qemu.lost < qemu.qmp->dropped_events()) qemu.spin(100);
  CHECK(qemu.lost == qemu.qmp->dropped_events());
  // Later there is room again.
  size_t before = qemu.events.size();
  qemu.send({{"event", "STOP"}});
  for (int i = 0; i < 50 && qemu.events.size() == before; ++i) qemu.spin();
  CHECK(qemu.events.back().name == "STOP");
}

TEST_CASE("a flood is read at a bounded pace, and others get their turn") {
  FakeQemu qemu;
  REQUIRE(fcntl(qemu.socket.get(), F_SETFL, O_NONBLOCK) == 0);
  std::string events;
  while (events.size() < 60'000) events += "{\"event\": \"STOP\"}\n";
  size_t written = 0;
  size_t rounds = 0;
  size_t offset = 0;
  const auto begin = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - begin < milliseconds(1500)) {
    // Each piece goes on where the last one was cut, so that every line is whole.
    auto sent = base::send_message(qemu.socket.get(), std::string_view(events).substr(offset));
    if (sent) {
      written += *sent;
      offset = (offset + *sent) % events.size();
    }
    qemu.spin(1);
    ++rounds;
  }
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  constexpr size_t kSocketBuffer = 1 << 20;
  double allowed = static_cast<double>(kQmpBytesPerSecond) * (2 + 1.5 * took.count());
  CHECK(written > kQmpBytesPerSecond);
  CHECK(static_cast<double>(written) < allowed + kSocketBuffer);
  CHECK(rounds > 20);
  CHECK(qemu.broken.empty());
  // A request is answered behind it.
  Answers answers;
  qemu.qmp->execute("x", nullptr, into(&answers));
  qemu.receive();
  std::string rest = events.substr(offset, events.find('\n', offset) + 1 - offset) +
                     json{{"return", 1}, {"id", qemu.id}}.dump() + "\n";
  for (int i = 0; i < 500 && !rest.empty(); ++i) {
    if (auto sent = base::send_message(qemu.socket.get(), rest)) rest.erase(0, *sent);
    qemu.spin(10);
  }
  for (int i = 0; i < 500 && answers.empty(); ++i) qemu.spin();
  CHECK(answers == Answers{"1"});
}

TEST_CASE("no descriptor is taken from the peer") {
  FakeQemu qemu;
  size_t before = open_descriptors();
  const std::string event = "{\"event\": \"STOP\"}\n";
  qemu.write(event);
  // A kernel that refuses them already at the sender is as good.
  auto sent = base::send_message(qemu.socket.get(), event, {qemu.socket.get(), 0, 1});
  if (!sent) CHECK(sent.error().sys_errno == EPERM);
  size_t expected = sent ? 2 : 1;
  for (int i = 0; i < 50 && qemu.events.size() < expected; ++i) qemu.spin();
  CHECK(qemu.events.size() == expected);
  CHECK(open_descriptors() == before);
}

}  // namespace
}  // namespace vmzone
