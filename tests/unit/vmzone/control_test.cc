#include "vmzone/control.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "base/files.h"
#include "tests/unit/vmzone/fake_qemu.h"

namespace vmzone {
namespace {

using base::Code;
using nlohmann::json;
using testing::FakeQemu;
using testing::must;

constexpr std::string_view kPng("\x89PNG\r\n\x1a\n", 8);

// "" while it runs, "done", or the error.
OnDone into(std::string* text) {
  return [text](const base::Status& status) { *text = status ? "done" : status.error().message; };
}

json block(const std::string& device, bool open, const std::string& node) {
  json value = {{"device", ""}, {"qdev", device}, {"tray_open", open}, {"removable", true}};
  if (!node.empty()) value["inserted"] = {{"node-name", node}};
  return json::array({{{"device", ""}, {"qdev", "disk0"}}, value});
}

// Answers the next request, which must be this command; returns its arguments.
json expect(FakeQemu* qemu, const std::string& command, const json& answer = json::object()) {
  json request = qemu->receive();
  CHECK(request["execute"] == command);
  qemu->answer(answer);
  return request.value("arguments", json());
}

TEST_CASE("every state that QEMU knows has its meaning") {
  FakeQemu qemu;
  auto state_of = [&](const json& answer) {
    std::string text;
    query_status(qemu.qmp.get(), [&](base::Result<GuestState> state) {
      text = state ? std::string(guest_state_name(*state)) : state.error().message;
    });
    expect(&qemu, "query-status", answer);
    while (text.empty()) qemu.spin();
    return text;
  };
  CHECK(state_of({{"status", "prelaunch"}}) == "prepared");
  CHECK(state_of({{"status", "running"}}) == "running");
  CHECK(state_of({{"status", "paused"}}) == "paused");
  CHECK(state_of({{"status", "suspended"}}) == "suspended");
  CHECK(state_of({{"status", "shutdown"}}) == "shut-down");
  CHECK(state_of({{"status", "guest-panicked"}}) == "failed");
  CHECK(state_of({{"status", "x\n"}}) == "ask for the state: QEMU tells an unknown state, 'x\\n'");
  for (const json& answer : {json(), json(1), json::array(), json{{"status", 1}}})
    CHECK(state_of(answer) == "ask for the state: QEMU tells no state");
}

TEST_CASE("events are told apart by what they mean") {
  CHECK(guest_change_of({"SHUTDOWN", {}}) == GuestChange::kShutDown);
  CHECK(guest_change_of({"STOP", {}}) == GuestChange::kState);
  CHECK(guest_change_of({"DEVICE_TRAY_MOVED", {}}) == GuestChange::kTray);
  CHECK(guest_change_of({"NO_SUCH_EVENT", {}}) == GuestChange::kNone);
}

TEST_CASE("simple operations are one request each") {
  FakeQemu qemu;
  using Operation = void (*)(Qmp*, OnDone);
  for (auto [operation, command] :
       std::vector<std::pair<Operation, std::string>>{{cont, "cont"},
                                                      {stop, "stop"},
                                                      {powerdown, "system_powerdown"},
                                                      {reset, "system_reset"},
                                                      {quit, "quit"}}) {
    std::string result;
    operation(qemu.qmp.get(), into(&result));
    expect(&qemu, command);
    while (result.empty()) qemu.spin();
    CHECK(result == "done");
  }
  std::string result;
  stop(qemu.qmp.get(), into(&result));
  qemu.receive();
  qemu.fail("GenericError", "no");
  while (result.empty()) qemu.spin();
  CHECK(result == "pause the guest: QEMU says 'no'");
}

struct Shot {
  explicit Shot(FakeQemu* fake) : qemu(fake) {
    screendump(qemu->qmp.get(), [this](base::Result<base::UniqueFd> result) {
      if (result) {
        picture = *std::move(result);
        text = "done";
      } else {
        text = result.error().message;
      }
    });
    expect(qemu, "add-fd", {{"fdset-id", 5}, {"fd", 20}});
    file = qemu->receive_fd();
  }
  void finish() {
    json arguments = expect(qemu, "screendump");
    CHECK(arguments == json{{"filename", "/dev/fdset/5"}, {"format", "png"}});
    CHECK(expect(qemu, "remove-fd") == json{{"fdset-id", 5}});
    while (text.empty()) qemu->spin();
  }
  FakeQemu* qemu;
  std::string text;
  base::UniqueFd picture;
  base::UniqueFd file;
};

TEST_CASE("a picture is what QEMU has written, sealed") {
  FakeQemu qemu;
  Shot shot(&qemu);
  REQUIRE(shot.file);
  must(base::write_all(shot.file.get(), std::string(kPng) + "rest"));
  shot.finish();
  CHECK(shot.text == "done");
  REQUIRE(shot.picture);
  CHECK(base::is_sealed(shot.picture.get()));
  // What comes later does not reach it.
  CHECK_FALSE(base::write_all(shot.file.get(), "more").ok());
  CHECK(must(base::read_fd(shot.picture.get())) == std::string(kPng) + "rest");
}

TEST_CASE("a QEMU that can still write into its picture has made none") {
  FakeQemu qemu;
  Shot shot(&qemu);
  must(base::write_all(shot.file.get(), kPng));
  // A mapping for writing needs a descriptor for both.
  base::UniqueFd both =
      must(base::open_at(AT_FDCWD, "/proc/self/fd/" + std::to_string(shot.file.get()), O_RDWR));
  void* mapped = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, both.get(), 0);
  REQUIRE(mapped != MAP_FAILED);
  shot.finish();
  CHECK(shot.text.find("seal it") != std::string::npos);
  CHECK_FALSE(shot.picture);
  munmap(mapped, 4096);
}

TEST_CASE("a screen is there when there is something to show it by") {
  FakeQemu qemu;
  std::string result;
  check_screen(qemu.qmp.get(), into(&result));
  expect(&qemu, "query-vnc-servers", json::array({{{"id", "default"}}}));
  while (result.empty()) qemu.spin();
  CHECK(result == "done");
  result.clear();
  check_screen(qemu.qmp.get(), into(&result));
  expect(&qemu, "query-vnc-servers", json::array());
  while (result.empty()) qemu.spin();
  CHECK(result == "it has no screen");
}

TEST_CASE("what is no picture, or too large a one, is refused") {
  FakeQemu qemu;
  Shot other(&qemu);
  must(base::write_all(other.file.get(), "P6 1 1 255 xxx"));
  other.finish();
  CHECK(other.text == "take a picture of the screen: QEMU has made no PNG");

  Shot large(&qemu);
  must(base::write_all(large.file.get(), kPng));
  REQUIRE(ftruncate(large.file.get(), kMaxPicture + 1) == 0);
  large.finish();
  CHECK(large.text.starts_with("take a picture of the screen: "));
  CHECK_FALSE(large.picture);

  Shot huge(&qemu);
  REQUIRE(ftruncate(huge.file.get(), int64_t{1} << 50) == 0);
  huge.finish();
  CHECK_FALSE(huge.picture);
}

TEST_CASE("keys are pressed chord by chord") {
  FakeQemu qemu;
  std::string result;
  send_keys(qemu.qmp.get(), must(key_chords_of_text("A1")), into(&result));
  json shifted = expect(&qemu, "send-key");
  CHECK(shifted["keys"] == json::parse(R"([{"type": "qcode", "data": "shift"},
                                           {"type": "qcode", "data": "a"}])"));
  CHECK(result.empty());
  json plain = expect(&qemu, "send-key");
  CHECK(plain["keys"] == json::parse(R"([{"type": "qcode", "data": "1"}])"));
  while (result.empty()) qemu.spin();
  CHECK(result == "done");
}

TEST_CASE("typing stops at the first failure") {
  FakeQemu qemu;
  std::string result;
  send_keys(qemu.qmp.get(), must(key_chords_of_text("abc")), into(&result));
  expect(&qemu, "send-key");
  qemu.receive();
  qemu.fail("GenericError", "no");
  while (result.empty()) qemu.spin();
  CHECK(result == "press keys: QEMU says 'no'");

  std::string broken;
  send_keys(qemu.qmp.get(), must(key_chords_of_text("abc")), into(&broken));
  expect(&qemu, "send-key");
  qemu.qmp->after(std::chrono::milliseconds(0), [&] { qemu.socket.reset(); });
  for (int i = 0; i < 100 && qemu.broken.empty(); ++i) qemu.spin();
  CHECK_FALSE(qemu.qmp);  // destroyed by its owner: the callback is dropped
}

TEST_CASE("a VNC client's socket is handed over") {
  FakeQemu qemu;
  std::string result;
  auto pair = must(base::socket_pair(SOCK_STREAM));
  add_vnc_client(qemu.qmp.get(), std::move(pair.second), into(&result));
  json got = expect(&qemu, "getfd");
  json added = expect(&qemu, "add_client");
  CHECK(added["protocol"] == "vnc");
  CHECK(added["fdname"] == got["fdname"]);
  while (result.empty()) qemu.spin();
  CHECK(result == "done");
  base::UniqueFd received = qemu.receive_fd();
  must(base::send_message(received.get(), "RFB"));
  CHECK(must(base::receive_message(pair.first.get(), 10)).data == "RFB");
  received.reset();
  CHECK(must(base::receive_message(pair.first.get(), 10)).eof);  // no copy is left with us
}

TEST_CASE("a VNC client that QEMU does not take is taken back") {
  FakeQemu qemu;
  std::string result;
  auto pair = must(base::socket_pair(SOCK_STREAM));
  add_vnc_client(qemu.qmp.get(), std::move(pair.second), into(&result));
  json got = expect(&qemu, "getfd");
  qemu.receive();
  qemu.fail("GenericError", "no");
  CHECK(expect(&qemu, "closefd")["fdname"] == got["fdname"]);
  while (result.empty()) qemu.spin();
  CHECK(result == "hand over a VNC client: QEMU says 'no'");
}

TEST_CASE("a CD is ejected, and its image let go") {
  FakeQemu qemu;
  std::string result;
  eject_cd(qemu.qmp.get(), "cd0", false, into(&result));
  expect(&qemu, "query-block", block("cd0", false, "old"));
  CHECK(expect(&qemu, "blockdev-open-tray") == json{{"id", "cd0"}, {"force", false}});
  expect(&qemu, "query-block", block("cd0", true, "old"));
  expect(&qemu, "blockdev-remove-medium");
  CHECK(expect(&qemu, "blockdev-del") == json{{"node-name", "old"}});
  while (result.empty()) qemu.spin();
  CHECK(result == "done");
}

TEST_CASE("a locked tray stays shut") {
  FakeQemu qemu;
  std::string result;
  eject_cd(qemu.qmp.get(), "cd0", false, into(&result));
  expect(&qemu, "query-block", block("cd0", false, "old"));
  expect(&qemu, "blockdev-open-tray");
  expect(&qemu, "query-block", block("cd0", false, "old"));
  while (result.empty()) qemu.spin();
  CHECK(result == "CD drive 'cd0': the guest holds the tray locked");
}

TEST_CASE("a drive that is not there, or a disk, is refused") {
  for (const char* device : {"cd9", "disk0"}) {
    FakeQemu qemu;
    std::string result;
    eject_cd(qemu.qmp.get(), device, true, into(&result));
    expect(&qemu, "query-block", block("cd0", false, "old"));
    while (result.empty()) qemu.spin();
    CHECK(result == "CD drive '" + std::string(device) + "': there is no such CD drive");
  }
  for (const json& lie : {json(), json(1), json::array({1}), json::array({{{"qdev", 1}}}),
                          json::array({{{"qdev", "cd0"}, {"tray_open", 1}}})}) {
    FakeQemu qemu;
    std::string result;
    eject_cd(qemu.qmp.get(), "cd0", true, into(&result));
    expect(&qemu, "query-block", lie);
    while (result.empty()) qemu.spin();
    CHECK(result == "CD drive 'cd0': there is no such CD drive");
  }
}

TEST_CASE("a CD is inserted as raw and read-only, by descriptor") {
  FakeQemu qemu;
  std::string result;
  insert_cd(qemu.qmp.get(), "cd0", must(base::sealed_memfd("iso", "image")), false, into(&result));
  expect(&qemu, "query-block", block("cd0", true, ""));
  expect(&qemu, "blockdev-remove-medium");
  expect(&qemu, "add-fd", {{"fdset-id", 3}, {"fd", 20}});
  CHECK(must(base::read_fd(qemu.receive_fd().get())) == "image");
  json added = expect(&qemu, "blockdev-add");
  CHECK(added["driver"] == "raw");
  CHECK(added["read-only"] == true);
  CHECK(added["file"]["driver"] == "file");
  CHECK(added["file"]["filename"] == "/dev/fdset/3");
  expect(&qemu, "remove-fd");
  CHECK(expect(&qemu, "blockdev-insert-medium") ==
        json{{"id", "cd0"}, {"node-name", added["node-name"]}});
  expect(&qemu, "blockdev-close-tray");
  while (result.empty()) qemu.spin();
  CHECK(result == "done");
}

TEST_CASE("an image that can't be inserted is let go") {
  FakeQemu qemu;
  std::string result;
  insert_cd(qemu.qmp.get(), "cd0", must(base::sealed_memfd("iso", "image")), false, into(&result));
  expect(&qemu, "query-block", block("cd0", true, ""));
  expect(&qemu, "blockdev-remove-medium");
  expect(&qemu, "add-fd", {{"fdset-id", 3}, {"fd", 20}});
  json added = expect(&qemu, "blockdev-add");
  expect(&qemu, "remove-fd");
  qemu.receive();
  qemu.fail("GenericError", "no");
  CHECK(expect(&qemu, "blockdev-del") == json{{"node-name", added["node-name"]}});
  while (result.empty()) qemu.spin();
  CHECK(result == "CD drive 'cd0': QEMU says 'no'");
}

}  // namespace
}  // namespace vmzone
