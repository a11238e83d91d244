#include "cli/context.h"

#include <cstdio>
#include <utility>

#include "base/strings.h"
#include "zoned/api/message.h"

namespace cli {

using nlohmann::json;

base::Result<json> call(const Context& context, std::string_view method, json parameters) {
  TRY_AS(api::Client client, context.connect());
  TRY_AS(api::Reply reply, client.call(method, std::move(parameters)));
  return std::move(reply.parameters);
}

void print(std::string_view text) { fwrite(text.data(), 1, text.size(), stdout); }

void print_json(const json& value) {
  print(value.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

void note(const Context& context, std::string_view text) {
  if (context.quiet) return;
  std::string line = context.program + ": " + std::string(text) + "\n";
  fflush(stdout);
  fwrite(line.data(), 1, line.size(), stderr);
}

void print_warnings(const Context& context, const json& reply) {
  auto it = reply.find("warnings");
  if (it == reply.end() || !it->is_array()) return;
  for (const auto& warning : *it) {
    if (warning.is_string()) note(context, "warning: " + shown(warning.get<std::string>()));
  }
}

void print_error(const Context& context, const base::Error& error) {
  std::string text;
  if (context.json) {
    text = api::to_text(json{{"error", api::error_members(error)}}) + "\n";
  } else {
    text = context.program + ": " + shown(error.message) + "\n";
    if (!error.hint.empty()) text += "hint: " + shown(error.hint) + "\n";
  }
  fflush(stdout);
  fwrite(text.data(), 1, text.size(), stderr);
}

std::string text_of(const json& object, const char* member) {
  auto it = object.find(member);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

int64_t int_of(const json& object, const char* member, int64_t fallback) {
  auto it = object.find(member);
  return it != object.end() && it->is_number_integer() ? it->get<int64_t>() : fallback;
}

double number_of(const json& object, const char* member) {
  auto it = object.find(member);
  return it != object.end() && it->is_number() ? it->get<double>() : 0;
}

bool bool_of(const json& object, const char* member) {
  auto it = object.find(member);
  return it != object.end() && it->is_boolean() && it->get<bool>();
}

std::string shown(std::string_view text) {
  constexpr const char* kHex = "0123456789abcdef";
  std::string out;
  const bool plain = base::is_plain_utf8(text);
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f && (byte < 0x80 || plain)) {
      out.push_back(c);
    } else {
      out += "\\x";
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  return out;
}

}  // namespace cli
