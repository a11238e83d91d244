#include "zoned/core/parse_serve.h"

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "base/files.h"
#include "zoned/core/parse_text.h"

namespace core {
namespace {

// False: the end, or an error.
bool read_whole(int socket, char* to, size_t size) {
  while (size > 0) {
    ssize_t n = read(socket, to, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    to += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

}  // namespace

int serve_parser(int socket) {
  while (true) {
    char head[kParseHead];
    if (!read_whole(socket, head, sizeof head)) return 0;
    size_t length = 0;
    for (size_t i = 0; i < sizeof head; ++i)
      length |= static_cast<size_t>(static_cast<unsigned char>(head[i])) << (8 * i);
    if (length > kMaxParseRequest) return 1;
    std::string request(length, '\0');
    if (!read_whole(socket, request.data(), length)) return 1;
    std::string answer = answer_request(request);
    std::string out;
    for (size_t i = 0; i < kParseHead; ++i)
      out.push_back(static_cast<char>(static_cast<unsigned char>(answer.size() >> (8 * i))));
    out += answer;
    if (!base::write_all(socket, out)) return 1;
  }
}

}  // namespace core
