#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <string>

#include "base/unix_socket.h"
#include "cli/view/decoder.h"
#include "cli/view/geometry.h"

namespace {

using view::Colour;

// What becomes of a process that does `act` once it is confined.
template <typename Act>
int status_of(bool confined, Act act) {
  auto sockets = base::socket_pair(SOCK_SEQPACKET);
  REQUIRE(sockets.ok());
  pid_t pid = fork();
  if (pid == 0) {
    if (confined && !view::confine(sockets->first.get(), sockets->second.get())) _exit(99);
    _exit(act());
  }
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  return status;
}

}  // namespace

TEST_CASE("colours have one spelling, and text on them stands out") {
  CHECK(view::parse_colour("#ff8000") == Colour{255, 128, 0});
  for (const char* bad : {"", "#ff800", "ff80000", "#FF8000", "#ff800g", "red", "#ff8000;"})
    CHECK_FALSE(view::parse_colour(bad));
  CHECK(view::text_colour_on({0, 0, 0}) == Colour{255, 255, 255});
  CHECK(view::text_colour_on({0, 0, 255}) == Colour{255, 255, 255});
  CHECK(view::text_colour_on({255, 255, 0}) == Colour{0, 0, 0});
  CHECK(view::text_colour_on({255, 255, 255}) == Colour{0, 0, 0});
}

TEST_CASE("a screen is shown in the middle, smaller if it must be, never larger") {
  view::Placement small = view::place({100, 50}, 200, 200);
  CHECK(small.scale == 1);
  CHECK(small.left == 50);
  CHECK(small.top == 75);
  view::Placement large = view::place({4000, 1000}, 1000, 768);
  CHECK(large.scale == 0.25);
  CHECK(large.left == 0);
  CHECK(view::pixel_at(large, {4000, 1000}, 999, 0) == view::Area{3996, 0, 1, 1});
  CHECK(view::pixel_at(small, {100, 50}, -5, 1e9) == view::Area{0, 49, 1, 1});
}

TEST_CASE("the process that reads a zone's bytes can open, start and connect nothing") {
  auto open_file = [] { return open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 ? 1 : 0; };
  auto make_socket = [] { return socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? 1 : 0; };
  auto make_process = [] { return fork() < 0 ? 1 : 0; };
  auto run_program = [] { return execl("/bin/true", "true", nullptr); };
  auto kill_parent = [] { return kill(getppid(), 0); };
  auto holds = [](auto act) {
    CHECK(status_of(false, act) == 0);  // the control
    int status = status_of(true, act);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGSYS);
  };
  holds(open_file);
  holds(make_socket);
  holds(make_process);
  holds(run_program);
  holds(kill_parent);
  // And it can end.
  CHECK(status_of(true, [] { return 0; }) == 0);
}

TEST_CASE("a decoder tells sizes and ends, and dies with the frame") {
  auto canvas = view::Canvas::create();
  REQUIRE(canvas.ok());
  auto server = base::socket_pair(SOCK_STREAM);
  REQUIRE(server.ok());
  auto decoder = view::start_decoder(std::move(server->second), *canvas);
  REQUIRE(decoder.ok());
  fcntl(decoder->socket.get(), F_SETFL, 0);
  std::string hello("RFB 003.008\n\1\1\0\0\0\0", 18);
  std::string screen("\0\2\0\1", 4);
  screen += std::string(16, '\0') + std::string(4, '\0');
  std::string picture("\0\0\0\1\0\0\0\0\0\2\0\1\0\0\0\0\1\2\3\0\4\5\6\0", 24);
  REQUIRE(base::send_message(server->first.get(), hello + screen + picture).ok());
  view::FromDecoder message;
  REQUIRE(read(decoder->socket.get(), &message, sizeof message) == sizeof message);
  CHECK(message.kind == view::FromDecoder::kSize);
  CHECK(message.area == view::Area{0, 0, 2, 1});
  REQUIRE(read(decoder->socket.get(), &message, sizeof message) == sizeof message);
  CHECK(message.kind == view::FromDecoder::kDamage);
  CHECK(canvas->data()[4] == 4);
  server->first.reset();
  REQUIRE(read(decoder->socket.get(), &message, sizeof message) == sizeof message);
  CHECK(message.kind == view::FromDecoder::kEnded);
  CHECK(std::string(message.reason) == "its display has ended");
  int status = 0;
  REQUIRE(waitpid(decoder->pid, &status, 0) == decoder->pid);
  CHECK(status == 0);

  auto other = base::socket_pair(SOCK_STREAM);
  REQUIRE(other.ok());
  auto orphan = view::start_decoder(std::move(other->second), *canvas);
  REQUIRE(orphan.ok());
  orphan->socket.reset();
  REQUIRE(waitpid(orphan->pid, &status, 0) == orphan->pid);
  CHECK(WIFEXITED(status));
}
