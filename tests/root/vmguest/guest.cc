#include "tests/root/vmguest/guest.h"

#include <poll.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>

#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"
#include "base/unix_socket.h"
#include "tests/harness/shell.h"
#include "zoned/api/client.h"

namespace vm_test {

using harness::Sandbox;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

namespace {

template <typename T>
T must(base::Result<T> result) {
  INFO((result ? "" : result.error().message));
  REQUIRE(result.ok());
  return *std::move(result);
}

// For a failed test to show.
std::string end_of(const std::string& text) {
  constexpr size_t kShown = 2000;
  return text.size() > kShown ? text.substr(text.size() - kShown) : text;
}

void wait_until(const Sandbox& box, const std::string& zone, const std::string& what,
                const std::function<bool(const harness::Screen&)>& shown) {
  auto deadline = Clock::now() + kPatience;
  while (true) {
    harness::Screen now = screen_of(box, zone);
    if (shown(now)) {
      SUCCEED("the screen shows '" << what << "'");
      return;
    }
    if (Clock::now() > deadline) FAIL("the screen does not show '" << what << "':\n" << now.text());
    harness::sleep_for(milliseconds(250));
  }
}

}  // namespace

std::string linux_source() {
  static const std::string source = [] {
    auto made = must(base::run_program({"tests/guests/linux.sh"}));
    INFO(made.err);
    REQUIRE(made.status == 0);
    std::string folder(base::trim(made.out));
    return "kernel:" + folder + "/vmlinuz,initrd=" + folder + "/initrd";
  }();
  return source;
}

void boot(const Sandbox& box, const std::string& name, const std::string& source,
          const std::vector<std::string>& settings) {
  // Most guests don't know the power button.
  std::vector<std::string> args = {"create", name,    "--brand",        "vm", "--from", source,
                                   "--boot", "--set", "stop-timeout=1s"};
  for (const std::string& setting : settings) args.insert(args.end(), {"--set", setting});
  box.zone_ok(args);
}

void boot_linux(const Sandbox& box, const std::string& name,
                const std::vector<std::string>& settings) {
  std::vector<std::string> all = {"vm.memory=96M", "stop-timeout=60s"};
  all.insert(all.end(), settings.begin(), settings.end());
  boot(box, name, linux_source(), all);
}

void boot_grub(const Sandbox& box, const std::string& name,
               const std::vector<std::string>& settings) {
  std::vector<std::string> all = {"vm.profile=generic-bios", "vm.memory=64M"};
  all.insert(all.end(), settings.begin(), settings.end());
  boot(box, name, std::string("iso:") + kGrubCd, all);
}

void wait_for_state(const Sandbox& box, const std::string& name, const std::string& state) {
  std::string now;
  harness::eventually([&] { return (now = harness::state_of(box, name)) == state; }, kPatience);
  CHECK(now == state);
}

std::string last_end(const Sandbox& box, const std::string& name) {
  return std::string(
      base::trim(harness::shell_ok(box, "$Z info " + name +
                                            " --json | jq -r '.zone.exit|.kind+\" \"+(.value|"
                                            "tostring)'")));
}

Console::Console(const Sandbox& box, const std::string& zone) {
  api::Client client = must(api::Client::connect(box.root()));
  api::Reply reply = must(client.call("Console", {{"name", zone}}));
  REQUIRE(reply.fds.size() == 1);
  socket_ = std::move(reply.fds[0]);
}

void Console::type(std::string_view text) {
  CHECK(must(base::send_message(socket_.get(), text)) == text.size());
}

bool Console::receive(milliseconds timeout) {
  constexpr size_t kPiece = 65536;
  pollfd polled = {socket_.get(), POLLIN, 0};
  if (poll(&polled, 1, static_cast<int>(timeout.count())) <= 0) return false;
  base::Message message = must(base::receive_message(socket_.get(), kPiece));
  if (message.eof) FAIL("the console was closed:\n" << end_of(held_));
  held_ += message.data;
  return true;
}

std::string Console::wait_for(std::string_view text, std::chrono::seconds patience) {
  auto deadline = Clock::now() + patience;
  size_t found = 0;
  while ((found = held_.find(text)) == std::string::npos) {
    receive(milliseconds(100));
    if (Clock::now() > deadline)
      FAIL("the console does not say '" << text << "':\n" << end_of(held_));
  }
  SUCCEED("the console says '" << text << "'");
  std::string all = held_.substr(0, found + text.size());
  held_.erase(0, all.size());
  return all;
}

std::string Console::take(milliseconds quiet, milliseconds most) {
  auto deadline = Clock::now() + most;
  while (Clock::now() < deadline && receive(quiet)) continue;
  return std::exchange(held_, {});
}

harness::Screen screen_of(const Sandbox& box, const std::string& zone) {
  static const harness::ScreenFont font = must(harness::ScreenFont::load());
  constexpr size_t kMaxPicture = size_t{32} << 20;
  std::string file = box.root() + "/screen.png";
  box.zone_ok({"screenshot", zone, "-o", file});
  return must(harness::read_screen(font, must(base::read_file(AT_FDCWD, file, kMaxPicture))));
}

void wait_for_screen(const Sandbox& box, const std::string& zone, const std::string& text) {
  wait_until(box, zone, text, [&](const harness::Screen& screen) { return screen.contains(text); });
}

void wait_for_line(const Sandbox& box, const std::string& zone, const std::string& line) {
  wait_until(box, zone, line, [&](const harness::Screen& screen) { return screen.has_line(line); });
}

}  // namespace vm_test
