#include "zoned/daemon/attempts.h"

#include <catch2/catch.hpp>
#include <vector>

namespace zoned {
namespace {

using std::chrono::milliseconds;

class Recorder : public AuditSink {
 public:
  base::Status record(const Decision& decision) override {
    CHECK_FALSE(decision.allowed);
    CHECK(decision.object != nullptr);
    acts.emplace_back(decision.method);
    reasons.emplace_back(std::string(decision.zone) + ": " + std::string(decision.reason));
    return {};
  }
  void settle(std::string_view, Then then) override { then({}); }
  std::vector<std::string> acts;
  std::vector<std::string> reasons;
};

struct Bench {
  explicit Bench(Attempts::Limits limits) {
    for (const char* name : {"a", "b"}) zones[name].name = name;
    auto find = [this](const std::string& name) {
      auto it = zones.find(name);
      return it == zones.end() ? nullptr : &it->second;
    };
    attempts = std::make_unique<Attempts>(loop.get(), &audit, find, limits);
  }
  std::unique_ptr<base::EventLoop> loop = *base::EventLoop::create();
  Recorder audit;
  std::map<std::string, Zone> zones;
  std::unique_ptr<Attempts> attempts;
};

}  // namespace

TEST_CASE("what a zone tries is recorded up to its own rate, the rest is counted") {
  Bench bench({3, milliseconds(200)});
  for (int i = 0; i < 1000; ++i) bench.attempts->note("Packet", "a", std::to_string(i));
  bench.attempts->note("Packet", "b", "one");
  bench.attempts->note("Packet", "gone", "one");
  CHECK(bench.audit.reasons == std::vector<std::string>{"a: 0", "a: 1", "a: 2", "b: one"});
  bench.audit.reasons.clear();
  REQUIRE(bench.loop->run_once(milliseconds(5000)).ok());
  CHECK(bench.audit.reasons == std::vector<std::string>{"a: 999, the last of 997"});
  // Nothing is left to tell, and nothing wakes up.
  bench.audit.reasons.clear();
  REQUIRE(bench.loop->run_once(milliseconds(500)).ok());
  CHECK(bench.audit.reasons.empty());
}

TEST_CASE("a zone that goes on trying gets one record an interval") {
  Bench bench({2, milliseconds(100)});
  auto start = std::chrono::steady_clock::now();
  auto passed = [&] { return std::chrono::steady_clock::now() - start; };
  while (passed() < milliseconds(1000)) {
    for (int i = 0; i < 100; ++i) bench.attempts->note("Packet", "a", "x");
    REQUIRE(bench.loop->run_once(milliseconds(1)).ok());
  }
  auto intervals = static_cast<size_t>(passed() / milliseconds(100));
  CHECK(bench.audit.reasons.size() >= 5);
  CHECK(bench.audit.reasons.size() <= 2 + 2 * (intervals + 1));
}

TEST_CASE("one act is not hidden behind another, and what was counted elsewhere counts") {
  Bench bench({2, milliseconds(100)});
  for (int i = 0; i < 1000; ++i) bench.attempts->note("Packet", "a", "flood");
  bench.attempts->note("WriteDown", "a", "x", 7);
  CHECK(bench.audit.acts == std::vector<std::string>{"Packet", "Packet", "WriteDown"});
  CHECK(bench.audit.reasons.back() == "a: x, the last of 7");
  bench.attempts->note("WriteDown", "a", "y");
  bench.attempts->note("WriteDown", "a", "z", 5);
  bench.attempts->note("WriteDown", "a", "z", 4);
  REQUIRE(bench.loop->run_once(milliseconds(5000)).ok());
  CHECK(bench.audit.reasons.back() == "a: z, the last of 9");
}

}  // namespace zoned
