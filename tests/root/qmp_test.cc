// QMP and what is done with it, against a real QEMU; and that a test can read a guest's screen.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "base/files.h"
#include "base/unix_socket.h"
#include "tests/root/qmp/guest.h"

namespace qmp_test {
namespace {

using std::chrono::milliseconds;
using vmzone::GuestState;

constexpr const char* kGrub = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso";

base::UniqueFd open_image(const std::string& path) {
  return must(base::open_at(AT_FDCWD, path, O_RDONLY));
}

void insert(Guest* guest, const std::string& path) {
  must(guest->run([&](auto done) {
    vmzone::insert_cd(guest->qmp(), "cd0", open_image(path), false, std::move(done));
  }));
}

bool has_event(const Guest& guest, const std::string& name) {
  return std::find(guest.events().begin(), guest.events().end(), name) != guest.events().end();
}

TEST_CASE("QEMU knows every key that has a name here") {
  Guest guest;
  auto press = [&](const std::string& key) {
    nlohmann::json keys = {{{"type", "qcode"}, {"data", key}}};
    return guest.execute("send-key", {{"keys", keys}, {"hold-time", 1}}).ok();
  };
  for (const std::string& name : vmzone::key_names()) {
    INFO(name);
    for (const std::string& key : must(vmzone::key_chord_from(name))) CHECK(press(key));
  }
  CHECK_FALSE(press("no-such-key"));
}

TEST_CASE("a guest is started, paused, reset and ended") {
  Guest guest;
  auto does = [&](void (*operation)(vmzone::Qmp*, vmzone::OnDone)) {
    must(guest.run([&](auto done) { operation(guest.qmp(), std::move(done)); }));
  };
  CHECK(guest.state() == GuestState::kPrepared);
  does(vmzone::cont);
  CHECK(guest.state() == GuestState::kRunning);
  does(vmzone::stop);
  CHECK(guest.state() == GuestState::kPaused);
  does(vmzone::cont);
  does(vmzone::reset);
  does(vmzone::powerdown);
  guest.spin(milliseconds(100));
  for (const char* event : {"RESUME", "STOP", "RESET", "POWERDOWN"}) CHECK(has_event(guest, event));
  does(vmzone::quit);
  while (guest.broken().empty()) guest.spin(milliseconds(10));
  CHECK(has_event(guest, "SHUTDOWN"));
}

TEST_CASE("QEMU's refusals come back as errors") {
  Guest guest;
  auto unknown = guest.execute("no-such-command", nullptr);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == base::Code::kUnsupported);
  auto absent = guest.execute("blockdev-open-tray", {{"id", "cd9"}});
  REQUIRE_FALSE(absent);
  CHECK(absent.error().code == base::Code::kNotFound);
  auto drive = guest.run([&](auto done) { vmzone::eject_cd(guest.qmp(), "cd9", true, done); });
  REQUIRE_FALSE(drive);
  CHECK(drive.error().message == "CD drive 'cd9': there is no such CD drive");
}

TEST_CASE("QEMU takes a new connection once the last has gone, and a dead QEMU is told") {
  Guest guest;
  must(guest.run([&](auto done) { vmzone::cont(guest.qmp(), std::move(done)); }));
  for (int i = 0; i < 3; ++i) {
    guest.connect();
    CHECK(guest.state() == GuestState::kRunning);
  }
  kill(guest.pid(), SIGKILL);
  while (guest.broken().empty()) guest.spin(milliseconds(10));
  CHECK_FALSE(guest.execute("query-status", nullptr));
}

TEST_CASE("the text on the screen is read, and typed at") {
  Guest guest;
  insert(&guest, kGrub);
  must(guest.run([&](auto done) { vmzone::cont(guest.qmp(), std::move(done)); }));
  guest.wait_for("GNU GRUB");
  guest.type("c");
  guest.wait_for("grub>");
  guest.type("clear\n");
  guest.type("echo \"It's #1: {a|b} <x> ~50%\"\n");
  guest.wait_for_line("It's #1: {a|b} <x> ~50%");
  CHECK_FALSE(guest.screen().contains("GNU GRUB"));
}

TEST_CASE("a CD is changed under a guest, and what was ejected is let go") {
  Guest guest({"-boot", "order=d"});
  must(guest.run([&](auto done) { vmzone::cont(guest.qmp(), std::move(done)); }));
  guest.wait_for("No bootable device");
  const size_t before = guest.open_descriptors();
  for (int i = 0; i < 3; ++i) insert(&guest, kGrub);
  CHECK(guest.open_descriptors() == before + 1);
  must(guest.run([&](auto done) { vmzone::reset(guest.qmp(), std::move(done)); }));
  guest.wait_for("GNU GRUB");
  must(guest.run([&](auto done) { vmzone::eject_cd(guest.qmp(), "cd0", false, done); }));
  must(guest.run([&](auto done) { vmzone::eject_cd(guest.qmp(), "cd0", false, done); }));
  CHECK(guest.open_descriptors() == before);
  CHECK(has_event(guest, "DEVICE_TRAY_MOVED"));
  must(guest.run([&](auto done) { vmzone::reset(guest.qmp(), std::move(done)); }));
  guest.wait_for("No bootable device");
}

TEST_CASE("a VNC client that is handed over sees the guest, and outlives the connection") {
  Guest guest;
  auto pair = must(base::socket_pair(SOCK_STREAM));
  must(guest.run([&](auto done) {
    vmzone::add_vnc_client(guest.qmp(), std::move(pair.second), std::move(done));
  }));
  guest.connect();
  auto hello = must(base::receive_message(pair.first.get(), 64));
  CHECK(hello.data == "RFB 003.008\n");
}

TEST_CASE("memtest86+ shows itself") {
  Guest guest;
  insert(&guest, "/usr/lib/memtest86+/memtest86+x64.iso");
  must(guest.run([&](auto done) { vmzone::cont(guest.qmp(), std::move(done)); }));
  guest.wait_for("Memtest86+ v");
  guest.wait_for("Status: Testing");
}

}  // namespace
}  // namespace qmp_test
