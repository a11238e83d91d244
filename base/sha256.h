// SHA-256 (FIPS 180-4) by nettle: programs that use it link with -lnettle.
#pragma once

#include <string>
#include <string_view>

namespace base {

// 64 hexadecimal digits, lower case.
std::string sha256_hex(std::string_view data);

}  // namespace base
