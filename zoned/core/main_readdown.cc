// zone-readdown: see down_server.h. Its control socket's listener is descriptor 3.
#include <cstdio>

#include "zoned/core/down_server.h"

int main() {
  constexpr int kListener = 3;
  auto server = core::DownServer::create(base::UniqueFd(kListener));
  base::Status status = server ? (*server)->run() : base::Status(std::move(server).error());
  if (status) return 0;
  std::fprintf(stderr, "zone-readdown: %s\n", status.error().message.c_str());
  return 1;
}
