// The command `zone`, and under the names zonecfg, zoneadm, zlogin and zonestat its Solaris spelling.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "cli/solaris.h"
#include "cli/verbs.h"

int main(int argc, char** argv) {
  cli::Context context;
  std::string name = argc > 0 ? argv[0] : "zone";
  name = name.substr(name.rfind('/') + 1);
  if (const char* root = getenv("ZONED_ROOT")) context.root = root;
  std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  int status = 0;
  if (cli::is_solaris_program(name)) {
    context.program = name;
    status = cli::run_solaris(context, words);
  } else {
    status = cli::run_zone(context, words);
  }
  // Whoever reads our output must learn when it is incomplete (a full disk).
  if (fflush(stdout) != 0 && status == 0) {
    perror("zone: write to stdout");
    status = cli::kFailed;
  }
  return status;
}
