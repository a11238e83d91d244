// zone-parse HOST-ID: reads hostile bytes for zoned (parse_text.h). Not meant for people. The socket is
// descriptor 0. This process puts another into the cell and ends; what it says first on the socket is
// "+PID" with the other's pidfd, or "-" and why there is none.
#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "base/strings.h"
#include "base/unix_socket.h"
#include "zoned/core/parse_serve.h"
#include "zoned/core/parser_cell.h"

namespace {

using base::Result;

Result<core::CelledProcess> start(int argc, char** argv) {
  if (argc != 2) return base::make_error(base::Code::kInvalid, "usage: zone-parse HOST-ID");
  constexpr uint64_t kMaxId = 0xfffffffe;
  TRY_AS(uint64_t id, base::parse_uint(argv[1], 1, kMaxId));
  TRY_AS(core::ParserCell cell, core::parser_cell(static_cast<uid_t>(id)));
  return core::start_in_cell(cell, STDIN_FILENO, core::serve_parser);
}

}  // namespace

int main(int argc, char** argv) {
  // One thread, one heap; what a large message took is given back.
  constexpr int kKeepBytes = 1 << 20;
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_TRIM_THRESHOLD, kKeepBytes);
  auto process = start(argc, argv);
  auto sent = process ? base::send_message(STDIN_FILENO, "+" + std::to_string(process->pid) + "\n",
                                           {process->pidfd.get()})
                      : base::send_message(STDIN_FILENO, "-" + process.error().message + "\n");
  return process && sent ? 0 : 1;
}
