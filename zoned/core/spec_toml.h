// Text to ZoneSpec and back. Errors name file, line, column and the nearest known key.
// Parsing and editing read TOML: zoned has them done by a process apart (parse_text.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "zoned/core/config_document.h"
#include "zoned/core/spec.h"

namespace core {

inline constexpr size_t kMaxConfigBytes = 256 * 1024;

// file names the text in errors: "web.toml:3:1: unknown key 'cpu-share'"; hint: did you mean ...
// Checks each value's own range; what depends on the host or on other objects is planning's.
base::Result<ZoneSpec> parse_zone(std::string_view name, std::string_view text,
                                  std::string_view file);
base::Result<PoolSpec> parse_pool(std::string_view name, std::string_view text,
                                  std::string_view file);

// Canonical text: every key that differs from its default, in the manual's order. Parsing it gives
// the same spec.
std::string format_zone(const ZoneSpec& spec);
std::string format_pool(const PoolSpec& spec);

// "KEY=VALUE" with dotted keys ("capped-memory.physical=512M", "fs.0.dir=/data",
// 'command=["/bin/sleep","60"]'). VALUE is TOML, or a bare word that is taken as a string where the
// key is one. Edits lines and keeps the comments and order that people wrote; an empty VALUE removes
// the key. The result has been parsed: it is valid as a zone (or pool) of that name.
struct EditedConfig {
  std::string text;
  ConfigDocument document;  // of the text
};
base::Result<EditedConfig> edit_zone(std::string_view name, std::string_view text,
                                     const std::vector<std::string>& assignments);
base::Result<EditedConfig> edit_pool(std::string_view name, std::string_view text,
                                     const std::vector<std::string>& assignments);

// Dotted names of the keys in which the two differ, such as {"cpu-shares", "capped-memory.physical"}.
std::vector<std::string> changed_keys(const ZoneSpec& a, const ZoneSpec& b);
// True for keys that a running zone takes at once (cpu-shares, capped-*, limits.*, restart,
// autoboot, ...); the others wait for the next boot.
bool is_live_key(std::string_view key);

// JSON Schema (2020-12) of a zone's configuration, made from the same table that parses it.
std::string zone_json_schema();

}  // namespace core
