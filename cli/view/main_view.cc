// zone-view FD ZONE LABEL COLOUR: shows the display behind a connected socket. `zone view` starts
// it; ZONE, LABEL and COLOUR are zoned's words.
#include <sys/prctl.h>

#include <cstdio>

#include "base/strings.h"
#include "cli/view/frame.h"

namespace {

base::Status run(const std::vector<std::string>& arguments) {
  constexpr uint64_t kMaxFd = 1 << 20;
  if (arguments.size() != 4)
    return base::make_error(base::Code::kInvalid, "started by hand", "use 'zone view NAME'");
  TRY_AS(uint64_t fd, base::parse_uint(arguments[0], 3, kMaxFd));
  auto colour = view::parse_colour(arguments[3]);
  if (!colour)
    return base::make_error(base::Code::kInvalid, base::quoted(arguments[3]) + " is no colour");
  base::UniqueFd server(static_cast<int>(fd));
  TRY_AS(view::Canvas canvas, view::Canvas::create());
  TRY_AS(view::Decoder decoder, view::start_decoder(std::move(server), canvas));
  TRY(canvas.make_read_only());
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return base::sys_error("PR_SET_NO_NEW_PRIVS");
  base::Status shown = view::show_frame({arguments[1], arguments[2], *colour}, decoder, canvas);
  if (shown) return {};
  return std::move(shown).error().context("zone " + base::quoted(arguments[1]));
}

}  // namespace

int main(int argc, char** argv) {
  base::Status status = run(std::vector<std::string>(argv + 1, argv + argc));
  if (status) return 0;
  std::fprintf(stderr, "zone: %s\n", status.error().message.c_str());
  if (!status.error().hint.empty()) std::fprintf(stderr, "hint: %s\n", status.error().hint.c_str());
  return 1;
}
