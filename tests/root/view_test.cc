// zone view: what is on the user's screen, whatever the zone does. build/view-*.png are the
// pictures.
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/unix_socket.h"
#include "cli/view/geometry.h"
#include "labels/encodings.h"
#include "tests/harness/screen.h"
#include "tests/harness/shell.h"
#include "tests/root/view/desktop.h"
#include "tests/root/vmguest/guest.h"

namespace {

using desktop::Desktop;
using desktop::Picture;
using desktop::View;
using harness::Sandbox;

constexpr uint32_t kGreen = 0x00ff00;
constexpr uint32_t kStripe = view::kStripeHeight;
constexpr uint32_t kEdge = view::kBorder;
constexpr uint32_t kInnerWidth = view::kWindowWidth - 2 * view::kBorder;
constexpr uint32_t kInnerHeight = view::kWindowHeight - view::kStripeHeight - view::kBorder;

uint32_t colour_of(const std::string& label) {
  const labels::Encodings& encodings = labels::Encodings::built_in();
  auto parsed = encodings.parse_label(label);
  REQUIRE(parsed.ok());
  return static_cast<uint32_t>(std::stoul(encodings.colour_of(*parsed).substr(1), nullptr, 16));
}
uint32_t ink_on(uint32_t colour) {
  view::Colour text =
      view::text_colour_on({static_cast<uint8_t>(colour >> 16), static_cast<uint8_t>(colour >> 8),
                            static_cast<uint8_t>(colour)});
  return text.red == 0 ? 0 : 0xffffff;
}

// The stripe of a window that is the screen's upper left corner: any, without a window manager.
Picture stripe_of(const Picture& screen, uint32_t width = view::kWindowWidth) {
  return screen.part(0, 0, width, kStripe);
}
Picture inner_of(const Picture& screen) {
  return screen.part(kEdge, kStripe, kInnerWidth, kInnerHeight);
}

// The whole frame is there, in the label's colour, with a text on it, and nothing of the zone's.
bool frame_is_whole(const Picture& screen, uint32_t colour, uint32_t width = view::kWindowWidth,
                    uint32_t height = view::kWindowHeight) {
  Picture stripe = stripe_of(screen, width);
  size_t pixels = size_t{stripe.width} * stripe.height;
  size_t ink = stripe.count(ink_on(colour));
  bool edges = true;
  for (uint32_t y = 0; y < height; ++y)
    for (uint32_t x : {0U, kEdge - 1, width - 1, width - kEdge})
      edges = edges && screen.at(x, y) == colour;
  for (uint32_t x = 0; x < width; ++x)
    for (uint32_t y : {0U, height - 1, height - kEdge}) edges = edges && screen.at(x, y) == colour;
  return edges && stripe.count(colour) > pixels * 9 / 10 && ink > 100 && stripe.count(kGreen) == 0;
}

void keep(const Picture& picture, const std::string& name) {
  auto folder = base::make_dirs(AT_FDCWD, "build", 0755);
  REQUIRE(folder.ok());
  REQUIRE(base::replace_file(folder->get(), name, picture.png(), base::Durability::kRuntime, 0644)
              .ok());
}

void boot_painter(Sandbox& box, const std::string& name, const std::string& mode,
                  const std::string& label) {
  std::string tree = box.busybox_tree(name + "-tree");
  harness::shell_ok(box, "cp " + box.program("victims/painter") + " " + tree + "/bin/painter");
  box.zone_ok({"create", name, "--from", "dir:" + tree, "--set", "label=" + label, "--set",
               "display=/run/vnc.sock", "--set",
               "command=[\"/bin/painter\",\"/run/vnc.sock\",\"" + mode + "\"]", "--boot"});
  REQUIRE(harness::eventually([&] {
    return box.zone({"exec", name, "--", "test", "-S", "/run/vnc.sock"}).status == 0;
  }));
}

// A server that calls itself `name` and shows one pixel.
std::string one_pixel(const std::string& name, char red) {
  return "RFB 003.008\n" + std::string("\1\1\0\0\0\0\0\1\0\1", 10) + std::string(19, '\0') +
         static_cast<char>(name.size()) + name +
         std::string("\0\0\0\1\0\0\0\0\0\1\0\1\0\0\0\0\0\0", 18) + red + '\0';
}

Picture stripe_around(const Desktop& desktop, const Sandbox& box, const std::string& label,
                      const std::string& name, char red) {
  auto server = base::socket_pair(SOCK_STREAM);
  REQUIRE(server.ok());
  View window(desktop, box, "web", label, "#a00000", server->second.get());
  REQUIRE(base::send_message(server->first.get(), one_pixel(name, red)).ok());
  uint32_t pixel = uint32_t{static_cast<unsigned char>(red)} << 16;
  Picture screen;
  auto shown = [&] {
    screen = desktop.picture();
    return inner_of(screen).count(pixel) == 1;
  };
  bool drawn = harness::eventually(shown, Sandbox::kTimeout);
  INFO(window.errors());
  REQUIRE(drawn);
  CHECK(frame_is_whole(screen, 0xa00000));
  CHECK_THAT(desktop.windows(), Catch::Contains("\"[" + label + "] web\""));
  return stripe_of(screen);
}

}  // namespace

TEST_CASE("the stripe says what zoned says, and nothing that the zone does changes a pixel of it") {
  Sandbox box;
  Desktop desktop(box.root());
  Picture secret = stripe_around(desktop, box, "SECRET ENG", "guest", '\x40');
  CHECK(stripe_around(desktop, box, "SECRET ENG", "[PUBLIC] harmless", '\x7f').rgb == secret.rgb);
  CHECK(stripe_around(desktop, box, "SECRET HR", "guest", '\x20').rgb != secret.rgb);
}

TEST_CASE("keys and clicks on the picture go to the zone; nothing else does") {
  Sandbox box;
  Desktop desktop(box.root());
  auto server = base::socket_pair(SOCK_STREAM);
  REQUIRE(server.ok());
  View window(desktop, box, "web", "PUBLIC", "#a00000", server->second.get());
  server->second.reset();
  int zone = server->first.get();
  REQUIRE(base::send_message(zone, one_pixel("guest", '\x40')).ok());
  REQUIRE(harness::eventually([&] { return inner_of(desktop.picture()).count(0x400000) == 1; }));
  std::string got;
  auto sent = [&](const std::string& wanted) {
    char buffer[256];
    for (ssize_t n = 0; (n = recv(zone, buffer, sizeof buffer, MSG_DONTWAIT)) > 0;)
      got.append(buffer, static_cast<size_t>(n));
    return got.find(wanted) != std::string::npos;
  };
  const std::string press("\5\1\0\0\0\0", 6);
  const std::string key("\4\1\0\0\0\0\0a\4\0\0\0\0\0\0a", 16);
  desktop.type({"mousemove", "300", "10", "click", "1"});
  desktop.type({"mousemove", "300", "300", "key", "a"});
  CHECK(harness::eventually([&] { return sent(key); }));
  CHECK_FALSE(sent(press));
  desktop.type({"click", "1"});
  CHECK(harness::eventually([&] { return sent(press); }));
  // Hello, choices, pixel format and encodings; then requests, keys and pointers, and nothing else.
  constexpr size_t kHello = 12 + 2 + 20 + 12;
  size_t at = kHello;
  for (; at < got.size(); at += got[at] == 3 ? 10 : got[at] == 4 ? 8 : 6)
    REQUIRE((got[at] >= 3 && got[at] <= 5));
  CHECK(at == got.size());
}

TEST_CASE("a native zone's display is framed in its label, and can't draw over that") {
  Sandbox box;
  Desktop desktop(box.root());
  boot_painter(box, "web", "paint", "SECRET ENG");
  View window(desktop, box, "web");
  uint32_t colour = colour_of("SECRET ENG");
  Picture screen;
  bool green = harness::eventually(
      [&] {
        screen = desktop.picture();
        return inner_of(screen).count(kGreen) > kInnerWidth * kInnerHeight * 9 / 10;
      },
      Sandbox::kTimeout);
  keep(screen, "view-native.png");
  INFO(window.errors());
  REQUIRE(green);  // the zone's picture is there, all over what is its own
  CHECK(frame_is_whole(screen, colour));
  CHECK(screen.count(kGreen) == inner_of(screen).count(kGreen));
  // Its own name and cut text are nowhere.
  std::string windows = desktop.windows();
  CHECK_THAT(windows, Catch::Contains("\"[SECRET ENG] web\""));
  CHECK_THAT(windows, !Catch::Contains("harmless"));
}

TEST_CASE("a full screen keeps its stripe on top, and the zone can't paint over it") {
  Sandbox box;
  Desktop desktop(box.root());
  desktop.manage_windows();
  boot_painter(box, "web", "flood", "SECRET ENG");
  View window(desktop, box, "web");
  uint32_t colour = colour_of("SECRET ENG");
  constexpr size_t kScreen = size_t{desktop::kScreenWidth} * desktop::kScreenHeight;
  Picture screen;
  // More than the window's own size holds.
  auto fills = [&] {
    screen = desktop.picture();
    return screen.count(kGreen) > kScreen * 8 / 10;
  };
  auto whole = [&] {
    return frame_is_whole(screen, colour, desktop::kScreenWidth, desktop::kScreenHeight);
  };
  bool drawn = harness::eventually([&] { return desktop.picture().count(kGreen) > kScreen / 2; },
                                   Sandbox::kTimeout);
  INFO(window.errors());
  REQUIRE(drawn);
  CHECK_FALSE(fills());
  desktop.type({"key", "ctrl+alt+Return"});
  bool filled = harness::eventually([&] { return fills() && whole(); });
  keep(screen, "view-full.png");
  REQUIRE(filled);
  Picture stripe = stripe_of(screen, desktop::kScreenWidth);
  // It goes on painting, is clicked at and typed at.
  desktop.type({"mousemove", "640", "10", "click", "1", "mousemove", "640", "400", "click", "1"});
  desktop.type({"key", "Escape", "F11"});
  for (int i = 0; i < 20; ++i) {
    usleep(50'000);
    REQUIRE(fills());
    REQUIRE(whole());
    REQUIRE(stripe_of(screen, desktop::kScreenWidth).rgb == stripe.rgb);
  }
  desktop.type({"key", "ctrl+alt+Return"});
  CHECK(harness::eventually([&] { return !fills() && screen.count(kGreen) > kScreen / 2; }));
}

TEST_CASE(
    "a display that breaks the protocol, floods or ends takes the window along or stays in it") {
  Sandbox box;
  Desktop desktop(box.root());
  boot_painter(box, "outside", "outside", "PUBLIC");
  {
    View window(desktop, box, "outside");
    CHECK(window.wait() == 1);
    CHECK_THAT(window.errors(), Catch::Contains("it draws outside of its screen"));
  }
  boot_painter(box, "flood", "flood", "PUBLIC");
  View window(desktop, box, "flood");
  bool drawn = harness::eventually([&] { return inner_of(desktop.picture()).count(kGreen) > 1000; },
                                   Sandbox::kTimeout);
  INFO(window.errors());
  CHECK(drawn);
  CHECK(frame_is_whole(desktop.picture(), colour_of("PUBLIC")));
  box.zone_ok({"halt", "flood"});
  CHECK(window.wait() == 1);
  CHECK_THAT(window.errors(), Catch::Contains("its display has ended"));
}

TEST_CASE("no display is connected to but a socket of the zone's own that answers") {
  Sandbox box;
  boot_painter(box, "web", "full", "PUBLIC");
  auto refused = [&](const std::string& setting) {
    box.zone_ok({"set", "web", "display=" + setting});
    return box.zone({"vnc", "web", "--socket", box.root() + "/vnc"}).err;
  };
  harness::shell_ok(box,
                    "mkdir -m 777 $R/shared && python3 -c 'import socket,sys; "
                    "s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1])' $R/shared/host");
  CHECK_THAT(refused("/bin/sh"), Catch::Contains("is not a socket of the zone's own"));
  CHECK_THAT(refused("/nowhere"), Catch::Contains("No such file"));
  // A link leads nowhere but into the zone.
  box.zone_ok({"exec", "web", "--", "ln", "-s", box.root() + "/shared/host", "/run/link"});
  CHECK_THAT(refused("/run/link"), Catch::Contains("No such file"));
  box.zone_ok({"exec", "web", "--", "ln", "-s", "/proc/1/root/run/vnc.sock", "/run/magic"});
  CHECK_THAT(refused("/run/magic"), Catch::Contains("Too many levels"));
  // The first fills the queue of a server that never accepts; zoned answers all the same.
  harness::shell_ok(
      box,
      "$Z set web display=/run/vnc.sock; for i in 1 2 3; do timeout -s INT 5 $Z vnc web "
      "--socket $R/v$i >$R/out$i 2>$R/err$i & done; wait");
  CHECK_THAT(harness::read_text(box.root() + "/err1") + harness::read_text(box.root() + "/err2") +
                 harness::read_text(box.root() + "/err3"),
             Catch::Contains("takes no connection now"));
  CHECK(harness::state_of(box, "web") == "running");
  CHECK_THAT(refused(""), Catch::Contains("it has no display"));
}

TEST_CASE("a guest's screen is framed in its label") {
  Sandbox box;
  Desktop desktop(box.root());
  vm_test::boot_grub(box, "old", {"label=CONFIDENTIAL HR"});
  vm_test::wait_for_screen(box, "old", "GNU GRUB");
  View window(desktop, box, "old");
  auto font = harness::ScreenFont::load();
  REQUIRE(font.ok());
  Picture screen;
  auto shows_grub = [&] {
    screen = desktop.picture();
    // In the middle: either of the sizes that GRUB's text comes in.
    for (auto [width, height] : {std::pair(720U, 400U), std::pair(640U, 480U)}) {
      Picture guest = inner_of(screen).part((kInnerWidth - width) / 2, (kInnerHeight - height) / 2,
                                            width, height);
      auto read = harness::read_screen(*font, guest.png());
      if (read && read->contains("GNU GRUB")) return true;
    }
    return false;
  };
  bool shown = harness::eventually(shows_grub, Sandbox::kTimeout);
  keep(screen, "view-vm.png");
  INFO(window.errors());
  CHECK(shown);
  CHECK(frame_is_whole(screen, colour_of("CONFIDENTIAL HR")));
  CHECK_THAT(desktop.windows(), Catch::Contains("\"[CONFIDENTIAL HR] old\""));
}

TEST_CASE("without a graphical session, zone view says so and what else there is") {
  Sandbox box;
  harness::check_refused(harness::shell(box, "env -u DISPLAY -u WAYLAND_DISPLAY $Z view web"),
                         {"no graphical session", "zone vnc web"});
  harness::check_refused(harness::shell(box, "DISPLAY=:1 $Z view web"),
                         {"zone 'web': no such zone"});
}
