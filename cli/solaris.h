// The Solaris spelling: what zonecfg, zoneadm, zlogin and zonestat say, in our verbs.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/context.h"

namespace cli {

// True for a program name that these functions serve.
bool is_solaris_program(std::string_view program);
// Runs such a command line (without argv[0]); prints errors; returns the exit status.
int run_solaris(const Context& context, std::span<const std::string> words);

// One line of `zoneadm list -v`, or with the title line for an empty id.
struct ZoneadmRow {
  std::string id, name, status, path, brand, ip;
};
std::string zoneadm_line(const ZoneadmRow& row);
// A field of `zoneadm list -p`: ':' and '\' are escaped.
std::string zoneadm_field(std::string_view text);

}  // namespace cli
