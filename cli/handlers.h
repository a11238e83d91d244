// The handlers behind the table of verbs, by the file that holds them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "cli/arguments.h"
#include "cli/context.h"

namespace cli {

// lifecycle.cc
base::Result<int> create(const Context& context, const Arguments& arguments);
base::Result<int> install(const Context& context, const Arguments& arguments);
base::Result<int> boot(const Context& context, const Arguments& arguments);
base::Result<int> shutdown(const Context& context, const Arguments& arguments);
base::Result<int> halt(const Context& context, const Arguments& arguments);
base::Result<int> reboot(const Context& context, const Arguments& arguments);
base::Result<int> uninstall(const Context& context, const Arguments& arguments);
base::Result<int> remove(const Context& context, const Arguments& arguments);
// exec.cc
base::Result<int> exec(const Context& context, const Arguments& arguments);
base::Result<int> run(const Context& context, const Arguments& arguments);
base::Result<int> login(const Context& context, const Arguments& arguments);
// console.cc, logs.cc
base::Result<int> console(const Context& context, const Arguments& arguments);
base::Result<int> logs(const Context& context, const Arguments& arguments);
// What a zone shows: a stream socket that speaks RFB (VNC), and what zoned says about the zone.
struct Display {
  base::UniqueFd socket;
  std::string label;   // canonical name
  std::string colour;  // "#rrggbb"
};
base::Result<Display> open_display(const Context& context, const std::string& zone);  // view.cc
// guests.cc, vnc.cc, view.cc
base::Result<int> screenshot(const Context& context, const Arguments& arguments);
base::Result<int> key(const Context& context, const Arguments& arguments);
base::Result<int> view(const Context& context, const Arguments& arguments);
base::Result<int> vnc(const Context& context, const Arguments& arguments);
base::Result<int> insert(const Context& context, const Arguments& arguments);
base::Result<int> eject(const Context& context, const Arguments& arguments);
base::Result<int> pause_guests(const Context& context, const Arguments& arguments);
base::Result<int> resume_guests(const Context& context, const Arguments& arguments);
// config.cc
base::Result<int> set(const Context& context, const Arguments& arguments);
base::Result<int> export_config(const Context& context, const Arguments& arguments);
base::Result<int> edit(const Context& context, const Arguments& arguments);
base::Result<int> verify(const Context& context, const Arguments& arguments);
// show.cc
base::Result<int> list(const Context& context, const Arguments& arguments);
base::Result<int> info(const Context& context, const Arguments& arguments);
base::Result<int> events(const Context& context, const Arguments& arguments);
base::Result<int> host(const Context& context, const Arguments& arguments);
// stat.cc
base::Result<int> stat(const Context& context, const Arguments& arguments);
base::Result<int> top(const Context& context, const Arguments& arguments);
// pools.cc
base::Result<int> pool_create(const Context& context, const Arguments& arguments);
base::Result<int> pool_set(const Context& context, const Arguments& arguments);
base::Result<int> pool_list(const Context& context, const Arguments& arguments);
base::Result<int> pool_info(const Context& context, const Arguments& arguments);
base::Result<int> pool_delete(const Context& context, const Arguments& arguments);
// users.cc
base::Result<int> user_set(const Context& context, const Arguments& arguments);
base::Result<int> user_list(const Context& context, const Arguments& arguments);
base::Result<int> user_delete(const Context& context, const Arguments& arguments);
// tree_labels.cc
base::Result<int> label_set(const Context& context, const Arguments& arguments);
base::Result<int> label_get(const Context& context, const Arguments& arguments);
base::Result<int> label_clear(const Context& context, const Arguments& arguments);
base::Result<int> label_trees(const Context& context, const Arguments& arguments);
// transfers.cc
base::Result<int> copy(const Context& context, const Arguments& arguments);
base::Result<int> relabel(const Context& context, const Arguments& arguments);
base::Result<int> copy_list(const Context& context, const Arguments& arguments);
base::Result<int> copy_show(const Context& context, const Arguments& arguments);
base::Result<int> copy_approve(const Context& context, const Arguments& arguments);
base::Result<int> copy_reject(const Context& context, const Arguments& arguments);
// networks.cc
base::Result<int> net_create(const Context& context, const Arguments& arguments);
base::Result<int> net_set(const Context& context, const Arguments& arguments);
base::Result<int> net_list(const Context& context, const Arguments& arguments);
base::Result<int> net_info(const Context& context, const Arguments& arguments);
base::Result<int> net_delete(const Context& context, const Arguments& arguments);
base::Result<int> net_ports(const Context& context, const Arguments& arguments);
// labels.cc
base::Result<int> label_check(const Context& context, const Arguments& arguments);
base::Result<int> label_list(const Context& context, const Arguments& arguments);
base::Result<int> label_dominates(const Context& context, const Arguments& arguments);

// audit.cc
base::Result<int> audit(const Context& context, const Arguments& arguments);
base::Result<int> audit_verify(const Context& context, const Arguments& arguments);
base::Result<int> audit_accept(const Context& context, const Arguments& arguments);

// SOURCE with its paths made absolute: "dir:x" -> "dir:/here/x".
std::string absolute_source(const std::string& source, const std::string& here);
// Likewise, against the working folder.
base::Result<std::string> absolute_source(const std::string& source);
// "-": stdin.
base::Result<std::string> read_text(const std::string& file);
// The zones that a verb names; --all: those in one of `states` (empty: all), sorted.
base::Result<std::vector<std::string>> zone_names(const Context& context,
                                                  const Arguments& arguments,
                                                  const std::vector<std::string>& words,
                                                  const std::vector<std::string>& states);
// Calls `method` for those zones, several at once. Every failure is printed; the others go on.
base::Result<int> call_for_zones(const Context& context, const Arguments& arguments,
                                 std::string_view method, const std::vector<std::string>& states);
// Asks zoned to install, with a progress bar on a terminal.
base::Status install_zone(const Context& context, const std::string& name,
                          const std::string& source);
// Runs argv in a zone (empty: the user's login shell); tty: a pty of the zone is relayed.
struct ExecRequest {
  std::string name;
  std::vector<std::string> argv;
  std::vector<std::string> env;
  std::string user;
  std::string workdir;
  bool tty = false;
};
base::Result<int> exec_in_zone(const Context& context, const ExecRequest& request);
base::Result<int> attach_console(const Context& context, const std::string& name);

}  // namespace cli
