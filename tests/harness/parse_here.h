// For servers of tests: messages read in this process.
#pragma once

#include <string>
#include <utility>

#include "zoned/api/server.h"

namespace harness {

inline void parse_here(uid_t, const std::string& text, const api::OnParsed& done) {
  auto message = api::parse_call(text);
  if (!message) return done(std::move(message).error());
  done(api::ParsedCall{*std::move(message), nullptr});
}

}  // namespace harness
