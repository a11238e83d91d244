#include "tests/root/view/desktop.h"

#include <fcntl.h>
#include <png.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>

#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"

namespace desktop {
namespace {

// Never returns.
void become(const std::vector<std::string>& argv, const std::vector<std::string>& environment) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::vector<char*> arguments;
  std::vector<char*> variables;
  for (const std::string& text : argv) arguments.push_back(const_cast<char*>(text.c_str()));
  for (const std::string& text : environment) variables.push_back(const_cast<char*>(text.c_str()));
  arguments.push_back(nullptr);
  variables.push_back(nullptr);
  execvpe(arguments[0], arguments.data(), variables.data());
  _exit(127);
}

uint32_t big_endian(const std::string& bytes, size_t word) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes.at(word * 4 + i));
  return value;
}

}  // namespace

uint32_t Picture::at(uint32_t x, uint32_t y) const {
  size_t pixel = (size_t{y} * width + x) * 3;
  return uint32_t{rgb.at(pixel)} << 16 | uint32_t{rgb.at(pixel + 1)} << 8 | rgb.at(pixel + 2);
}

Picture Picture::part(uint32_t x, uint32_t y, uint32_t part_width, uint32_t part_height) const {
  Picture out{part_width, part_height, {}};
  for (uint32_t row = 0; row < part_height; ++row) {
    auto from = rgb.begin() + static_cast<ptrdiff_t>((size_t{y + row} * width + x) * 3);
    out.rgb.insert(out.rgb.end(), from, from + ptrdiff_t{part_width} * 3);
  }
  return out;
}

size_t Picture::count(uint32_t colour) const {
  size_t found = 0;
  for (uint32_t y = 0; y < height; ++y)
    for (uint32_t x = 0; x < width; ++x) found += at(x, y) == colour ? 1 : 0;
  return found;
}

std::string Picture::png() const {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  REQUIRE(png_image_write_get_memory_size(image, size, 0, rgb.data(), 0, nullptr) != 0);
  std::string bytes(size, '\0');
  REQUIRE(png_image_write_to_memory(&image, bytes.data(), &size, 0, rgb.data(), 0, nullptr) != 0);
  bytes.resize(size);
  return bytes;
}

Desktop::Desktop(const std::string& folder) : folder_(folder + "/desktop") {
  REQUIRE(mkdir(folder_.c_str(), 0700) == 0);
  base::Pipe number = *base::make_pipe();
  server_ = fork();
  if (server_ == 0) {
    constexpr int kNumber = 20;
    dup2(number.write.get(), kNumber);
    std::string screen = std::to_string(kScreenWidth) + "x" + std::to_string(kScreenHeight) + "x24";
    become({"Xvfb", "-displayfd", std::to_string(kNumber), "-screen", "0", screen, "-fbdir",
            folder_, "-nolisten", "tcp", "-nocursor", "-noreset"},
           {"PATH=/usr/bin:/bin"});
  }
  number.write.reset();
  auto text = base::read_fd(number.read.get());
  REQUIRE(text.ok());
  INFO("is Xvfb installed?");
  REQUIRE_FALSE(text->empty());
  display_ = ":" + std::string(base::trim(*text));
}

Desktop::~Desktop() {
  if (manager_ > 0) {
    kill(manager_, SIGKILL);
    waitpid(manager_, nullptr, 0);
  }
  kill(server_, SIGTERM);
  waitpid(server_, nullptr, 0);
}

void Desktop::manage_windows() {
  manager_ = fork();
  if (manager_ == 0) become({"openbox", "--sm-disable"}, environment());
  INFO("is openbox installed?");
  REQUIRE(harness::eventually([&] {
    auto output = base::run_program(
        {"xprop", "-display", display_, "-root", "_NET_SUPPORTED", "_NET_SUPPORTING_WM_CHECK"});
    return output.ok() && output->out.find("_NET_WM_STATE_FULLSCREEN") != std::string::npos &&
           output->out.find("window id") != std::string::npos;
  }));
}

std::vector<std::string> Desktop::environment() const {
  return {"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
          "HOME=" + folder_,
          "DISPLAY=" + display_,
          "NO_AT_BRIDGE=1",
          "GSETTINGS_BACKEND=memory",
          "GDK_BACKEND=x11"};
}

// XWDFile.h: words of a header, high byte first, then colours of 12 bytes, then rows.
Picture Desktop::picture() const {
  constexpr size_t kMost = 64 << 20;
  auto file = base::read_file(AT_FDCWD, folder_ + "/Xvfb_screen0", kMost);
  REQUIRE(file.ok());
  Picture picture{big_endian(*file, 4), big_endian(*file, 5), {}};
  size_t row_bytes = big_endian(*file, 12);
  size_t start = big_endian(*file, 0) + size_t{big_endian(*file, 19)} * 12;
  REQUIRE(picture.width == kScreenWidth);
  for (size_t y = 0; y < picture.height; ++y)
    for (size_t x = 0; x < picture.width; ++x)
      for (size_t channel : {2, 1, 0})
        picture.rgb.push_back(
            static_cast<uint8_t>(file->at(start + y * row_bytes + x * 4 + channel)));
  return picture;
}

std::string Desktop::windows() const {
  auto output = base::run_program({"xwininfo", "-display", display_, "-root", "-tree"});
  REQUIRE(output.ok());
  return output->out;
}

void Desktop::type(const std::vector<std::string>& commands) const {
  std::vector<std::string> argv = {"env", "DISPLAY=" + display_, "xdotool"};
  argv.insert(argv.end(), commands.begin(), commands.end());
  auto output = base::run_program(argv);
  REQUIRE(output.ok());
  INFO(output->err);
  REQUIRE(output->status == 0);
}

View::View(const Desktop& desktop, const harness::Sandbox& box, const std::string& zone)
    : errors_path_(box.root() + "/view-" + zone + ".err") {
  start(desktop, {box.program("zone"), "--root", box.root(), "view", zone}, -1);
}

View::View(const Desktop& desktop, const harness::Sandbox& box, const std::string& zone,
           const std::string& label, const std::string& colour, int socket)
    : errors_path_(box.root() + "/view-" + zone + ".err") {
  start(desktop, {box.program("zone-view"), std::to_string(socket), zone, label, colour}, socket);
}

void View::start(const Desktop& desktop, const std::vector<std::string>& argv, int socket) {
  pid_ = fork();
  if (pid_ != 0) return;
  int errors = open(errors_path_.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  dup2(errors, 2);
  if (socket >= 0) fcntl(socket, F_SETFD, 0);
  become(argv, desktop.environment());
}

View::~View() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

int View::wait() {
  int status = -1;
  bool ended = harness::eventually([&] { return waitpid(pid_, &status, WNOHANG) == pid_; },
                                   harness::Sandbox::kTimeout);
  REQUIRE(ended);
  pid_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string View::errors() const {
  auto text = base::read_file(AT_FDCWD, errors_path_);
  REQUIRE(text.ok());
  return *text;
}

}  // namespace desktop
