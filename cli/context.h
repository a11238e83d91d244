// What every verb needs: the global options, and ways to speak to the daemon and to the user.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/result.h"
#include "zoned/api/client.h"

namespace cli {

struct Context {
  std::string program = "zone";
  std::string root;  // absolute or empty
  bool json = false;
  bool quiet = false;    // no notes, no warnings
  bool progress = true;  // bars, on a terminal

  base::Result<api::Client> connect() const { return api::Client::connect(root); }
};

// A call on a connection of its own.
base::Result<nlohmann::json> call(const Context& context, std::string_view method,
                                  nlohmann::json parameters);

// stdout; a closed pipe ends the program as usual.
void print(std::string_view text);
void print_json(const nlohmann::json& value);
// stderr: "zone: <text>", not with -q.
void note(const Context& context, std::string_view text);
// "zone: warning: ..." for each of reply["warnings"].
void print_warnings(const Context& context, const nlohmann::json& reply);
// "zone: <message>" and "hint: <hint>"; with --json one line {"error": {code, message, hint}}.
// Always on stderr.
void print_error(const Context& context, const base::Error& error);

// Members of a reply, with a default when they are absent or of another type: a daemon of another
// version must not crash the client.
std::string text_of(const nlohmann::json& object, const char* member);
int64_t int_of(const nlohmann::json& object, const char* member, int64_t fallback = 0);
double number_of(const nlohmann::json& object, const char* member);
bool bool_of(const nlohmann::json& object, const char* member);
// Also for values that come from zones or other users: control characters made visible.
std::string shown(std::string_view text);

}  // namespace cli
