// Screens, keyboards and CD drives of guests; pausing them.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/strings.h"
#include "cli/handlers.h"

namespace cli {
namespace {

using base::Code;
using base::make_error;
using nlohmann::json;

constexpr size_t kMaxPicture = size_t{32} << 20;  // what zoned sends at most (vmzone/control.h)

// \n, \t, \e, \b and \\ as they are written on a command line.
base::Result<std::string> unescaped(std::string_view text) {
  constexpr std::string_view kLetters = "nteb\\";
  constexpr std::string_view kValues = "\n\t\x1b\b\\";
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    size_t at = ++i < text.size() ? kLetters.find(text[i]) : std::string_view::npos;
    if (at == std::string_view::npos)
      return make_error(Code::kInvalid, "--text: a backslash before something unknown",
                        "known are \\n, \\t, \\e, \\b and \\\\");
    out += kValues[at];
  }
  return out;
}

// The old file or the whole picture, never a part.
base::Status write_picture(const std::string& file, const std::string& picture) {
  size_t slash = file.rfind('/');
  std::string folder = slash == std::string::npos ? "." : file.substr(0, slash + 1);
  std::string name = slash == std::string::npos ? file : file.substr(slash + 1);
  if (name.empty())
    return make_error(Code::kInvalid, base::quoted(file) + " is a folder", "name a file");
  TRY_AS(base::UniqueFd at, base::open_at(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY));
  // What is there is replaced, and a device or a link would be gone.
  struct stat st = {};
  if (fstatat(at.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode))
    return make_error(Code::kInvalid, base::quoted(file) + " is there and is no regular file",
                      "name another file, or - for stdout");
  return base::replace_file(at.get(), name, picture, base::Durability::kRuntime);
}

json drive_parameters(const Arguments& arguments) {
  return {{"name", arguments.words[0]},
          {"drive", arguments.value("drive", "cd0")},
          {"force", arguments.has("force")}};
}

}  // namespace

base::Result<int> screenshot(const Context& context, const Arguments& arguments) {
  std::string file = arguments.value("output");
  if (file.empty())
    return make_error(Code::kInvalid, "screenshot needs -o FILE", "such as -o screen.png");
  if (file == "-" && isatty(STDOUT_FILENO) != 0)
    return make_error(Code::kInvalid, "a picture is not for a terminal",
                      "write it to a file or into a pipe");
  TRY_AS(api::Client client, context.connect());
  TRY_AS(api::Reply reply, client.call("Screenshot", {{"name", arguments.words[0]}}));
  if (int_of(reply.parameters, "image", -1) != 0 || reply.fds.size() != 1)
    return make_error(Code::kInternal, "zoned sent no picture");
  TRY_AS(std::string picture, base::read_fd(reply.fds[0].get(), kMaxPicture));
  if (file == "-") {
    TRY(base::write_all(STDOUT_FILENO, picture));
    return 0;
  }
  TRY(write_picture(file, picture));
  if (context.json) print_json({{"name", arguments.words[0]}, {"file", file}});
  return 0;
}

base::Result<int> key(const Context& context, const Arguments& arguments) {
  std::vector<std::string> keys(arguments.words.begin() + 1, arguments.words.end());
  TRY_AS(std::string text, unescaped(arguments.value("text")));
  if (keys.empty() && text.empty())
    return make_error(Code::kInvalid, "no keys given", "such as: zone key NAME ctrl-alt-delete");
  TRY_AS(json reply,
         call(context, "Keys", {{"name", arguments.words[0]}, {"keys", keys}, {"text", text}}));
  if (context.json) print_json(reply);
  return 0;
}

base::Result<int> insert(const Context& context, const Arguments& arguments) {
  const std::string& file = arguments.words[1];
  // Only the file itself is handed over: what the guest may read is what this user may.
  TRY_AS(base::UniqueFd image, base::open_at(AT_FDCWD, file, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  TRY_AS(api::Client client, context.connect());
  TRY_AS(api::Reply reply, client.call("Insert", drive_parameters(arguments), {image.get()}));
  if (context.json) print_json(reply.parameters);
  return 0;
}

base::Result<int> eject(const Context& context, const Arguments& arguments) {
  TRY_AS(json reply, call(context, "Eject", drive_parameters(arguments)));
  if (context.json) print_json(reply);
  return 0;
}

base::Result<int> pause_guests(const Context& context, const Arguments& arguments) {
  return call_for_zones(context, arguments, "Pause", {"running"});
}

base::Result<int> resume_guests(const Context& context, const Arguments& arguments) {
  return call_for_zones(context, arguments, "Resume", {"paused"});
}

}  // namespace cli
