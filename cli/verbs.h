// The table of verbs: what `zone` can do. The manual page is compared with it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/arguments.h"
#include "cli/context.h"

namespace cli {

// The exit status, or the error that main prints.
using Handler = base::Result<int> (*)(const Context& context, const Arguments& arguments);

inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kExecFailed = 125;  // exec, run, login: ours, not the command's
// The exit status for an error where a failure otherwise gives `failure`: with kExecFailed, 127 for
// a missing command and 126 for one that can't be executed, as a shell has it.
int failure_status(const base::Error& error, int failure);

struct Verb {
  std::string_view name;   // "create", "pool create"
  std::string_view usage;  // behind the name: "NAME [-f FILE] ..."
  std::string_view help;   // one line
  std::string_view group;  // heading in the help
  Grammar grammar;         // without the global options
  Handler handler;
  int failure = kFailed;  // exit status of an error
};

std::span<const Verb> verbs();
// Options that every verb takes.
std::span<const Option> global_options();

// "zone --help" and "zone VERB --help".
std::string help_text();
std::string verb_help(const Verb& verb);

// Runs a whole command line (without argv[0]); prints errors; returns the exit status.
int run_zone(Context context, std::span<const std::string> words);

}  // namespace cli
