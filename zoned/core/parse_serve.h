// zone-parse's loop: requests on a stream socket, each behind its length (4 bytes, little-endian),
// answered in order in the same form.
#pragma once

#include <cstddef>

namespace core {

inline constexpr size_t kParseHead = 4;  // bytes of a length

// Until the other side closes: 0. 1: it does not keep to the form, or the socket failed. Calls nothing
// but read, write and what memory needs.
int serve_parser(int socket);

}  // namespace core
