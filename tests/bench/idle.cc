// /bin/true and /bin/pause of the benchmarks' tree: one static program, which waits for a signal when
// its name is "pause".
#include <unistd.h>

#include <cstring>

int main(int, char** argv) {
  const char* slash = std::strrchr(argv[0], '/');
  if (std::strcmp(slash != nullptr ? slash + 1 : argv[0], "pause") != 0) return 0;
  while (true) pause();
}
