// zone view: the display in a window with the label around it. The window is another program's,
// zone-view: this one has no graphical libraries.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>

#include "base/strings.h"
#include "cli/handlers.h"

namespace cli {
namespace {

using base::Code;
using base::make_error;

bool has_value(const char* variable) {
  const char* value = getenv(variable);
  return value != nullptr && *value != '\0';
}

// Beside this program, as it is built, or among the helpers, as it is installed.
base::Result<std::string> find_program() {
  char self[PATH_MAX] = {};
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n <= 0) return base::sys_error("find zone-view");
  std::string folder(self, static_cast<size_t>(n));
  folder.erase(folder.rfind('/') + 1);
  for (const char* place : {"zone-view", "../libexec/zoned/zone-view"})
    if (access((folder + place).c_str(), X_OK) == 0) return folder + place;
  return make_error(Code::kUnsupported, "zone-view is not installed",
                    "build it with the package libgtk-3-dev, or use a VNC viewer: zone vnc");
}

}  // namespace

base::Result<Display> open_display(const Context& context, const std::string& zone) {
  TRY_AS(api::Client client, context.connect());
  TRY_AS(api::Reply reply, client.call("Display", {{"name", zone}}));
  if (int_of(reply.parameters, "socket", -1) != 0 || reply.fds.size() != 1)
    return make_error(Code::kInternal, "zoned sent no display");
  return Display{std::move(reply.fds[0]), text_of(reply.parameters, "label"),
                 text_of(reply.parameters, "colour")};
}

base::Result<int> view(const Context& context, const Arguments& arguments) {
  const std::string& name = arguments.words[0];
  if (!has_value("DISPLAY") && !has_value("WAYLAND_DISPLAY"))
    return make_error(Code::kUnsupported, "no graphical session: DISPLAY is not set",
                      "run it in one, or let a VNC viewer connect: zone vnc " + name);
  TRY_AS(std::string program, find_program());
  TRY_AS(Display display, open_display(context, name));
  if (fcntl(display.socket.get(), F_SETFD, 0) != 0) return base::sys_error("fcntl");
  std::string number = std::to_string(display.socket.get());
  execl(program.c_str(), "zone-view", number.c_str(), name.c_str(), display.label.c_str(),
        display.colour.c_str(), nullptr);
  return base::sys_error("start " + base::quoted(program));
}

}  // namespace cli
