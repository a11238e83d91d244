// Relays between the user's terminal and a zone's pty or console.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/escape_filter.h"
#include "cli/terminal.h"

namespace cli {

// Finds "~." after a newline (or at the start) in what the user types; "~~" is one "~".
class EscapeScanner {
 public:
  // What goes on to the zone. Sets left() once the escape has been typed.
  std::string scan(std::string_view typed);
  bool left() const { return left_; }

 private:
  bool at_line_start_ = true;
  bool tilde_ = false;
  bool left_ = false;
};

struct RelayOptions {
  int remote = -1;      // pty master or stream socket; becomes non-blocking
  int status = -1;      // a status pipe: its line ends the relay; -1: none
  bool pty = false;     // remote is a pty: window changes and the end of input are passed on
  bool escape = false;  // "~." leaves
  bool filter = false;  // EscapeFilter on the output
};

struct RelayResult {
  std::string status;  // what came from the status pipe
  bool left = false;   // by "~."
  int signal = 0;      // the signal that ended it, or 0
};

// The line of a status pipe, once poll(2) has reported it; empty at its end without one.
base::Result<std::string> read_status(int pipe);

// Copies stdin to the remote and the remote to stdout until the remote or the status pipe ends, the
// user leaves or a signal comes. The terminal is raw meanwhile and restored on every way out.
base::Result<RelayResult> relay(const RelayOptions& options, const Signals& signals);

}  // namespace cli
