// Edits of a TOML text that keep everything people wrote around the change: comments, order, spelling,
// line ends. The text must be one that parse_document accepts. Pure; the caller parses the result and
// compares it with what was meant.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "zoned/core/config_document.h"

namespace core {

// Sets path to `value` (TOML text of one value, on one line) where it stands; else adds it to the
// table that holds its neighbours, else adds that table at the end. list_depth: the number of leading
// segments that name an element of a list (2 for fs.0.dir, where an index one past the end appends),
// 0 for none. Comment lines inside a replaced value move in front of it.
std::string set_in_text(std::string_view text, const ConfigPath& path, std::string_view value,
                        size_t list_depth);

// Removes path and everything below it; absent: returns the text. A table that loses its last key
// loses its header too, unless it holds comments. Comment lines stay.
std::string remove_in_text(std::string_view text, const ConfigPath& path);

}  // namespace core
