// zone-dhcp6 FILE PROGRAM [ARGUMENT...]: see dhcp6_server.h.
#include <cstdio>

#include "netns/dhcp6_server.h"

int main(int argc, char** argv) {
  constexpr int kUsage = 2;
  if (argc < 3) return kUsage;
  auto server = netns::Dhcp6Server::create(argv[1]);
  auto status = server ? (*server)->run({argv + 2, argv + argc})
                       : base::Result<int>(std::move(server).error());
  if (status) return *status;
  std::fprintf(stderr, "zone-dhcp6: %s\n", status.error().message.c_str());
  return 1;
}
