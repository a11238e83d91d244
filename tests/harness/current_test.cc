#include "tests/harness/current_test.h"

#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include <catch2/catch.hpp>

namespace harness {
namespace {

struct State {
  std::string name;
  bool failed = false;
};

State& state() {
  static State value;
  return value;
}

// Catch2 2 tells listeners alone what came of an assertion.
class Listener : public Catch::TestEventListenerBase {
 public:
  using TestEventListenerBase::TestEventListenerBase;
  void testCaseStarting(const Catch::TestCaseInfo& info) override { state() = {info.name, false}; }
  bool assertionEnded(const Catch::AssertionStats& stats) override {
    if (!stats.assertionResult.isOk()) state().failed = true;
    return false;
  }
};
CATCH_REGISTER_LISTENER(Listener)

}  // namespace

bool current_test_failed() { return state().failed; }
std::string current_test_name() { return state().name; }

}  // namespace harness
