#include <unistd.h>

#include "cli/handlers.h"
#include "cli/relay.h"
#include "cli/terminal.h"

namespace cli {

using base::Code;
using base::make_error;

base::Result<int> attach_console(const Context& context, const std::string& name) {
  TRY_AS(api::Client client, context.connect());
  TRY_AS(api::Reply reply, client.call("Console", {{"name", name}}));
  if (int_of(reply.parameters, "socket", -1) != 0 || reply.fds.size() != 1)
    return make_error(Code::kInternal, "zoned sent no console");
  bool terminal = isatty(STDOUT_FILENO) != 0;
  if (terminal) note(context, "connected to the console of zone '" + name + "'; ~. leaves");
  TRY_AS(Signals signals, Signals::block({SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH}));
  RelayOptions options;
  options.remote = reply.fds[0].get();
  options.escape = true;
  options.filter = terminal;
  TRY_AS(RelayResult result, relay(options, signals));
  if (result.signal != 0) return 128 + result.signal;
  if (terminal) note(context, result.left ? "left the console" : "the console was closed");
  return 0;
}

base::Result<int> console(const Context& context, const Arguments& arguments) {
  return attach_console(context, arguments.words[0]);
}

}  // namespace cli
