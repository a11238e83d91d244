// A graphical session of a test's own: Xvfb, without a window manager unless asked for, and what is on
// its screen.
// Every function fails the test when it can't do what it says.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/harness/sandbox.h"

namespace desktop {

struct Picture {
  uint32_t width = 0;
  uint32_t height = 0;
  std::vector<uint8_t> rgb;

  uint32_t at(uint32_t x, uint32_t y) const;  // 0xRRGGBB
  Picture part(uint32_t x, uint32_t y, uint32_t part_width, uint32_t part_height) const;
  size_t count(uint32_t colour) const;
  std::string png() const;
};

inline constexpr uint32_t kScreenWidth = 1280;
inline constexpr uint32_t kScreenHeight = 900;

class Desktop {
 public:
  // Below `folder`, whose name it keeps.
  explicit Desktop(const std::string& folder);
  ~Desktop();
  Desktop(const Desktop&) = delete;
  Desktop& operator=(const Desktop&) = delete;

  // Starts one (openbox) and waits until windows may ask it for something.
  void manage_windows();
  Picture picture() const;
  // xdotool(1), what the user does with mouse and keyboard.
  void type(const std::vector<std::string>& commands) const;
  // "0x400003 "title": ..." lines of xwininfo.
  std::string windows() const;
  // Of this display, for what is started on it.
  std::vector<std::string> environment() const;

 private:
  std::string folder_;
  pid_t server_ = 0;
  pid_t manager_ = 0;
  std::string display_;  // ":7"
};

// A viewer, running on the desktop.
class View {
 public:
  // `zone view ZONE`.
  View(const Desktop& desktop, const harness::Sandbox& box, const std::string& zone);
  // `zone-view`, with what zoned would have said, on a stream socket.
  View(const Desktop& desktop, const harness::Sandbox& box, const std::string& zone,
       const std::string& label, const std::string& colour, int socket);
  ~View();
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  // Waits for its end by itself; the exit status.
  int wait();
  std::string errors() const;  // what it has said on stderr

 private:
  void start(const Desktop& desktop, const std::vector<std::string>& argv, int socket);

  pid_t pid_ = 0;
  std::string errors_path_;
};

}  // namespace desktop
