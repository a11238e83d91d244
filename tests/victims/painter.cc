// painter SOCKET MODE: a zone's VNC server, hostile. It names itself after another label, sends a
// cut text, says that its screen is larger than the window, and paints all of it green. MODE
// "paint": that, for good. "outside": then rectangles beyond its screen. "flood": it paints without
// being asked, for ever.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstring>
#include <string>

namespace {

std::string u8(uint32_t value) { return {static_cast<char>(value & 0xff)}; }
std::string u16(uint32_t value) { return u8(value >> 8) + u8(value); }
std::string u32(uint32_t value) { return u16(value >> 16) + u16(value); }

bool send_all(int fd, const std::string& bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    ssize_t n = write(fd, bytes.data() + sent, bytes.size() - sent);
    if (n <= 0) return false;
    sent += static_cast<size_t>(n);
  }
  return true;
}
bool skip(int fd, size_t bytes) {
  char buffer[256];
  while (bytes > 0) {
    ssize_t n = read(fd, buffer, bytes < sizeof buffer ? bytes : sizeof buffer);
    if (n <= 0) return false;
    bytes -= static_cast<size_t>(n);
  }
  return true;
}

std::string rectangle(uint32_t x, uint32_t y, uint32_t width, uint32_t height, uint32_t encoding) {
  return u8(0) + u8(0) + u16(1) + u16(x) + u16(y) + u16(width) + u16(height) + u32(encoding);
}
std::string green(uint32_t width, uint32_t height) {
  std::string pixels;
  for (uint32_t i = 0; i < width * height; ++i) pixels += std::string("\x00\xff\x00\x00", 4);
  return rectangle(0, 0, width, height, 0) + pixels;
}

void serve(int viewer, const std::string& mode) {
  constexpr uint32_t kResize = static_cast<uint32_t>(-223);
  const std::string name = "[PUBLIC] harmless";
  const std::string text = "pasted";
  bool good =
      send_all(viewer, "RFB 003.008\n") && skip(viewer, 12) && send_all(viewer, u8(1) + u8(1)) &&
      skip(viewer, 1) && send_all(viewer, u32(0)) && skip(viewer, 1) &&
      send_all(viewer, u16(640) + u16(480) + std::string(16, '\0') +
                           u32(static_cast<uint32_t>(name.size())) + name) &&
      send_all(viewer,
               u8(3) + std::string(3, '\0') + u32(static_cast<uint32_t>(text.size())) + text) &&
      send_all(viewer, green(640, 480)) && send_all(viewer, rectangle(0, 0, 3000, 2400, kResize)) &&
      send_all(viewer, green(3000, 2400));
  if (good && mode == "outside") good = send_all(viewer, rectangle(0, 0, 65535, 65535, 0));
  while (good && mode == "flood") good = send_all(viewer, green(3000, 2400));
  while (good && skip(viewer, 1)) {
  }
  close(viewer);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  signal(SIGCHLD, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return 1;
  // "full": nobody is ever taken in.
  if (listen(listener, std::string(argv[2]) == "full" ? 0 : 8) != 0) return 1;
  while (std::string(argv[2]) == "full") poll(nullptr, 0, -1);
  while (true) {
    int viewer = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (viewer < 0) continue;
    if (fork() == 0) {
      serve(viewer, argv[2]);
      _exit(0);
    }
    close(viewer);
  }
}
