#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/strings.h"
#include "base/unix_socket.h"
#include "tests/unit/cli/fake_daemon.h"

namespace {

using cli_test::FakeDaemon;
using cli_test::take;
using nlohmann::json;

void send_fd(api::Call& call, const char* member, base::UniqueFd fd) {
  std::vector<base::UniqueFd> fds;
  fds.push_back(std::move(fd));
  call.answer.reply({{member, 0}}, std::move(fds));
}

void give_picture(FakeDaemon* daemon, const std::string& picture) {
  daemon->methods["Screenshot"] = [picture](api::Call& call) {
    send_fd(call, "image", take(base::sealed_memfd("picture", picture)));
  };
}

TEST_CASE("a picture goes to a file as a whole, or to stdout") {
  FakeDaemon daemon;
  std::string file = daemon.root() + "/run/screen.png";
  give_picture(&daemon, "first");
  CHECK(daemon.zone({"screenshot", "vm", "-o", file}).status == 0);
  CHECK(take(base::read_file(AT_FDCWD, file)) == "first");
  give_picture(&daemon, "2nd");
  CHECK(daemon.zone({"screenshot", "vm", "-o", file}).status == 0);
  CHECK(take(base::read_file(AT_FDCWD, file)) == "2nd");
  struct stat st = {};
  REQUIRE(stat(file.c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);
  auto outcome = daemon.zone({"screenshot", "vm", "-o", "-"});
  CHECK(outcome.out == "2nd");
  CHECK(outcome.err.empty());
  CHECK(daemon.zone({"screenshot", "vm"}).status == 1);
  CHECK(daemon.zone({"screenshot", "vm", "-o", daemon.root() + "/"}).status == 1);
  unlink(file.c_str());
}

TEST_CASE("too large a picture is refused and the file left alone") {
  FakeDaemon daemon;
  std::string file = daemon.root() + "/run/screen.png";
  daemon.methods["Screenshot"] = [](api::Call& call) {
    base::UniqueFd huge(memfd_create("huge", MFD_CLOEXEC));
    REQUIRE(ftruncate(huge.get(), (off_t{32} << 20) + 1) == 0);
    send_fd(call, "image", std::move(huge));
  };
  CHECK(daemon.zone({"screenshot", "vm", "-o", file}).status == 1);
  CHECK_FALSE(base::exists_at(AT_FDCWD, file));
}

TEST_CASE("a picture is not written to a terminal") {
  FakeDaemon daemon;
  give_picture(&daemon, "picture");
  base::UniqueFd master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  REQUIRE(grantpt(master.get()) == 0);
  REQUIRE(unlockpt(master.get()) == 0);
  char name[64] = {};
  REQUIRE(ptsname_r(master.get(), name, sizeof name) == 0);
  base::UniqueFd terminal(open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
  base::UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  pid_t child = daemon.start("zone", {"screenshot", "vm", "-o", "-"},
                             {null.get(), terminal.get(), null.get()});
  CHECK(daemon.wait(child) == 1);
  CHECK(daemon.called.empty());
}

TEST_CASE("keys and text are sent as they were meant") {
  FakeDaemon daemon;
  json sent;
  daemon.methods["Keys"] = [&sent](api::Call& call) {
    sent = call.parameters;
    call.answer.reply(json::object());
  };
  CHECK(daemon.zone({"key", "vm", "ctrl-alt-delete", "f2"}).status == 0);
  CHECK(sent == json{{"name", "vm"}, {"keys", {"ctrl-alt-delete", "f2"}}, {"text", ""}});
  CHECK(daemon.zone({"key", "vm", "--text", R"(a\\n\n\t\e\b)"}).status == 0);
  CHECK(sent == json{{"name", "vm"}, {"keys", json::array()}, {"text", "a\\n\n\t\x1b\b"}});
  sent = nullptr;
  CHECK(daemon.zone({"key", "vm"}).status == 1);
  CHECK(daemon.zone({"key", "vm", "--text", "\\x"}).status == 1);
  CHECK(daemon.zone({"key", "vm", "--text", "end\\"}).status == 1);
  CHECK(sent.is_null());
}

TEST_CASE("insert hands over the file read-only, eject none") {
  FakeDaemon daemon;
  json sent;
  auto record = [&sent](api::Call& call) {
    sent = call.parameters;
    sent["fds"] = call.fds.size();
    if (!call.fds.empty())
      sent["readable"] = (fcntl(call.fds[0].get(), F_GETFL) & O_ACCMODE) == O_RDONLY;
    call.answer.reply(json::object());
  };
  daemon.methods["Insert"] = record;
  daemon.methods["Eject"] = record;
  CHECK(daemon.zone({"insert", "vm", "man/zone.1"}).status == 0);
  CHECK(sent ==
        json{{"name", "vm"}, {"drive", "cd0"}, {"force", false}, {"fds", 1}, {"readable", true}});
  CHECK(daemon.zone({"eject", "vm", "--drive", "cd1", "-F"}).status == 0);
  CHECK(sent == json{{"name", "vm"}, {"drive", "cd1"}, {"force", true}, {"fds", 0}});
  CHECK(daemon.zone({"insert", "vm", "/no/such/file"}).status == 1);
  CHECK(daemon.called.size() == 2);
}

struct Listening {
  FakeDaemon daemon;
  std::string path = daemon.root() + "/run/vnc";
  std::vector<base::UniqueFd> displays;  // our ends, the first of the trial
  pid_t child = -1;

  Listening() {
    daemon.methods["Display"] = [this](api::Call& call) {
      auto pair = take(base::socket_pair(SOCK_STREAM));
      displays.push_back(std::move(pair.first));
      send_fd(call, "socket", std::move(pair.second));
    };
    base::UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
    child =
        daemon.start("zone", {"vnc", "vm", "--socket", path}, {null.get(), null.get(), null.get()});
    while (!base::exists_at(AT_FDCWD, path)) daemon.turn();
  }
  base::UniqueFd view() {
    size_t before = displays.size();
    base::UniqueFd viewer = take(base::connect_unix(AT_FDCWD, path, SOCK_STREAM));
    while (displays.size() == before) daemon.turn();
    return viewer;
  }
};

TEST_CASE("each VNC viewer gets a display of its own, and both ways flow") {
  Listening vnc;
  struct stat st = {};
  REQUIRE(stat(vnc.path.c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);
  base::UniqueFd one = vnc.view(), two = vnc.view();
  REQUIRE(vnc.displays.size() == 3);
  const std::string large(300000, 'x');  // more than is held on the way
  fcntl(vnc.displays[1].get(), F_SETFL, O_NONBLOCK);
  size_t sent = 0;
  std::string got;
  while (got.size() < large.size()) {
    ssize_t n = write(vnc.displays[1].get(), large.data() + sent, large.size() - sent);
    if (n > 0) sent += static_cast<size_t>(n);
    got += take(base::receive_message(one.get(), 1 << 20)).data;
  }
  CHECK(got == large);
  fcntl(vnc.displays[1].get(), F_SETFL, 0);
  CHECK(take(base::send_message(two.get(), "key")) == 3);
  CHECK(take(base::receive_message(vnc.displays[2].get(), 64)).data == "key");
  one.reset();
  CHECK(take(base::receive_message(vnc.displays[1].get(), 64)).eof);
  vnc.displays[2].reset();
  CHECK(take(base::receive_message(two.get(), 64)).eof);
  kill(vnc.child, SIGINT);
  CHECK(vnc.daemon.wait(vnc.child) == 0);
  CHECK_FALSE(base::exists_at(AT_FDCWD, vnc.path));
}

TEST_CASE("vnc takes no path that exists, and listens for no zone that has no display") {
  FakeDaemon daemon;
  CHECK(daemon.zone({"vnc", "vm", "--socket", daemon.root() + "/run/vnc"}).status == 1);
  CHECK_FALSE(base::exists_at(AT_FDCWD, daemon.root() + "/run/vnc"));
  daemon.methods["Display"] = [](api::Call& call) {
    send_fd(call, "socket", take(base::socket_pair(SOCK_STREAM)).first);
  };
  auto outcome = daemon.zone({"vnc", "vm", "--socket", daemon.root() + "/run/zoned.sock"});
  CHECK(outcome.status == 1);
  CHECK(outcome.err.find("exists already") != std::string::npos);
}

}  // namespace
