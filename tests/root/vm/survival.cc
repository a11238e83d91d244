// Guests while the daemon and the keeper die and come back.
#include <catch2/catch.hpp>

#include "base/strings.h"
#include "tests/harness/shell.h"
#include "tests/root/vmguest/guest.h"

namespace vm_test {
namespace {

using harness::Sandbox;

// Prints a number a line, about 20 a second, without end.
void start_counting(Console* console) {
  console->wait_for("guest: ready");
  console->type("i=0; while :; do i=$((i+1)); echo n$i.; sleep 0.05; done\n");
  console->wait_for("n1.\r\n");
}

// The numbers of what a console gave: n7. n8. ...
std::vector<unsigned> numbers_in(const std::string& text) {
  std::vector<unsigned> numbers;
  for (const std::string& line : base::split(text, '\n')) {
    std::string_view word = base::trim(line);
    if (!word.starts_with('n') || !word.ends_with('.')) continue;
    auto number = base::parse_uint(word.substr(1, word.size() - 2), 0, UINT32_MAX);
    if (number) numbers.push_back(static_cast<unsigned>(*number));
  }
  return numbers;
}

// 1, 2, 3, ... up to at least `least` in the zone's log.
void check_no_gap(const Sandbox& box, const std::string& zone, unsigned least) {
  std::vector<unsigned> numbers;
  auto grown = [&] {
    numbers = numbers_in(box.zone_ok({"logs", zone}));
    return !numbers.empty() && numbers.back() >= least;
  };
  CHECK(harness::eventually(grown, kPatience));
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] == i + 1) continue;
    FAIL("the log goes from " << (i == 0 ? 0 : numbers[i - 1]) << " to " << numbers[i]);
  }
}

unsigned last_number(const Sandbox& box, const std::string& zone) {
  auto numbers = numbers_in(box.zone_ok({"logs", zone}));
  REQUIRE_FALSE(numbers.empty());
  return numbers.back();
}

struct Counting {
  Sandbox box;
  pid_t pid = 0;

  Counting() {
    boot_linux(box, "web");
    Console console(box, "web");
    start_counting(&console);
    pid = harness::pid_of(box, "web");
  }
  void kill_keepers() const {
    for (pid_t keeper : box.keeper_pids()) CHECK(harness::kill_and_wait(keeper).ok());
  }
  // It is the same guest, and its control works.
  void check_same() const {
    wait_for_state(box, "web", "running");
    CHECK(harness::pid_of(box, "web") == pid);
    CHECK(harness::eventually([&] { return box.zone({"pause", "web"}).status == 0; }));
    box.zone_ok({"resume", "web"});
  }
  // And so does its console, both ways.
  void check_unharmed() const {
    check_same();
    Console console(box, "web");
    console.wait_for("\nn");
    console.type("\x03");
    console.type("echo still $((40+2))\n");
    console.wait_for("still 42");
    box.zone_ok({"shutdown", "-t", "60s", "web"}, kPatience);
    CHECK(last_end(box, "web") == "exit 0");
  }
};

TEST_CASE("a guest counts on while zoned is killed, and no number is missing") {
  Counting guest;
  Console watching(guest.box, "web");
  watching.wait_for("\nn");
  guest.box.kill_daemon();
  harness::sleep_for(std::chrono::seconds(1));
  guest.box.start();
  watching.wait_for("\nn");
  check_no_gap(guest.box, "web", last_number(guest.box, "web") + 20);
  guest.check_unharmed();
}

TEST_CASE("a guest counts on while its keeper is killed, and no number is missing") {
  Counting guest;
  guest.kill_keepers();
  check_no_gap(guest.box, "web", last_number(guest.box, "web") + 20);
  guest.check_unharmed();
}

TEST_CASE("a guest runs on while zoned and its keeper are killed at once") {
  Counting guest;
  guest.box.kill_daemon();
  guest.kill_keepers();
  harness::sleep_for(std::chrono::seconds(1));
  guest.box.start();
  // Nobody is left who held the other end of its console: that comes with the next boot.
  guest.check_same();
  guest.box.zone_ok({"reboot", "web"}, kPatience);
  Console(guest.box, "web").wait_for("guest: ready");
}

TEST_CASE("a guest that is paused when zoned dies waits for it") {
  Counting guest;
  guest.box.zone_ok({"pause", "web"});
  guest.box.kill_daemon();
  guest.box.start();
  wait_for_state(guest.box, "web", "paused");
  guest.box.zone_ok({"resume", "web"});
  guest.check_unharmed();
}

}  // namespace
}  // namespace vm_test
